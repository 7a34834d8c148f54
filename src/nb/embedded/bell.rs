//! Hearing that somebody has written to the file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use inotify::{EventStream, Inotify, WatchMask};
use tokio::time::{sleep, timeout};

use super::file::with_suffix;

/// How long it is silent at the most. Not every file system tells.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
/// The same where the kernel has no watch for us (`fs.inotify.max_user_instances`).
const WITHOUT_WATCH: Duration = Duration::from_millis(20);
/// Events that are one piece of news at the most: a commit writes more than once.
const EVENTS_AT_ONCE: usize = 1000;

/// A watch on the file, on its write-ahead log, and on their coming and going.
pub(super) struct Bell {
    files: [PathBuf; 2],
    events: Option<EventStream<Vec<u8>>>,
}

impl Bell {
    /// Hears of the file at `path` from now on.
    pub(super) fn at(path: &Path) -> Self {
        // SQLite keeps the log where the file really is.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let events = watch_folder(&path).inspect_err(|error| {
            tracing::warn!("{}: cannot be watched, and is asked for news instead: {error}", path.display());
        });
        let log = with_suffix(&path, "-wal");
        let mut bell = Self { files: [path, log], events: events.ok() };
        bell.watch_files();
        bell
    }

    /// Waits for news, or until it is time to look without any.
    pub(super) async fn ring(&mut self) {
        self.watch_files();
        let Some(events) = &mut self.events else { return sleep(WITHOUT_WATCH).await };
        match timeout(LONGEST_SILENCE, events.next()).await {
            Err(_) => {}
            Ok(Some(Ok(_))) => {
                for _ in 0..EVENTS_AT_ONCE {
                    if events.next().now_or_never().is_none() {
                        break;
                    }
                }
            }
            Ok(broken) => {
                tracing::warn!("no watch on {} any more: {broken:?}", self.files[0].display());
                self.events = None;
            }
        }
    }

    /// Watches the files that are there. Of a new one the folder tells.
    fn watch_files(&mut self) {
        let Some(events) = &self.events else { return };
        for file in &self.files {
            // To ask for a watch that is there changes nothing.
            if let Err(error) = events.watches().add(file, WatchMask::MODIFY) {
                tracing::trace!("{}: {error}", file.display());
            }
        }
    }
}

fn watch_folder(path: &Path) -> io::Result<EventStream<Vec<u8>>> {
    let folder = path.parent().ok_or(io::ErrorKind::NotADirectory)?;
    let inotify = Inotify::init()?;
    // Not of writing: what else is in there, a log for one, may be written to all the time.
    inotify.watches().add(folder, WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE)?;
    inotify.into_event_stream(vec![0; 4096])
}
