//! Ports that a change of a record may concern.

use std::collections::BTreeSet;

use crate::nb::{LogicalPort, Northbound, Table};
use crate::types::Id;

/// A set of ports by the ids of their records.
pub type PortIds = BTreeSet<Id>;

/// Adds the ports whose place in the tables may depend on a record, according to the present records.
#[expect(clippy::wildcard_enum_match_arm, reason = "other tables do not concern the datapath")]
pub(super) fn mark(nb: &Northbound, table: Table, id: &str, dirty: &mut PortIds) {
    match table {
        Table::Lport => {
            let found = nb.lports().get(id);
            dirty.insert(found.map_or_else(|| id.into(), |port| port.id.clone()));
        }
        Table::Lswitch => add(nb.lports_on(id), dirty),
        Table::ChildPortSegmentation => {
            if let Some(segmentation) = nb.segmentations().get(id) {
                dirty.insert(segmentation.parent.clone());
                dirty.insert(segmentation.port.clone());
            }
        }
        _ => {}
    }
}

fn add<'a>(ports: impl Iterator<Item = &'a LogicalPort>, dirty: &mut PortIds) {
    dirty.extend(ports.map(|port| port.id.clone()));
}
