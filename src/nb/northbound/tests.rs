use proptest::prelude::*;
use serde_json::{Value, json};

use std::collections::BTreeMap;

use super::Northbound;
use super::state::{Edit, RecordState};
use crate::nb::rows::AnyRow;
use crate::nb::{Change, ChildPortSegmentation, Record, Snapshot, Table};
use crate::types::Incumbents;

fn record(table: Table, json: Value) -> Record {
    Record { table, id: json["id"].as_str().unwrap_or("?").to_owned(), json }
}

fn with(records: Vec<Record>, incumbents: &Incumbents) -> Northbound {
    Northbound::from_snapshot(&Snapshot { records, ..Snapshot::default() }, incumbents)
}

fn of(records: Vec<Record>) -> Northbound {
    with(records, &Incumbents::new())
}

#[test]
fn fields_that_are_not_needed_are_ignored_and_null_is_absent() {
    let json = json!({"id": "p", "unique_key": 7, "lswitch": "n", "new_field": [1], "name": null, "macs": null,
        "ips": ["fe80::1"], "binding": {"type": "vtep", "vtep_address": "10.0.0.99"}});
    let northbound = of(vec![record(Table::Lport, json)]);
    let port = &northbound.lports()["p"];
    assert_eq!((port.key.get(), port.enabled, port.macs.len()), (7, true, 0));
    assert_eq!(port.chassis(), None);
    assert!(northbound.invalid().next().is_none());
}

#[test]
fn a_bad_record_is_a_problem_until_it_is_repaired_or_deleted() {
    let good = json!({"id": "n", "unique_key": 1});
    let mut northbound = of(vec![record(Table::Lswitch, good.clone())]);
    let bad = record(Table::Lswitch, json!({"id": "n", "unique_key": "1"}));
    northbound.apply(&Change::Put(bad.clone()));
    assert!(northbound.lswitches().is_empty());
    let problem = northbound.problem(Table::Lswitch, "n").unwrap();
    assert_eq!(
        problem.to_string(),
        "lswitch n: field unique_key is \"1\": expected a whole number, 0 or more"
    );
    northbound.apply(&Change::Put(record(Table::Lswitch, good)));
    assert!(northbound.invalid().next().is_none() && northbound.lswitches().len() == 1);
    northbound.apply(&Change::Put(bad));
    northbound.apply(&Change::Delete { table: Table::Lswitch, id: "n".to_owned() });
    assert_eq!(northbound, Northbound::default());
}

#[test]
fn an_invalid_record_has_a_reason() {
    let segmentation = |kind: &str, id: Value| json!({"id": "s", "parent": "a", "port": "b", "segmentation_type": kind, "segmentation_id": id});
    let lport = |field: &str, value: Value| {
        let mut json = json!({"id": "p", "unique_key": 1, "lswitch": "n"});
        json[field] = value;
        json
    };
    let cases = [
        (Table::ChildPortSegmentation, segmentation("macvlan", Value::Null), "\"macvlan\" is not supported"),
        (Table::ChildPortSegmentation, segmentation("vlan", 4095.into()), "4095 is not a VLAN id"),
        (Table::ChildPortSegmentation, segmentation("vlan", Value::Null), "needs a segmentation_id"),
        (Table::Lport, lport("macs", json!(["aa:bb"])), "field macs[0] is \"aa:bb\""),
        (Table::Lport, lport("binding", json!({"type": "chassis"})), "field binding.chassis is missing"),
        (
            Table::Lport,
            lport("binding", json!("compute1")),
            "field binding is \"compute1\": expected a JSON object",
        ),
        (
            Table::Lport,
            lport("unique_key", json!(1_u64 << 31)),
            "field unique_key is 2147483648: expected 1 to",
        ),
        (Table::Lport, lport("lswitch", json!("")), "field lswitch is \"\""),
        (Table::Lswitch, Value::from("{truncated"), "\"{truncated\" is not a JSON object"),
    ];
    for (table, json, expected) in cases {
        let northbound = of(vec![record(table, json)]);
        let (_, _, problem) = northbound.invalid().next().unwrap();
        assert!(problem.reason.contains(expected), "{problem}");
    }
    let mut elsewhere = record(Table::Lswitch, json!({"id": "n", "unique_key": 1}));
    elsewhere.id = "m".to_owned();
    let northbound = of(vec![elsewhere]);
    assert!(northbound.problem(Table::Lswitch, "m").unwrap().reason.contains("the record's key"));
}

/// Valid and invalid records with few ids, so that they refer to each other.
fn change() -> impl Strategy<Value = Change> {
    let table = prop_oneof![
        Just(Table::Lswitch),
        Just(Table::Lport),
        Just(Table::ChildPortSegmentation),
        Just(Table::Chassis)
    ];
    let ports = (0..4_u8, 0..4_u8);
    (table, 0..4_u8, ports, 0..3_u32, any::<bool>()).prop_map(|(table, id, (parent, port), key, there)| {
        let id = id.to_string();
        let json = json!({"id": id, "unique_key": key, "lswitch": "n", "parent": parent.to_string(),
            "port": port.to_string(), "segmentation_type": "vlan", "segmentation_id": key});
        if there { Change::Put(Record { table, id, json }) } else { Change::Delete { table, id } }
    })
}

/// The segmentations that hold.
fn held(northbound: &Northbound) -> impl Iterator<Item = &ChildPortSegmentation> {
    northbound.segmentations().values().filter(|segmentation| northbound.holds(segmentation))
}

/// Whether `now` has a segmentation and both its ports as `segmentation` says.
fn still_claims(now: &Northbound, segmentation: &ChildPortSegmentation) -> bool {
    let ports = [&segmentation.parent, &segmentation.port];
    now.segmentations().get(&segmentation.id) == Some(segmentation)
        && ports.iter().all(|port| now.lports().contains_key(*port))
}

proptest! {
    /// Any history leads to the state of its last records with the incumbents, and so do these records in any
    /// order.
    #[test]
    fn only_the_last_state_of_each_record_and_the_incumbents_matter(
        (history, order) in prop::collection::vec(change(), 0..60).prop_flat_map(|history| {
            let order = Just((0..history.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(history), order)
        })
    ) {
        let mut followed = Northbound::default();
        let mut last = BTreeMap::new();
        for change in &history {
            followed.apply(change);
            match change {
                Change::Put(record) => last.insert((record.table, record.id.clone()), Some(record.clone())),
                Change::Delete { table, id } => last.insert((*table, id.clone()), None),
            };
        }
        let last: Vec<Record> = last.into_values().flatten().collect();
        let incumbents = followed.incumbents();
        prop_assert_eq!(&followed, &with(last.clone(), &incumbents));
        let shuffled = order.into_iter().filter_map(|index| last.get(index).cloned()).collect();
        prop_assert_eq!(&followed, &with(shuffled, &incumbents));
    }

    /// No change takes a claim from a record that still makes it.
    #[test]
    fn a_newcomer_takes_nothing(history in prop::collection::vec(change(), 0..60)) {
        let mut northbound = Northbound::default();
        for change in &history {
            let before = northbound.clone();
            northbound.apply(change);
            for segmentation in held(&before).filter(|held| still_claims(&northbound, held)) {
                prop_assert!(northbound.holds(segmentation), "{segmentation:?} by {change:?}");
            }
            for port in before.lports().values().filter(|port| before.lport_with_key(port.key) == Some(port)) {
                let now = northbound.lports().get(&port.id).filter(|now| now.key == port.key);
                prop_assert!(now.is_none() || northbound.lport_with_key(port.key) == now, "{port:?} by {change:?}");
            }
        }
    }

    /// No segmentation waits for a claim without holder, and each that begins or ends to hold is returned.
    #[test]
    fn what_is_given_up_is_held_by_another(history in prop::collection::vec(change(), 0..60)) {
        let mut northbound = Northbound::default();
        for change in &history {
            let before = northbound.clone();
            let Some(edit) = northbound.edit(change) else { continue };
            let about = edit.about();
            let turned = northbound.make(edit);
            for segmentation in northbound.segmentations().values() {
                let holds = northbound.holds(segmentation);
                let mut tried = northbound.clone();
                let now = RecordState::Valid(AnyRow::ChildPortSegmentation(segmentation.clone()));
                tried.make(Edit { table: Table::ChildPortSegmentation, id: segmentation.id.clone(), now });
                prop_assert_eq!(tried.holds(segmentation), holds, "{:?} by {:?}", segmentation, change);
                let this = (Table::ChildPortSegmentation, segmentation.id.clone());
                let is_returned = this == about || turned.contains(&this);
                prop_assert!(is_returned || before.holds(segmentation) == holds, "{this:?} by {change:?}");
            }
        }
    }
}
