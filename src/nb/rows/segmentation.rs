//! Segmentations: a tag of a parent, and the subport behind it.

use std::convert::Infallible;

use serde_json::Value;
#[cfg(feature = "daemon")]
use uuid::Uuid;

use super::{Affected, Row, Table};
use crate::nb::fields::Fields;
use crate::nb::schema::{Field, ID, Kind, NUMBER, Object, Schema, TOPIC, may, must};
use crate::nb::texts::Texts;
use crate::nb::transaction::{By, State, Stop};
use crate::nb::{NbError, Northbound, Record, RecordError, RecordId};
use crate::types::{Claim, Id, Segmentation};

pub(super) const SCHEMA: Schema = Schema {
    fields: Some(FIELDS),
    columns: &["id", "parent", "port", "segmentation_type", "segmentation_id"],
    #[cfg(feature = "daemon")]
    default_id: Some(default_id),
    check: Some(check_id),
    check_put: Some(check_ports),
    ..Schema::OPEN
};

const FIELDS: &[Field] = &[
    ID,
    TOPIC,
    must("parent", Kind::Reference),
    must("port", Kind::Reference),
    must("segmentation_type", Kind::OneOf(&["vlan", "macvlan", "ipvlan"])),
    may("segmentation_id", NUMBER),
];

/// Dragonflow's namespace for the ids of segmentations.
#[cfg(feature = "daemon")]
const ID_NAMESPACE: Uuid = Uuid::from_u128(0xa11f_ee2a_d833_4e22_be31_f915_b55f_1f77);

/// The id that Dragonflow gives to the segmentation of `port` on `parent`.
#[cfg(feature = "daemon")]
#[must_use]
pub fn segmentation_id(parent: &str, port: &str) -> String {
    Uuid::new_v5(&ID_NAMESPACE, format!("{parent}/{port}").as_bytes()).to_string()
}

#[cfg(feature = "daemon")]
fn default_id(object: &Object) -> Option<String> {
    let text = |field| object.get(field).and_then(Value::as_str);
    Some(segmentation_id(text("parent")?, text("port")?))
}

fn check_id(object: &Object) -> Result<(), RecordError> {
    let id = object.get("segmentation_id");
    if object.get("segmentation_type").is_some_and(|kind| kind == "vlan") {
        Segmentation::decode("vlan", id.and_then(Value::as_u64))?;
    } else if let Some(id) = id {
        return Err(RecordError::bad("segmentation_id", id, "no such field: only type \"vlan\" has an id"));
    }
    let text = |field| object.get(field).and_then(Value::as_str);
    match (text("parent"), text("port")) {
        (Some(parent), Some(port)) if parent == port => Err(RecordError::OwnParent(port.to_owned())),
        _ => Ok(()),
    }
}

fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn tag_of(json: &Value) -> Option<Segmentation> {
    let id = json.get("segmentation_id").and_then(Value::as_u64);
    Segmentation::decode(text(json, "segmentation_type"), id).ok()
}

/// Both ports exist, the tag and the subport belong to no other segmentation, and no port is above itself.
fn check_ports(state: &dyn State, id: &str, json: &Value, before: &Value) -> Result<(), Stop> {
    let checked = ["parent", "port", "segmentation_type", "segmentation_id"];
    if checked.into_iter().all(|field| json.get(field) == before.get(field)) {
        return Ok(());
    }
    let (parent, port) = (text(json, "parent"), text(json, "port"));
    for (role, lport) in [("parent", parent), ("port", port)] {
        let record = RecordId { table: Table::Lport, id: lport.to_owned() };
        if state.get(&record)?.is_none() {
            return Err(RecordError::NoSuchPort { role, id: record.id }.into());
        }
    }
    for (other, claim) in state.find(Table::ChildPortSegmentation, By::Port(port))? {
        if other != id {
            let segmentation = tag_of(&claim)
                .map_or_else(|| text(&claim, "segmentation_type").to_owned(), |tag| tag.to_string());
            let (port, parent) = (port.to_owned(), text(&claim, "parent").to_owned());
            return Err(RecordError::SubportTaken { port, parent, segmentation }.into());
        }
    }
    if let Some(tag) = tag_of(json) {
        let by = tag.id().map_or(By::Parent(parent), |id| By::Tag(parent, id));
        for (other, sibling) in state.find(Table::ChildPortSegmentation, by)? {
            if other != id && tag_of(&sibling) == Some(tag) {
                let (parent, segmentation) = (parent.into(), tag.to_string().into());
                let subport = text(&sibling, "port");
                let (name, subport) = (name_of(state, subport)?, subport.into());
                return Err(RecordError::TagTaken { parent, segmentation, subport, name }.into());
            }
        }
    }
    check_no_cycle(state, parent, port)
}

fn name_of(state: &dyn State, lport: &str) -> Result<Option<Box<str>>, NbError> {
    let found = state.get(&RecordId { table: Table::Lport, id: lport.to_owned() })?;
    let name = found.as_ref().map(|json| text(json, "name")).filter(|name| !name.is_empty());
    Ok(name.map(Into::into))
}

/// `port` is not among the ports above `parent`.
fn check_no_cycle(state: &dyn State, parent: &str, port: &str) -> Result<(), Stop> {
    let mut seen = vec![parent.to_owned()];
    let mut next = 0;
    while let Some(above) = seen.get(next).cloned() {
        if above == port {
            return Err(RecordError::Cycle { parent: parent.to_owned(), port: port.to_owned() }.into());
        }
        for (_, json) in state.find(Table::ChildPortSegmentation, By::Port(&above))? {
            let higher = text(&json, "parent").to_owned();
            if !seen.contains(&higher) {
                seen.push(higher);
            }
        }
        next += 1;
    }
    Ok(())
}

/// A tag of a parent, and the subport behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildPortSegmentation {
    /// The id, which is also in the key of the record.
    pub id: Id,
    /// The id of the parent port, which may be missing.
    pub parent: Id,
    /// The id of the subport, which may be missing.
    pub port: Id,
    /// The tag of the frames between parent and subport.
    pub segmentation: Segmentation,
}

impl Row for ChildPortSegmentation {
    type Key = Infallible;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = Fields::with_id(record)?;
        let kind = fields.required_text("segmentation_type")?;
        Ok(Self {
            id,
            parent: fields.required_text("parent")?.into(),
            port: fields.required_text("port")?.into(),
            segmentation: Segmentation::decode(&kind, fields.number("segmentation_id")?)?,
        })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn claims(&self) -> Vec<Claim> {
        let Segmentation::Vlan(vid) = self.segmentation;
        vec![Claim::Tag(self.parent.clone(), vid), Claim::Subport(self.port.clone())]
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.parent);
        texts.share(&mut self.port);
    }

    fn insert(self, nb: &mut Northbound, affected: &mut Affected) {
        nb.insert_segmentation(&self, affected);
    }

    fn remove(nb: &mut Northbound, id: &Id, affected: &mut Affected) {
        nb.remove_segmentation(id, affected);
    }
}
