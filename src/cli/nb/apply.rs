//! The lines of `nb apply`, with their numbers for messages.

use std::io::Read;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::messages;
use crate::nb::{Committed, NbError, NorthboundDb, Op, Record, Table};
use crate::types::shorten_message;

/// The number of a line, from 1, and its operation. Empty lines are skipped.
pub(super) type Line = (usize, Op);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    table: String,
    record: Value,
}

/// Reads and parses the lines of a file, or of standard input for `-`.
pub(super) fn read(file: &str) -> anyhow::Result<Vec<Line>> {
    let text = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| file.to_owned())?
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| Ok((index + 1, parse(line).with_context(|| format!("line {}", index + 1))?)))
        .collect()
}

fn parse(line: &str) -> anyhow::Result<Op> {
    let entry: Entry = serde_json::from_str(line).map_err(|error| {
        let error = error.to_string();
        anyhow!("{}: expected {{\"table\": \"...\", \"record\": {{...}}}}", shorten_message(&error))
    })?;
    let table: Table = entry.table.parse()?;
    Ok(Op::Put { table, json: entry.record })
}

/// Writes all lines in one transaction; an error names the line that was rejected.
pub(super) async fn write(db: &dyn NorthboundDb, lines: Vec<Line>) -> anyhow::Result<Committed> {
    let (numbers, ops): (Vec<_>, _) = lines.into_iter().unzip();
    let error = match db.commit(ops).await {
        Ok(committed) => return Ok(committed),
        Err(error) => error,
    };
    let line = if let NbError::Rejected { op, .. } = &error { numbers.get(*op).copied() } else { None };
    let error = messages::with_ids_of_name(db, error).await;
    Err(match line {
        Some(number) => error.context(format!("line {number}")),
        None => error,
    })
}

/// Encodes a record as a line.
pub(super) fn line(record: Record) -> serde_json::Result<String> {
    serde_json::to_string(&Entry { table: record.table.name().to_owned(), record: record.json })
}
