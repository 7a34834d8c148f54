//! What a change may matter to.

use super::Touched;
use crate::nb::{LogicalPort, Northbound, Table};

/// Adds the ports whose place in the tables may depend on a record, with the records as they are now.
#[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
pub(super) fn touch(nb: &Northbound, table: Table, id: &str, touched: &mut Touched) {
    match table {
        Table::Lport => {
            let found = nb.lports().get(id);
            touched.insert(found.map_or_else(|| id.into(), |port| port.id.clone()));
        }
        Table::Lswitch => add(nb.lports_on(id), touched),
        Table::ChildPortSegmentation => {
            if let Some(segmentation) = nb.segmentations().get(id) {
                touched.insert(segmentation.parent.clone());
                touched.insert(segmentation.port.clone());
            }
        }
        _ => {}
    }
}

fn add<'a>(ports: impl Iterator<Item = &'a LogicalPort>, touched: &mut Touched) {
    touched.extend(ports.map(|port| port.id.clone()));
}
