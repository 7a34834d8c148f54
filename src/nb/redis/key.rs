//! Dragonflow's layout of keys in redis. Pure.
//!
//! `{<table>.<topic>}<id>`, the topic being a project or empty; releases up to Queens wrote a dot after the
//! brace. Therefore a leading dot is never a part of an id.

use std::sync::Arc;

use crate::nb::{RecordId, Table};

/// The spelling of a record's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A key of the layout.
    Keyed {
        /// The project, or an empty text.
        topic: Arc<str>,
        /// The older spelling, with a dot before the id.
        dotted: bool,
    },
    /// A key that begins as one of a table and does not match the layout. The whole key is the id of its
    /// record.
    Stray,
}

/// The record of a key, and the spelling of the key. `None` for a key that is not part of the layout.
pub(super) fn parse(key: &str) -> Option<(RecordId, Place)> {
    let (inside, rest) = key.strip_prefix('{')?.split_once('}')?;
    let (table, topic) = inside.split_once('.').map_or((inside, None), |(table, topic)| (table, Some(topic)));
    let table: Table = table.parse().ok()?;
    let undotted = rest.strip_prefix('.');
    let id = undotted.unwrap_or(rest);
    Some(match topic {
        Some(topic) if !id.is_empty() => {
            let place = Place::Keyed { topic: topic.into(), dotted: undotted.is_some() };
            (RecordId { table, id: id.to_owned() }, place)
        }
        _ => (RecordId { table, id: key.to_owned() }, Place::Stray),
    })
}

impl Place {
    /// The key under which a record of this topic is written.
    pub(super) fn written(topic: &str) -> Self {
        Self::Keyed { topic: topic.into(), dotted: false }
    }

    pub(super) fn key(&self, RecordId { table, id }: &RecordId) -> String {
        match self {
            Self::Keyed { topic, dotted } => {
                format!("{{{table}.{topic}}}{}{id}", if *dotted { "." } else { "" })
            }
            Self::Stray => id.clone(),
        }
    }
}

/// The key of the counter of a table's unique keys.
pub(super) fn counter(table: Table) -> String {
    format!("{{unique_key.}}{table}")
}

/// The pattern that matches all keys for which [`parse`] may return a record.
pub(super) const ANY: &str = "{*}*";

pub(super) fn of_table(table: Table) -> String {
    format!("{{{table}[.}}]*")
}

/// The pattern of the keys of a record. It also matches records whose ids end with the id of this one.
pub(super) fn of_record(record: &RecordId) -> String {
    let RecordId { table, id } = record;
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\');
    let literal: String =
        id.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
    match parse(id) {
        Some((found, Place::Stray)) if found == *record => literal,
        _ => format!("{{{table}.*}}*{literal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(topic: &str, dotted: bool) -> Place {
        Place::Keyed { topic: topic.into(), dotted }
    }

    #[test]
    fn both_spellings_are_read_and_spelled_again() {
        let cases = [
            ("{lport.t1}p1", Table::Lport, "p1", keyed("t1", false)),
            ("{lport.t1}.p1", Table::Lport, "p1", keyed("t1", true)),
            ("{chassis.}c1", Table::Chassis, "c1", keyed("", false)),
            ("{chassis.}.host.example", Table::Chassis, "host.example", keyed("", true)),
            ("{lport.a.b}p}1", Table::Lport, "p}1", keyed("a.b", false)),
            ("{lport.t1}", Table::Lport, "{lport.t1}", Place::Stray),
            ("{lport.t1}.", Table::Lport, "{lport.t1}.", Place::Stray),
            ("{lport}p1", Table::Lport, "{lport}p1", Place::Stray),
        ];
        for (key, table, id, place) in cases {
            let record = RecordId { table, id: id.to_owned() };
            assert_eq!(parse(key), Some((record.clone(), place.clone())));
            assert_eq!(place.key(&record), key);
        }
        for foreign in ["session:1", "{lports.t}p", "{lport.t", "{unique_key.}lport", "{}", ""] {
            assert_eq!(parse(foreign), None);
        }
    }

    #[test]
    fn an_id_is_taken_by_its_letters() {
        let record = RecordId { table: Table::Lport, id: r"a*[b]?\".to_owned() };
        assert_eq!(of_record(&record), r"{lport.*}*a\*\[b\]\?\\");
        let stray = RecordId { table: Table::Lport, id: "{lport}p*".to_owned() };
        assert_eq!(of_record(&stray), r"{lport}p\*");
    }
}
