use serde_json::json;

use super::*;

/// A state in memory.
#[derive(Debug, Clone, Default)]
struct Memory {
    records: BTreeMap<RecordId, Value>,
    last_keys: BTreeMap<Table, u64>,
    writes: usize,
}

impl State for Memory {
    fn get(&self, record: &RecordId) -> Result<Option<Value>, NbError> {
        Ok(self.records.get(record).cloned())
    }

    fn find(&self, table: Table, by: By<'_>) -> Result<Vec<(String, Value)>, NbError> {
        let matches = |json: &Value| match by {
            By::UniqueKey(key) => json["unique_key"] == key,
            By::Parent(parent) => json["parent"] == parent,
            By::Tag(parent, id) => json["parent"] == parent && json["segmentation_id"] == id,
            By::Port(port) => json["port"] == port,
        };
        let records = self.records.iter().filter(|(record, json)| record.table == table && matches(json));
        Ok(records.map(|(record, json)| (record.id.clone(), json.clone())).collect())
    }

    fn put(&mut self, record: &RecordId, json: &Value) -> Result<(), NbError> {
        self.writes += 1;
        self.records.insert(record.clone(), json.clone());
        Ok(())
    }

    fn delete(&mut self, record: &RecordId) -> Result<(), NbError> {
        self.writes += 1;
        self.records.remove(record);
        Ok(())
    }

    fn last_key(&self, table: Table) -> Result<u64, NbError> {
        Ok(self.last_keys.get(&table).copied().unwrap_or_default())
    }

    fn set_last_key(&mut self, table: Table, key: u64) -> Result<(), NbError> {
        self.last_keys.insert(table, key);
        Ok(())
    }
}

impl Memory {
    fn run(&mut self, ops: Vec<Op>) -> Result<Vec<(RecordId, Effect)>, NbError> {
        let before = self.clone();
        run(self, ops).inspect_err(|_| *self = before)
    }

    fn rejection(&mut self, ops: Vec<Op>) -> String {
        self.run(ops).unwrap_err().to_string()
    }

    fn record(&self, table: Table, id: &str) -> &Value {
        &self.records[&RecordId { table, id: id.to_owned() }]
    }
}

fn put(table: Table, json: Value) -> Op {
    Op::Put { table, json }
}

fn lport(id: &str) -> Op {
    put(Table::Lport, json!({"id": id, "topic": "t", "lswitch": "n"}))
}

fn subport(parent: &str, port: &str, vid: u64) -> Op {
    let json = json!({"parent": parent, "port": port, "topic": "t", "segmentation_type": "vlan", "segmentation_id": vid});
    put(Table::ChildPortSegmentation, json)
}

fn delete(table: Table, id: &str) -> Op {
    Op::Delete { table, id: id.to_owned() }
}

/// Ports a to e; b is subport 5 of a, c is subport 6 of b.
fn ports() -> Memory {
    let mut memory = Memory::default();
    let ops = vec![
        subport("a", "b", 5),
        lport("a"),
        lport("b"),
        lport("c"),
        lport("d"),
        lport("e"),
        subport("b", "c", 6),
    ];
    memory.run(ops).unwrap();
    memory
}

#[test]
fn keys_are_allocated_from_1_kept_and_never_given_twice() {
    let mut memory = Memory::default();
    memory.run(vec![lport("a"), lport("b")]).unwrap();
    assert_eq!(memory.record(Table::Lport, "a")["unique_key"], 1);
    assert_eq!(memory.record(Table::Lport, "b")["unique_key"], 2);
    memory.run(vec![delete(Table::Lport, "b"), lport("c")]).unwrap();
    assert_eq!(memory.record(Table::Lport, "c")["unique_key"], 3);
    memory.run(vec![put(Table::Lport, json!({"id": "a", "topic": "t", "lswitch": "m"}))]).unwrap();
    assert_eq!(memory.record(Table::Lport, "a")["unique_key"], 1);
    memory
        .run(vec![put(Table::Lport, json!({"id": "x", "topic": "t", "lswitch": "n", "unique_key": 9}))])
        .unwrap();
    memory.run(vec![delete(Table::Lport, "x")]).unwrap();
    assert_eq!(allocate(&mut memory, Table::Lport).unwrap(), 10);
    assert!(matches!(allocate(&mut memory, Table::Chassis), Err(NbError::Keyless(Table::Chassis))));
    memory.set_last_key(Table::Lport, i32::MAX as u64).unwrap();
    assert!(matches!(allocate(&mut memory, Table::Lport), Err(NbError::KeysExhausted(Table::Lport))));
}

#[test]
fn a_key_is_rejected_for_a_second_record_of_the_table_only() {
    let mut memory = ports();
    let ops = vec![
        lport("f"),
        put(Table::Lport, json!({"id": "x", "topic": "t", "lswitch": "n", "unique_key": 1})),
    ];
    let rejection = memory.rejection(ops);
    assert_eq!(
        rejection,
        "lport x: unique_key 1 belongs to a already: leave the field out to get a free one"
    );
    memory.run(vec![put(Table::Lswitch, json!({"id": "x", "topic": "t", "unique_key": 1}))]).unwrap();
}

#[test]
fn the_version_is_1_at_first_and_rises_with_every_change() {
    let mut memory = Memory::default();
    let network = |fields: Value| {
        let mut json = json!({"id": "n", "topic": "t"});
        json.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        vec![put(Table::Lswitch, json)]
    };
    let steps = [
        (json!({}), 1, "first"),
        (json!({}), 1, "the same again"),
        (json!({"mtu": 1400}), 2, "changed"),
        (json!({"mtu": 1400, "version": 1}), 2, "the same with an older version"),
        (json!({"mtu": 1500, "version": 2}), 3, "changed, with the version that is stored"),
        (json!({"mtu": 1500, "version": 7}), 7, "a newer version"),
        (json!({"mtu": 1600, "version": 9}), 9, "changed and newer"),
    ];
    for (fields, version, what) in steps {
        memory.run(network(fields)).unwrap();
        assert_eq!(memory.record(Table::Lswitch, "n")["version"], version, "{what}");
    }
    assert_eq!(memory.writes, 5);
}

#[test]
fn create_and_delete_check_the_present_record() {
    let mut memory = ports();
    let json = json!({"id": "a", "topic": "t", "lswitch": "n"});
    let rejection = memory.rejection(vec![Op::Create { table: Table::Lport, json }]);
    assert!(rejection.starts_with("lport a: exists already"), "{rejection}");
    let rejection = memory.rejection(vec![delete(Table::Lport, "z")]);
    assert!(rejection.starts_with("lport z: does not exist"), "{rejection}");
}

#[test]
fn an_invalid_segmentation_is_rejected() {
    let cases = [
        (vec![subport("a", "z", 7)], "port z does not exist"),
        (vec![subport("z", "d", 7)], "parent z does not exist"),
        (vec![subport("d", "d", 7)], "port d would be its own parent"),
        (vec![subport("c", "a", 7)], "parent c is itself a subport below a"),
        (vec![subport("d", "e", 7), subport("e", "d", 7)], "is itself a subport below"),
        (vec![subport("a", "d", 5)], "vlan 5 of parent a belongs to "),
        (vec![subport("d", "b", 7)], "port b is a subport of a already"),
        (vec![lport("f"), subport("a", "f", 0)], "segmentation_id 0 is not a VLAN id"),
    ];
    for (ops, expected) in cases {
        let rejection = ports().rejection(ops);
        assert!(rejection.contains(expected), "{rejection}");
    }
}

#[test]
fn a_port_that_a_segmentation_names_is_deleted_with_it_only() {
    let mut memory = ports();
    let segmentation = super::super::segmentation_id("b", "c");
    for (port, role) in [("b", "parent"), ("c", "port")] {
        let rejection = memory.rejection(vec![delete(Table::Lport, port)]);
        assert!(rejection.contains(&format!("is the {role} of child_port_segmentation ")), "{rejection}");
    }
    let ops = vec![delete(Table::Lport, "c"), delete(Table::ChildPortSegmentation, &segmentation)];
    memory.run(ops).unwrap();
}

#[test]
fn the_state_after_the_whole_transaction_counts() {
    let mut memory = ports();
    let old = super::super::segmentation_id("a", "b");
    // d gets the tag and b becomes its subport: each operation alone would be rejected.
    let ops = vec![subport("a", "d", 5), subport("d", "b", 5), delete(Table::ChildPortSegmentation, &old)];
    memory.run(ops).unwrap();
    // The same tag on another parent, and a changed tag.
    memory.run(vec![subport("a", "d", 6)]).unwrap();
}

#[test]
fn the_rejection_names_the_operation() {
    let ops = vec![lport("f"), subport("a", "f", 9), subport("a", "d", 9)];
    let mut memory = ports();
    match run(&mut memory, ops) {
        Err(NbError::Rejected { op, about, reason: RecordError::TagTaken { .. } }) => {
            assert_eq!(op, 1);
            assert!(about.starts_with("child_port_segmentation "), "{about}");
        }
        other => panic!("{other:?}"),
    }
}
