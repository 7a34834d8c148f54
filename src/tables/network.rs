//! The compiled table of one network: its ports on this host, and their addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::PortSlot;
use super::contested::ContestedAddress;
use super::mac_holders::MacHolders;
use crate::nb::{LogicalPort, LogicalSwitch, Northbound};
use crate::types::{Id, MacAddr, NetworkKey, PortKey, Problem, SourceRules};

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
    /// The ports that are up, which receive floods.
    pub flood: Vec<PortSlot>,
}

/// A port of a network that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: PortKey,
    pub(super) slot: PortSlot,
    pub(super) macs: Arc<[MacAddr]>,
    pub(super) source_rules: Option<Arc<SourceRules>>,
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
    /// The network `lswitch` with `members`, by the ids of their ports. An address that several have belongs
    /// to its holder; `had` returns whether a port had it in the tables before.
    pub(super) fn of(
        key: NetworkKey,
        lswitch: &Id,
        members: &BTreeMap<Id, Member>,
        holders: &mut MacHolders,
        had: impl Fn(&Id, MacAddr) -> bool,
    ) -> (Self, Vec<Problem>) {
        let mut network = Self {
            key,
            macs: MacTable::default(),
            contested: Vec::new(),
            flood: Vec::with_capacity(members.len()),
        };
        let mut problems = Vec::new();
        let mut contested = BTreeMap::<MacAddr, Vec<&Id>>::new();
        for (lport, member) in members {
            network.flood.push(member.slot);
            for &mac in &*member.macs {
                if mac.is_group() {
                    problems.push(group_address(lport, mac));
                } else if *network.macs.entry(mac).or_insert(member.slot) != member.slot {
                    contested.entry(mac).or_default();
                }
            }
        }
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
