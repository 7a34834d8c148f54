//! Errors of SQLite with their causes and remedies.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;
use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::nb::NbError;

/// The time that a writer waits for the transaction of another one.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn failed(path: &Path, error: impl Into<Box<dyn Error + Send + Sync>>) -> NbError {
    let error = error.into();
    let explained = error.downcast_ref().and_then(|error| explain(path, error));
    let source = explained.map_or(error, Into::into);
    NbError::Store { store: format!("sqlite:{}", path.display()), source }
}

/// The cause of SQLite's error at the file, and the remedy. `None` if nothing but SQLite's own message is
/// known.
pub(in crate::nb) fn explain(path: &Path, error: &rusqlite::Error) -> Option<String> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "other codes are errors of this program")]
    match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let waited = BUSY_TIMEOUT.as_secs();
            Some(format!("another process has been writing for {waited} s: end it, or try again"))
        }
        ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => unwritable(path),
        ErrorCode::DiskFull => Some("the disk is full: free space there, and try again".to_owned()),
        ErrorCode::DatabaseCorrupt => Some(format!(
            "the file is damaged ({error}): end its writers, then put a backup in its place, or remove it, its -wal and its -shm \
             and apply the records again"
        )),
        ErrorCode::SystemIoFailure => Some(format!("{error}: the disk failed, see `dmesg`")),
        _ => None,
    }
}

/// The reason why SQLite cannot write to the file, or to its folder, which has the write-ahead log. Readers
/// write there, too.
fn unwritable(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let places: [(&Path, &str); 2] = [(path, "the file"), (folder, "its folder")];
    places.into_iter().find_map(|(place, name)| {
        let reason = match access(place, Access::WRITE_OK) {
            Ok(()) => return None,
            Err(Errno::ROFS) => {
                "is on a read-only file system: mount it read-write, or keep the DB elsewhere".to_owned()
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                "may not be written by this user: change its owner or mode; readers need that, too".to_owned()
            }
            Err(error) => format!("cannot be written: {}", io::Error::from(error)),
        };
        Some(format!("{name} {reason}"))
    })
}

/// Like [`explain`], for a file of SQLite that is not the NB DB; returns SQLite's own message if there is no
/// more.
pub(crate) fn describe(path: &Path, error: &rusqlite::Error) -> String {
    explain(path, error).unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn said(path: &Path, code: i32) -> String {
        failed(path, rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).to_string()
    }

    #[test]
    fn each_code_of_a_disk_names_the_cause_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nb.db");
        for (code, words) in [
            (ffi::SQLITE_BUSY, "another process has been writing for 10 s"),
            (ffi::SQLITE_FULL, "the disk is full: free space"),
            (ffi::SQLITE_CORRUPT, "the file is damaged"),
            (ffi::SQLITE_IOERR, "the disk failed"),
            (ffi::SQLITE_CANTOPEN, "the file cannot be written: No such file"),
        ] {
            assert!(said(&path, code).contains(words), "{code}: {}", said(&path, code));
        }
    }
}
