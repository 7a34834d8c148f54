//! The checks of one record for writers: whether Dragonflow's readers accept it. Pure.

use std::net::IpAddr;

use serde_json::Value;

use super::error::nearest;
use super::schema::{Field, Kind, Object, Presence};
use super::{RecordError, Table};
use crate::types::{MacAddr, shorten};

/// Checks a record of `table` and brings it into the form that Dragonflow writes. Returns its id.
///
/// `unique_key` and `version` may be absent: the transaction sets them.
pub(super) fn complete(table: Table, json: &mut Value) -> Result<String, RecordError> {
    let Some(object) = json.as_object_mut() else {
        return Err(RecordError::not_an_object(json));
    };
    let schema = table.schema();
    if !object.contains_key("id")
        && let Some(id) = schema.default_id.and_then(|default_id| default_id(object))
    {
        object.insert("id".to_owned(), id.into());
    }
    if let Some(fields) = schema.fields {
        check_object(object, fields, "")?;
    } else if let Some((field, null)) = object.iter().find(|(_, value)| value.is_null()) {
        return Err(RecordError::bad(field, null, "a value: leave the field out instead"));
    }
    if let Some(check) = schema.check {
        check(object)?;
    }
    id_of(object)
}

/// The id of the record, which is also a part of its key in the store.
fn id_of(object: &Object) -> Result<String, RecordError> {
    let value = object.get("id").ok_or_else(|| RecordError::Missing("id".to_owned()))?;
    let legal = |id: &&str| {
        (1..=255).contains(&id.len())
            && !id.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
    };
    match value.as_str().filter(legal) {
        Some(id) => Ok(id.to_owned()),
        None => Err(RecordError::bad(
            "id",
            value,
            "1 to 255 bytes of text without blanks, control characters and '/'",
        )),
    }
}

/// Checks the fields of an object. `path` precedes the name of a field in messages.
fn check_object(object: &mut Object, fields: &[Field], path: &str) -> Result<(), RecordError> {
    if let Some(unknown) = object.keys().find(|name| !fields.iter().any(|field| field.name == *name)) {
        let names = || fields.iter().map(|field| field.name);
        let hint = match nearest(unknown, names()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("expected {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(RecordError::Unknown { field: format!("{path}{}", shorten(unknown)), hint });
    }
    for field in fields {
        match (object.get_mut(field.name), field.presence) {
            (Some(value), _) => check_value(value, field.kind, &format!("{path}{}", field.name))?,
            (None, Presence::Required) => return Err(RecordError::Missing(format!("{path}{}", field.name))),
            (None, Presence::Listed) => {
                object.insert(field.name.to_owned(), Value::Array(Vec::new()));
            }
            (None, Presence::Optional) => {}
        }
    }
    Ok(())
}

fn check_value(value: &mut Value, kind: Kind, path: &str) -> Result<(), RecordError> {
    let text = value.as_str();
    let good = match kind {
        Kind::Text => text.is_some(),
        Kind::Reference => text.is_some_and(|text| !text.is_empty()),
        Kind::Flag => value.is_boolean(),
        Kind::Number(min, max) => value.as_u64().is_some_and(|number| (min..=max).contains(&number)),
        Kind::Time => value.is_number(),
        Kind::OneOf(choices) => text.is_some_and(|text| choices.contains(&text)),
        Kind::Mac => rewrite(value, |text| text.parse::<MacAddr>().ok().map(|mac| mac.to_string())),
        Kind::Ip => rewrite(value, |text| text.parse::<IpAddr>().ok().map(|ip| ip.to_string())),
        Kind::Network => rewrite(value, network),
        Kind::TextMap => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
        Kind::List(kind) => match value.as_array_mut() {
            Some(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    check_value(item, *kind, &format!("{path}[{index}]"))?;
                }
                true
            }
            None => false,
        },
        Kind::Object(fields) => match value.as_object_mut() {
            Some(object) => {
                check_object(object, fields, &format!("{path}."))?;
                true
            }
            None => false,
        },
    };
    if good {
        return Ok(());
    }
    let expected = expected(kind);
    let way_out = if value.is_null() { ", or leave the field out" } else { "" };
    Err(RecordError::bad(path, value, format!("{expected}{way_out}")))
}

/// Replaces a text by its standard form. Returns false if it has none.
fn rewrite(value: &mut Value, standard: impl Fn(&str) -> Option<String>) -> bool {
    match value.as_str().and_then(standard) {
        Some(text) => {
            *value = text.into();
            true
        }
        None => false,
    }
}

fn network(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (length <= longest).then(|| format!("{address}/{length}"))
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Reference => "a text that is not empty".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(min, max) if max > u64::from(u32::MAX) => format!("a whole number, {min} or more"),
        Kind::Number(min, max) => format!("a whole number, {min} to {max}"),
        Kind::Time => "a number of seconds".to_owned(),
        Kind::Mac => "a MAC address of two digits an octet as in fa:16:3e:00:01:66".to_owned(),
        Kind::Ip => "an IP address".to_owned(),
        Kind::Network => "a network as in 10.10.0.0/24".to_owned(),
        Kind::OneOf(choices) => format!("one of {}", choices.join(", ")),
        Kind::TextMap => "an object that holds texts".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nb::segmentation_id;

    fn rejection(table: Table, mut json: Value) -> String {
        complete(table, &mut json).unwrap_err().to_string()
    }

    #[test]
    fn the_id_of_a_segmentation_is_dragonflows() {
        let (parent, port) = ("c0a80101-1111-4aaa-8bbb-000000000166", "c0a80101-1111-4aaa-8bbb-000000000168");
        assert_eq!(segmentation_id(parent, port), "7dbfe2e5-cbd2-5de9-82e4-8304c71aa795");
        let mut json = json!({"parent": parent, "port": port, "topic": "t", "segmentation_type": "ipvlan"});
        assert_eq!(complete(Table::ChildPortSegmentation, &mut json).unwrap(), json["id"].as_str().unwrap());
        assert_eq!(json["id"], "7dbfe2e5-cbd2-5de9-82e4-8304c71aa795");
    }

    #[test]
    fn a_record_is_written_as_dragonflow_writes_it() {
        let mut json = json!({"id": "p", "topic": "t", "lswitch": "n", "macs": ["FA-16-3E-00-01-66"],
            "ips": ["FE80:0::1"], "allowed_address_pairs": [{"ip_address": "10.0.0.1", "mac_address": "02-00-00-00-00-0A"}]});
        complete(Table::Lport, &mut json).unwrap();
        let written = json!({"id": "p", "topic": "t", "lswitch": "n", "macs": ["fa:16:3e:00:01:66"],
            "ips": ["fe80::1"], "subnets": [], "security_groups": [],
            "allowed_address_pairs": [{"ip_address": "10.0.0.1", "mac_address": "02:00:00:00:00:0a"}]});
        assert_eq!(json, written);
    }

    #[test]
    fn an_invalid_record_is_rejected_with_value_and_expectation() {
        let lport = |field: &str, value: Value| {
            let mut json = json!({"id": "p", "topic": "t", "lswitch": "n"});
            json[field] = value;
            rejection(Table::Lport, json)
        };
        let cases = [
            (rejection(Table::Lport, json!([1])), "[1] is not a JSON object"),
            (rejection(Table::Lport, json!({"id": "p", "topic": "t"})), "field lswitch is missing"),
            (rejection(Table::BgpPeer, json!({"id": "p", "a": null})), "field a is null"),
            (rejection(Table::BgpPeer, json!({})), "field id is missing"),
            (lport("id", json!("a/b")), "field id is \"a/b\": expected 1 to 255 bytes"),
            (
                lport("unique_key", json!("5")),
                "field unique_key is \"5\": expected a whole number, 1 to 2147483647",
            ),
            (lport("unique_key", json!(0)), "field unique_key is 0"),
            (lport("version", json!(1.0)), "field version is 1.0: expected a whole number, 0 or more"),
            (lport("name", json!(null)), "field name is null: expected a text, or leave the field out"),
            (lport("macs", json!(["zz"])), "field macs[0] is \"zz\": expected a MAC address"),
            (lport("ips", json!("10.0.0.1")), "field ips is \"10.0.0.1\": expected a list"),
            (lport("enable", json!(true)), "unknown field enable: did you mean enabled?"),
            (
                lport("binding", json!({"type": "host"})),
                "field binding.type is \"host\": expected one of chassis, vtep",
            ),
            (lport("binding", json!({"type": "vtep"})), "field binding.vtep_address is missing"),
            (lport("binding", json!({"type": "chassis"})), "field binding.chassis is missing"),
            (
                rejection(Table::Chassis, json!({"id": "c", "ip": "10.0.0.1", "tunnel_types": []})),
                "field tunnel_types is []: expected at least one type",
            ),
            (
                rejection(
                    Table::Lsubnet,
                    json!({"id": "s", "topic": "t", "lswitch": "n", "cidr": "10.0.0.0/33"}),
                ),
                "field cidr is \"10.0.0.0/33\": expected a network",
            ),
        ];
        for (rejection, expected) in cases {
            assert!(rejection.starts_with(expected), "{rejection}");
        }
    }

    #[test]
    fn a_segmentation_id_goes_with_vlan_only_and_is_a_vlan_id() {
        let with = |kind: &str, id: Value| {
            let mut json = json!({"parent": "a", "port": "b", "topic": "t", "segmentation_type": kind});
            if !id.is_null() {
                json["segmentation_id"] = id;
            }
            complete(Table::ChildPortSegmentation, &mut json).map_err(|error| error.to_string())
        };
        for id in [1, 4094] {
            with("vlan", id.into()).unwrap();
        }
        with("macvlan", Value::Null).unwrap();
        for id in [0, 4095, 70_000] {
            let rejection = with("vlan", id.into()).unwrap_err();
            assert_eq!(rejection, format!("segmentation_id {id} is not a VLAN id: expected 1 to 4094"));
        }
        assert!(with("vlan", Value::Null).unwrap_err().contains("needs a segmentation_id"));
        assert!(with("vlan", (-1).into()).unwrap_err().starts_with("field segmentation_id is -1"));
        assert!(with("ipvlan", 5.into()).unwrap_err().contains("only type \"vlan\" has an id"));
        assert!(with("mpls", 5.into()).unwrap_err().contains("expected one of vlan, macvlan, ipvlan"));
    }
}
