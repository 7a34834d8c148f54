//! One network's piece of the tables: its ports on this host, and their addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{MacTable, Network, PortSlot};
use crate::nb::{LogicalPort, LogicalSwitch, Northbound};
use crate::types::{Id, MacAddr, NetworkKey, Problem};

/// A port of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) slot: PortSlot,
    pub(super) macs: Arc<[MacAddr]>,
}

/// The port's network, or why it cannot be used.
pub(super) fn network_of<'a>(nb: &'a Northbound, port: &LogicalPort) -> Result<&'a LogicalSwitch, Problem> {
    let problem = |reason| Err(Problem::new(format!("lport {}", port.id), reason));
    match nb.lswitches().get(&port.lswitch) {
        None => problem(format!(
            "waits for its network {}, which table lswitch does not have: create it",
            port.lswitch
        )),
        Some(network) if nb.lswitches_with_key(network.key).next() != Some(network) => {
            problem(format!("its network {} is left out for its unique_key", port.lswitch))
        }
        Some(network) => Ok(network),
    }
}

impl Network {
    /// The network `lswitch` with `members`, by the ids of their ports: of two that have the same address, the lower
    /// id gets its frames.
    pub(super) fn of(key: NetworkKey, lswitch: &str, members: &BTreeMap<Id, Member>) -> (Self, Vec<Problem>) {
        let mut network = Self { key, macs: MacTable::default(), flood: Vec::with_capacity(members.len()) };
        let mut problems = Vec::new();
        for (lport, member) in members {
            network.flood.push(member.slot);
            for &mac in &*member.macs {
                let reason = network.add_address(mac, member.slot, lswitch);
                problems.extend(reason.map(|reason| Problem::new(format!("lport {lport}"), reason)));
            }
        }
        (network, problems)
    }

    /// Says that `mac` lives at `slot`, or why it does not.
    fn add_address(&mut self, mac: MacAddr, slot: PortSlot, lswitch: &str) -> Option<String> {
        if mac.is_group() {
            return Some(format!(
                "its address {mac} is a group address, no frame will be sent to it: give it a unicast one"
            ));
        }
        let holder = *self.macs.entry(mac).or_insert(slot);
        (holder != slot).then(|| {
            format!(
                "its address {mac} is another port's of network {lswitch} already: give it one of its own"
            )
        })
    }
}
