//! The compiled table of one network: its ports on this host, and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::contested::ContestedAddress;
use super::mac_holders::MacHolders;
use super::{PeerSlot, PortSlot};
use crate::nb::{LogicalPort, LogicalSwitch, Northbound};
use crate::types::{Id, MacAddr, NetworkKey, PortKey, Problem, SourceRules, Tunnel};

/// The slot of the port with each address of a network. The hash has a fixed seed, so it is fast and the same
/// in each run; only a writer of the NB DB could choose addresses that collide.
pub type MacTable = HashMap<MacAddr, PortSlot, FixedState>;

/// A network's ports on this host.
#[derive(Debug)]
pub struct Network {
    /// The `unique_key` of its record.
    pub key: NetworkKey,
    /// The port with each address. An address of `allowed_address_pairs` that several ports here claim has a
    /// [slot of its own](Self::contested_at).
    pub macs: MacTable,
    contested: Vec<ContestedAddress>,
    /// The receivers of floods: the ports here that are up, the wire of a provider network, then the hosts
    /// with ports of the network.
    flood: Vec<PortSlot>,
    /// The number of receivers before the hosts.
    here: usize,
    /// The tunnel by which frames go to other hosts.
    pub tunnel: Option<Tunnel>,
    /// The segment of a provider network on its uplink, where all unknown addresses are.
    pub wire: Option<PortSlot>,
}

/// A port of a network: one here that is up, or one that is reached by the network's segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: PortKey,
    /// Its place; that of its host, or of the wire, if it is not here.
    pub(super) slot: PortSlot,
    pub(super) side: Side,
    pub(super) macs: Arc<[MacAddr]>,
    pub(super) source_rules: Option<Arc<SourceRules>>,
}

/// The side of a network's segment that a port is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Here,
    Remote,
}

impl Member {
    pub(super) fn is_here(&self) -> bool {
        self.side == Side::Here
    }
}

/// The way to the ports of a network that are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    Tunnel(Tunnel),
    /// By the port of an uplink.
    Wire(PortSlot),
}

impl Segment {
    pub(super) const fn tunnel(self) -> Option<Tunnel> {
        match self {
            Self::Tunnel(tunnel) => Some(tunnel),
            Self::Wire(_) => None,
        }
    }

    pub(super) const fn wire(self) -> Option<PortSlot> {
        match self {
            Self::Tunnel(_) => None,
            Self::Wire(wire) => Some(wire),
        }
    }
}

/// The network of a port, or the reason why it has none.
pub(super) fn network_of<'a>(nb: &'a Northbound, port: &LogicalPort) -> Result<&'a LogicalSwitch, Problem> {
    let problem = |reason| Err(Problem::new(format!("lport {}", port.id), reason));
    match nb.lswitches().get(&port.lswitch) {
        None => problem(format!(
            "waits for its network {}, which table lswitch does not have: create it",
            port.lswitch
        )),
        Some(network) if nb.lswitch_with_key(network.key) != Some(network) => {
            problem(format!("its network {} is ignored for its unique_key", port.lswitch))
        }
        Some(network) => Ok(network),
    }
}

impl Network {
    /// The network `lswitch` with `members`, by the ids of their ports: those here, and those that are
    /// reached by `segment`. An address that several have belongs to its holder; `had` returns whether a port
    /// had it in the tables before.
    pub(super) fn of(
        lswitch: &Id,
        (key, segment): (NetworkKey, Option<Segment>),
        members: &BTreeMap<Id, Member>,
        holders: &mut MacHolders,
        had: impl Fn(&Id, MacAddr) -> bool,
    ) -> (Self, Vec<Problem>) {
        let mut network = Self {
            key,
            macs: MacTable::default(),
            contested: Vec::new(),
            flood: Vec::new(),
            here: 0,
            tunnel: segment.and_then(Segment::tunnel),
            wire: segment.and_then(Segment::wire),
        };
        let mut problems = Vec::new();
        let mut contested = BTreeMap::<MacAddr, Vec<&Id>>::new();
        for (lport, member) in members {
            for &mac in &*member.macs {
                if mac.is_group() {
                    // A problem of the host that has the port.
                    problems.extend(member.is_here().then(|| group_address(lport, mac)));
                } else if *network.macs.entry(mac).or_insert(member.slot) != member.slot {
                    contested.entry(mac).or_default();
                }
            }
        }
        network.add_receivers(members);
        if !contested.is_empty() {
            add_claimants(members, &mut contested);
        }
        for (mac, ports) in contested {
            let Some(holder) = holders.select((lswitch, mac), &ports, |lport| had(lport, mac)) else {
                continue;
            };
            if let Some(member) = members.get(holder) {
                network.macs.insert(mac, member.slot);
            }
            let others = ports.iter().filter(|lport| **lport != holder);
            problems.extend(others.map(|lport| held_address(lport, mac, holder, lswitch)));
        }
        (network, problems)
    }

    /// Makes the list of receivers: each host once, in the order of their places.
    fn add_receivers(&mut self, members: &BTreeMap<Id, Member>) {
        self.flood = members.values().filter(|member| member.is_here()).map(|member| member.slot).collect();
        self.flood.extend(self.wire);
        self.here = self.flood.len();
        let hosts: BTreeSet<_> = members.values().filter_map(|member| member.slot.peer()).collect();
        self.flood.extend(hosts.into_iter().map(PortSlot::of_peer));
    }

    /// The receivers of floods from a sender at `origin`, which is among them: a frame from another host goes
    /// to no host.
    #[inline]
    #[must_use]
    pub fn receivers(&self, origin: PortSlot) -> &[PortSlot] {
        let end = if origin.peer().is_some() { self.here } else { self.flood.len() };
        self.flood.get(..end).unwrap_or_default()
    }

    /// The hosts with ports of the network.
    pub fn hosts(&self) -> impl Iterator<Item = PeerSlot> {
        self.flood.iter().filter_map(|slot| slot.peer())
    }

    /// The contested address that `slot` in [`macs`](Self::macs) stands for; `None` if it is the slot of a
    /// port.
    #[must_use]
    pub fn contested_at(&self, slot: PortSlot) -> Option<&ContestedAddress> {
        if slot.is_contested() { self.contested.get(usize::from(slot.number)) } else { None }
    }

    /// The port that receives frames to `mac`, if there is one.
    pub(super) fn receiver(&self, mac: MacAddr) -> Option<PortSlot> {
        let place = *self.macs.get(&mac)?;
        self.contested_at(place).map_or(Some(place), ContestedAddress::holder)
    }

    /// Adds an address that several ports claim. Returns whether a number was free for it.
    pub(super) fn add_contested(&mut self, mac: MacAddr, address: ContestedAddress) -> bool {
        let number = u16::try_from(self.contested.len()).ok().filter(|number| *number < u16::MAX);
        if let Some(number) = number {
            self.macs.insert(mac, PortSlot::contested(number));
            self.contested.push(address);
        }
        number.is_some()
    }
}

/// Adds the ports that have each contested address, in the order of their ids.
fn add_claimants<'a>(members: &'a BTreeMap<Id, Member>, contested: &mut BTreeMap<MacAddr, Vec<&'a Id>>) {
    for (lport, member) in members {
        for mac in &*member.macs {
            if let Some(ports) = contested.get_mut(mac).filter(|ports| ports.last() != Some(&lport)) {
                ports.push(lport);
            }
        }
    }
}

pub(super) fn group_address(lport: &Id, mac: MacAddr) -> Problem {
    let reason =
        format!("its address {mac} is a group address, no frame will be sent to it: give it a unicast one");
    Problem::new(format!("lport {lport}"), reason)
}

fn held_address(lport: &Id, mac: MacAddr, holder: &Id, lswitch: &Id) -> Problem {
    let reason = format!(
        "its address {mac} belongs to lport {holder} on network {lswitch} already: give it one of its own"
    );
    Problem::new(format!("lport {lport}"), reason)
}
