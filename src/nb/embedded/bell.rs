//! When to look whether a writer has committed.
//!
//! inotify reports a write to the write-ahead log. The commit becomes visible later, when the writer has synchronized the
//! log and then updates the WAL index in shared memory, which inotify does not report. How much later depends on the disk and on
//! the writer's share of the CPU. So after each event the file is looked at again, at intervals that grow with the time
//! since that event.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use inotify::{EventStream, Inotify, WatchMask};
use tokio::time::{Instant, sleep, timeout};

use super::file::with_suffix;

/// The longest wait without an event. Not every file system reports writes.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
/// The wait where the kernel has no watch left (`fs.inotify.max_user_instances`).
const WITHOUT_WATCH: Duration = Duration::from_millis(20);
/// Events that are taken together at most: a commit writes more than once.
const EVENTS_AT_ONCE: usize = 1000;
/// How long after a write its commit may still become visible: the time that a slow disk takes to synchronize.
const SETTLING: Duration = Duration::from_secs(10);
/// Bounds of the wait while a commit may still become visible.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A watch on the file, on its write-ahead log, and on their creation and removal.
pub(super) struct Bell {
    files: [PathBuf; 2],
    events: Option<EventStream<Vec<u8>>>,
    /// When the last event came. A write may have come just before the watch.
    written: Instant,
}

impl Bell {
    /// Watches the file at `path` from now on.
    pub(super) fn at(path: &Path) -> Self {
        // SQLite keeps the log where the file really is.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let events = watch_folder(&path).inspect_err(|error| {
            tracing::warn!("{}: cannot be watched, and is read every 20 ms instead: {error}", path.display());
        });
        let log = with_suffix(&path, "-wal");
        let mut bell = Self { files: [path, log], events: events.ok(), written: Instant::now() };
        bell.watch_files();
        bell
    }

    /// Waits for an event, or until it is time to look without any.
    pub(super) async fn ring(&mut self) {
        self.watch_files();
        let Some(events) = &mut self.events else { return sleep(WITHOUT_WATCH).await };
        match timeout(wait_after(self.written.elapsed()), events.next()).await {
            Err(_) => {}
            Ok(Some(Ok(_))) => {
                self.written = Instant::now();
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

    /// Watches the files that exist. The folder's watch reports a new one.
    fn watch_files(&mut self) {
        let Some(events) = &self.events else { return };
        for file in &self.files {
            // Adding a watch that exists changes nothing.
            if let Err(error) = events.watches().add(file, WatchMask::MODIFY) {
                tracing::trace!("{}: {error}", file.display());
            }
        }
    }
}

/// How long to wait for an event before the next look, so long after the last one: a quarter of that time.
fn wait_after(elapsed: Duration) -> Duration {
    if elapsed >= SETTLING { LONGEST_SILENCE } else { (elapsed / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT) }
}

fn watch_folder(path: &Path) -> io::Result<EventStream<Vec<u8>>> {
    let folder = path.parent().ok_or(io::ErrorKind::NotADirectory)?;
    let inotify = Inotify::init()?;
    // Not of writing: what else is in there, a log for one, may be written to all the time.
    inotify.watches().add(folder, WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE)?;
    inotify.into_event_stream(vec![0; 4096])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_time_since_a_write_and_stay_short_until_it_has_settled() {
        let wait = |elapsed_ms| wait_after(Duration::from_millis(elapsed_ms)).as_millis();
        assert_eq!([0, 3, 20, 60, 9_999].map(wait), [1, 1, 5, 15, 50]);
        assert_eq!(wait(10_000), 1000);
    }

    #[test]
    fn a_write_costs_a_bounded_number_of_looks() {
        let (mut elapsed, mut looks) = (Duration::ZERO, 0);
        while elapsed < SETTLING {
            elapsed += wait_after(elapsed);
            looks += 1;
        }
        assert!(looks < 250, "{looks}");
    }
}
