//! Settings that can change while the switch runs, and those that need a restart.

use std::fmt::Debug;
use std::num::NonZeroU32;

use super::checked::Config;
use crate::nb::masked;
use crate::tables::Policy;

/// The outcome of a configuration that was read again: a line for each setting that differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Settings that have their new value.
    pub changed: Vec<String>,
    /// Settings that keep their old value until a restart.
    pub kept: Vec<String>,
}

impl Config {
    /// Applies each setting of `new` that can change while the switch runs.
    pub fn apply_changes(&mut self, new: Self) -> Update {
        let Self {
            nb,
            chassis,
            workers,
            attach,
            uplinks,
            tunnel_df,
            api,
            state,
            pin_folder,
            pins_requested,
            on_worker_panic,
            local_ip,
            umem_mib,
            idle,
            default_port,
            policy: Policy { unknown_tags, flood_rate, reserved_multicast, connections },
            ports,
        } = new;
        let mut update = Update::default();
        update.keep("nb", &masked(&self.nb), &masked(&nb));
        update.keep("chassis", &self.chassis, &chassis);
        update.keep("workers", &self.workers, &workers);
        update.keep("api", &self.api, &api);
        update.keep("state", &self.state, &state);
        update.keep("pin_folder", &self.pin_folder, &pin_folder);
        update.keep("local_ip", &self.local_ip, &local_ip);
        update.keep("umem_mib", &self.umem_mib, &umem_mib);
        update.keep("idle", &self.idle, &idle);
        update.set_value("on_worker_panic", &mut self.on_worker_panic, on_worker_panic);
        let rates = [flood_rate, self.policy.flood_rate].map(|rate| rate.map_or(0, NonZeroU32::get));
        let line = format!("flood_rate: {} instead of {}", rates[0], rates[1]);
        update.set(line, &mut self.policy.flood_rate, flood_rate);
        update.set_table("quota_connections, connection_timeouts", &mut self.policy.connections, connections);
        update.set_value("reserved_multicast", &mut self.policy.reserved_multicast, reserved_multicast);
        update.set_table("unknown_tags", &mut self.policy.unknown_tags, unknown_tags);
        update.set_table("attach", &mut self.attach, attach);
        update.set_table("uplinks", &mut self.uplinks, uplinks);
        update.set_value("tunnel_df", &mut self.tunnel_df, tunnel_df);
        update.set_table("port.\"*\"", &mut self.default_port, default_port);
        update.set_table("port", &mut self.ports, ports);
        // Not a setting: it follows from two that are reported themselves.
        self.pins_requested = pins_requested;
        update
    }
}

impl Update {
    fn keep<T: PartialEq + Debug>(&mut self, key: &str, old: &T, new: &T) {
        if old != new {
            self.kept.push(format!("{key}: kept {old:?}, {new:?} needs a restart"));
        }
    }

    fn set_value<T: PartialEq + Debug>(&mut self, key: &str, value: &mut T, new: T) {
        let line = format!("{key}: {new:?} instead of {value:?}");
        self.set(line, value, new);
    }

    /// Sets a table, which is too long for a line.
    fn set_table<T: PartialEq>(&mut self, key: &str, value: &mut T, new: T) {
        self.set(format!("{key}: changed"), value, new);
    }

    fn set<T: PartialEq>(&mut self, line: String, value: &mut T, new: T) {
        if *value != new {
            self.changed.push(line);
            *value = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crate::config::Settings;

    fn settings() -> Settings {
        Settings { workers: Some("0".to_owned()), chassis: Some("c1".to_owned()), ..Settings::default() }
    }

    #[test]
    fn only_settings_that_can_change_at_run_time_do() {
        let mut config = settings().check().unwrap();
        let mut new = Settings { flood_rate: Some(7), umem_mib: Some(64), ..settings() };
        new.nb = Some("redis://u:secret@h".to_owned());
        let update = config.apply_changes(new.check().unwrap());
        assert_eq!(update.changed, ["flood_rate: 7 instead of 100000"]);
        assert_eq!(
            update.kept,
            [
                r#"nb: kept "sqlite:/var/lib/trunkpath/nb.db", "redis://u:***@h" needs a restart"#,
                "umem_mib: kept 256, 64 needs a restart",
            ]
        );
        assert_eq!((config.policy.flood_rate, config.umem_mib), (NonZeroU32::new(7), 256));
    }

    #[test]
    fn the_same_settings_change_nothing() {
        let mut config = settings().check().unwrap();
        let update = config.apply_changes(settings().check().unwrap());
        assert_eq!(update, super::Update::default());
    }
}
