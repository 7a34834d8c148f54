//! Hosts, and their tunnel endpoints. Each host writes its own record at its start, as Dragonflow's
//! controller does.

use std::convert::Infallible;
use std::net::IpAddr;

use serde_json::Value;
#[cfg(feature = "daemon")]
use serde_json::json;

use super::Row;
#[cfg(feature = "daemon")]
use super::Table;
use crate::nb::fields::Fields;
use crate::nb::schema::{Field, ID, Kind, Object, Schema, may, must};
use crate::nb::texts::Texts;
#[cfg(feature = "daemon")]
use crate::nb::{NbError, NorthboundDb, Revision};
use crate::nb::{Record, RecordError};
use crate::types::{Id, TunnelType, TunnelTypes};

pub(super) const SCHEMA: Schema =
    Schema { fields: Some(FIELDS), check: Some(check_tunnel_types), ..Schema::OPEN };

const FIELDS: &[Field] = &[
    ID,
    must("ip", Kind::Ip),
    may("external_host_ip", Kind::Ip),
    must("tunnel_types", Kind::List(&Kind::OneOf(&["geneve", "vxlan", "gre"]))),
];

fn check_tunnel_types(object: &Object) -> Result<(), RecordError> {
    match object.get("tunnel_types") {
        Some(Value::Array(types)) if types.is_empty() => {
            Err(RecordError::bad("tunnel_types", &Value::Array(Vec::new()), "at least one type"))
        }
        _ => Ok(()),
    }
}

/// A host, and the endpoint of its tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chassis {
    /// The name of the host, which is also in the key of the record.
    pub id: Id,
    /// The address at which other hosts reach its tunnel endpoint.
    pub ip: IpAddr,
    /// The tunnel types that it can receive. Types that are unknown here are left out.
    pub tunnel_types: TunnelTypes,
}

impl Row for Chassis {
    type Key = Infallible;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = Fields::with_id(record)?;
        let types: Vec<String> = fields.list("tunnel_types", "a text")?;
        let types = types.iter().filter_map(|name| TunnelType::named(name));
        Ok(Self {
            id,
            ip: fields.parsed("ip", "an IP address")?.ok_or_else(|| fields.missing("ip"))?,
            tunnel_types: types.map(TunnelTypes::from).collect(),
        })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.id);
    }
}

/// The `tunnel_types` of a new record: Dragonflow's default, as its readers require at least one type.
#[cfg(feature = "daemon")]
const TUNNEL_TYPES: [&str; 3] = ["vxlan", "geneve", "gre"];

/// Writes the record of chassis `name`, to which the other hosts send at `ip`. Its other fields are kept.
///
/// # Errors
/// As [`NorthboundDb::transact`].
#[cfg(feature = "daemon")]
pub async fn write_chassis(db: &dyn NorthboundDb, name: &str, ip: IpAddr) -> Result<Revision, NbError> {
    let found = db.get(Table::Chassis, name).await?.map(|record| record.json).filter(Value::is_object);
    let mut json = found.unwrap_or_else(|| json!({ "tunnel_types": TUNNEL_TYPES }));
    json["id"] = name.into();
    json["ip"] = ip.to_string().into();
    db.put(Table::Chassis, json).await
}
