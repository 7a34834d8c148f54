//! Keys in etcd: Dragonflow's `/<table>/<id>` and `/unique_key/<table>`, and trunkpath's `/trunkpath/...`.

use etcd_client::KeyValue;
use serde_json::Value;

use crate::nb::{Record, RecordId, Table};

/// The keys below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    prefix: String,
}

/// The keys from the first, inclusive, to the second, exclusive.
pub(super) type Range = (Vec<u8>, Vec<u8>);

/// The character after `/`: ends the range of a table.
const AFTER_SLASH: char = '0';

impl Layout {
    pub fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub fn record(&self, record: &RecordId) -> String {
        format!("{}/{}/{}", self.prefix, record.table, record.id)
    }

    pub fn table(&self, table: Table) -> Range {
        self.between(table.name(), table.name())
    }

    /// All tables in one range, so that one watch receives a transaction as a whole. Foreign keys in this
    /// range, as `/pubsub/`, are left out by [`parse`](Self::parse); those of trunkpath and the unique keys
    /// are after it.
    pub fn tables(&self) -> Range {
        let names = || Table::ALL.iter().map(|table| table.name());
        self.between(names().min().unwrap_or_default(), names().max().unwrap_or_default())
    }

    fn between(&self, first: &str, last: &str) -> Range {
        let Self { prefix } = self;
        (format!("{prefix}/{first}/").into(), format!("{prefix}/{last}{AFTER_SLASH}").into())
    }

    /// The highest unique key of a table that was ever used, as decimal text.
    pub fn counter(&self, table: Table) -> String {
        format!("{}/unique_key/{table}", self.prefix)
    }

    /// Written by each transaction of trunkpath: the key that its writers compete for.
    pub fn writer(&self) -> String {
        format!("{}/trunkpath/writer", self.prefix)
    }

    /// Exists while a chassis is alive; for `CHASSIS/PHYSNET`, while it has an uplink for that network.
    pub fn chassis(&self, name: &str) -> String {
        format!("{}/trunkpath/chassis/{name}", self.prefix)
    }

    /// Exists while a port forwards.
    pub fn port_up(&self, lport: &str) -> String {
        format!("{}/trunkpath/port_up/{lport}", self.prefix)
    }

    /// The record of a key. An id that no record can have (empty, with a slash) is returned as well, to be
    /// reported.
    pub fn parse(&self, key: &[u8]) -> Option<RecordId> {
        let key = String::from_utf8_lossy(key);
        let (table, id) = key.strip_prefix(&self.prefix)?.strip_prefix('/')?.split_once('/')?;
        Some(RecordId { table: table.parse().ok()?, id: id.to_owned() })
    }

    pub fn read(&self, pair: &KeyValue) -> Option<Record> {
        let RecordId { table, id } = self.parse(pair.key())?;
        Some(Record { table, id, json: json(pair.value()) })
    }
}

/// A value as JSON. Anything else becomes a JSON string.
pub(super) fn json(value: &[u8]) -> Value {
    serde_json::from_slice(value).unwrap_or_else(|_| String::from_utf8_lossy(value).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_has_all_tables_and_neither_counters_nor_keys_of_trunkpath() {
        for prefix in ["", "/cloud"] {
            let layout = Layout::new(prefix.to_owned());
            let (first, end) = layout.tables();
            let inside = |key: &str| first.as_slice() <= key.as_bytes() && key.as_bytes() < end.as_slice();
            for table in Table::ALL {
                let id = RecordId { table: *table, id: "\u{10ffff}".to_owned() };
                let key = layout.record(&id);
                assert!(inside(&key), "{key}");
                assert_eq!(layout.parse(key.as_bytes()), Some(id));
                assert!(!inside(&layout.counter(*table)));
            }
            assert!(
                ![layout.writer(), layout.chassis("c"), layout.port_up("p")].iter().any(|key| inside(key))
            );
        }
    }

    #[test]
    fn foreign_keys_are_ignored_and_invalid_ids_are_returned() {
        let layout = Layout::new("/df".to_owned());
        for foreign in ["/df/pubsub/D", "/df/lports/x", "/lport/x", "/df", "/dfx/lport/x", "/df/lport"] {
            assert_eq!(layout.parse(foreign.as_bytes()), None, "{foreign}");
        }
        for (key, id) in [("/df/lport/", ""), ("/df/lport/a/b", "a/b"), ("/df/lport//", "/")] {
            assert_eq!(
                layout.parse(key.as_bytes()),
                Some(RecordId { table: Table::Lport, id: id.to_owned() })
            );
        }
    }
}
