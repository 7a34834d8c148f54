//! What a change may matter to.

use super::Touched;
use crate::nb::{LogicalPort, Northbound, Table};
use crate::tables::claims::rivals;

/// Adds the ports whose place in the tables may depend on a record, with the records as they are now.
#[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
pub(super) fn touch(nb: &Northbound, table: Table, id: &str, touched: &mut Touched) {
    match table {
        Table::Lport => touch_port(nb, id, touched),
        Table::Lswitch => {
            let Some(lswitch) = nb.lswitches().get(id) else { return };
            // Those that share its key, too: one of them may have to yield, or may go on.
            for sharing in nb.lswitches_with_key(lswitch.key) {
                add(nb.lports_on(&sharing.id), touched);
            }
        }
        Table::ChildPortSegmentation => {
            if let Some(segmentation) = nb.segmentations().get(id) {
                for rival in rivals(nb, segmentation) {
                    touched.insert(rival.parent.clone());
                    touched.insert(rival.port.clone());
                }
            }
        }
        _ => {}
    }
}

fn touch_port(nb: &Northbound, id: &str, touched: &mut Touched) {
    let found = nb.lports().get(id);
    touched.insert(found.map_or_else(|| id.into(), |port| port.id.clone()));
    if let Some(port) = found {
        add(nb.lports_with_key(port.key), touched);
    }
    // Whether a segmentation holds depends on whether its ports exist.
    for segmentation in nb.segmentations_above(id).chain(nb.segmentations_below(id)) {
        touch(nb, Table::ChildPortSegmentation, &segmentation.id, touched);
    }
}

fn add<'a>(ports: impl Iterator<Item = &'a LogicalPort>, touched: &mut Touched) {
    touched.extend(ports.map(|port| port.id.clone()));
}
