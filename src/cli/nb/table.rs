//! The table that `nb list` prints.

use std::collections::BTreeSet;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use serde_json::Value;

use crate::nb::{Record, Table};
use crate::types::printable;

/// Writes the columns of the table, one line for each record.
pub(super) fn write(out: &mut Vec<u8>, table: Table, records: &[Record]) -> io::Result<()> {
    let columns = columns(table, records);
    let mut view = comfy_table::Table::new();
    view.load_style(NOTHING)
        .set_header(columns.iter().map(|column| printable(&column.to_uppercase()).into_owned()));
    for record in records {
        view.add_row(columns.iter().map(|column| printable(&cell(record.json.get(column))).into_owned()));
    }
    writeln!(out, "{}", view.trim_fmt())
}

fn columns(table: Table, records: &[Record]) -> Vec<&str> {
    if !table.columns().is_empty() {
        return table.columns().to_vec();
    }
    let all = records.iter().filter_map(|record| record.json.as_object()).flatten();
    let plain = all.filter(|(_, value)| !value.is_object() && !value.is_array());
    let fields: BTreeSet<&str> = plain.map(|(name, _)| name.as_str()).collect();
    let rest = fields.into_iter().filter(|name| *name != "id");
    std::iter::once("id").chain(rest).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" "),
        // A binding: its type shows the meaning of its only other field.
        Some(Value::Object(fields)) => {
            let parts = fields.iter().filter(|(name, _)| *name != "type").map(|(_, value)| cell(Some(value)));
            parts.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}
