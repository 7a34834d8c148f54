//! When to sleep, and on what.
//!
//! A worker that finds nothing to do looks again a few times, with pauses that let a sender on the same core get on;
//! then it sleeps in `epoll_wait` until a socket has a frame or the doorbell rings. There is no clock: a loaded worker
//! never gets here.
//!
//! A socket that somebody waits for costs the kernel a wake-up for each frame that it has sent, and finds that nobody
//! wants it. So a socket of a worker that is under way is not watched before it is time to sleep.

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

/// Pauses between two passes without work. One takes some 40 to 140 cycles.
const PAUSES: u32 = 32;

/// Passes with work in a row after which a worker counts as under way.
const PASSES_UNDER_WAY: u32 = 64;

/// How long a worker sleeps at most that has frames to look after.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Sockets that one return from sleep can name. The others are named by the next.
const EVENTS: usize = 64;

/// What the doorbell is called among the sockets.
const DOORBELL: u64 = u64::MAX;

/// What a worker sleeps on.
#[derive(Debug)]
pub(super) struct Idle {
    mode: IdleMode,
    epoll: OwnedFd,
    /// Passes without work in a row.
    passes_without_work: u32,
    /// Passes with work in a row.
    passes_with_work: u32,
    /// Whether a socket could not be watched: only naps then, for its frames wake nobody.
    deaf: bool,
}

impl Idle {
    /// Sleeps that `doorbell` ends.
    pub(super) fn new(doorbell: &Doorbell, mode: IdleMode) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        add(&epoll, doorbell, DOORBELL)?;
        Ok(Self { mode, epoll, passes_without_work: 0, passes_with_work: 0, deaf: false })
    }

    /// Lets frames on the socket end a sleep.
    pub(super) fn watch(&mut self, open: &mut OpenSocket) {
        if !open.watched && self.mode == IdleMode::Adaptive {
            open.watched = add(&self.epoll, &open.socket, name(open.link, open.socket.queue())).is_ok();
            // It fails when the kernel is out of memory, or our user out of watches (`fs.epoll.max_user_watches`).
            self.deaf |= !open.watched;
        }
    }

    /// Removes the socket from the epoll set.
    pub(super) fn unwatch(&self, open: &mut OpenSocket) {
        if std::mem::take(&mut open.watched) {
            let removed = epoll::delete(&self.epoll, &open.socket);
            debug_assert!(removed.is_ok());
        }
    }

    /// Records a pass with work. Returns whether the worker is under way now, so that its sockets need not be watched.
    #[inline]
    pub(super) fn record_busy_pass(&mut self) -> bool {
        self.passes_without_work = 0;
        self.passes_with_work += 1;
        let is_under_way = self.passes_with_work == PASSES_UNDER_WAY;
        if is_under_way {
            self.passes_with_work = 0;
        }
        is_under_way
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

    /// Sleeps until a socket or the doorbell has something, or a nap long if `restless`. Calls `wake` for each socket that
    /// has a frame.
    pub(super) fn sleep(&mut self, restless: bool, mut wake: impl FnMut(LinkSlot, QueueId)) {
        let nap = (restless || self.deaf).then_some(&NAP);
        let nothing = epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        let mut events = [nothing; EVENTS];
        // A signal ends it early, which does no harm.
        let woken = epoll::wait(&self.epoll, &mut events, nap);
        debug_assert!(woken.is_ok() || woken == Err(rustix::io::Errno::INTR));
        for event in events.iter().take(woken.unwrap_or(0)) {
            if let Some((link, queue)) = named(event.data.u64()) {
                wake(link, queue);
            }
        }
        self.passes_without_work = 0;
    }
}

fn add(epoll: &OwnedFd, source: &impl AsFd, name: u64) -> io::Result<()> {
    Ok(epoll::add(epoll, source, epoll::EventData::new_u64(name), epoll::EventFlags::IN)?)
}

/// What a socket is called in an event.
fn name(link: LinkSlot, queue: QueueId) -> u64 {
    u64::from(link.0) << 16 | u64::from(queue.0)
}

fn named(name: u64) -> Option<(LinkSlot, QueueId)> {
    (name != DOORBELL).then_some((LinkSlot((name >> 16) as u16), QueueId(name as u16)))
}
