//! Who gets the frames to an address that several ports of a network have.

use std::collections::BTreeMap;

use crate::nb::{LogicalPort, Northbound};
use crate::types::{Claim, Id, Incumbents, MacAddr};

/// The holders of addresses that two or more ports of this host had at one time. A port remains the holder while its
/// record has the address; while it is down, a port that is up takes its place only until it comes back.
#[derive(Debug, Clone, Default)]
pub(super) struct MacHolders(BTreeMap<(Id, MacAddr), Id>);

impl MacHolders {
    /// The holders in an earlier run.
    pub(super) fn of(incumbents: &Incumbents) -> Self {
        let holders = incumbents.iter().filter_map(|(claim, id)| match claim {
            Claim::Mac(lswitch, mac) => Some(((lswitch.clone(), *mac), id.clone())),
            Claim::PortKey(_)
            | Claim::NetworkKey(_)
            | Claim::Tag(..)
            | Claim::Subport(_)
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

    /// Decides between `ports`, which are up and in the order of their ids: the holder, else the one that
    /// `has_worked` with the address so far, else the first.
    pub(super) fn decide<'a>(
        &mut self,
        (lswitch, mac): (&Id, MacAddr),
        ports: &[&'a Id],
        has_worked: impl Fn(&Id) -> bool,
    ) -> Option<&'a Id> {
        let claim = (lswitch.clone(), mac);
        let held = self.0.get(&claim).and_then(|holder| ports.binary_search(&holder).ok());
        let place = held.or_else(|| ports.iter().position(|port| has_worked(port))).unwrap_or(0);
        let holder = *ports.get(place)?;
        self.0.insert(claim, holder.clone());
        Some(holder)
    }

    /// Takes away what a port no longer has, whose record was `before` and is `now`.
    pub(super) fn give_up(&mut self, before: &LogicalPort, now: Option<&LogicalPort>) {
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
