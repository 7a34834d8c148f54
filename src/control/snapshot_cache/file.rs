//! The file of the copy. It is opened only if it belongs to this user, and never by a symbolic link.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::nb::describe_sqlite;

/// The layout of the file. A file with another number is replaced.
const LAYOUT: i32 = 1;
/// How a file of SQLite begins (<https://www.sqlite.org/fileformat.html>, 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// Only this user may read the copy, because it contains the records of all tenants.
const MODE: u32 = 0o600;

/// Why a file cannot be the copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is a symbolic link: expected the file itself")]
    Link,
    #[error("it is no regular file with one name")]
    NotRegular,
    #[error("it belongs to user {owner}: expected user {expected}, who runs this")]
    Owner { owner: u32, expected: u32 },
    #[error("it is no database of SQLite: it is left as it is")]
    NotSqlite,
    #[error("{0}")]
    Sqlite(String),
}

impl OpenError {
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::Sqlite(describe_sqlite(path, error))
    }
}

/// Opens the copy at `path`, or creates an empty one.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let path = in_real_folder(path)?;
    let failed = |error: rusqlite::Error| OpenError::sqlite(&path, &error);
    let connection = open_own(&path)?;
    let layout = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0));
    // A new file has none, and a damaged one returns an error.
    let connection = if layout == Ok(LAYOUT) {
        connection
    } else {
        drop(connection);
        replace(&path)?
    };
    let configure = || {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")
    };
    configure().map_err(failed)?;
    Ok(connection)
}

/// The path with its folder resolved, which is created if it does not exist: symbolic links to folders are
/// followed.
fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or(OsStr::new(""));
    Ok(folder.canonicalize()?.join(name))
}

/// Opens a file that belongs to this user, with [`MODE`] before its first byte is written. SQLite gives the
/// files beside it the same mode.
fn open_own(path: &Path) -> Result<Connection, OpenError> {
    check(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags).map_err(|error| OpenError::sqlite(path, &error))
}

/// Creates the file unless it exists, and checks an existing one by its descriptor.
fn check(path: &Path) -> Result<(), OpenError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let mut file: File = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => OpenError::Link,
        _ => error.into(),
    })?;
    let data = file.metadata()?;
    let user = geteuid().as_raw();
    if !data.is_file() || data.nlink() != 1 {
        return Err(OpenError::NotRegular);
    }
    if data.uid() != user {
        return Err(OpenError::Owner { owner: data.uid(), expected: user });
    }
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(SQLITE_MAGIC.len() as u64).read_to_end(&mut start)?;
    if !start.is_empty() && start != SQLITE_MAGIC {
        return Err(OpenError::NotSqlite);
    }
    Ok(file.set_permissions(Permissions::from_mode(MODE))?)
}

fn replace(path: &Path) -> Result<Connection, OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let connection = open_own(path)?;
    let fill = || {
        connection.execute_batch(
            "BEGIN;
             CREATE TABLE record (tbl TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (tbl, id)) WITHOUT ROWID;
             CREATE TABLE origin (url TEXT NOT NULL, revision INTEGER NOT NULL, confirmed INTEGER NOT NULL);",
        )?;
        connection.pragma_update(None, "user_version", LAYOUT)?;
        connection.execute_batch("COMMIT")
    };
    fill().map_err(|error| OpenError::sqlite(path, &error))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_link_is_not_followed_and_its_target_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("last-good.db"));
        for content in ["", "precious"] {
            fs::write(&target, content).unwrap();
            fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
            std::os::unix::fs::symlink(&target, &link).unwrap();
            assert!(matches!(open(&link), Err(OpenError::Link)));
            assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), (content, 0o644));
            fs::remove_file(&link).unwrap();
            fs::hard_link(&target, &link).unwrap();
            assert!(matches!(open(&link), Err(OpenError::NotRegular)));
            assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), (content, 0o644));
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn a_folder_may_be_reached_by_a_link_and_other_files_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, folder.path().join("state")).unwrap();
        drop(open(&folder.path().join("state/last-good.db")).unwrap());
        assert_eq!(mode(&real.join("last-good.db")), MODE);

        let other = folder.path().join("passwd");
        fs::write(&other, "root:x:0:0:root:/root:/bin/bash\n").unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(&other), Err(OpenError::NotSqlite)));
        assert_eq!((fs::read_to_string(&other).unwrap().len(), mode(&other)), (32, 0o644));
        assert!(matches!(open(folder.path()), Err(OpenError::Io(_))));
    }
}
