//! A link stays with the port that has it.

use serde_json::json;
use trunkpath::control::Reconciler;
use trunkpath::control::links::{Link, LinkEvent};
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Table};

use super::step::HERE;
use testkit::simulated::{self, Simulated};

/// Both ports look for the link of this name.
const TAP: &str = "tapsame-prefix";
const WORKING: &str = "same-prefix-b";
const NEWCOMER: &str = "same-prefix-a";

struct BlockingReconciler(Reconciler<Simulated>, tokio::runtime::Runtime);

impl BlockingReconciler {
    fn new(links: Vec<Link>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self(simulated::reconciler(HERE, links), runtime)
    }

    fn put(&mut self, lports: &[&str]) {
        let network = ("n", Table::Lswitch, json!({"id": "n", "unique_key": 1}));
        let ports = lports.iter().map(|id| {
            let key = u32::from(*id == WORKING) + 1;
            let binding = json!({"type": "chassis", "chassis": HERE});
            (*id, Table::Lport, json!({"id": id, "unique_key": key, "lswitch": "n", "binding": binding}))
        });
        let records = [network].into_iter().chain(ports);
        let puts = records.map(|(id, table, json)| Change::Put(Record { table, id: id.to_owned(), json }));
        self.0.apply_changes(&ChangeSet { revision: Revision(1), changes: puts.collect() });
        self.reconcile();
    }

    fn see(&mut self, link: Link) {
        self.0.apply_link_event(LinkEvent::Changed(link));
        self.reconcile();
    }

    fn reconcile(&mut self) {
        self.1.block_on(self.0.reconcile()).unwrap();
    }

    /// Ports with a link, and its ifindex.
    fn taken(&self) -> Vec<(u32, &str)> {
        self.0
            .open_links()
            .filter_map(|(ifindex, role)| Some((ifindex.get(), role.port()?.as_str())))
            .collect()
    }

    fn problems(&self) -> Vec<String> {
        self.0.problems().iter().map(ToString::to_string).collect()
    }
}

fn tap(up: bool) -> Link {
    Link { name: TAP.to_owned(), alias: None, up, ..simulated::link(1, "") }
}

#[test]
fn a_port_of_a_lower_id_takes_no_device_nor_after_it_was_down_nor_after_a_restart() {
    let mut reconciler = BlockingReconciler::new(vec![tap(true)]);
    reconciler.put(&[WORKING]);
    reconciler.put(&[NEWCOMER]);
    assert_eq!(reconciler.taken(), [(1, WORKING)]);
    let expected =
        format!("lport {NEWCOMER}: link {TAP} is lport {WORKING}'s already: a link belongs to one port");
    assert_eq!(reconciler.problems(), [expected]);
    reconciler.see(tap(false));
    reconciler.see(tap(true));
    assert_eq!(reconciler.taken(), [(1, WORKING)]);

    let mut restarted = BlockingReconciler::new(vec![tap(true)]);
    restarted.0.set_incumbents(reconciler.0.incumbents());
    restarted.put(&[NEWCOMER, WORKING]);
    assert_eq!(restarted.taken(), [(1, WORKING)]);

    let mut forgetful = BlockingReconciler::new(vec![tap(true)]);
    forgetful.put(&[WORKING, NEWCOMER]);
    assert_eq!(forgetful.taken(), [(1, NEWCOMER)]);
}

#[test]
fn a_second_device_of_a_port_does_not_take_it_from_the_first() {
    let second = || simulated::link(2, WORKING);
    let mut reconciler = BlockingReconciler::new(vec![simulated::link(7, WORKING)]);
    reconciler.put(&[WORKING]);
    reconciler.see(second());
    assert_eq!(reconciler.taken(), [(7, WORKING)]);
    let problems = reconciler.problems();
    assert!(problems.len() == 1 && problems[0].contains("sim2 and sim7 both have its id"), "{problems:?}");

    let mut restarted = BlockingReconciler::new(vec![second(), simulated::link(7, WORKING)]);
    restarted.0.set_incumbents(reconciler.0.incumbents());
    restarted.put(&[WORKING]);
    assert_eq!(restarted.taken(), [(7, WORKING)]);
}
