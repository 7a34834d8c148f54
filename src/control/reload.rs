//! Reading the configuration again (SIGHUP).

use super::daemon::Daemon;
use super::devices::Devices;
use super::reconciler::Reconciler;
use crate::config::{Config, Update};
use crate::types::sentence;

/// Reads the configuration as at the start: the command line over the file.
pub type ReadConfig<'a> = dyn Fn() -> anyhow::Result<Config> + 'a;

impl Daemon {
    /// Applies what has changed in the configuration and can change while the switch runs. A configuration that cannot
    /// be used changes nothing. The next round makes it true.
    pub(super) fn reload(&mut self, read: &ReadConfig) {
        let config = match read() {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the configuration stays as it is: {}", sentence(error.as_ref()));
                return;
            }
        };
        let Update { changed, kept } = self.reconciler.configure(config);
        self.reconciler.devices.pinning.reconsider(&self.reconciler.config);
        for line in &changed {
            tracing::info!("configuration: {line}");
        }
        for line in &kept {
            tracing::warn!("configuration: {line}");
        }
        if changed.is_empty() && kept.is_empty() {
            tracing::info!("configuration read again: nothing has changed");
        }
    }
}

impl<D: Devices> Reconciler<D> {
    /// Takes the settings that can change while the switch runs.
    pub(super) fn configure(&mut self, config: Config) -> Update {
        let update = self.config.apply_changes(config);
        if !update.changed.is_empty() {
            self.compiler.set_policy(self.config.policy.clone());
            for port in self.ports.values_mut() {
                // The others need another program, so the device is taken again.
                port.options.complete_checksums = self.config.port(&port.lport).complete_checksums;
            }
            self.links_changed = true;
        }
        update
    }
}
