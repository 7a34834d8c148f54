//! The neighbours of the kernel: the MAC addresses of next hops, and who keeps each entry alive.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::RouteProtocol;

use crate::types::{IfIndex, MacAddr};

/// The `NDA_PROTOCOL` of the entries that this program keeps alive, by which the entries of a killed
/// predecessor are found. The kernel does not interpret it (`linux/rtnetlink.h`: values over
/// `RTPROT_STATIC`), and no routing daemon uses it.
pub(super) const PROTOCOL: RouteProtocol = RouteProtocol::Other(116);

/// A next hop on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NextHop {
    pub link: IfIndex,
    pub address: IpAddr,
}

/// Whether frames can be sent to a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    /// The kernel sends to this address, in the states REACHABLE, STALE, DELAY, PROBE, PERMANENT and NOARP.
    Usable(MacAddr),
    /// No entry, or one that is being resolved for the first time.
    Pending,
    /// The next hop did not answer. That lasts until it does, while the kernel tries again.
    Failed,
}

/// The reason for which an entry does not age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// None: the entry ages.
    Nobody,
    /// An operator added it with its address. A `managed` request would make it an entry that ages.
    Operator,
    /// Another program requested that the kernel keeps it (`NTF_EXT_MANAGED`).
    OtherProgram,
    /// This program did, or its predecessor.
    ThisProgram,
}

/// An entry of the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub resolution: Resolution,
    pub keeper: Keeper,
}

/// Parses an entry of an IP neighbour. `None` for entries of bridges, and of links without MAC addresses.
pub(super) fn parse(message: &NeighbourMessage) -> Option<(NextHop, Neighbour)> {
    let link = IfIndex::new(message.header.ifindex)?;
    let (mut address, mut mac, mut is_managed, mut is_own) = (None, None, false, false);
    for attribute in &message.attributes {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other attributes have no effect here")]
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                address = Some(IpAddr::V4(*found));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => {
                address = Some(IpAddr::V6(*found));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.as_slice().try_into().ok().map(MacAddr::new);
            }
            NeighbourAttribute::ExtFlags(flags) => is_managed = flags.contains(NeighbourExtFlags::Managed),
            NeighbourAttribute::Protocol(protocol) => is_own = *protocol == PROTOCOL,
            _ => {}
        }
    }
    let state = message.header.state;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the states without a usable address, and new ones")]
    let resolution = match state {
        NeighbourState::Reachable
        | NeighbourState::Stale
        | NeighbourState::Delay
        | NeighbourState::Probe
        | NeighbourState::Permanent
        | NeighbourState::Noarp => mac.map_or(Resolution::Pending, Resolution::Usable),
        NeighbourState::Failed => Resolution::Failed,
        _ => Resolution::Pending,
    };
    let keeper = match (state, is_managed, is_own) {
        (NeighbourState::Permanent | NeighbourState::Noarp, _, _) => Keeper::Operator,
        (_, false, _) => Keeper::Nobody,
        (_, true, false) => Keeper::OtherProgram,
        (_, true, true) => Keeper::ThisProgram,
    };
    Some((NextHop { link, address: address? }, Neighbour { resolution, keeper }))
}

/// All IP neighbours of the namespace.
#[derive(Debug, Default)]
pub(super) struct Neighbours(BTreeMap<NextHop, Neighbour>);

impl Neighbours {
    pub(super) fn resolution(&self, next_hop: NextHop) -> Resolution {
        self.0.get(&next_hop).map_or(Resolution::Pending, |neighbour| neighbour.resolution)
    }

    pub(super) fn keeper(&self, next_hop: NextHop) -> Keeper {
        self.0.get(&next_hop).map_or(Keeper::Nobody, |neighbour| neighbour.keeper)
    }

    /// The entries that this program, or its predecessor, keeps alive.
    pub(super) fn kept(&self) -> impl Iterator<Item = NextHop> {
        let own = |(next_hop, neighbour): (&NextHop, &Neighbour)| {
            (neighbour.keeper == Keeper::ThisProgram).then_some(*next_hop)
        };
        self.0.iter().filter_map(own)
    }

    /// Returns true if the resolution has changed. A failed entry that the kernel resolves again stays failed
    /// until there is an answer, so that the result does not alternate.
    pub(super) fn insert(&mut self, next_hop: NextHop, mut neighbour: Neighbour) -> bool {
        let before = self.resolution(next_hop);
        if (before, neighbour.resolution) == (Resolution::Failed, Resolution::Pending) {
            neighbour.resolution = Resolution::Failed;
        }
        self.0.insert(next_hop, neighbour);
        before != neighbour.resolution
    }

    /// Returns true if the resolution has changed.
    pub(super) fn remove(&mut self, next_hop: NextHop) -> bool {
        self.0.remove(&next_hop).is_some_and(|neighbour| neighbour.resolution != Resolution::Pending)
    }
}

impl FromIterator<(NextHop, Neighbour)> for Neighbours {
    fn from_iter<T: IntoIterator<Item = (NextHop, Neighbour)>>(neighbours: T) -> Self {
        Self(neighbours.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: NeighbourState, attributes: Vec<NeighbourAttribute>) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        (message.header.ifindex, message.header.state) = (2, state);
        message.attributes = attributes;
        message
            .attributes
            .push(NeighbourAttribute::Destination(NeighbourAddress::Inet([192, 0, 2, 9].into())));
        message
    }

    fn mac() -> NeighbourAttribute {
        NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 9])
    }

    #[test]
    fn the_states_that_the_kernel_sends_in_are_usable() {
        use NeighbourState::{Delay, Failed, Incomplete, Noarp, Permanent, Probe, Reachable, Stale};
        for state in [Reachable, Stale, Delay, Probe, Permanent, Noarp] {
            let (_, neighbour) = parse(&message(state, vec![mac()])).unwrap();
            assert_eq!(neighbour.resolution, Resolution::Usable(MacAddr::new([2, 0, 0, 0, 0, 9])), "{state}");
        }
        for (state, expected) in [
            (Incomplete, Resolution::Pending),
            (NeighbourState::None, Resolution::Pending),
            (Failed, Resolution::Failed),
        ] {
            // A failed entry has its former address until it is resolved again.
            assert_eq!(parse(&message(state, vec![mac()])).unwrap().1.resolution, expected, "{state}");
        }
    }

    #[test]
    fn the_keeper_is_found_by_flag_protocol_and_state() {
        let managed = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
        let own = NeighbourAttribute::Protocol(PROTOCOL);
        for (state, attributes, expected) in [
            (NeighbourState::Stale, vec![], Keeper::Nobody),
            (NeighbourState::Stale, vec![own.clone()], Keeper::Nobody),
            (NeighbourState::Stale, vec![managed.clone()], Keeper::OtherProgram),
            (NeighbourState::Failed, vec![managed, own], Keeper::ThisProgram),
            (NeighbourState::Permanent, vec![], Keeper::Operator),
        ] {
            assert_eq!(parse(&message(state, attributes)).unwrap().1.keeper, expected);
        }
    }

    #[test]
    fn a_failed_entry_stays_failed_while_it_is_resolved_again() {
        let mut neighbours = Neighbours::default();
        let mut change = |state, attributes| {
            let (next_hop, neighbour) = parse(&message(state, attributes)).unwrap();
            neighbours.insert(next_hop, neighbour)
        };
        assert!(!change(NeighbourState::Incomplete, vec![]), "as without an entry");
        assert!(change(NeighbourState::Failed, vec![]));
        assert!(!change(NeighbourState::Incomplete, vec![]));
        assert!(change(NeighbourState::Reachable, vec![mac()]));
        assert!(!change(NeighbourState::Stale, vec![mac()]));
    }
}
