//! Copies of connections for other threads, a page at a time: a worker has little time for them.

use super::Connections;
use super::entry::Entry;
use crate::packet::datagram::Talk;
use crate::tables::Identity;
use crate::types::{Direction, Phase, PortKey};

/// Places of which connections are copied at a time: some 20 us of work.
const PLACES: u32 = 1024;

/// A connection of a port, as its worker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The key of the port.
    pub port: PortKey,
    /// The conversation from the port's point of view: its own end is the source.
    pub talk: Talk,
    /// The direction of the first packet.
    pub opener: Direction,
    /// How far it has come.
    pub phase: Phase,
    /// Seconds since the first packet.
    pub age: u32,
    /// Seconds until it is forgotten, if no packet comes.
    pub expires: u32,
    /// Lengths of the frames in each direction, without tags: those of egress first.
    pub bytes: [u64; 2],
}

/// Some connections of a worker.
#[derive(Debug)]
pub struct ConnectionPage {
    port: Option<PortKey>,
    next: Option<u32>,
    connections: Vec<Connection>,
}

impl ConnectionPage {
    /// The empty page before the first one: of a port, or of all ports.
    #[must_use]
    pub fn before_first(port: Option<PortKey>) -> Self {
        Self { port, next: Some(0), connections: Vec::with_capacity(PLACES as usize) }
    }

    /// Whether there is another page.
    #[must_use]
    pub const fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// The connections, which are removed from it.
    pub fn drain(&mut self) -> impl Iterator<Item = Connection> {
        self.connections.drain(..)
    }
}

impl Connections {
    /// Turns a drained page into the next one, without allocation.
    pub(crate) fn turn(&self, page: &mut ConnectionPage) {
        let Some(from) = page.next else { return };
        let to = from.saturating_add(PLACES).min(self.table.used());
        let port = page.port.map(|key| Identity::of_port(key).number());
        let is_wanted = |entry: &&Entry| {
            entry.until > self.now
                && entry.phase != Phase::Fragments
                && port.is_none_or(|port| entry.key.port() == port)
        };
        let entries = (from..to).filter_map(|place| Some(self.table.at(place)?.1));
        let room = page.connections.capacity() - page.connections.len();
        let connections = entries.filter(is_wanted).filter_map(|entry| self.copy(entry));
        page.connections.extend(connections.take(room));
        page.next = (to < self.table.used()).then_some(to);
    }

    fn copy(&self, entry: &Entry) -> Option<Connection> {
        Some(Connection {
            port: PortKey::new(entry.key.port()).ok()?,
            talk: entry.key.talk(Direction::Egress),
            opener: entry.opener,
            phase: entry.phase,
            age: self.now.saturating_sub(entry.since),
            expires: entry.until.saturating_sub(self.now),
            bytes: entry.bytes,
        })
    }
}
