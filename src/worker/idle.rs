//! When to sleep, and on what.
//!
//! A worker that finds nothing to do looks again a few hundred times, with pauses that let a sender on the same core
//! get on; then it sleeps in `epoll_wait` until a socket has a frame or the doorbell rings. There is no clock: a
//! loaded worker never gets here.

use std::hint::spin_loop;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};

use super::doorbell::Doorbell;
use crate::xsk::XskSocket;

/// Passes without work before a worker sleeps.
const PASSES_TO_SLEEP: u32 = 64;

/// Pauses between two passes without work. One takes some 40 to 140 cycles.
const PAUSES: u32 = 32;

/// How long a worker sleeps at most that has frames to look after.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// What a worker sleeps on.
#[derive(Debug)]
pub(super) struct Idle {
    epoll: OwnedFd,
    passes: u32,
    /// Whether a socket could not be watched: only naps then, for its frames wake nobody.
    deaf: bool,
}

impl Idle {
    /// Sleeps that `doorbell` ends.
    pub(super) fn new(doorbell: &Doorbell) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        add(&epoll, doorbell)?;
        Ok(Self { epoll, passes: 0, deaf: false })
    }

    /// Lets frames on `socket` end a sleep.
    pub(super) fn watch(&mut self, socket: &XskSocket) {
        // Fails when the kernel is out of memory, or our user out of watches (`fs.epoll.max_user_watches`).
        self.deaf |= add(&self.epoll, socket).is_err();
    }

    /// No longer.
    pub(super) fn forget(&self, socket: &XskSocket) {
        // It fails for a socket that could not be watched.
        let removed = epoll::delete(&self.epoll, socket);
        debug_assert!(removed.is_ok() || self.deaf);
    }

    /// There was work.
    pub(super) const fn worked(&mut self) {
        self.passes = 0;
    }

    /// There was none. Pauses a little; true when it is time to sleep.
    pub(super) fn is_tired(&mut self) -> bool {
        (0..PAUSES).for_each(|_| spin_loop());
        self.passes += 1;
        self.passes >= PASSES_TO_SLEEP
    }

    /// Sleeps until there is something to do, or a nap long if `restless`.
    pub(super) fn sleep(&mut self, restless: bool) {
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 1];
        // A signal ends it early, which does no harm.
        let woken = epoll::wait(&self.epoll, &mut events, (restless || self.deaf).then_some(&NAP));
        debug_assert!(woken.is_ok() || woken == Err(rustix::io::Errno::INTR));
        self.passes = 0;
    }
}

fn add(epoll: &OwnedFd, source: &impl AsFd) -> io::Result<()> {
    Ok(epoll::add(epoll, source, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?)
}
