//! Whether the tables in force are those that the records and links call for.

use super::Reconciler;
use crate::control::devices::Devices;
use crate::nb::Snapshot;
use crate::tables::{Compiler, LocalLink, Policy, TableDump};
use crate::types::Incumbents;

/// The tables that were in force at a moment, and the devices then.
#[derive(Debug)]
pub struct Evidence {
    in_force: TableDump,
    links: Vec<LocalLink>,
    workers: usize,
    policy: Policy,
    incumbents: Incumbents,
}

impl Evidence {
    /// Compiles `snapshot` from nothing for the same devices, and says in what the tables differ from that. While changes
    /// are under way, they may.
    #[must_use]
    pub fn differences(self, snapshot: &Snapshot) -> Vec<String> {
        let mut fresh = Compiler::new(self.workers, self.policy);
        fresh.set_incumbents(self.incumbents);
        fresh.apply_snapshot(snapshot);
        self.links.into_iter().for_each(|link| fresh.set_link(link));
        let wanted = fresh.compile();
        self.in_force.differences(&TableDump::of(&fresh, &wanted))
    }
}

impl<D: Devices> Reconciler<D> {
    /// What it takes to compare the tables in force with what they should be.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            in_force: TableDump::of(&self.compiler, &self.publisher.current()),
            links: self.ports.values().map(|port| self.local_link(port)).collect(),
            workers: self.config.workers.len(),
            policy: self.config.policy.clone(),
            incumbents: self.compiler.incumbents(),
        }
    }
}
