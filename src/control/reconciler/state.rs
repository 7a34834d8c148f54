//! The state of the reconciler, and the events that change it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::open_ports::{OpenPort, OpenPorts};
use super::openings::Openings;
use crate::config::{Config, LinkOptions, Update};
use crate::control::backend::{BackendEvent, LinkBackend};
use crate::control::bound_elsewhere;
use crate::control::desired::Desired;
use crate::control::links::{Attachments, Link, LinkEvent, Links, affected_ports};
use crate::nb::{ChangeSet, Snapshot};
use crate::tables::{Compiler, LocalLink, PortIds, Publisher, Tables};
use crate::types::{Id, IfIndex, Incumbents, LinkRole, Problem, SlotAllocator};

/// Keeps the open links and the published tables equal to those that records and links require.
///
/// An event only changes the records and links ([`apply_snapshot`](Self::apply_snapshot),
/// [`apply_changes`](Self::apply_changes), [`apply_link_event`](Self::apply_link_event));
/// [`reconcile`](Self::reconcile) does the work. The result does not depend on the order of events, except
/// for the [`incumbents`](Self::incumbents).
#[derive(Debug)]
pub struct Reconciler<B: LinkBackend> {
    pub(in crate::control) config: Config,
    pub(super) attachments: Attachments,
    /// The records, and the tables compiled from them.
    pub(in crate::control) compiler: Compiler,
    pub(in crate::control) publisher: Publisher,
    pub(in crate::control) links: Links,
    pub(in crate::control) desired: Desired,
    pub(in crate::control) backend: B,
    /// Events for the next round.
    pub(super) events: Vec<BackendEvent<B::Handle, B::Error>>,
    pub(super) changed: Changed,
    pub(in crate::control) openings: Openings,
    pub(in crate::control) ports: OpenPorts<B::Handle>,
    pub(super) slots: SlotAllocator,
    /// The links by which each endpoint of another host is reached.
    pub(super) tunnel_links: BTreeMap<IpAddr, BTreeSet<IfIndex>>,
    /// Whether the incumbents may differ from the last time that they were taken.
    pub(super) incumbents_changed: bool,
}

/// What the next round examines, beside the records that changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) links: BTreeSet<IfIndex>,
    /// Ports that may have another link now.
    pub(super) lports: BTreeSet<Id>,
}

impl<B: LinkBackend> Reconciler<B> {
    /// A reconciler without records. `start` makes the backend, whose workers forward by the tables of the
    /// publisher.
    ///
    /// # Errors
    /// The error that `start` returns.
    pub fn new<E>(
        config: Config,
        links: Links,
        start: impl FnOnce(&Config, &Publisher) -> Result<B, E>,
    ) -> Result<Self, E> {
        let mut compiler = Compiler::new(config.workers.len(), config.policy.clone());
        let publisher = Publisher::new(compiler.compile());
        let backend = start(&config, &publisher)?;
        let mut reconciler = Self {
            attachments: Attachments::new(&config.attach),
            config,
            compiler,
            publisher,
            links,
            desired: Desired::default(),
            backend,
            events: Vec::new(),
            changed: Changed::default(),
            openings: Openings::default(),
            ports: OpenPorts::default(),
            slots: SlotAllocator::default(),
            tunnel_links: BTreeMap::new(),
            incumbents_changed: false,
        };
        reconciler.compiler.set_host(reconciler.host());
        Ok(reconciler)
    }

    /// Replaces all records by those of a snapshot.
    pub fn apply_snapshot(&mut self, snapshot: &Snapshot) {
        self.compiler.apply_snapshot(snapshot);
        self.incumbents_changed = true;
    }

    /// Applies changes of records.
    pub fn apply_changes(&mut self, changes: &ChangeSet) {
        changes.changes.iter().for_each(|change| self.compiler.apply_change(change));
        self.incumbents_changed = true;
    }

    /// Applies a change of the links.
    pub fn apply_link_event(&mut self, event: LinkEvent) {
        let changed = event.changed(&self.links);
        let nb = self.compiler.northbound();
        let lports = affected_ports(&event, &changed, &self.links, nb, &self.attachments);
        self.changed.lports.extend(lports);
        event.apply(&mut self.links);
        for ifindex in changed {
            if let (Some(port), Some(link)) = (self.ports.get_mut(ifindex), self.links.get(ifindex)) {
                port.link_name.clone_from(&link.name);
            }
            self.changed.links.insert(ifindex);
        }
    }

    /// Queues an event of the backend for the next round.
    pub(in crate::control) fn push_backend_event(&mut self, event: BackendEvent<B::Handle, B::Error>) {
        self.events.push(event);
    }

    /// Applies the settings that can change while the switch runs.
    pub(in crate::control) fn configure(&mut self, config: Config) -> Update {
        let update = self.config.apply_changes(config);
        if !update.changed.is_empty() {
            self.attachments = Attachments::new(&self.config.attach);
            self.compiler.set_policy(self.config.policy.clone());
            self.compiler.set_host(self.host());
            let nb = self.compiler.northbound();
            self.changed.lports.extend(nb.lports_at(&self.config.chassis).map(|port| port.id.clone()));
            for port in self.ports.iter_mut() {
                // The other options are those of the program: with other ones the link is opened again.
                let new = self.config.link_options(&port.role, port.options.spread());
                if let (LinkOptions::Port(old, _), LinkOptions::Port(new, _)) = (&mut port.options, new) {
                    old.complete_checksums = new.complete_checksums;
                }
                self.changed.links.insert(port.ifindex);
            }
        }
        update
    }

    /// The records, and the tables made of them.
    #[must_use]
    pub const fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// The tables in force.
    #[must_use]
    pub fn tables(&self) -> Arc<Tables> {
        self.publisher.current()
    }

    /// Sets the [incumbents](Self::incumbents) of an earlier run, before the first records.
    pub fn set_incumbents(&mut self, incumbents: Incumbents) {
        self.desired.set_incumbents(&incumbents);
        self.compiler.set_incumbents(incumbents);
    }

    /// The holders of what several records or ports claim. A later claim takes nothing from them.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let mut incumbents = self.compiler.incumbents();
        incumbents.extend(self.desired.incumbents());
        incumbents
    }

    /// The link of an event before and after it, if a role claims the link.
    pub(in crate::control) fn link_change<'a>(
        &'a self,
        event: &'a LinkEvent,
    ) -> Option<(&'a Link, Option<&'a Link>)> {
        let (ifindex, now) = match event {
            LinkEvent::Changed(link) => (link.ifindex, Some(link)),
            LinkEvent::Gone(ifindex) => (*ifindex, None),
            LinkEvent::AddressAdded(..) | LinkEvent::AddressRemoved(..) | LinkEvent::Resync(_) => {
                return None;
            }
        };
        let before = self.links.get(ifindex).filter(|_| self.desired.is_claimed(ifindex))?;
        Some((before, now))
    }

    /// Whether an event waits for the next round.
    pub(in crate::control) const fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether the incumbents may have changed since the last call.
    pub(in crate::control) const fn take_incumbents_changed(&mut self) -> bool {
        mem::replace(&mut self.incumbents_changed, false)
    }

    /// The open links, each with its role.
    pub fn open_links(&self) -> impl Iterator<Item = (IfIndex, &LinkRole)> {
        self.ports.iter().map(|port| (port.ifindex, &port.role))
    }

    /// The time at which [`reconcile`](Self::reconcile) should be called again without an event: a refused
    /// link is tried again then.
    #[must_use]
    pub fn next_retry(&self) -> Option<Instant> {
        self.openings.next_retry()
    }

    /// The last name of a link, or its index.
    pub(in crate::control) fn link_name(&self, ifindex: IfIndex) -> String {
        self.links.get(ifindex).map_or_else(|| ifindex.to_string(), |link| link.name.clone())
    }

    /// The ports whose state may have changed since the last call.
    pub fn take_reported(&mut self) -> PortIds {
        self.compiler.take_rebuilt()
    }

    /// Records and links that cannot be used, each with the reason.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let refused = self.openings.refusals().map(|(ifindex, refusal)| {
            Problem::new(format!("link {}", self.link_name(ifindex)), refusal.reason.clone())
        });
        let no_link = self.desired.problems(&self.links);
        let uplinks = self.uplink_problems();
        let nb = self.compiler.northbound();
        let elsewhere = bound_elsewhere::problems(nb, &self.links, &self.config.chassis, &self.attachments);
        let found = self.compiler.problems().into_iter().chain(no_link);
        found.chain(refused).chain(uplinks).chain(elsewhere).collect()
    }

    /// An open link with the properties that the tables contain.
    pub(super) fn local_link(&self, port: &OpenPort<B::Handle>) -> LocalLink {
        let link = self.links.get(port.ifindex);
        LocalLink {
            slot: port.slot,
            ifindex: port.ifindex,
            role: port.role.clone(),
            // Switched on at both ends.
            up: link.is_some_and(|link| link.up && link.carrier),
            queues: port.queues.iter().copied().collect(),
            complete_checksums: port.options.completes_checksums(),
            mtu: link.map_or(0, |link| link.mtu as usize),
            longest_frame: link.map_or(0, Link::longest_frame),
            host_address: self.links.address_of(port.ifindex),
        }
    }
}
