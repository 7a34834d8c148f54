//! The rules for writers, as data: what Dragonflow's strict readers accept.
//!
//! The fields are those of the model classes in Dragonflow's `db/models`. Tables of features without a
//! relation to ports (BGP, service chaining) are open.

use serde_json::{Map, Value};

use super::transaction::{State, Stop};
use super::{RecordError, Table};

pub(super) type Object = Map<String, Value>;

type DefaultId = fn(&Object) -> Option<String>;
type Check = fn(&Object) -> Result<(), RecordError>;
type CheckPut = fn(&dyn State, &str, &Value, &Value) -> Result<(), Stop>;
type CheckDelete = fn(&dyn State, &str) -> Result<(), Stop>;

/// The rules for the records of a table, in the order in which they are applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    /// All fields that a record may have; `None` for any.
    pub fields: Option<&'static [Field]>,
    /// The columns of `trunkpath nb list`; see [`Table::columns`].
    pub columns: &'static [&'static str],
    /// The id of a record that is written without one.
    pub default_id: Option<DefaultId>,
    /// Rules between the fields of a record, each of which is valid by itself.
    pub check: Option<Check>,
    /// Rules between a record that was created or changed and other records: id, object and the object
    /// before, null for a new record.
    pub check_put: Option<CheckPut>,
    /// Rules between a record that was deleted and those that refer to it: the id.
    pub check_delete: Option<CheckDelete>,
}

/// The valid values of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// The id of another record: a text that is not empty. The existence of the record is not checked here.
    Reference,
    Flag,
    /// A whole number, with its bounds.
    Number(u64, u64),
    /// Seconds since 1970, with a fraction.
    Time,
    /// A MAC address; converted to lower case.
    Mac,
    /// An IP address; converted to its short form.
    Ip,
    /// An IP address with a prefix length, host bits kept.
    Network,
    OneOf(&'static [&'static str]),
    List(&'static Kind),
    Object(&'static [Field]),
    /// An object with any fields whose values are texts.
    TextMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Optional,
    Required,
    /// An empty list is written when the field is left out, as Dragonflow does.
    Listed,
}

/// A field of a record, or of an object in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub presence: Presence,
}

pub(super) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Optional }
}

pub(super) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Required }
}

pub(super) const fn list(name: &'static str, kind: &'static Kind) -> Field {
    Field { name, kind: Kind::List(kind), presence: Presence::Listed }
}

pub(super) const NUMBER: Kind = Kind::Number(0, i64::MAX as u64);
pub(super) const ID: Field = must("id", Kind::Reference);
pub(super) const NAME: Field = may("name", Kind::Text);
pub(super) const TOPIC: Field = must("topic", Kind::Text);
/// Not required: it is set if it is left out, like the unique key.
pub(super) const VERSION: Field = may("version", NUMBER);
pub(super) const UNIQUE_KEY: Field = may("unique_key", Kind::Number(1, i32::MAX as u64));

/// The fields of a route of a subnet or router.
pub(super) const HOST_ROUTE: &[Field] = &[must("destination", Kind::Network), must("nexthop", Kind::Ip)];

impl Schema {
    /// Any fields and no rules.
    pub(super) const OPEN: Self = Self {
        fields: None,
        columns: &[],
        default_id: None,
        check: None,
        check_put: None,
        check_delete: None,
    };
}

impl Table {
    /// The columns of `trunkpath nb list`; empty for the id and every field that is neither list nor object.
    #[must_use]
    pub(crate) const fn columns(self) -> &'static [&'static str] {
        self.schema().columns
    }

    fn has(self, field: &str) -> bool {
        self.schema().fields.is_some_and(|fields| fields.iter().any(|known| known.name == field))
    }

    /// Whether records of this table are given a `unique_key` at their creation.
    pub(super) fn is_keyed(self) -> bool {
        self.has(UNIQUE_KEY.name)
    }

    /// Whether records of this table have a `version` that grows with every change.
    pub(super) fn is_versioned(self) -> bool {
        self.has(VERSION.name)
    }
}
