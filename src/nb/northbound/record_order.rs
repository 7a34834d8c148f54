//! The order in which the records of a snapshot claim what several of them may claim.

use std::collections::{BTreeSet, HashSet};

use crate::nb::rows::AnyRow;
use crate::nb::{Record, Snapshot};
use crate::types::{Id, Incumbents};

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

/// Whether the record is the incumbent of one of its claims.
fn holds(record: &Record, incumbents: &Incumbents) -> bool {
    let Some(Ok(row)) = AnyRow::parse(record) else { return false };
    row.claims().iter().any(|claim| incumbents.get(claim).is_some_and(|id| *id == record.id))
}
