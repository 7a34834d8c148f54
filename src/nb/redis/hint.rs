//! Events of the server. An event is only a hint to read a record again: it has neither later changes of that
//! record, nor what other events were lost. Pure.

use redis::{Msg, PushInfo};
use serde_json::Value;

use super::key::{self, Place};
use super::message;
use crate::nb::RecordId;

/// The pattern of the channels of keyspace notifications for keys of the layout.
pub(super) fn keyspace_pattern(database: i64) -> String {
    format!("{}{{*", keyspace(database))
}

/// The part of such a channel's name before the key.
fn keyspace(database: i64) -> String {
    format!("__keyspace@{database}__:")
}

/// The record that an event is about, and the keys where it may be.
pub(super) fn read(event: PushInfo, database: i64) -> Option<(RecordId, Vec<Place>)> {
    let event = Msg::from_push_info(event)?;
    let channel: String = event.get_channel().ok()?;
    if let Some(key) = channel.strip_prefix(&keyspace(database)) {
        let (record, place) = key::parse(key)?;
        return Some((record, vec![place]));
    }
    let message = message::decode(event.get_payload_bytes()).ok()?;
    let record = RecordId { table: message.table.parse().ok()?, id: message.key };
    let places = message.value.map(|text| places(&text)).unwrap_or_default();
    Some((record, places))
}

/// The keys where a record with this JSON may be.
fn places(json: &str) -> Vec<Place> {
    let json: Value = serde_json::from_str(json).unwrap_or_default();
    let topic = json.get("topic").and_then(Value::as_str).unwrap_or_default();
    [false, true].map(|dotted| Place::Keyed { topic: topic.into(), dotted }).to_vec()
}
