use serde_json::json;

use super::*;
use crate::nb::Op;
use crate::nb::transaction::{allocate, run};

/// A store that records what is read of it.
#[derive(Default)]
struct Far {
    records: BTreeMap<RecordId, Value>,
    counters: BTreeMap<Table, u64>,
}

fn id(table: Table, id: &str) -> RecordId {
    RecordId { table, id: id.to_owned() }
}

fn lport(id: &str, key: Option<u64>) -> Op {
    let mut json = json!({"id": id, "topic": "t", "lswitch": "n", "name": "new"});
    if let Some(key) = key {
        json["unique_key"] = key.into();
    }
    Op::Put { table: Table::Lport, json }
}

fn subport(parent: &str, port: &str, vid: u64, topic: &str) -> Op {
    let json = json!({"id": "s", "parent": parent, "port": port, "topic": topic, "segmentation_type": "vlan", "segmentation_id": vid});
    Op::Put { table: Table::ChildPortSegmentation, json }
}

impl Far {
    /// Ports p1 to p3 with keys 1 to 3; p2 is subport 5 of p1.
    fn new() -> Self {
        let mut far = Self::default();
        for key in 1..=3 {
            let name = format!("p{key}");
            let json = json!({"id": name, "topic": "t", "lswitch": "n", "unique_key": key, "version": 1});
            far.records.insert(id(Table::Lport, &name), json);
        }
        let Op::Put { table, json } = subport("p1", "p2", 5, "t") else { unreachable!() };
        far.records.insert(id(table, "s"), json);
        far.counters.insert(Table::Lport, 3);
        far
    }

    /// The data that a transaction reads, and whether it passes.
    fn asked<T>(&self, work: impl Fn(&mut dyn State) -> Result<T, NbError>) -> (Vec<String>, bool) {
        let (mut known, mut asked) = (Known::default(), Vec::new());
        loop {
            let need = match known.run(&work) {
                Run::Done(..) => return (asked, true),
                Run::Rejected(_) => return (asked, false),
                Run::Needs(need) => need,
            };
            match need {
                Need::Record(record) => {
                    asked.push(record.id.clone());
                    let found = self.records.get(&record).cloned();
                    known.insert_record(record, found);
                }
                Need::Table(table) => {
                    asked.push(format!("all of {table}"));
                    let all = self.records.iter().filter(|(record, _)| record.table == table);
                    known.insert_table(table, all.map(|(record, json)| (record.id.clone(), json.clone())));
                }
                Need::Counter(table) => {
                    asked.push("counter".to_owned());
                    known.insert_counter(table, self.counters.get(&table).copied().unwrap_or_default());
                }
            }
        }
    }

    fn transaction(&self, ops: &[Op]) -> (Vec<String>, bool) {
        self.asked(|state| run(state, ops.to_vec()))
    }
}

#[test]
fn a_transaction_reads_no_more_than_its_checks_need() {
    let far = Far::new();
    let delete = |table, id: &str| Op::Delete { table, id: id.to_owned() };
    let all = "all of child_port_segmentation";
    let cases: [(Vec<Op>, &[&str]); 9] = [
        (vec![lport("p1", None)], &["p1"]),
        (vec![lport("p1", Some(1))], &["p1"]),
        (vec![lport("new", None)], &["new", "counter"]),
        (vec![lport("new", Some(9))], &["new", "counter"]),
        // A key that may belong to another record.
        (
            vec![delete(Table::Lport, "p3"), lport("new", Some(3))],
            &["p3", "new", "counter", "all of lport", all],
        ),
        (vec![delete(Table::ChildPortSegmentation, "s")], &["s"]),
        (vec![delete(Table::Lport, "p3")], &["p3", all]),
        (vec![subport("p1", "p2", 5, "u")], &["s"]),
        (vec![subport("p1", "p2", 6, "t")], &["s", "p1", "p2", all]),
    ];
    for (ops, expected) in cases {
        let (mut asked, passed) = far.transaction(&ops);
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        asked.sort();
        expected.sort();
        assert_eq!((asked, passed), (expected, true), "{ops:?}");
    }
    assert_eq!(far.asked(|state| allocate(state, Table::Lport)), (vec!["counter".to_owned()], true));
}

#[test]
fn a_key_is_rejected_for_two_records_however_little_is_read() {
    let far = Far::new();
    for ops in [
        vec![lport("new", Some(2))],
        vec![lport("p1", Some(2))],
        // The keys of present and of new records in one transaction.
        vec![lport("p1", None), lport("p2", Some(1))],
        vec![lport("p2", Some(1)), lport("p1", None)],
        vec![lport("new", Some(8)), lport("newer", Some(8))],
    ] {
        assert!(!far.transaction(&ops).1, "{ops:?}");
    }
    // Two records exchange their keys.
    assert!(far.transaction(&[lport("p1", Some(2)), lport("p2", Some(1))]).1);
}

#[test]
fn a_table_without_its_counter_is_read() {
    let mut far = Far::new();
    far.counters.clear();
    let key = |state: &mut dyn State| {
        let key = allocate(state, Table::Lport)?;
        assert_eq!(key, 4);
        Ok(())
    };
    assert_eq!(far.asked(key).0, ["counter", "all of lport"]);
}

#[test]
fn many_records_are_read_with_their_table() {
    let ports: Vec<_> = (0..100).map(|port| lport(&format!("n{port}"), None)).collect();
    let (asked, passed) = Far::new().transaction(&ports);
    assert!(passed && asked.len() == SINGLES + 2 && asked[SINGLES + 1] == "all of lport", "{asked:?}");
}
