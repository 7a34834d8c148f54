//! Waking a worker that sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};

/// A worker's bell. Ringing costs a system call only when the worker is asleep.
///
/// The sleeper says that it sleeps and *then* looks for work once more; the ringer leaves work and *then* looks
/// whether somebody sleeps. With a full fence between the two halves on both sides, at least one of them sees the
/// other.
#[derive(Debug)]
pub(super) struct Doorbell {
    event: OwnedFd,
    asleep: AtomicBool,
}

impl Doorbell {
    /// A bell that nobody listens to yet.
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { event, asleep: AtomicBool::new(false) })
    }

    /// Wakes the worker if it sleeps. Call it after leaving the work.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            // An eventfd takes a write unless its counter is about to overflow, and then the worker is awake anyway.
            let written = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
            debug_assert!(written.is_ok());
        }
    }

    /// Says that the worker is about to sleep. It must look for work once more after this.
    pub(super) fn doze(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Says that the worker is up again.
    pub(super) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        let mut rung = [0; 8];
        // WouldBlock when nobody rang: something else woke us.
        let read = rustix::io::read(&self.event, &mut rung);
        debug_assert!(read.is_ok() || read == Err(rustix::io::Errno::AGAIN));
    }

    /// Whether the worker sleeps.
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
