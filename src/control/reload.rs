//! A new configuration while the switch runs (SIGHUP).

use super::daemon::Daemon;
use crate::config::{Config, Update};
use crate::types::sentence;

/// Reads the configuration as at the start: options of the command line override the file.
pub type ReadConfig<'a> = dyn Fn() -> anyhow::Result<Config> + 'a;

impl Daemon {
    /// Reads the configuration again, and applies the settings that can change while the switch runs. An
    /// invalid configuration changes nothing. The next round of the reconciler examines all links.
    pub(super) fn reload(&mut self, read: &ReadConfig) {
        let config = match read() {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the configuration stays as it is: {}", sentence(error.as_ref()));
                return;
            }
        };
        let Update { changed, kept } = self.reconciler.configure(config);
        self.reconciler.backend.pinning.apply_config(&self.reconciler.config);
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
