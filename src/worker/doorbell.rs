//! Wake-up of a sleeping worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};

/// The wake-up signal of one worker. A ring costs a system call only while the worker sleeps.
///
/// The worker sets `asleep` and *then* checks for work once more; the other side queues work and *then*
/// checks `asleep`. With a full fence between the two halves on both sides, at least one side observes the
/// write of the other.
#[derive(Debug)]
pub(super) struct Doorbell {
    event: OwnedFd,
    asleep: AtomicBool,
}

impl Doorbell {
    /// # Errors
    /// The system's error if it has no eventfd left.
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { event, asleep: AtomicBool::new(false) })
    }

    /// Wakes the worker if it sleeps. Must be called after the work is queued.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            // A write fails only if the counter would overflow, and then the worker is woken anyway.
            let written = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
            debug_assert!(written.is_ok());
        }
    }

    /// Called by the worker before it sleeps. It must check for work once more after the call.
    pub(super) fn begin_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Called by the worker after it slept.
    pub(super) fn end_sleep(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        let mut counter = [0; 8];
        // EAGAIN without a ring: something else woke the worker.
        let read = rustix::io::read(&self.event, &mut counter);
        debug_assert!(read.is_ok() || read == Err(rustix::io::Errno::AGAIN));
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
