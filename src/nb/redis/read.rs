//! Reads of records: the keys by SCAN, then their values in groups.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};

use super::key::{self, Place};
use super::picture::{Content, Found, Picture};
use crate::nb::{Change, RecordId, Revision};

/// Number of keys in one command: large enough to be fast, small enough not to delay other clients.
const AT_ONCE: usize = 1000;

pub(super) type Keys = BTreeMap<RecordId, Vec<Place>>;

/// The keys that match a pattern, by record. Keys outside the layout are left out.
pub(super) async fn keys(connection: &mut MultiplexedConnection, pattern: &str) -> RedisResult<Keys> {
    let mut keys = Keys::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(AT_ONCE);
        let (next, found): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        for name in found {
            // A name that is not UTF-8 is outside the layout, and so is its lossy conversion.
            if let Some((record, place)) = key::parse(&String::from_utf8_lossy(&name)) {
                add(&mut keys, record, place);
            }
        }
        if next == 0 {
            return Ok(keys);
        }
        cursor = next;
    }
}

/// Adds a key of a record unless it is there.
pub(super) fn add(keys: &mut Keys, record: RecordId, place: Place) {
    let places = keys.entry(record).or_default();
    // SCAN may return a key twice.
    if !places.contains(&place) {
        places.push(place);
    }
}

/// Reads the values of `keys`, and passes each record, with those of its keys that exist, to `take`.
pub(super) async fn contents(
    connection: &mut MultiplexedConnection,
    keys: Keys,
    mut take: impl FnMut(RecordId, Vec<Found>),
) -> RedisResult<()> {
    let mut keys = keys.into_iter();
    loop {
        let some: Vec<_> = keys.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        let names = || some.iter().flat_map(|(record, places)| places.iter().map(|place| place.key(record)));
        let values = values(connection, names().collect()).await?;
        let missing: Vec<_> =
            names().zip(&values).filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        let mut types = types(connection, missing).await?;
        let mut values = values.into_iter();
        for (record, places) in some {
            let content = |place| {
                let value = values.next().flatten();
                let key = |place: &Place| place.key(&record);
                let content =
                    value.map(Content::Bytes).or_else(|| types.remove(&key(&place)).map(Content::Other));
                content.map(|content| (place, content))
            };
            let found = places.into_iter().filter_map(content).collect();
            take(record, found);
        }
    }
}

async fn values(
    connection: &mut MultiplexedConnection,
    names: Vec<String>,
) -> RedisResult<Vec<Option<Vec<u8>>>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    cmd("MGET").arg(names).query_async(connection).await
}

/// The types of those of `names` that exist: MGET returns nil for a hash or a list.
async fn types(
    connection: &mut MultiplexedConnection,
    names: Vec<String>,
) -> RedisResult<BTreeMap<String, String>> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut ask = pipe();
    for name in &names {
        ask.cmd("TYPE").arg(name);
    }
    let types: Vec<String> = ask.query_async(connection).await?;
    // A string was created between MGET and TYPE; the watch receives an event for it.
    Ok(names.into_iter().zip(types).filter(|(_, kind)| kind != "none" && kind != "string").collect())
}

/// Reads all records, and adds the differences from `picture` to `changes`.
///
/// # Errors
/// Those of the connection. `picture` and `changes` are consistent even then.
pub(super) async fn everything(
    connection: &mut MultiplexedConnection,
    picture: &mut Picture,
    changes: &mut Vec<Change>,
) -> RedisResult<()> {
    let keys = keys(connection, key::ANY).await?;
    let gone: Vec<_> = picture.records().filter(|record| !keys.contains_key(record)).cloned().collect();
    changes.extend(gone.iter().filter_map(|record| picture.update(record, Vec::new())));
    contents(connection, keys, |record, found| changes.extend(picture.update(&record, found))).await
}

/// The server's clock, in microseconds since 1970.
pub(super) async fn now(connection: &mut MultiplexedConnection) -> RedisResult<Revision> {
    let (seconds, micros): (u64, u64) = cmd("TIME").query_async(connection).await?;
    Ok(Revision(seconds * 1_000_000 + micros))
}
