//! The incumbents on disk: the holders of contested claims, which keep what they hold over a restart.
//!
//! A small JSON file beside the copy of the NB DB, for every kind of DB. It has one entry for each conflict,
//! and is written when one changes, at most once a second.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::types::{Claim, Id, Incumbents, Problem};

/// Upper bound of the time that the end waits for the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The contents of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// URL of the NB DB without its password.
    db: String,
    incumbents: Vec<(Claim, Id)>,
}

/// Stores the incumbents in a file.
#[derive(Debug)]
pub(super) struct IncumbentStore {
    path: PathBuf,
    db: String,
    /// The contents of the file after the last write.
    stored: Incumbents,
    writing: Option<JoinHandle<io::Result<()>>>,
    failure: Option<String>,
}

impl IncumbentStore {
    /// Reads the incumbents of the DB `url` from the file beside `state`. If that fails, the error is logged
    /// and there are none: of records that claim the same the one with the lowest id holds it.
    pub(super) fn open(state: &Path, url: &str) -> (Self, Incumbents) {
        let mut path = state.as_os_str().to_owned();
        path.push(".incumbents");
        let path = PathBuf::from(path);
        let stored = match load(&path) {
            Ok(Some(contents)) if contents.db == url => contents.incumbents.into_iter().collect(),
            Ok(Some(contents)) => {
                tracing::warn!(
                    "{} is of the NB DB {}, not of {url}: it is ignored; of records that claim the same the lowest id wins",
                    path.display(),
                    contents.db
                );
                Incumbents::new()
            }
            Ok(None) => Incumbents::new(),
            Err(error) => {
                tracing::warn!(
                    "{}: {error}: it is ignored; of records that claim the same the lowest id wins",
                    path.display()
                );
                Incumbents::new()
            }
        };
        let store = Self { path, db: url.to_owned(), stored: stored.clone(), writing: None, failure: None };
        (store, stored)
    }

    /// Whether the last write is done and another one can begin.
    pub(super) fn is_ready(&self) -> bool {
        self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Writes the incumbents if they are not on disk. Waits for the last write.
    pub(super) async fn store(&mut self, incumbents: Incumbents) {
        self.finish().await;
        if self.failure.is_none() && self.stored == incumbents {
            return;
        }
        self.stored = incumbents;
        let contents = Contents {
            db: self.db.clone(),
            incumbents: self.stored.iter().map(|(claim, id)| (claim.clone(), id.clone())).collect(),
        };
        let path = self.path.clone();
        self.writing = Some(spawn_blocking(move || save(&path, &contents)));
    }

    /// Waits for the last write, and records its outcome.
    async fn finish(&mut self) {
        let Some(writing) = self.writing.take() else { return };
        let outcome = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.failure = outcome.err().map(|error| error.to_string());
    }

    /// The problem of the last write.
    pub(super) fn problem(&self) -> Option<Problem> {
        let reason = format!(
            "{}: who holds what several records claim is not kept for a restart -> make the folder writable or give another --state",
            self.failure.as_ref()?,
        );
        Some(Problem::new(format!("file {}", self.path.display()), reason))
    }

    /// Writes the incumbents, for at most [`CLOSE_TIMEOUT`].
    pub(super) async fn close(mut self, incumbents: Incumbents) {
        let written = timeout(CLOSE_TIMEOUT, async {
            self.store(incumbents).await;
            self.finish().await;
        });
        if written.await.is_err() {
            tracing::warn!("the disk does not answer: the last incumbents are not written");
        }
    }
}

fn load(path: &Path) -> io::Result<Option<Contents>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file. A new file is renamed over the old one, so that a symbolic link in its place is not
/// followed.
fn save(path: &Path, contents: &Contents) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(contents)?)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::types::PortKey;

    const URL: &str = "sqlite:/nb.db";

    fn incumbents() -> Incumbents {
        let mac = "02:00:00:00:00:01".parse().unwrap();
        Incumbents::from([
            (Claim::PortKey(PortKey::new(7).unwrap()), "p".into()),
            (Claim::Mac("n".into(), mac), "q".into()),
        ])
    }

    #[tokio::test]
    async fn stored_incumbents_are_there_after_a_restart_for_the_same_db() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state/last-good.db");
        let (store, found) = IncumbentStore::open(&state, URL);
        assert_eq!(found, Incumbents::new());
        store.close(incumbents()).await;
        assert_eq!(IncumbentStore::open(&state, URL).1, incumbents());
        assert_eq!(IncumbentStore::open(&state, "sqlite:/other.db").1, Incumbents::new());
    }

    #[tokio::test]
    async fn without_conflicts_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = IncumbentStore::open(&folder.path().join("last-good.db"), URL);
        store.close(Incumbents::new()).await;
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_damaged_file_is_ignored_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "not JSON").unwrap();
        symlink(&target, folder.path().join("last-good.db.incumbents")).unwrap();
        let (store, found) = IncumbentStore::open(&folder.path().join("last-good.db"), URL);
        assert_eq!(found, Incumbents::new());
        store.close(incumbents()).await;
        assert_eq!(fs::read_to_string(&target).unwrap(), "not JSON");
        assert_eq!(IncumbentStore::open(&folder.path().join("last-good.db"), URL).1, incumbents());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_a_problem() {
        let (mut store, _) = IncumbentStore::open(Path::new("/proc/self/last-good.db"), URL);
        store.store(incumbents()).await;
        store.finish().await;
        let problem = store.problem().unwrap().to_string();
        assert!(
            problem.contains("/proc/self/last-good.db.incumbents") && problem.contains("--state"),
            "{problem}"
        );
    }
}
