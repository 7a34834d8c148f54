//! Making what is the same as what is wanted: the one path for every cause.

mod evidence;
mod round;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::bound_elsewhere;
use super::desired::Desired;
use super::devices::{DeviceEvent, Devices};
use super::links::{Link, LinkEvent, Links};
use crate::config::{Config, PortOptions};
use crate::nb::{ChangeSet, Snapshot};
use crate::tables::{Compiler, LinkSlot, LocalLink, PortIds, Publisher, Tables, WorkerId};
use crate::types::{Id, IfIndex, Incumbents, Problem, SlotAllocator};
pub use evidence::Evidence;

/// The records and links as they are known, the devices that are ours, and the tables in force.
///
/// Whoever hears of something says so ([`read`](Self::read), [`follow`](Self::follow), [`see`](Self::see)), and then has
/// it all made true by [`reconcile`](Self::reconcile). What comes out does not depend on the order, but for who holds what
/// several claim: see [`incumbents`](Self::incumbents).
#[derive(Debug)]
pub struct Reconciler<D: Devices> {
    pub(super) config: Config,
    /// The records, and the tables made of them.
    pub(super) compiler: Compiler,
    pub(super) publisher: Publisher,
    pub(super) links: Links,
    /// Whether the last round was before the last news of a link.
    pub(super) links_changed: bool,
    pub(super) desired: Desired,
    pub(super) devices: D,
    /// Events of devices that the next round deals with.
    events: Vec<DeviceEvent<D::Handle>>,
    /// Devices that are being opened.
    pub(super) opening: BTreeMap<IfIndex, Opening>,
    /// Whether there are more to open than are opened at a time.
    more_to_open: bool,
    /// Devices that are ours.
    pub(super) ports: BTreeMap<IfIndex, OpenPort<D::Handle>>,
    /// Devices that should be, and are not.
    pub(super) refused: BTreeMap<IfIndex, Refusal>,
    slots: SlotAllocator,
}

/// A logical port's device, taken.
#[derive(Debug)]
pub(super) struct OpenPort<H> {
    pub(super) ifindex: IfIndex,
    /// The name it was last seen with.
    pub(super) device: String,
    pub(super) lport: Id,
    pub(super) slot: LinkSlot,
    pub(super) queues: Vec<WorkerId>,
    pub(super) options: PortOptions,
    pub(super) handle: H,
    /// Why the device has to be opened again, if it has.
    lost: Option<String>,
}

/// A device that is being opened for a logical port.
#[derive(Debug)]
pub(super) struct Opening {
    lport: Id,
    slot: LinkSlot,
    options: PortOptions,
    since: Instant,
}

/// A device that could not be taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    next: Instant,
    /// How long it waits for `next`; `None` for a device that was open and has not been tried again yet.
    pause: Option<Duration>,
}

impl<D: Devices> Reconciler<D> {
    /// A reconciler without records. `start` makes what takes the links, and forwards with what the publisher publishes.
    ///
    /// # Errors
    /// What `start` returns.
    pub fn new<E>(
        config: Config,
        links: Links,
        start: impl FnOnce(&Config, &Publisher) -> Result<D, E>,
    ) -> Result<Self, E> {
        let mut compiler = Compiler::new(config.workers.len(), config.policy.clone());
        let publisher = Publisher::new(compiler.compile());
        let devices = start(&config, &publisher)?;
        Ok(Self {
            config,
            compiler,
            publisher,
            links,
            links_changed: true,
            desired: Desired::default(),
            devices,
            events: Vec::new(),
            opening: BTreeMap::new(),
            more_to_open: false,
            ports: BTreeMap::new(),
            refused: BTreeMap::new(),
            slots: SlotAllocator::default(),
        })
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

    /// Takes the [incumbents](Self::incumbents) of an earlier run, before any records.
    pub fn remember(&mut self, incumbents: Incumbents) {
        self.desired.remember(&incumbents);
        self.compiler.set_incumbents(incumbents);
    }

    /// Who holds what several records or ports claim. A newcomer takes nothing from them.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let mut incumbents = self.compiler.incumbents();
        incumbents.extend(self.desired.incumbents());
        incumbents
    }

    /// Takes all records: what is not among them is no more.
    pub fn read(&mut self, snapshot: &Snapshot) {
        self.compiler.apply_snapshot(snapshot);
    }

    /// Takes changes of the records.
    pub fn follow(&mut self, changes: &ChangeSet) {
        changes.changes.iter().for_each(|change| self.compiler.apply_change(change));
    }

    /// The link that an event is about as it was and as it is, if a port has it or wants it.
    pub(super) fn link_change<'a>(&'a self, event: &'a LinkEvent) -> Option<(&'a Link, Option<&'a Link>)> {
        let (ifindex, now) = match event {
            LinkEvent::Changed(link) => (link.ifindex, Some(link)),
            LinkEvent::Gone(ifindex) => (*ifindex, None),
            LinkEvent::Resync(_) => return None,
        };
        let before = self.links.get(ifindex).filter(|_| self.desired.is_claimed(ifindex))?;
        Some((before, now))
    }

    /// Takes news of a link.
    pub fn see(&mut self, event: LinkEvent) {
        event.apply(&mut self.links);
        for port in self.ports.values_mut() {
            if let Some(link) = self.links.get(port.ifindex) {
                port.device.clone_from(&link.name);
            }
        }
        self.links_changed = true;
    }

    /// Takes an event of a device, for the next round.
    pub(super) fn note(&mut self, event: DeviceEvent<D::Handle>) {
        self.events.push(event);
    }

    /// Whether there is an event that no round has dealt with.
    pub(super) const fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// The device at `slot`.
    pub(super) fn ifindex_at(&self, slot: LinkSlot) -> Option<IfIndex> {
        self.ports.values().find(|port| port.slot == slot).map(|port| port.ifindex)
    }

    /// How long the device has been being opened, if it is.
    pub(super) fn opening_for(&self, ifindex: IfIndex) -> Option<Duration> {
        self.opening.get(&ifindex).map(|opening| opening.since.elapsed())
    }

    /// The devices that are ours, and the port of each.
    pub fn taken(&self) -> impl Iterator<Item = (IfIndex, &str)> {
        self.ports.values().map(|port| (port.ifindex, port.lport.as_str()))
    }

    /// When a refused device is to be tried again; `None` if none is, or an event comes before.
    #[must_use]
    pub fn next_retry(&self) -> Option<Instant> {
        if self.more_to_open {
            return None;
        }
        let waiting = self.refused.iter().filter(|(ifindex, _)| !self.opening.contains_key(ifindex));
        waiting.map(|(_, refusal)| refusal.next).min()
    }

    /// The ports whose state may be another one since this was asked last.
    pub fn take_reported(&mut self) -> PortIds {
        self.compiler.take_rebuilt()
    }

    /// Everything that could not be used, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let refused = self.refused.iter().map(|(ifindex, refusal)| {
            let link = self.links.get(*ifindex).map_or_else(|| ifindex.to_string(), |link| link.name.clone());
            Problem::new(format!("link {link}"), refusal.reason.clone())
        });
        let no_device = self.desired.problems(&self.links);
        let nb = self.compiler.northbound();
        let elsewhere = bound_elsewhere::problems(nb, &self.links, &self.config);
        let found = self.compiler.problems().into_iter().chain(no_device);
        found.chain(refused).chain(elsewhere).collect()
    }

    /// A device of ours as the tables see it.
    fn local_link(&self, port: &OpenPort<D::Handle>) -> LocalLink {
        let link = self.links.get(port.ifindex);
        LocalLink {
            slot: port.slot,
            ifindex: port.ifindex,
            lport: port.lport.clone(),
            // On at both ends.
            up: link.is_some_and(|link| link.up && link.carrier),
            queues: port.queues.iter().copied().collect(),
            complete_checksums: port.options.complete_checksums,
            mtu: link.map_or(0, |link| link.mtu as usize),
            longest_frame: link.map_or(0, Link::longest_frame),
        }
    }
}
