//! Sleep of a worker without work.
//!
//! A worker without work polls for some more passes, with pauses in which a sender on the same core can run;
//! then it sleeps in `epoll_wait` until a socket has a frame or the doorbell rings. It counts passes instead
//! of reading a clock.
//!
//! For a socket in an epoll set the kernel issues a wake-up per transmitted frame. The sockets of a worker
//! that is continuously busy are therefore removed from the set, and added again before it sleeps.

use std::hint::spin_loop;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};

use super::doorbell::Doorbell;
use super::open_socket::OpenSocket;
use crate::config::IdleMode;
use crate::tables::LinkSlot;
use crate::types::QueueId;

/// Passes without work before a worker sleeps.
const PASSES_TO_SLEEP: u32 = 64;

/// `PAUSE` instructions between two passes without work, of some 40 to 140 cycles each.
const PAUSES: u32 = 32;

/// Passes with work in a row after which a worker counts as continuously busy.
const PASSES_TO_BUSY: u32 = 64;

/// Upper bound of a sleep while frames wait for an event that wakes no worker: 10 ms.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Sockets that one wake-up can report. The next one reports the others.
const EVENTS: usize = 64;

/// Event data of the doorbell, unlike that of any socket.
const DOORBELL: u64 = u64::MAX;

/// Condition of a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sleep {
    UntilEvent,
    /// Until an event, or for 10 ms: frames wait that no event reports.
    Nap,
}

/// The epoll set of a worker, and its counts of busy and idle passes.
#[derive(Debug)]
pub(super) struct Idle {
    mode: IdleMode,
    epoll: OwnedFd,
    /// Passes without work since the last one with work.
    passes_without_work: u32,
    /// Passes with work since the last one without.
    passes_with_work: u32,
    /// Whether a socket could not be added to the set, so that its frames wake no worker. All sleeps are naps
    /// then.
    has_unwatchable: bool,
}

impl Idle {
    /// An epoll set with `doorbell`, which ends a sleep.
    pub(super) fn new(doorbell: &Doorbell, mode: IdleMode) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        add(&epoll, doorbell, DOORBELL)?;
        Ok(Self { mode, epoll, passes_without_work: 0, passes_with_work: 0, has_unwatchable: false })
    }

    /// Adds the socket to the epoll set, so that its frames end a sleep.
    pub(super) fn watch(&mut self, open: &mut OpenSocket) {
        if !open.watched && self.mode == IdleMode::Adaptive {
            open.watched = add(&self.epoll, &open.socket, encode(open.link, open.socket.queue())).is_ok();
            // Fails when the kernel is out of memory, or the user has no watch left
            // (`fs.epoll.max_user_watches`).
            self.has_unwatchable |= !open.watched;
        }
    }

    /// Removes the socket from the epoll set.
    pub(super) fn unwatch(&self, open: &mut OpenSocket) {
        if std::mem::take(&mut open.watched) {
            let removed = epoll::delete(&self.epoll, &open.socket);
            debug_assert!(removed.is_ok());
        }
    }

    /// Records a pass with work. Returns whether the worker is continuously busy, so that its sockets should
    /// be unwatched.
    #[inline]
    pub(super) fn record_busy_pass(&mut self) -> bool {
        self.passes_without_work = 0;
        self.passes_with_work += 1;
        let is_busy = self.passes_with_work == PASSES_TO_BUSY;
        if is_busy {
            self.passes_with_work = 0;
        }
        is_busy
    }

    /// Records a pass without work, after a short pause. Returns whether the worker should sleep.
    #[inline]
    pub(super) fn record_idle_pass(&mut self) -> bool {
        self.passes_with_work = 0;
        match self.mode {
            IdleMode::Busy => false,
            IdleMode::Adaptive => {
                (0..PAUSES).for_each(|_| spin_loop());
                self.passes_without_work += 1;
                self.passes_without_work >= PASSES_TO_SLEEP
            }
        }
    }

    /// Sleeps until the doorbell rings or a socket has a frame. Calls `wake` for each socket with a frame.
    pub(super) fn sleep(&mut self, sleep: Sleep, mut wake: impl FnMut(LinkSlot, QueueId)) {
        let limit = (sleep == Sleep::Nap || self.has_unwatchable).then_some(&NAP);
        let nothing = epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        let mut events = [nothing; EVENTS];
        // A signal may end it early (EINTR); the next pass sleeps again.
        let woken = epoll::wait(&self.epoll, &mut events, limit);
        debug_assert!(woken.is_ok() || woken == Err(rustix::io::Errno::INTR));
        for event in events.iter().take(woken.unwrap_or(0)) {
            if let Some((link, queue)) = decode(event.data.u64()) {
                wake(link, queue);
            }
        }
        self.passes_without_work = 0;
    }
}

fn add(epoll: &OwnedFd, source: &impl AsFd, data: u64) -> io::Result<()> {
    Ok(epoll::add(epoll, source, epoll::EventData::new_u64(data), epoll::EventFlags::IN)?)
}

/// The event data of a socket.
fn encode(link: LinkSlot, queue: QueueId) -> u64 {
    u64::from(link.0) << 16 | u64::from(queue.0)
}

fn decode(data: u64) -> Option<(LinkSlot, QueueId)> {
    (data != DOORBELL).then_some((LinkSlot((data >> 16) as u16), QueueId(data as u16)))
}
