//! The open links as tasks of the API read them, kept up to date by the control thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::links::LinkEvent;
use crate::kernel::ProgramCounters;
use crate::tables::{LinkSlot, WorkerId};
use crate::types::IfIndex;

/// An open link with what its views contain.
#[derive(Debug, Clone)]
pub(super) struct RegisteredLink {
    pub(super) name: Arc<str>,
    pub(super) slot: LinkSlot,
    /// The owner of each queue, by queue.
    pub(super) queues: Arc<[WorkerId]>,
    pub(super) counters: ProgramCounters,
}

/// The open links. No lock is held while counters are read.
#[derive(Debug)]
pub(super) struct LinkRegistry {
    links: RwLock<BTreeMap<IfIndex, RegisteredLink>>,
    /// When the last check of all links began that has ended.
    checked_at: Mutex<Instant>,
}

impl LinkRegistry {
    pub(super) fn new() -> Self {
        Self { links: RwLock::default(), checked_at: Mutex::new(Instant::now()) }
    }

    pub(super) fn insert(&self, ifindex: IfIndex, link: RegisteredLink) {
        self.links.write().insert(ifindex, link);
    }

    pub(super) fn remove(&self, ifindex: IfIndex) {
        self.links.write().remove(&ifindex);
    }

    /// Applies new names of links.
    pub(super) fn apply_link_event(&self, event: &LinkEvent) {
        let mut links = self.links.write();
        let mut rename = |ifindex: IfIndex, name: &str| {
            if let Some(link) = links.get_mut(&ifindex).filter(|link| *link.name != *name) {
                link.name = name.into();
            }
        };
        match event {
            LinkEvent::Changed(link) => rename(link.ifindex, &link.name),
            LinkEvent::Gone(_) | LinkEvent::AddressAdded(..) | LinkEvent::AddressRemoved(..) => {}
            LinkEvent::Resync(all) => all.iter().for_each(|link| rename(link.ifindex, &link.name)),
        }
    }

    /// The open links, in the order of their ifindexes.
    pub(super) fn links(&self) -> Vec<RegisteredLink> {
        self.links.read().values().cloned().collect()
    }

    /// Records that a check of all links has ended, which began at this time.
    pub(super) fn set_checked_at(&self, began: Instant) {
        *self.checked_at.lock() = began;
    }

    /// Age of the link states.
    pub(super) fn age(&self) -> Duration {
        self.checked_at.lock().elapsed()
    }
}
