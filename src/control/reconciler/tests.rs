//! A reconciler with a backend that is slow, or whose links change after they were opened.

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::net::IpAddr;

use futures::FutureExt;
use serde_json::json;
use tokio::time::Instant;

use super::Reconciler;
use crate::config::{Config, LinkOptions, Settings};
use crate::control::backend::{BackendEvent, LinkBackend, LostReason};
use crate::control::links::{Link, LinkEvent, test_link};
use crate::nb::{Record, Revision, Snapshot, Table};
use crate::tables::{LinkSlot, PortState, Publisher, Steering};
use crate::types::IfIndex;
use crate::worker::WorkerPoolError;

/// A backend whose openings end when the test ends them.
#[derive(Debug, Default)]
struct SlowBackend {
    events: VecDeque<BackendEvent<IfIndex, String>>,
    requested: Vec<IfIndex>,
    released: Vec<IfIndex>,
    discarded: BTreeSet<IfIndex>,
}

impl LinkBackend for SlowBackend {
    type Handle = IfIndex;
    type Error = String;

    fn open(&mut self, link: &Link, _: LinkSlot, _: LinkOptions) {
        self.requested.push(link.ifindex);
    }

    async fn next(&mut self) -> BackendEvent<IfIndex, String> {
        match self.events.pop_front() {
            Some(event) => event,
            None => pending().await,
        }
    }

    async fn connect(&mut self, _: LinkSlot, _: &mut IfIndex) -> Result<(), WorkerPoolError> {
        Ok(())
    }

    fn steer(&mut self, _: &mut IfIndex, _: Option<IpAddr>, _: &Steering) {}

    async fn release(&mut self, _: LinkSlot, ifindex: IfIndex) {
        self.released.push(ifindex);
    }

    fn discard(&mut self, ifindex: IfIndex) {
        if self.released.contains(&ifindex) {
            self.discarded.insert(ifindex);
        }
    }
}

fn index(number: u32) -> IfIndex {
    IfIndex::new(number).unwrap()
}

fn link(number: u32) -> Link {
    test_link(number, &format!("link{number}"), Some(&format!("port{number}")))
}

fn record(table: Table, id: &str, json: serde_json::Value) -> Record {
    Record { table, id: id.to_owned(), json }
}

fn reconciler(ports: u32) -> Reconciler<SlowBackend> {
    let settings = Settings { chassis: Some("here".to_owned()), ..Settings::default() };
    let links = (1..=ports).map(link).collect();
    let start = |_: &Config, _: &Publisher| Ok::<_, std::convert::Infallible>(SlowBackend::default());
    let mut reconciler = Reconciler::new(settings.check().unwrap(), links, start).unwrap();
    let network = json!({"id": "n", "unique_key": 1, "topic": "t", "name": "n"});
    let port = |number| {
        let id = format!("port{number}");
        let json = json!({"id": id, "unique_key": number, "lswitch": "n", "topic": "t", "name": id,
            "macs": [format!("02:00:00:00:00:{number:02x}")], "enabled": true,
            "binding": {"type": "chassis", "chassis": "here"}});
        record(Table::Lport, &id, json)
    };
    let records = [record(Table::Lswitch, "n", network)].into_iter().chain((1..=ports).map(port));
    reconciler.apply_snapshot(&Snapshot { revision: Revision(1), records: records.collect() });
    reconciler
}

impl Reconciler<SlowBackend> {
    fn reconcile_now(&mut self) {
        self.reconcile().now_or_never().expect("a round does not wait for the backend").unwrap();
    }

    /// Ends the opening of a link, and reconciles.
    fn end_opening(&mut self, number: u32, outcome: Result<(), &str>) {
        let outcome = outcome.map(|()| (index(number), vec![0])).map_err(str::to_owned);
        self.backend.events.push_back(BackendEvent::Opened { ifindex: index(number), outcome });
        self.reconcile_now();
    }

    fn is_up(&self, number: u32) -> bool {
        self.compiler.report(&format!("port{number}")).is_some_and(|report| report.state == PortState::Up)
    }

    fn problem_texts(&self) -> Vec<String> {
        self.problems().iter().map(ToString::to_string).collect()
    }
}

#[test]
fn an_opening_that_does_not_end_delays_nothing_else() {
    let mut reconciler = reconciler(2);
    reconciler.reconcile_now();
    assert_eq!(reconciler.backend.requested, [index(1), index(2)]);
    reconciler.end_opening(2, Ok(()));
    assert!(reconciler.is_up(2) && !reconciler.is_up(1));
    assert!(reconciler.openings.opening_for(index(1)).is_some());
    assert_eq!((reconciler.next_retry(), reconciler.problem_texts()), (None, vec![]));

    reconciler.reconcile_now();
    assert_eq!(reconciler.backend.requested.len(), 2, "one request");
    reconciler.end_opening(1, Ok(()));
    assert!(reconciler.is_up(1) && reconciler.openings.opening_for(index(1)).is_none());
}

#[test]
fn a_refusal_is_a_problem_until_a_later_opening_ends_well() {
    let mut reconciler = reconciler(1);
    reconciler.reconcile_now();
    reconciler.end_opening(1, Err("it is held"));
    assert!(reconciler.problem_texts()[0].contains("link1: it is held"), "{:?}", reconciler.problem_texts());
    let retry = reconciler.next_retry().unwrap();
    while reconciler.backend.requested.len() < 2 {
        std::thread::sleep(retry.saturating_duration_since(Instant::now()));
        reconciler.reconcile_now();
    }
    assert_eq!(reconciler.next_retry(), None, "no attempt while the link is being opened");
    reconciler.end_opening(1, Ok(()));
    assert!(reconciler.is_up(1));
    assert_eq!(reconciler.problem_texts(), [""; 0]);
}

#[test]
fn a_port_whose_link_has_changed_is_down_with_a_reason_and_opened_again() {
    let mut reconciler = reconciler(2);
    reconciler.reconcile_now();
    (1..=2).for_each(|number| reconciler.end_opening(number, Ok(())));
    reconciler
        .push_backend_event(BackendEvent::Lost { ifindex: index(1), reason: LostReason::SocketsUnbound });
    reconciler.reconcile_now();
    assert!(!reconciler.is_up(1) && reconciler.is_up(2));
    assert_eq!(reconciler.backend.released, [index(1)]);
    assert!(
        reconciler.problem_texts()[0].contains("link1: its sockets are no longer bound"),
        "{:?}",
        reconciler.problem_texts()
    );
    assert_eq!(reconciler.backend.requested, [1, 2, 1].map(index));
    reconciler.end_opening(1, Ok(()));
    assert!(reconciler.is_up(1));
    assert_eq!((reconciler.problem_texts(), reconciler.backend.discarded.len()), (vec![], 0));
}

#[test]
fn a_link_that_is_no_longer_wanted_when_its_opening_ends_is_closed_and_discarded() {
    let mut reconciler = reconciler(1);
    reconciler.reconcile_now();
    reconciler.apply_link_event(LinkEvent::Gone(index(1)));
    reconciler.reconcile_now();
    reconciler.end_opening(1, Ok(()));
    assert!(!reconciler.is_up(1));
    assert_eq!(reconciler.backend.released, [index(1)]);
    assert!(reconciler.backend.discarded.contains(&index(1)));
    assert_eq!(reconciler.backend.requested.len(), 1);
}

#[test]
fn a_link_that_is_switched_off_is_kept_as_long_as_it_is_its_ports() {
    let mut reconciler = reconciler(1);
    reconciler.reconcile_now();
    reconciler.end_opening(1, Ok(()));
    let off = Link { up: false, ..link(1) };
    reconciler.apply_link_event(LinkEvent::Changed(off.clone()));
    reconciler.reconcile_now();
    assert!(!reconciler.is_up(1));
    assert_eq!(reconciler.backend.released, []);

    reconciler.apply_link_event(LinkEvent::Changed(Link { alias: Some("another".to_owned()), ..off }));
    reconciler.reconcile_now();
    assert_eq!(reconciler.backend.released, [index(1)]);
}

#[test]
fn the_one_of_two_links_that_a_port_had_is_its_own_after_a_restart_also_while_it_is_off() {
    let second = test_link(2, "link2", Some("port1"));
    let mut before = reconciler(1);
    before.reconcile_now();
    before.end_opening(1, Ok(()));
    let off = Link { up: false, ..link(1) };
    for event in [second.clone(), off.clone()] {
        before.apply_link_event(LinkEvent::Changed(event));
        before.reconcile_now();
    }
    let had = before.desired.link_of(&"port1".into(), &before.links);

    let mut after = reconciler(1);
    after.set_incumbents(before.incumbents());
    for link in [second, off] {
        after.apply_link_event(LinkEvent::Changed(link));
    }
    after.reconcile_now();
    assert_eq!(after.desired.link_of(&"port1".into(), &after.links), had);
    assert_eq!((after.backend.requested.len(), after.problem_texts()), (0, before.problem_texts()));
}

#[test]
fn no_more_than_a_few_are_being_opened_at_a_time() {
    let mut reconciler = reconciler(20);
    reconciler.reconcile_now();
    let first = reconciler.backend.requested.len() as u32;
    assert!(first < 20);
    assert_eq!(reconciler.next_retry(), None);
    for number in 1..=20 {
        reconciler.end_opening(number, Ok(()));
        assert!(reconciler.is_up(number));
    }
    assert_eq!(reconciler.backend.requested.len(), 20);
}
