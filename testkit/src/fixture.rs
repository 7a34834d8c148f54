//! Records that Dragonflow wrote, and an index of such lines.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Content of the file `tests/data/dragonflow-nb-records.jsonl`.
pub fn fixture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/dragonflow-nb-records.jsonl");
    std::fs::read_to_string(path).unwrap()
}

/// Records by table and id; the last one of several with the same id.
pub fn by_id(lines: &str) -> BTreeMap<(String, String), Value> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ((text(&line["table"]), text(&line["record"]["id"])), line["record"].clone())
    };
    lines.lines().map(read).collect()
}
