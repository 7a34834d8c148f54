//! Records of networks, table `lswitch`.

use super::{Affected, Row};
use crate::nb::fields::Fields;
use crate::nb::schema::{Field, ID, Kind, NAME, NUMBER, Schema, TOPIC, UNIQUE_KEY, VERSION, may};
use crate::nb::texts::Texts;
use crate::nb::{Northbound, Record, RecordError};
use crate::types::{Claim, Id, NetworkKey, NetworkSegment, SegmentError};

pub(super) const SCHEMA: Schema = Schema {
    fields: Some(FIELDS),
    columns: &["id", "unique_key", "name", "network_type", "segmentation_id", "mtu"],
    ..Schema::OPEN
};

const FIELDS: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    may("is_external", Kind::Flag),
    may("mtu", NUMBER),
    may("segmentation_id", NUMBER),
    may("network_type", Kind::Text),
    may("physical_network", Kind::Text),
    may("qos_policy", Kind::Reference),
];

/// A network of the northbound DB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalSwitch {
    /// The id, which is also in the key of the record.
    pub id: Id,
    /// The `unique_key`, which at most one network holds.
    pub key: NetworkKey,
    /// The name, empty when the record has none.
    pub name: Box<str>,
    /// The segment that carries the network between hosts, if one does. A network with an invalid one is
    /// usable on its host.
    pub segment: Result<Option<NetworkSegment>, SegmentError>,
    /// The largest IP packet, in bytes.
    pub mtu: Option<u32>,
}

impl Row for LogicalSwitch {
    type Key = NetworkKey;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = Fields::with_id(record)?;
        Ok(Self {
            id,
            key: fields.key("unique_key")?,
            name: fields.text("name")?.unwrap_or_default().into(),
            segment: NetworkSegment::decode(
                fields.text("network_type")?,
                fields.number("segmentation_id")?,
                fields.text("physical_network")?,
            ),
            mtu: fields.number("mtu")?.map(|mtu| u32::try_from(mtu).unwrap_or(u32::MAX)),
        })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn key(&self) -> Option<NetworkKey> {
        Some(self.key)
    }

    fn claims(&self) -> Vec<Claim> {
        let segment = self.segment.as_ref().ok().and_then(Option::as_ref);
        let segment = segment.map(|segment| Claim::Segment(segment.clone()));
        [Claim::NetworkKey(self.key)].into_iter().chain(segment).collect()
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.id);
    }

    fn insert(self, nb: &mut Northbound, affected: &mut Affected) {
        nb.insert_lswitch(self, affected);
    }

    fn remove(nb: &mut Northbound, id: &Id, affected: &mut Affected) {
        nb.remove_lswitch(id, affected);
    }
}
