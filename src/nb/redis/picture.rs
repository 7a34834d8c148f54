//! What was delivered, as far as it takes to tell what differs. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use serde_json::Value;

use super::key::Place;
use crate::nb::{Change, Record, RecordId, Revision};

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// A value, which should be JSON.
    Bytes(Vec<u8>),
    /// Something else: redis's name for its type.
    Other(String),
}

/// A key of a record and what is stored there.
pub(super) type Found = (Place, Content);

/// The records that were delivered: not their content, only whether it is still the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    /// The revision that names this state.
    pub(super) revision: Revision,
    held: BTreeMap<RecordId, Held>,
    topics: BTreeSet<Arc<str>>,
    /// With keys of its own, so that nobody can prepare two contents with the same mark.
    hasher: RandomState,
}

#[derive(Debug, Clone)]
struct Held {
    /// A hash of the delivered content.
    mark: u64,
    /// The record's keys.
    places: Box<[Place]>,
}

impl Picture {
    /// The projects that own a record.
    pub(super) fn topics(&self) -> &BTreeSet<Arc<str>> {
        &self.topics
    }

    /// The known keys of a record.
    pub(super) fn places(&self, record: &RecordId) -> &[Place] {
        self.held.get(record).map_or(&[], |held| &held.places)
    }

    /// The records.
    pub(super) fn records(&self) -> impl Iterator<Item = &RecordId> {
        self.held.keys()
    }

    /// Takes note of all keys of a record, and returns what that changes.
    pub(super) fn note(&mut self, id: &RecordId, found: Vec<Found>) -> Option<Change> {
        let Some(current) = current(&found) else {
            self.held.remove(id)?;
            return Some(Change::Delete { table: id.table, id: id.id.clone() });
        };
        let mark = self.hasher.hash_one(&current.1);
        let same = self.held.get(id).is_some_and(|held| held.mark == mark);
        let change = (!same).then(|| Change::Put(record(id, current)));
        let places = found.into_iter().map(|(place, _)| self.intern(place)).collect();
        self.held.insert(id.clone(), Held { mark, places });
        change
    }

    /// One text for each topic.
    fn intern(&mut self, place: Place) -> Place {
        let Place::Keyed { topic, dotted } = place else { return place };
        let known = self.topics.get(&topic).map(Arc::clone);
        let topic = known.unwrap_or_else(|| {
            self.topics.insert(Arc::clone(&topic));
            topic
        });
        Place::Keyed { topic, dotted }
    }
}

/// Of several keys of one record the one that counts: the highest version, then the newer spelling, then the first.
pub(super) fn current(found: &[Found]) -> Option<&Found> {
    if let [only] = found {
        return Some(only);
    }
    found.iter().min_by_key(|(place, content)| {
        let version = json(place, content).get("version").and_then(Value::as_u64);
        (std::cmp::Reverse(version), matches!(place, Place::Keyed { dotted: true, .. }), place.clone())
    })
}

/// The record in a key.
pub(super) fn record(RecordId { table, id }: &RecordId, (place, content): &Found) -> Record {
    Record { table: *table, id: id.clone(), json: json(place, content) }
}

/// What is no JSON comes as a text, which whoever reads the record complains about.
fn json(place: &Place, content: &Content) -> Value {
    match (place, content) {
        (Place::Stray, _) => Value::from("a key outside the layout {TABLE.TOPIC}ID"),
        (_, Content::Other(kind)) => Value::from(format!("a redis {kind}")),
        (_, Content::Bytes(bytes)) => serde_json::from_slice(bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned())),
    }
}
