//! The northbound DB in memory, as far as the datapath needs it. Pure.

use std::collections::BTreeMap;

use super::index::{Index, compact};
use super::texts::Texts;
use super::{Change, ChildPortSegmentation, LogicalPort, LogicalSwitch, Record, Snapshot, Table};
use crate::types::{Id, NetworkKey, PortKey, Problem, Segmentation};

/// The typed picture of the northbound DB. Depends only on the records' last state, not on the order of changes.
///
/// It is kept with the indexes that the compiler asks, so that the cost of a change depends on what it touches, not
/// on the size of the DB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Northbound {
    lswitches: BTreeMap<Id, LogicalSwitch>,
    lports: BTreeMap<Id, LogicalPort>,
    segmentations: BTreeMap<Id, ChildPortSegmentation>,
    unreadable: BTreeMap<(Table, Id), Problem>,
    lswitches_by_key: Index<NetworkKey>,
    lports_by_key: Index<PortKey>,
    lports_by_lswitch: Index<Id>,
    lports_by_chassis: Index<Id>,
    segmentations_by_tag: BTreeMap<Id, Index<Segmentation>>,
    segmentations_by_port: Index<Id>,
    texts: Texts,
}

/// A change that changes something: what a record is from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    table: Table,
    id: Id,
    now: State,
}

impl Edit {
    /// The record that it is about.
    #[must_use]
    pub fn about(&self) -> (Table, Id) {
        (self.table, self.id.clone())
    }
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Absent,
    Unreadable(Problem),
    Lswitch(LogicalSwitch),
    Lport(LogicalPort),
    Segmentation(ChildPortSegmentation),
}

impl State {
    /// Reads a record; `None` if it is of a table that the datapath does not need.
    #[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
    fn read(record: &Record) -> Option<Self> {
        let read = match record.table {
            Table::Lswitch => LogicalSwitch::read(record).map(Self::Lswitch),
            Table::Lport => LogicalPort::read(record).map(Self::Lport),
            Table::ChildPortSegmentation => ChildPortSegmentation::read(record).map(Self::Segmentation),
            _ => return None,
        };
        Some(read.unwrap_or_else(|error| {
            Self::Unreadable(Problem::new(format!("{} {}", record.table, record.id), error.to_string()))
        }))
    }
}

impl Northbound {
    /// The picture of a snapshot.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        let mut northbound = Self::default();
        for record in &snapshot.records {
            northbound.follow(northbound.put(record));
        }
        northbound
    }

    /// Follows one change.
    pub fn apply(&mut self, change: &Change) {
        self.follow(self.edit(change));
    }

    fn follow(&mut self, edit: Option<Edit>) {
        if let Some(edit) = edit {
            self.make(edit);
        }
    }

    /// What a change comes to; `None` when it changes nothing, as one of a table that the datapath does not need.
    #[must_use]
    pub fn edit(&self, change: &Change) -> Option<Edit> {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete { table, id } => self.delete(*table, id),
        }
    }

    /// What it comes to when a record is created or changed.
    #[must_use]
    pub fn put(&self, record: &Record) -> Option<Edit> {
        let edit = Edit { table: record.table, id: record.id.as_str().into(), now: State::read(record)? };
        (!self.is(edit.table, &edit.id, &edit.now)).then_some(edit)
    }

    /// What it comes to when a record is deleted.
    #[must_use]
    pub fn delete(&self, table: Table, id: &str) -> Option<Edit> {
        let edit = Edit { table, id: id.into(), now: State::Absent };
        (!self.is(table, id, &State::Absent)).then_some(edit)
    }

    /// Makes an edit.
    pub fn make(&mut self, edit: Edit) {
        let Edit { table, id, now } = edit;
        self.remove(table, &id);
        match now {
            State::Absent => {}
            State::Unreadable(problem) => drop(self.unreadable.insert((table, id), problem)),
            State::Lswitch(lswitch) => self.insert_lswitch(lswitch),
            State::Lport(lport) => self.insert_lport(lport),
            State::Segmentation(segmentation) => self.insert_segmentation(segmentation),
        }
    }

    /// Packs the records tightly, as a map that grows in the order of its keys is half empty.
    pub fn compact(&mut self) {
        compact(&mut self.lswitches);
        compact(&mut self.lports);
        compact(&mut self.segmentations);
        compact(&mut self.segmentations_by_tag);
        self.lswitches_by_key.compact();
        self.lports_by_key.compact();
        self.lports_by_lswitch.compact();
        self.lports_by_chassis.compact();
        self.segmentations_by_tag.values_mut().for_each(Index::compact);
        self.segmentations_by_port.compact();
    }

    /// The records that are here, readable or not.
    pub fn ids(&self) -> impl Iterator<Item = (Table, &str)> {
        let lswitches = self.lswitches.keys().map(|id| (Table::Lswitch, id.as_str()));
        let lports = self.lports.keys().map(|id| (Table::Lport, id.as_str()));
        let segmentations = self.segmentations.keys().map(|id| (Table::ChildPortSegmentation, id.as_str()));
        let unreadable = self.unreadable.keys().map(|(table, id)| (*table, id.as_str()));
        lswitches.chain(lports).chain(segmentations).chain(unreadable)
    }

    /// The networks, by id.
    #[must_use]
    pub const fn lswitches(&self) -> &BTreeMap<Id, LogicalSwitch> {
        &self.lswitches
    }

    /// The ports, by id.
    #[must_use]
    pub const fn lports(&self) -> &BTreeMap<Id, LogicalPort> {
        &self.lports
    }

    /// The segmentations, by id.
    #[must_use]
    pub const fn segmentations(&self) -> &BTreeMap<Id, ChildPortSegmentation> {
        &self.segmentations
    }

    /// Why a record of these tables is in none of the maps above, by table and id.
    #[must_use]
    pub const fn unreadable(&self) -> &BTreeMap<(Table, Id), Problem> {
        &self.unreadable
    }

    /// The networks with this key, in the order of their ids. There should be one.
    pub fn lswitches_with_key(&self, key: NetworkKey) -> impl Iterator<Item = &LogicalSwitch> {
        self.lswitches_by_key.get(&key).filter_map(|id| self.lswitches.get(id))
    }

    /// The ports with this key, in the order of their ids. There should be one.
    pub fn lports_with_key(&self, key: PortKey) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_key.get(&key).filter_map(|id| self.lports.get(id))
    }

    /// The ports that say they are on this network, in the order of their ids.
    pub fn lports_on(&self, lswitch: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_lswitch.get(lswitch).filter_map(|id| self.lports.get(id))
    }

    /// The ports that are bound to this chassis, in the order of their ids.
    pub fn lports_at(&self, chassis: &str) -> impl Iterator<Item = &LogicalPort> {
        self.lports_by_chassis.get(chassis).filter_map(|id| self.lports.get(id))
    }

    /// The segmentations that name `lport` as parent, in the order of their tags.
    pub fn segmentations_below(&self, lport: &str) -> impl Iterator<Item = &ChildPortSegmentation> {
        let ids = self.segmentations_by_tag.get(lport).into_iter().flat_map(Index::ids);
        ids.filter_map(|id| self.segmentations.get(id))
    }

    /// The segmentations that claim `tag` of `lport`, in the order of their ids. There should be one at the most.
    pub fn segmentations_with(
        &self,
        lport: &str,
        tag: Segmentation,
    ) -> impl Iterator<Item = &ChildPortSegmentation> {
        let ids = self.segmentations_by_tag.get(lport).map(|tags| tags.get(&tag));
        ids.into_iter().flatten().filter_map(|id| self.segmentations.get(id))
    }

    /// The segmentations that name `lport` as subport, in the order of their ids. There should be one at the most.
    pub fn segmentations_above(&self, lport: &str) -> impl Iterator<Item = &ChildPortSegmentation> {
        self.segmentations_by_port.get(lport).filter_map(|id| self.segmentations.get(id))
    }

    /// Whether this is what is known of a record.
    #[allow(clippy::wildcard_enum_match_arm, reason = "a table more is one more that the datapath ignores")]
    fn is(&self, table: Table, id: &str, state: &State) -> bool {
        if let Some(problem) = self.problem(table, id) {
            return matches!(state, State::Unreadable(other) if other == problem);
        }
        match (table, state) {
            (Table::Lswitch, State::Lswitch(lswitch)) => self.lswitches.get(id) == Some(lswitch),
            (Table::Lport, State::Lport(lport)) => self.lports.get(id) == Some(lport),
            (Table::ChildPortSegmentation, State::Segmentation(segmentation)) => {
                self.segmentations.get(id) == Some(segmentation)
            }
            (Table::Lswitch, State::Absent) => !self.lswitches.contains_key(id),
            (Table::Lport, State::Absent) => !self.lports.contains_key(id),
            (Table::ChildPortSegmentation, State::Absent) => !self.segmentations.contains_key(id),
            (_, State::Absent) => true,
            _ => false,
        }
    }

    /// Why a record is not among the others.
    fn problem(&self, table: Table, id: &str) -> Option<&Problem> {
        // There hardly ever is one, and looking for it takes a copy of the id.
        if self.unreadable.is_empty() { None } else { self.unreadable.get(&(table, id.into())) }
    }

    fn insert_lswitch(&mut self, mut lswitch: LogicalSwitch) {
        self.texts.share(&mut lswitch.id);
        self.lswitches_by_key.insert(lswitch.key, lswitch.id.clone());
        self.lswitches.insert(lswitch.id.clone(), lswitch);
    }

    fn insert_lport(&mut self, mut lport: LogicalPort) {
        self.texts.share(&mut lport.id);
        self.texts.share(&mut lport.lswitch);
        self.lports_by_key.insert(lport.key, lport.id.clone());
        self.lports_by_lswitch.insert(lport.lswitch.clone(), lport.id.clone());
        if let Some(chassis) = &mut lport.chassis {
            self.texts.share(chassis);
            self.lports_by_chassis.insert(chassis.clone(), lport.id.clone());
        }
        self.lports.insert(lport.id.clone(), lport);
    }

    fn insert_segmentation(&mut self, mut segmentation: ChildPortSegmentation) {
        self.texts.share(&mut segmentation.parent);
        self.texts.share(&mut segmentation.port);
        let tags = self.segmentations_by_tag.entry(segmentation.parent.clone()).or_default();
        tags.insert(segmentation.segmentation, segmentation.id.clone());
        self.segmentations_by_port.insert(segmentation.port.clone(), segmentation.id.clone());
        self.segmentations.insert(segmentation.id.clone(), segmentation);
    }

    fn remove(&mut self, table: Table, id: &str) {
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "a table more is one more that the datapath ignores"
        )]
        match table {
            Table::Lswitch => {
                if let Some(lswitch) = self.lswitches.remove(id) {
                    self.lswitches_by_key.remove(&lswitch.key, id);
                }
            }
            Table::Lport => {
                if let Some(lport) = self.lports.remove(id) {
                    self.lports_by_key.remove(&lport.key, id);
                    self.lports_by_lswitch.remove(&lport.lswitch, id);
                    if let Some(chassis) = &lport.chassis {
                        self.lports_by_chassis.remove(chassis, id);
                    }
                }
            }
            Table::ChildPortSegmentation => {
                if let Some(segmentation) = self.segmentations.remove(id) {
                    if let Some(tags) = self.segmentations_by_tag.get_mut(&segmentation.parent) {
                        tags.remove(&segmentation.segmentation, id);
                        if tags.is_empty() {
                            self.segmentations_by_tag.remove(&segmentation.parent);
                        }
                    }
                    self.segmentations_by_port.remove(&segmentation.port, id);
                }
            }
            _ => return,
        }
        if !self.unreadable.is_empty() {
            self.unreadable.remove(&(table, id.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn record(table: Table, json: Value) -> Record {
        Record { table, id: json["id"].as_str().unwrap_or("?").to_owned(), json }
    }

    fn of(records: Vec<Record>) -> Northbound {
        Northbound::from_snapshot(&Snapshot { records, ..Snapshot::default() })
    }

    #[test]
    fn fields_that_are_not_needed_are_ignored_and_null_is_absent() {
        let json = json!({"id": "p", "unique_key": 7, "lswitch": "n", "new_field": [1], "name": null, "macs": null,
            "ips": ["fe80::1"], "binding": {"type": "vtep", "vtep_address": "10.0.0.99"}});
        let northbound = of(vec![record(Table::Lport, json)]);
        let port = &northbound.lports()["p"];
        assert_eq!((port.key.get(), port.enabled, port.macs.len()), (7, true, 0));
        assert_eq!(port.chassis, None);
        assert!(northbound.unreadable.is_empty());
    }

    #[test]
    fn a_bad_record_is_a_problem_until_it_is_repaired_or_deleted() {
        let good = json!({"id": "n", "unique_key": 1});
        let mut northbound = of(vec![record(Table::Lswitch, good.clone())]);
        let bad = record(Table::Lswitch, json!({"id": "n", "unique_key": "1"}));
        northbound.apply(&Change::Put(bad.clone()));
        assert!(northbound.lswitches.is_empty());
        let problem = &northbound.unreadable[&(Table::Lswitch, "n".into())];
        assert_eq!(
            problem.to_string(),
            "lswitch n: field unique_key is \"1\": expected a whole number, 0 or more"
        );
        northbound.apply(&Change::Put(record(Table::Lswitch, good)));
        assert!(northbound.unreadable.is_empty() && northbound.lswitches.len() == 1);
        northbound.apply(&Change::Put(bad));
        northbound.apply(&Change::Delete { table: Table::Lswitch, id: "n".to_owned() });
        assert_eq!(northbound, Northbound::default());
    }

    #[test]
    fn what_the_datapath_cannot_use_says_why() {
        let segmentation = |kind: &str, id: Value| json!({"id": "s", "parent": "a", "port": "b", "segmentation_type": kind, "segmentation_id": id});
        let lport = |field: &str, value: Value| {
            let mut json = json!({"id": "p", "unique_key": 1, "lswitch": "n"});
            json[field] = value;
            json
        };
        let cases = [
            (
                Table::ChildPortSegmentation,
                segmentation("macvlan", Value::Null),
                "\"macvlan\" is not supported",
            ),
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
            let (_, problem) = northbound.unreadable.first_key_value().unwrap();
            assert!(problem.reason.contains(expected), "{problem}");
        }
        let mut elsewhere = record(Table::Lswitch, json!({"id": "n", "unique_key": 1}));
        elsewhere.id = "m".to_owned();
        let northbound = of(vec![elsewhere]);
        assert!(northbound.unreadable[&(Table::Lswitch, "m".into())].reason.contains("the record's key"));
    }

    /// Good and bad records of few ids, so that they meet.
    fn change() -> impl Strategy<Value = Change> {
        let table = prop_oneof![
            Just(Table::Lswitch),
            Just(Table::Lport),
            Just(Table::ChildPortSegmentation),
            Just(Table::Chassis)
        ];
        (table, 0..4_u8, 0..3_u32, any::<bool>()).prop_map(|(table, id, key, there)| {
            let id = id.to_string();
            let json = json!({"id": id, "unique_key": key, "lswitch": "n", "parent": "a", "port": "b",
                "segmentation_type": "vlan", "segmentation_id": key});
            if there { Change::Put(Record { table, id, json }) } else { Change::Delete { table, id } }
        })
    }

    proptest! {
        /// Any history leads to the picture of its last state, and so does that state in any order.
        #[test]
        fn only_the_last_state_of_each_record_matters(
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
            prop_assert_eq!(&followed, &of(last.clone()));
            let shuffled = order.into_iter().filter_map(|index| last.get(index).cloned()).collect();
            prop_assert_eq!(&followed, &of(shuffled));
        }
    }
}
