//! Hosts. The datapath does not read them; each host writes its own record at its start, as Dragonflow's
//! controller does.

#[cfg(feature = "daemon")]
use std::net::IpAddr;

use serde_json::Value;
#[cfg(feature = "daemon")]
use serde_json::json;

use super::Table;
use crate::nb::RecordError;
use crate::nb::schema::{Field, ID, Kind, Object, Schema, may, must};
#[cfg(feature = "daemon")]
use crate::nb::{NbError, NorthboundDb, Revision};

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
