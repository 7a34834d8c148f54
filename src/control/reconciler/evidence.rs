//! The check whether the tables in force are those that records and links require.

use std::net::IpAddr;

use super::state::Reconciler;
use crate::control::backend::LinkBackend;
use crate::nb::Snapshot;
use crate::tables::{Compiler, Host, LocalLink, Policy, TableDump, UnderlayPaths};
use crate::types::Incumbents;

/// The tables that were in force at one moment, with the links and the paths to other hosts then.
#[derive(Debug)]
pub struct Evidence {
    in_force: TableDump,
    links: Vec<LocalLink>,
    paths: Vec<(IpAddr, UnderlayPaths)>,
    workers: usize,
    policy: Policy,
    host: Host,
    incumbents: Incumbents,
}

impl Evidence {
    /// Compiles `snapshot` with an empty compiler for the same links and paths, and returns the differences to
    /// the tables, which may exist while changes are under way.
    #[must_use]
    pub fn differences(self, snapshot: &Snapshot) -> Vec<String> {
        let mut fresh = Compiler::new(self.workers, self.policy);
        fresh.set_host(self.host);
        fresh.set_incumbents(self.incumbents);
        fresh.apply_snapshot(snapshot);
        self.links.into_iter().for_each(|link| fresh.set_link(link));
        self.paths.into_iter().for_each(|(address, paths)| fresh.set_paths(address, Some(paths)));
        let wanted = fresh.compile();
        self.in_force.differences(&TableDump::of(&fresh, &wanted))
    }
}

impl<B: LinkBackend> Reconciler<B> {
    /// A copy of the tables in force for the comparison with records.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            in_force: TableDump::of(&self.compiler, &self.publisher.current()),
            links: self.ports.iter().map(|port| self.local_link(port)).collect(),
            paths: self.compiler.paths().map(|(address, paths)| (address, paths.clone())).collect(),
            workers: self.config.workers.len(),
            policy: self.config.policy.clone(),
            host: self.host(),
            incumbents: self.compiler.incumbents(),
        }
    }
}
