//! Detection of commits by other processes.
//!
//! inotify reports a write to the write-ahead log. The commit becomes visible later, when the writer has
//! synchronized the log and then updates the WAL index in shared memory, which inotify does not report. The
//! delay depends on the disk and on the writer's share of the CPU. So after each event the file is examined
//! again, at intervals that grow with the time since that event.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use inotify::{EventStream, Inotify, WatchMask};
use tokio::time::{Instant, sleep, timeout};

use super::file::with_suffix;

/// The longest wait without an event. Not every file system reports writes.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
/// The wait if the kernel has no watch left (`fs.inotify.max_user_instances`).
const WITHOUT_WATCH: Duration = Duration::from_millis(20);
/// The largest number of events that are read together: a commit writes more than once.
const EVENTS_AT_ONCE: usize = 1000;
/// The time after a write within which its commit may become visible: the duration of fsync on a slow disk.
const SETTLING: Duration = Duration::from_secs(10);
/// The same after a commit was detected: the last write may belong to another one.
const SETTLING_SEEN: Duration = Duration::from_secs(1);
/// Bounds of the wait while a commit may still become visible.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A watch on the file, on its write-ahead log, and on their creation and removal.
pub(super) struct FileWatch {
    files: [PathBuf; 2],
    events: Option<EventStream<Vec<u8>>>,
    /// The time of the last event, at first that of the creation: a write may have preceded the watch.
    written: Instant,
    /// Whether a commit was detected since then.
    committed: bool,
}

impl FileWatch {
    pub(super) fn new(path: &Path) -> Self {
        // SQLite keeps the log beside the file that a symbolic link refers to.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let events = watch_folder(&path).inspect_err(|error| {
            tracing::warn!("{}: cannot be watched, and is read every 20 ms instead: {error}", path.display());
        });
        let log = with_suffix(&path, "-wal");
        let mut file_watch =
            Self { files: [path, log], events: events.ok(), written: Instant::now(), committed: false };
        file_watch.watch_files();
        file_watch
    }

    /// Waits for an event, or for the time to examine the file without one.
    pub(super) async fn wait(&mut self) {
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

    /// Records that a commit was detected. All events of that commit have arrived.
    pub(super) fn record_commit(&mut self) {
        if let Some(events) = &mut self.events {
            discard(events);
        }
        self.committed = true;
    }

    /// Adds watches for the files that exist. The watch of the folder reports a new one.
    fn watch_files(&mut self) {
        let Some(events) = &self.events else { return };
        for file in &self.files {
            // A watch that exists remains unchanged.
            if let Err(error) = events.watches().add(file, WatchMask::MODIFY) {
                tracing::trace!("{}: {error}", file.display());
            }
        }
    }
}

/// The wait before the next examination: a quarter of the time since the last event, or all of that time if a
/// commit was detected since.
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

/// Discards the events that have arrived.
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
    // Without writes: other files in the folder, as a log, may be written to all the time.
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
    fn a_write_causes_a_bounded_number_of_polls() {
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
