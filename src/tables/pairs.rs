//! The addresses of `allowed_address_pairs` as destinations.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::contested::{ContestedAddress, Holder};
use super::network::{Member, group_address};
use super::{Network, PortSlot};
use crate::nb::LogicalPort;
use crate::types::{Id, MacAddr, PortKey, Problem};

/// The holder of each address in pairs of a network's ports. It is shared by successive tables.
pub(super) type PairHolders = BTreeMap<MacAddr, Arc<Holder>>;

impl Network {
    /// Adds the addresses in pairs of `members` of the network `lswitch`. An address that is also an own
    /// address of one of `lports`, all ports of the network, belongs to that port, even if it is down or on
    /// another host. Returns the problems.
    pub(super) fn add_pairs<'a>(
        &mut self,
        lswitch: &Id,
        members: &BTreeMap<Id, Member>,
        lports: impl Iterator<Item = &'a LogicalPort>,
        holders: &mut PairHolders,
    ) -> Vec<Problem> {
        let (mut claims, mut problems) = claims(members);
        holders.retain(|mac, _| claims.contains_key(mac));
        if claims.is_empty() {
            return problems;
        }
        // The own address of a port has a holder as well: `Compiler::mark_claimed_network` tests for it.
        for mac in claims.keys() {
            holders.entry(*mac).or_default();
        }
        for own in lports.flat_map(|lport| &*lport.macs) {
            claims.remove(own);
        }
        for (mac, claimants) in claims {
            let Some(holder) = holders.get(&mac) else { continue };
            if let [(key, slot)] = claimants[..] {
                // The port remains the holder when a second one claims the address.
                holder.set(key);
                self.macs.insert(mac, slot);
            } else {
                let address = ContestedAddress::new(claimants, Arc::clone(holder));
                if !self.add_contested(mac, address) {
                    problems.push(too_many_contested(lswitch, mac));
                }
            }
        }
        problems
    }
}

fn too_many_contested(lswitch: &Id, mac: MacAddr) -> Problem {
    let reason = format!(
        "more than 65,535 addresses are in allowed_address_pairs of several ports here, {mac} is not reached -> remove \
         it from all of them but one"
    );
    Problem::new(format!("lswitch {lswitch}"), reason)
}

/// The ports that claim an address, each with its key.
type Claimants = Vec<(PortKey, PortSlot)>;

/// The claimants of each address, and the problems of addresses that cannot be claimed.
fn claims(members: &BTreeMap<Id, Member>) -> (BTreeMap<MacAddr, Claimants>, Vec<Problem>) {
    let mut claims = BTreeMap::<_, Claimants>::new();
    let mut problems = Vec::new();
    for (lport, member) in members {
        for &mac in member.source_rules.iter().flat_map(|rules| &*rules.pair_macs) {
            if mac.is_group() {
                problems.extend(member.is_here().then(|| group_address(lport, mac)));
            } else {
                claims.entry(mac).or_default().push((member.key, member.slot));
            }
        }
    }
    (claims, problems)
}
