//! Making what is the same as what is wanted: the one path for every cause.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::desired::Desired;
use super::devices::Devices;
use super::links::{Link, LinkEvent, Links};
use crate::config::{Config, PortOptions};
use crate::nb::{ChangeSet, Snapshot};
use crate::tables::{Compiler, LinkSlot, LocalLink, Policy, Publisher, TableDump, Tables, Touched, WorkerId};
use crate::types::{Id, IfIndex, Incumbents, Numbers, Problem};
use crate::worker::WorkerPoolError;

/// The first and the longest pause before a device that refused is tried again. A socket closed a moment ago is
/// released some milliseconds later; another program's hold may last.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Ports that are taken before the first of them forwards. With many to take, those taken are not to wait for the rest.
const PORTS_AT_ONCE: usize = 8;

/// More links than [`LinkSlot`] has numbers.
const MAX_LINKS: u32 = u16::MAX as u32;

/// The records and links as they are known, the devices that are ours, and the tables in force.
///
/// Whoever hears of something says so ([`read`](Self::read), [`follow`](Self::follow), [`see`](Self::see)), and then has
/// it all made true by [`reconcile`](Self::reconcile). What comes out does not depend on the order, but for who holds what
/// several claim: see [`incumbents`](Self::incumbents).
#[derive(Debug)]
pub struct Plane<D: Devices> {
    pub(super) config: Config,
    /// The records, and the tables made of them.
    pub(super) compiler: Compiler,
    pub(super) publisher: Publisher,
    pub(super) links: Links,
    /// Whether the last round was before the last news of a link.
    pub(super) links_changed: bool,
    pub(super) desired: Desired,
    pub(super) devices: D,
    /// Devices that are ours.
    pub(super) ports: BTreeMap<IfIndex, OpenPort<D::Handle>>,
    /// Devices that should be, and are not.
    pub(super) refused: BTreeMap<IfIndex, Refusal>,
    slots: Numbers,
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
    /// Whether the device was away and has to be taken again.
    lost: bool,
}

/// A device that could not be taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    next: Instant,
    pause: Duration,
}

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
        fresh.remember(self.incumbents);
        fresh.replace(snapshot);
        self.links.into_iter().for_each(|link| fresh.set_link(link));
        let wanted = fresh.compile();
        self.in_force.differences(&TableDump::of(&fresh, &wanted))
    }
}

impl<D: Devices> Plane<D> {
    /// A plane without records. `start` makes what takes the links, and forwards with what the publisher publishes.
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
            ports: BTreeMap::new(),
            refused: BTreeMap::new(),
            slots: Numbers::default(),
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
        self.compiler.remember(incumbents);
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
        self.compiler.replace(snapshot);
    }

    /// Takes changes of the records.
    pub fn follow(&mut self, changes: &ChangeSet) {
        changes.changes.iter().for_each(|change| self.compiler.apply(change));
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

    /// Takes the news that the device at `slot` was away, if only for a moment.
    pub(super) fn lose(&mut self, slot: LinkSlot) {
        self.ports.values_mut().filter(|port| port.slot == slot).for_each(|port| port.lost = true);
    }

    /// Takes the number of queues that a link has in use. Returns whether that is news.
    pub(super) fn count_queues(&mut self, ifindex: IfIndex, rx: u16, tx: u16) -> bool {
        let news = self.links.set_queues(ifindex, rx, tx);
        self.links_changed |= news;
        news
    }

    /// One round: close what is no longer wanted, open what is, publish what follows.
    ///
    /// # Errors
    /// A worker has died.
    pub async fn reconcile(&mut self) -> Result<(), WorkerPoolError> {
        let links_changed = std::mem::take(&mut self.links_changed);
        let nb = self.compiler.northbound();
        let mut moved = self.desired.look_for(self.compiler.touched(), nb, &self.links, &self.config);
        if links_changed {
            self.desired.look_for_all(nb, &self.links, &self.config);
            moved = true;
        }
        if moved {
            self.close_unwanted().await;
        }
        if links_changed {
            let links: Vec<_> = self.ports.values().map(|port| self.local_link(port)).collect();
            for link in links {
                self.compiler.set_link(link);
            }
        }
        self.publish();
        let mut look = moved || self.next_retry().is_some_and(|next| next <= Instant::now());
        while look {
            let opened = self.open_wanted();
            look = opened.len() == PORTS_AT_ONCE;
            self.connect(opened).await?;
        }
        Ok(())
    }

    /// Publishes tables with ports that were taken, and lets their frames flow.
    async fn connect(&mut self, opened: Vec<OpenPort<D::Handle>>) -> Result<(), WorkerPoolError> {
        for port in &opened {
            let link = self.local_link(port);
            self.compiler.set_link(link);
        }
        self.publish();
        let mut outcome = Ok(());
        for mut port in opened {
            match self.devices.connect(port.slot, &mut port.handle).await {
                Ok(()) => tracing::info!(device = port.device, lport = port.lport.as_str(), "port open"),
                // It is ours all the same: `reopen` sees to it with the worker's others.
                Err(died) => outcome = Err(died),
            }
            self.ports.insert(port.ifindex, port);
        }
        outcome
    }

    /// Lets go the devices with a queue at `worker`, which lost its sockets. The next round takes them again.
    pub(super) async fn reopen(&mut self, worker: WorkerId) {
        let lost = self.ports.values().filter(|port| port.queues.contains(&worker));
        let lost: Vec<_> = lost.map(|port| port.ifindex).collect();
        self.close(&lost).await;
        self.links_changed = true;
    }

    /// The devices that are ours, and the port of each.
    pub fn taken(&self) -> impl Iterator<Item = (IfIndex, &str)> {
        self.ports.values().map(|port| (port.ifindex, port.lport.as_str()))
    }

    /// When a refused device is to be tried again.
    #[must_use]
    pub fn next_retry(&self) -> Option<Instant> {
        self.refused.values().map(|refusal| refusal.next).min()
    }

    /// The ports whose state may be another one since this was asked last.
    pub fn take_reported(&mut self) -> Touched {
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
        self.compiler.problems().into_iter().chain(no_device).chain(refused).collect()
    }

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

    async fn close_unwanted(&mut self) {
        self.refused.retain(|ifindex, _| self.desired.owner_of(*ifindex).is_some());
        let unwanted: Vec<_> =
            self.ports.values().filter(|port| !self.is_kept(port)).map(|port| port.ifindex).collect();
        self.close(&unwanted).await;
        self.devices.keep(|ifindex| self.desired.owner_of(ifindex).is_some());
    }

    async fn close(&mut self, unwanted: &[IfIndex]) {
        let unwanted: Vec<_> = unwanted.iter().filter_map(|ifindex| self.ports.remove(ifindex)).collect();
        if unwanted.is_empty() {
            return;
        }
        // No new frame goes to a socket that is about to be closed.
        for port in &unwanted {
            self.compiler.remove_link(&port.lport);
        }
        self.publish();
        for port in unwanted {
            tracing::info!(device = port.device, lport = port.lport.as_str(), "port closed");
            self.devices.release(port.slot, port.handle).await;
            self.slots.give_back(u32::from(port.slot.0));
        }
    }

    fn is_kept(&self, port: &OpenPort<D::Handle>) -> bool {
        let Some(link) = self.links.get(port.ifindex).filter(|_| !port.lost) else { return false };
        match self.desired.owner_of(port.ifindex) {
            // Each queue needs a socket of its own, and each set of options its own program.
            Some(lport) => {
                *lport == port.lport
                    && usize::from(link.rx_queues) == port.queues.len()
                    && self.config.port(lport) == port.options
            }
            // One that is only switched off keeps its sockets, which work again when it comes back; unless the
            // port has another device meanwhile.
            None => {
                !link.up
                    && self.desired.device_of(&port.lport, &self.links).is_some_and(|found| found.is_err())
            }
        }
    }

    /// Takes devices that are to be ours, [`PORTS_AT_ONCE`] at the most.
    fn open_wanted(&mut self) -> Vec<OpenPort<D::Handle>> {
        let now = Instant::now();
        let mut opened = Vec::new();
        for (ifindex, lport) in self.desired.devices() {
            if opened.len() == PORTS_AT_ONCE {
                break;
            }
            let waiting = self.refused.get(&ifindex).is_some_and(|refusal| refusal.next > now);
            let Some(link) = self.links.get(ifindex) else { continue };
            if waiting || self.ports.contains_key(&ifindex) {
                continue;
            }
            let options = self.config.port(lport);
            let Some(slot) = self.slots.take(MAX_LINKS).map(|number| LinkSlot(number as u16)) else {
                continue;
            };
            match self.devices.take(link, slot, options) {
                Ok((handle, queues)) => {
                    self.refused.remove(&ifindex);
                    let (device, lport) = (link.name.clone(), lport.clone());
                    let lost = false;
                    opened.push(OpenPort { ifindex, device, lport, slot, queues, options, handle, lost });
                }
                Err(reason) => {
                    self.slots.give_back(u32::from(slot.0));
                    let before = self.refused.get(&ifindex).map(|refusal| refusal.pause);
                    let pause = before.map_or(RETRY_FIRST, |pause| (pause * 2).min(RETRY_LONGEST));
                    if before.is_none() {
                        tracing::warn!(device = link.name, lport = lport.as_str(), "{reason}");
                    }
                    self.refused.insert(ifindex, Refusal { reason, next: now + pause, pause });
                }
            }
        }
        opened
    }

    fn publish(&mut self) {
        if !self.compiler.touched().is_empty() {
            self.publisher.publish(self.compiler.compile());
        }
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
            queues: port.queues.clone(),
            complete_checksums: port.options.complete_checksums,
            mtu: link.map_or(0, |link| link.mtu as usize),
            longest_frame: link.map_or(0, Link::longest_frame),
        }
    }
}
