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
/// The same once a commit has been seen: the last write may have been another one's.
const SETTLING_SEEN: Duration = Duration::from_secs(1);
/// Bounds of the wait while a commit may still become visible.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A watch on the file, on its write-ahead log, and on their creation and removal.
pub(super) struct Bell {
    files: [PathBuf; 2],
    events: Option<EventStream<Vec<u8>>>,
    /// When the last event came. A write may have come just before the watch.
    written: Instant,
    /// A commit has been seen since.
    committed: bool,
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
        let mut bell =
            Self { files: [path, log], events: events.ok(), written: Instant::now(), committed: false };
        bell.watch_files();
        bell
    }

    /// Waits for an event, or until it is time to look without any.
    pub(super) async fn ring(&mut self) {
        self.watch_files();
        let Some(events) = &mut self.events else { return sleep(WITHOUT_WATCH).await };
        match timeout(wait_after(self.written.elapsed(), self.committed), events.next()).await {
            Err(_) => {}
            Ok(Some(Ok(_))) => {
                (self.written, self.committed) = (Instant::now(), false);
                discard(events);
            }
            Ok(broken) => {
                tracing::warn!("no watch on {} any more: {broken:?}", self.files[0].display());
                self.events = None;
            }
        }
    }

    /// Takes note that a look has found a commit. All events of that commit have come by now.
    pub(super) fn saw_commit(&mut self) {
        if let Some(events) = &mut self.events {
            discard(events);
        }
        self.committed = true;
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

/// How long to wait for an event before the next look, so long after the last one: a quarter of that time, or as long again
/// when a commit has been seen since.
fn wait_after(elapsed: Duration, committed: bool) -> Duration {
    let settling = if committed { SETTLING_SEEN } else { SETTLING };
    if elapsed >= settling {
        LONGEST_SILENCE
    } else if committed {
        elapsed.max(4 * SHORTEST_WAIT)
    } else {
        (elapsed / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }
}

/// Discards the events that have come.
fn discard(events: &mut EventStream<Vec<u8>>) {
    for _ in 0..EVENTS_AT_ONCE {
        if events.next().now_or_never().is_none() {
            break;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_time_since_a_write_and_stay_short_until_it_has_settled() {
        let wait =
            |elapsed_ms, committed| wait_after(Duration::from_millis(elapsed_ms), committed).as_millis();
        assert_eq!([0, 3, 20, 60, 9_999, 10_000].map(|ms| wait(ms, false)), [1, 1, 5, 15, 50, 1000]);
        assert_eq!([0, 4, 300, 1000].map(|ms| wait(ms, true)), [4, 4, 300, 1000]);
    }

    #[test]
    fn a_write_costs_a_bounded_number_of_looks() {
        for (committed, settling, most) in [(false, SETTLING, 250), (true, SETTLING_SEEN, 10)] {
            let (mut elapsed, mut looks) = (Duration::ZERO, 0);
            while elapsed < settling {
                elapsed += wait_after(elapsed, committed);
                looks += 1;
            }
            assert!(looks <= most, "{looks}");
        }
    }
}
