//! Messages of the commands that write: the record, what was done to it, and the revision.

use anyhow::anyhow;

use crate::nb::{Committed, Effect, NbError, NorthboundDb, RecordError, Table};

/// The longest list of ids in a message.
const IDS: usize = 3;

/// The record of a transaction with one operation: `lport p created, revision 5`.
pub(super) fn one(committed: &Committed) -> String {
    let records = committed.effects.iter().map(|(record, effect)| format!("{record} {effect}"));
    format!("{}, revision {}", records.collect::<Vec<_>>().join(", "), committed.revision)
}

/// The records of `lines` lines of a file: `3 lines applied: 1 created, 2 unchanged, revision 5`.
pub(super) fn many(lines: usize, committed: &Committed) -> String {
    let count = |wanted| committed.effects.iter().filter(|(_, effect)| *effect == wanted).count();
    let counts = [Effect::Created, Effect::Updated, Effect::Unchanged, Effect::Deleted]
        .map(|effect| (count(effect), effect))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, effect)| format!("{count} {effect}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let colon = if counts.is_empty() { "" } else { ": " };
    format!("{lines} lines applied{colon}{counts}, revision {}", committed.revision)
}

/// An error about a record that does not exist, with the ids of those whose name the user gave in place of an
/// id. Other errors remain as they are.
pub(super) async fn with_ids_of_name(db: &dyn NorthboundDb, error: NbError) -> anyhow::Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "other errors remain as they are")]
    let (about, id, table) = match &error {
        NbError::Rejected { about, reason: RecordError::NoSuchPort { role, id }, .. } => {
            (format!("{about}: {role} {id}"), id.clone(), Table::Lport)
        }
        NbError::Rejected { reason: RecordError::Absent(record), .. } => {
            (record.to_string(), record.id.clone(), record.table)
        }
        _ => return error.into(),
    };
    match ids_of_name(db, table, &id).await {
        Some(ids) => anyhow!("{about} does not exist, but that is the name of {table} {ids}"),
        None => error.into(),
    }
}

/// The ids of the records with this name; `None` without any, or if they cannot be read.
pub(super) async fn ids_of_name(db: &dyn NorthboundDb, table: Table, name: &str) -> Option<String> {
    let records = db.list(table).await.ok()?;
    let mut ids: Vec<_> = records.into_iter().filter(|record| record.json["name"] == name).collect();
    let more = if ids.len() > IDS { ", ..." } else { "" };
    ids.truncate(IDS);
    let ids: Vec<_> = ids.into_iter().map(|record| record.id).collect();
    (!ids.is_empty()).then(|| ids.join(", ") + more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nb::{RecordId, Revision};

    fn committed(effects: &[(&str, Effect)]) -> Committed {
        let record = |id: &str| RecordId { table: Table::Lport, id: id.to_owned() };
        let effects = effects.iter().map(|(id, effect)| (record(id), *effect)).collect();
        Committed { revision: Revision(7), effects }
    }

    #[test]
    fn a_message_has_the_record_and_its_effect() {
        assert_eq!(one(&committed(&[("p", Effect::Updated)])), "lport p updated, revision 7");
        let effects = [("a", Effect::Unchanged), ("b", Effect::Created), ("c", Effect::Unchanged)];
        assert_eq!(many(4, &committed(&effects)), "4 lines applied: 1 created, 2 unchanged, revision 7");
        assert_eq!(many(0, &committed(&[])), "0 lines applied, revision 7");
    }
}
