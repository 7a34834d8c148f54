//! Holders of MAC addresses that several ports of a network have.

use std::collections::BTreeMap;

use crate::nb::{LogicalPort, Northbound};
use crate::types::{Claim, Id, Incumbents, MacAddr};

/// The holders of addresses that two or more ports of this host had at one time. A port remains the holder
/// while its record has the address; while it is down, another port that is up receives the frames.
#[derive(Debug, Clone, Default)]
pub(super) struct MacHolders(BTreeMap<(Id, MacAddr), Id>);

impl MacHolders {
    /// The holders of an earlier run.
    pub(super) fn of(incumbents: &Incumbents) -> Self {
        let holders = incumbents.iter().filter_map(|(claim, id)| match claim {
            Claim::Mac(lswitch, mac) => Some(((lswitch.clone(), *mac), id.clone())),
            Claim::PortKey(_)
            | Claim::NetworkKey(_)
            | Claim::Tag(..)
            | Claim::Subport(_)
            | Claim::Segment(_)
            | Claim::Endpoint(_)
            | Claim::Link(_) => None,
        });
        Self(holders.collect())
    }

    /// The holders whose records still have the address.
    pub(super) fn incumbents(&self, nb: &Northbound) -> Incumbents {
        let claimed = self
            .0
            .iter()
            .filter(|((lswitch, mac), id)| nb.lports().get(*id).is_some_and(|port| has(port, lswitch, *mac)));
        claimed.map(|((lswitch, mac), id)| (Claim::Mac(lswitch.clone(), *mac), id.clone())).collect()
    }

    /// Selects the holder from `ports`, which are up and in the order of their ids: the present holder, else
    /// the port that `had` the address in the tables before, else the first.
    pub(super) fn select<'a>(
        &mut self,
        (lswitch, mac): (&Id, MacAddr),
        ports: &[&'a Id],
        had: impl Fn(&Id) -> bool,
    ) -> Option<&'a Id> {
        let claim = (lswitch.clone(), mac);
        let held = self.0.get(&claim).and_then(|holder| ports.binary_search(&holder).ok());
        let place = held.or_else(|| ports.iter().position(|port| had(port))).unwrap_or(0);
        let holder = *ports.get(place)?;
        self.0.insert(claim, holder.clone());
        Some(holder)
    }

    /// Removes the holder of each address that a port no longer has, whose record was `before` and is `now`.
    pub(super) fn release(&mut self, before: &LogicalPort, now: Option<&LogicalPort>) {
        for &mac in &*before.macs {
            if now.is_some_and(|now| has(now, &before.lswitch, mac)) {
                continue;
            }
            let claim = (before.lswitch.clone(), mac);
            if self.0.get(&claim) == Some(&before.id) {
                self.0.remove(&claim);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn has(port: &LogicalPort, lswitch: &Id, mac: MacAddr) -> bool {
    port.lswitch == *lswitch && port.macs.contains(&mac)
}
