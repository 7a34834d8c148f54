//! Our own record in table `chassis`, as Dragonflow's controller writes it at its start.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{NbError, NorthboundDb, Revision, Table};

/// What the record says of tunnels when nobody has said anything else: Dragonflow's default. Its readers want one
/// type at least.
const TUNNEL_TYPES: [&str; 3] = ["vxlan", "geneve", "gre"];

/// Writes that chassis `name` is here, and that the other hosts send to it at `ip`.
///
/// What else the record says stays.
///
/// # Errors
/// As [`NorthboundDb::transact`].
pub async fn write_chassis(db: &dyn NorthboundDb, name: &str, ip: IpAddr) -> Result<Revision, NbError> {
    let found = db.get(Table::Chassis, name).await?.map(|record| record.json).filter(Value::is_object);
    let mut json = found.unwrap_or_else(|| json!({ "tunnel_types": TUNNEL_TYPES }));
    json["id"] = name.into();
    json["ip"] = ip.to_string().into();
    db.put(Table::Chassis, json).await
}
