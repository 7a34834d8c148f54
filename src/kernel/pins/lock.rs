//! The lock on a folder, for one switch at a time. Any process that can read the folder can hold the lock, so
//! the wait has a time limit.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock, fstat};

/// Far longer than a starting or ending switch holds a lock that another one waits for.
const TIME_LIMIT: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Locks the folder until the descriptor is closed, also by a kill of the process.
///
/// # Errors
/// `WouldBlock`, with the process that holds the lock, when it is not released within five seconds.
pub(super) fn lock(folder: &OwnedFd) -> io::Result<()> {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        match flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => sleep(POLL_INTERVAL),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder =
                    holder(folder).map_or("another process".to_owned(), |pid| format!("process {pid}"));
                let reason = format!("{holder} holds a lock (flock) on it: end that process");
                return Err(io::Error::new(io::ErrorKind::WouldBlock, reason));
            }
            locked => return Ok(locked?),
        }
    }
}

/// The process that holds the lock, from a line of `/proc/locks`:
/// `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`.
fn holder(folder: &OwnedFd) -> Option<u32> {
    let inode = fstat(folder).ok()?.st_ino.to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields[..] else { return None };
        let is_this = file.rsplit(':').next() == Some(inode.as_str());
        pid.parse().ok().filter(|_| is_this)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_lock_that_is_never_released_ends_the_wait_and_its_holder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let open = || OwnedFd::from(File::open(folder.path()).unwrap());
        let held = open();
        lock(&held).unwrap();
        let error = lock(&open()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {} holds a lock", std::process::id())), "{error}");
        drop(held);
        lock(&open()).unwrap();
    }
}
