//! The records that a watch has delivered, as hashes, to detect differences. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use serde_json::Value;

use super::key::Place;
use crate::nb::{Change, Record, RecordId, Revision};

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// A string, which should be JSON.
    Bytes(Vec<u8>),
    /// A value of another type, with the name that redis has for the type.
    Other(String),
}

/// A key of a record and its value.
pub(super) type Found = (Place, Content);

/// The records that were delivered, each with a hash of its content.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    /// The revision at which the records had this state.
    pub(super) revision: Revision,
    held: BTreeMap<RecordId, Held>,
    topics: BTreeSet<Arc<str>>,
    /// Randomly keyed, so that a client cannot construct two contents with the same hash.
    hasher: RandomState,
}

#[derive(Debug, Clone)]
struct Held {
    /// The hash of the delivered content.
    mark: u64,
    places: Box<[Place]>,
}

impl Picture {
    /// The projects that have records.
    pub(super) fn topics(&self) -> &BTreeSet<Arc<str>> {
        &self.topics
    }

    /// The keys of a record when it was last read.
    pub(super) fn places(&self, record: &RecordId) -> &[Place] {
        self.held.get(record).map_or(&[], |held| &held.places)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &RecordId> {
        self.held.keys()
    }

    /// Replaces the keys of a record, and returns the change that results from it.
    pub(super) fn update(&mut self, id: &RecordId, found: Vec<Found>) -> Option<Change> {
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

    /// Replaces the topic by a shared copy.
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

/// The valid one of several keys of one record: the highest version, then the newer spelling, then the first.
pub(super) fn current(found: &[Found]) -> Option<&Found> {
    if let [only] = found {
        return Some(only);
    }
    found.iter().min_by_key(|(place, content)| {
        let version = json(place, content).get("version").and_then(Value::as_u64);
        (std::cmp::Reverse(version), matches!(place, Place::Keyed { dotted: true, .. }), place.clone())
    })
}

pub(super) fn record(RecordId { table, id }: &RecordId, (place, content): &Found) -> Record {
    Record { table: *table, id: id.clone(), json: json(place, content) }
}

/// The value as JSON. Anything else becomes a JSON string, which is reported as an invalid record.
fn json(place: &Place, content: &Content) -> Value {
    match (place, content) {
        (Place::Stray, _) => Value::from("a key outside the layout {TABLE.TOPIC}ID"),
        (_, Content::Other(kind)) => Value::from(format!("a redis {kind}")),
        (_, Content::Bytes(bytes)) => serde_json::from_slice(bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned())),
    }
}
