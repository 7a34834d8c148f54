//! Who holds what two or more claim, to be kept over a restart.

use std::collections::{BTreeSet, HashSet};

use super::{Northbound, State};
use crate::nb::{Record, Snapshot};
use crate::types::{Claim, Id, Incumbents, Segmentation};

impl Northbound {
    /// The holders of contested claims.
    #[must_use]
    pub fn incumbents(&self) -> Incumbents {
        let ports = self.lports_by_key.contested().map(|(key, id)| (Claim::PortKey(*key), id));
        let networks = self.lswitches_by_key.contested().map(|(key, id)| (Claim::NetworkKey(*key), id));
        let subports = self.segmentations_by_port.contested();
        let subports = subports.map(|(port, id)| (Claim::Subport(port.clone()), id));
        let tags = self.segmentations_by_tag.iter().flat_map(|(parent, tags)| {
            tags.contested().map(|(tag, id)| {
                let Segmentation::Vlan(vid) = *tag;
                (Claim::Tag(parent.clone(), vid), id)
            })
        });
        let all = ports.chain(networks).chain(subports).chain(tags);
        all.map(|(claim, id)| (claim, id.clone())).collect()
    }
}

/// The records in the order in which they get what they claim: incumbents first, then by id. The tables
/// come in their own order: ports before the segmentations that wait for them.
pub(crate) fn in_order<'a>(snapshot: &'a Snapshot, incumbents: &Incumbents) -> Vec<&'a Record> {
    let holders: BTreeSet<&str> = incumbents.values().map(Id::as_str).collect();
    let may_hold = snapshot.records.iter().filter(|record| holders.contains(record.id.as_str()));
    let holding: HashSet<_> = may_hold
        .filter(|record| holds(record, incumbents))
        .map(|record| (record.table, &record.id))
        .collect();
    let mut records: Vec<_> = snapshot.records.iter().collect();
    let place = |record: &&'a Record| {
        let is_newcomer = !holding.is_empty() && !holding.contains(&(record.table, &record.id));
        (record.table, is_newcomer, &record.id)
    };
    records.sort_by(|a, b| place(a).cmp(&place(b)));
    records
}

/// Whether the record makes a claim of which it is the incumbent.
fn holds(record: &Record, incumbents: &Incumbents) -> bool {
    let claims = match State::read(record) {
        Some(State::Lport(port)) => vec![Claim::PortKey(port.key)],
        Some(State::Lswitch(network)) => vec![Claim::NetworkKey(network.key)],
        Some(State::Segmentation(segmentation)) => {
            let Segmentation::Vlan(vid) = segmentation.segmentation;
            vec![Claim::Tag(segmentation.parent, vid), Claim::Subport(segmentation.port)]
        }
        Some(State::Absent | State::Unreadable(_)) | None => Vec::new(),
    };
    claims.iter().any(|claim| incumbents.get(claim).is_some_and(|id| *id == record.id))
}
