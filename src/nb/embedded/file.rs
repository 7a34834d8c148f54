//! The file: created as a whole or not at all, and opened only if this program created it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::failure::{BUSY_TIMEOUT, failed};
use crate::nb::NbError;

/// "TPNB" in the header of the file, where `file` and `PRAGMA application_id` show it.
const APPLICATION_ID: i32 = 0x5450_4e42;
/// The version of `schema.sql`, in `PRAGMA user_version`.
const SCHEMA_VERSION: i32 = 1;

#[derive(Debug)]
pub(super) struct Opened {
    pub connection: Connection,
    identity: (u64, u64),
}

/// The device and inode number of the file at `path`.
fn identity(path: &Path) -> Result<(u64, u64), NbError> {
    match fs::metadata(path) {
        Ok(data) => Ok((data.dev(), data.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NbError::Absent(path.to_owned())),
        Err(error) => Err(failed(path, error)),
    }
}

impl Opened {
    pub fn at(path: &Path) -> Result<Self, NbError> {
        let identity = identity(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, error))?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let foreign = |reason: String| NbError::Foreign { path: path.to_owned(), reason };
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(path, error))?;
        match pragma("application_id") {
            Ok(APPLICATION_ID) => {}
            Ok(id) => {
                return Err(foreign(format!(
                    "its SQLite application_id is {id:#x}, expected {APPLICATION_ID:#x}"
                )));
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(foreign("it is no SQLite database".to_owned()));
            }
            Err(error) => return Err(failed(path, error)),
        }
        match pragma("user_version").map_err(|error| failed(path, error))? {
            SCHEMA_VERSION => {}
            version => {
                return Err(foreign(format!("its schema version is {version}, expected {SCHEMA_VERSION}")));
            }
        }
        // A transaction survives a power failure once it was reported as done.
        connection.pragma_update(None, "synchronous", "FULL").map_err(|error| failed(path, error))?;
        Ok(Self { connection, identity })
    }

    /// Returns itself, unless the file was removed or replaced: SQLite would continue with the old one.
    pub fn if_still_at(self, path: &Path) -> Result<Option<Self>, NbError> {
        let now = identity(path);
        if now.as_ref().is_ok_and(|now| *now == self.identity) {
            return Ok(Some(self));
        }
        // Closing the last connection would remove the write-ahead log by its name, which may belong to the
        // new file.
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(|error| failed(path, error))?;
        now.map(|_| None)
    }
}

/// Creates the file at `path`, with its folders, unless it exists.
///
/// It is created under another name and renamed, so that an incomplete database is never at `path`.
pub(super) fn create(path: &Path) -> Result<(), NbError> {
    if path.exists() {
        return Ok(());
    }
    let log = with_suffix(path, "-wal");
    if log.exists() && !path.exists() {
        // SQLite would use it as the log of the new file.
        let reason = "it is left over from a database that was removed: remove it too".to_owned();
        return Err(NbError::Foreign { path: log, reason });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = with_suffix(path, &format!(".new-{}-{:?}", std::process::id(), std::thread::current().id()));
    let made = make_folder(folder)
        .and_then(|()| remove_if_there(&draft))
        .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map(drop))
        .map_err(|error| failed(path, error))
        .and_then(|()| fill(&draft).map_err(|error| failed(path, error)))
        .and_then(|()| publish(&draft, path, folder).map_err(|error| failed(path, error)));
    remove_if_there(&draft).map_err(|error| failed(path, error))?;
    made
}

/// The path with a suffix added to the file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fill(draft: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(draft)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.close().map_err(|(_, error)| error)
}

fn publish(draft: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    match renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
        // Another process was faster, and its file is equivalent.
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    File::open(folder)?.sync_all()
}
