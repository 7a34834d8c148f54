//! Our own record in table `chassis`, as Dragonflow's controller writes it at its start.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{NbError, NorthboundDb, Revision, Table};

/// Writes that chassis `name` is here: `ip` is where the other hosts send to it, by the types of tunnel that it takes.
///
/// What another program wrote into the record besides stays.
///
/// # Errors
/// As [`NorthboundDb::transact`]: Dragonflow's readers want one type of tunnel at least.
pub async fn write_chassis(
    db: &dyn NorthboundDb,
    name: &str,
    ip: IpAddr,
    tunnel_types: &[&str],
) -> Result<Revision, NbError> {
    let found = db.get(Table::Chassis, name).await?.map(|record| record.json).filter(Value::is_object);
    let mut json = found.unwrap_or_else(|| json!({}));
    json["id"] = name.into();
    json["ip"] = ip.to_string().into();
    json["tunnel_types"] = json!(tunnel_types);
    db.put(Table::Chassis, json).await
}
