//! Dragonflow's own records, and lines of records by what names them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Dragonflow's own records.
pub fn fixture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/dragonflow-nb-records.jsonl");
    std::fs::read_to_string(path).unwrap()
}

/// Table and id to record; of records with one id the last.
pub fn by_id(lines: &str) -> BTreeMap<(String, String), Value> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ((text(&line["table"]), text(&line["record"]["id"])), line["record"].clone())
    };
    lines.lines().map(read).collect()
}
