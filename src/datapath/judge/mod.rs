//! Whether the security groups of a port allow a packet: the one judge of both halves, on the worker that owns
//! the port's link, which remembers the port's connections.

mod always;

use super::state::connections::{Connections, Entry, Key, NoRoom, Opening, Place, Progress};
use crate::packet::datagram::{Datagram, Parsed, Part, TcpFlags, Unreadable};
use crate::tables::{ConnectionPolicy, Filter, Identity, PortFilter, QuotaSlot, Tables};
use crate::types::{Direction, Id, Phase};
use crate::xsk::Frame;

pub(in crate::datapath) use always::Always;

/// A port with port security, and what its groups allow.
#[derive(Debug, Clone, Copy)]
pub(in crate::datapath) struct Guarded<'t> {
    port: Identity,
    /// `None` while there is none in the tables: nothing is allowed.
    filter: Option<&'t Filter>,
    quota: QuotaSlot,
    policy: &'t ConnectionPolicy,
}

impl<'t> Guarded<'t> {
    /// The port with this identity, which `filter` filters.
    #[inline]
    pub(in crate::datapath) fn of(port: Identity, filter: PortFilter, tables: &'t Tables) -> Self {
        let PortFilter { rules, quota } = filter;
        Self { port, filter: tables.filter(rules), quota, policy: &tables.connections }
    }
}

/// Why a packet is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground<'t> {
    /// It passes whatever the rules say.
    Always,
    /// It belongs to a connection, or to a packet whose first fragment was allowed.
    Connection,
    /// The rule with this id allows it.
    Rule(&'t Id),
}

/// Why a packet is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::datapath) enum Refusal {
    /// No rule allows it, and it belongs to no connection.
    NoRule,
    /// It belongs to no connection, and cannot begin one.
    Invalid,
    /// The first fragment of its packet was not seen, or not allowed.
    Fragment,
    /// The port has as many connections as it may have.
    Quota,
    /// The worker has.
    Table,
}

impl From<NoRoom> for Refusal {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::Quota => Self::Quota,
            NoRoom::Table => Self::Table,
        }
    }
}

/// A packet on trial.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    frame: &'a Frame,
    datagram: &'a Datagram,
    direction: Direction,
    guarded: &'a Guarded<'a>,
}

/// Parses a frame for [`judge`].
#[inline]
pub(in crate::datapath) fn parse(frame: &Frame) -> Parsed {
    Datagram::of(frame.bytes(), frame.len())
}

/// Judges the packet of a frame from or to a port, and remembers the connection that it begins.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn judge<'a>(
    frame: &'a Frame,
    datagram: &'a Datagram,
    direction: Direction,
    guarded: &'a Guarded<'a>,
    connections: &mut Connections,
) -> Result<Ground<'a>, Refusal> {
    let case = Case { frame, datagram, direction, guarded };
    let verdict = match datagram.part {
        Part::Tcp(flags) => case.judge_part(Some(flags), connections),
        Part::Data | Part::Reply => case.judge_part(None, connections),
        Part::Message => case.judge_message(),
        Part::Error => return case.judge_error(connections),
        Part::LaterFragment => return case.judge_fragment(connections),
    };
    match (verdict, datagram.fragment) {
        (Ok(ground), Some(identification)) => {
            case.expect_fragments(identification, connections).map(|()| ground)
        }
        _ => verdict,
    }
}

impl<'a> Case<'a> {
    /// Judges a packet of a conversation: by its connection, else by the rules.
    #[inline]
    fn judge_part(
        &self,
        flags: Option<TcpFlags>,
        connections: &mut Connections,
    ) -> Result<Ground<'a>, Refusal> {
        let key = Key::of(self.guarded.port, self.direction, &self.datagram.talk);
        if let Some(place) = self.find_allowed(&key, connections) {
            let timeouts = &self.guarded.policy.timeouts;
            match connections.advance(place, (self.direction, self.frame.len()), flags, timeouts) {
                Progress::Pass => return Ok(Ground::Connection),
                Progress::Reopen => connections.remove(place),
                Progress::Invalid => return Err(Refusal::Invalid),
            }
        }
        self.judge_first(key, flags, connections)
    }

    /// The connection with this key. One that was allowed by earlier rules is judged again, and forgotten if
    /// the present rules do not allow it.
    #[inline]
    fn find_allowed(&self, key: &Key, connections: &mut Connections) -> Option<Place> {
        let generation = self.guarded.filter.map(Filter::generation);
        let (place, entry) = connections.find(key)?;
        if Some(entry.generation) == generation || self.is_still_allowed(entry) {
            Some(place)
        } else {
            connections.remove(place);
            None
        }
    }

    #[cold]
    fn is_still_allowed(&self, entry: &mut Entry) -> bool {
        let Some(filter) = self.guarded.filter else { return false };
        let is_allowed = entry.phase != Phase::Fragments
            && filter.allow(entry.opener, &entry.key.talk(entry.opener), entry.selector).is_some();
        if is_allowed {
            entry.generation = filter.generation();
        }
        is_allowed
    }

    /// Judges a packet without a connection.
    #[inline(never)]
    fn judge_first(
        &self,
        key: Key,
        flags: Option<TcpFlags>,
        connections: &mut Connections,
    ) -> Result<Ground<'a>, Refusal> {
        let filter = self.guarded.filter.ok_or(Refusal::NoRule)?;
        let Datagram { talk, selector, part, .. } = self.datagram;
        let phase = match (part, flags) {
            (_, Some(flags)) => Connections::phase_of_first(flags),
            (Part::Reply, None) => None,
            (_, None) => Some(Phase::Unanswered),
        };
        let stateless = || filter.allow_stateless(self.direction, talk, *selector).map(Ground::Rule);
        let Some(phase) = phase else { return stateless().ok_or(Refusal::Invalid) };
        match filter.allow(self.direction, talk, *selector) {
            Some(rule) => self.open(key, phase, connections).map(|()| Ground::Rule(rule)),
            None => stateless().ok_or(Refusal::NoRule),
        }
    }

    fn open(&self, key: Key, phase: Phase, connections: &mut Connections) -> Result<(), Refusal> {
        let Guarded { filter, quota, policy, .. } = *self.guarded;
        let opening = Opening {
            key,
            quota,
            direction: self.direction,
            phase,
            bytes: self.frame.len(),
            selector: self.datagram.selector,
            generation: filter.map(Filter::generation).unwrap_or_default(),
        };
        Ok(connections.open(&opening, policy)?)
    }

    /// Judges a message that is part of no conversation.
    fn judge_message(&self) -> Result<Ground<'a>, Refusal> {
        let filter = self.guarded.filter.ok_or(Refusal::NoRule)?;
        let Datagram { talk, selector, .. } = self.datagram;
        let stateful = filter.allow(self.direction, talk, *selector);
        stateful
            .or_else(|| filter.allow_stateless(self.direction, talk, *selector))
            .map(Ground::Rule)
            .ok_or(Refusal::NoRule)
    }

    /// Judges an error by the connection that it is about, a packet of which went the other way.
    fn judge_error(&self, connections: &mut Connections) -> Result<Ground<'a>, Refusal> {
        let Datagram { talk, selector, .. } = self.datagram;
        let quoted = Datagram::quoted(self.frame.bytes()).map_err(|Unreadable| Refusal::Invalid)?;
        // It goes to the sender of the packet.
        if talk.destination.address == quoted.source.address {
            let key = Key::of(self.guarded.port, self.direction.opposite(), &quoted);
            if self.find_allowed(&key, connections).is_some() {
                return Ok(Ground::Connection);
            }
        }
        let stateless =
            self.guarded.filter.and_then(|filter| filter.allow_stateless(self.direction, talk, *selector));
        stateless.map(Ground::Rule).ok_or(Refusal::Invalid)
    }

    fn judge_fragment(&self, connections: &mut Connections) -> Result<Ground<'a>, Refusal> {
        let key = self.key_of_fragments(self.datagram.fragment.ok_or(Refusal::Fragment)?);
        self.find_allowed(&key, connections).map(|_| Ground::Connection).ok_or(Refusal::Fragment)
    }

    /// Lets the later fragments of a packet pass whose first one is allowed.
    #[cold]
    fn expect_fragments(&self, identification: u32, connections: &mut Connections) -> Result<(), Refusal> {
        self.open(self.key_of_fragments(identification), Phase::Fragments, connections)
    }

    fn key_of_fragments(&self, identification: u32) -> Key {
        // Their ports and protocol are those of the first one.
        let mut talk = self.datagram.talk;
        (talk.source.port, talk.destination.port) = (0, 0);
        Key::of_fragments(self.guarded.port, self.direction, &talk, identification)
    }
}
