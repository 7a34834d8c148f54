//! Ports that move between hosts: Dragonflow's defects B7 (a move between other hosts is not noticed) and B11
//! (a subport stays where its parent was).

use serde_json::{Value, json};
use trunkpath::control::Reconciler;
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Table};
use trunkpath::tables::PortState;

use super::step::HERE;
use testkit::simulated::{self, Simulated};

fn record(table: Table, json: Value) -> Change {
    Change::Put(Record { table, id: json["id"].as_str().unwrap().to_owned(), json })
}

/// The parent, bound to a chassis.
fn parent(host: &str) -> Change {
    let binding = json!({"type": "chassis", "chassis": host});
    record(Table::Lport, json!({"id": "parent", "unique_key": 1, "lswitch": "n", "binding": binding}))
}

/// A subport's record after a live migration with newer Neutron: it has the previous host.
fn subport(binding: Option<&str>) -> Change {
    let mut json = json!({"id": "subport", "unique_key": 2, "lswitch": "n"});
    if let Some(host) = binding {
        json["binding"] = json!({"type": "chassis", "chassis": host});
    }
    record(Table::Lport, json)
}

fn records() -> Vec<Change> {
    let segmentation = json!({"id": "s", "parent": "parent", "port": "subport", "segmentation_type": "vlan",
        "segmentation_id": 100});
    vec![
        record(Table::Lswitch, json!({"id": "n", "unique_key": 1})),
        subport(None),
        record(Table::ChildPortSegmentation, segmentation),
    ]
}

/// A reconciler with the parent's link, to which changes are applied one by one.
struct BlockingReconciler(Reconciler<Simulated>, tokio::runtime::Runtime);

impl BlockingReconciler {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut reconciler = Self(simulated::reconciler(HERE, [simulated::link(1, "parent")]), runtime);
        reconciler.follow(records());
        reconciler
    }

    fn follow(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.0.apply_changes(&ChangeSet { revision: Revision(1), changes: vec![change] });
            self.1.block_on(self.0.reconcile()).unwrap();
        }
    }

    /// Ports that forward on this host.
    fn up(&self) -> Vec<&str> {
        let reports = self.0.compiler().reports();
        reports.filter(|(_, report)| report.state == PortState::Up).map(|(lport, _)| lport).collect()
    }
}

#[test]
fn b7_a_port_that_moves_between_other_hosts_and_then_here_is_followed() {
    let mut reconciler = BlockingReconciler::new();
    for elsewhere in ["one", "other", "one"] {
        reconciler.follow(vec![parent(elsewhere)]);
        assert_eq!((reconciler.up(), reconciler.0.open_links().count()), (vec![], 0));
    }
    reconciler.follow(vec![parent(HERE)]);
    assert_eq!((reconciler.up(), reconciler.0.open_links().count()), (vec!["parent", "subport"], 1));
}

#[test]
fn b11_a_subport_follows_its_parent_whatever_its_own_record_has() {
    let mut reconciler = BlockingReconciler::new();
    reconciler.follow(vec![parent(HERE), subport(Some("elsewhere"))]);
    assert_eq!(reconciler.up(), ["parent", "subport"]);
    reconciler.follow(vec![parent("elsewhere"), subport(Some(HERE))]);
    assert_eq!((reconciler.up(), reconciler.0.open_links().count()), (vec![], 0));
    reconciler.follow(vec![parent(HERE)]);
    assert_eq!(reconciler.up(), ["parent", "subport"]);
}
