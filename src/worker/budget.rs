//! How the frames of the packet memory are shared out: derived here and nowhere else. A frame here is a chunk of one;
//! nearly all have one.
//!
//! Each socket keeps a small share with the kernel, whether anything comes or not. One under load may fill its ring as
//! long as a quarter of all frames is free; that quarter is for what is on its way out, for copies, and for sockets to
//! come. All others may wait in front of the workers.

use crate::xsk::RECEIVE_RING_SIZE;

/// The part of all frames that idle sockets share equally.
///
/// A fill ring gives nothing back, so a socket keeps the share that it had when there were fewer. With a share of `1/n`
/// for each the sum grows with the logarithm of `n`: to a half of all frames with 500 sockets.
const IDLE_PART: usize = 8;

/// What an idle socket has at the least, as far as there is enough: the chunks of a TCP packet of 64 KiB, as a guest that
/// leaves it to others to cut it hands it over.
const LEAST_IDLE: usize = 40;

/// What is free when nothing happens and nothing may wait in it: one in so many frames.
const RESERVE_PART: usize = 4;

/// A socket may have so many times as many frames waiting as there is room left for everybody's. One alone under load has
/// four fifths of all that may wait: a burst must find room, and one that stands is cut by `OpenSocket`.
const GREED: usize = 4;

/// So many sockets are reckoned with at the least, so that the first few do not take what later ones need.
const FEWEST_SOCKETS: usize = 16;

/// What one worker may do with frames. All numbers are frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shares {
    /// What each socket keeps with the kernel to receive into.
    pub(super) idle: usize,
    /// What must be free for one to take more.
    pub(super) reserve: usize,
    /// What may wait in front of the worker.
    pub(super) waiting: usize,
}

/// What a worker has of its shares, and what of them is in use.
#[derive(Debug, Default)]
pub(super) struct Budget {
    shares: Shares,
    waiting: usize,
}

impl Shares {
    /// Shares out `frames` to each of `workers`, which have `sockets` sockets together.
    pub(super) fn of(frames: usize, workers: usize, sockets: usize) -> Self {
        let idle = |sockets: usize| {
            let share = frames / IDLE_PART / sockets.max(FEWEST_SOCKETS);
            share.max(LEAST_IDLE.min(frames / RESERVE_PART / sockets.max(1))).clamp(1, RECEIVE_RING_SIZE)
        };
        let reserve = frames / RESERVE_PART;
        // They came one by one.
        let with_idle: usize = (1..=sockets).map(idle).sum();
        let waiting = frames.saturating_sub(reserve).saturating_sub(with_idle) / workers.max(1);
        Self { idle: idle(sockets), reserve, waiting }
    }

    /// Frames of one socket that wait at the most.
    pub(super) const fn most_waiting(self) -> usize {
        self.waiting * GREED / (GREED + 1)
    }
}

impl Budget {
    /// Goes by `shares` from now on.
    pub(super) const fn share(&mut self, shares: Shares) {
        self.shares = shares;
    }

    pub(super) const fn shares(&self) -> Shares {
        self.shares
    }

    /// How many more frames may wait of a socket that has `own` waiting: as many in all as [`GREED`] times what room is
    /// left then, so one under load leaves room for the next (Choudhury and Hahne, "Dynamic queue length thresholds").
    #[inline]
    pub(super) const fn room(&self, own: usize) -> usize {
        let left = self.shares.waiting.saturating_sub(self.waiting);
        // A socket that takes n more leaves n less.
        (GREED * left).saturating_sub(own) / (GREED + 1)
    }

    /// Counts frames that wait from now on.
    #[inline]
    pub(super) const fn wait(&mut self, frames: usize) {
        self.waiting += frames;
    }

    /// Counts frames that wait no longer.
    #[inline]
    pub(super) const fn go(&mut self, frames: usize) {
        self.waiting -= frames;
    }

    /// How many frames a socket may have with the kernel while `free` are free.
    #[inline]
    pub(super) const fn allowance(&self, under_load: bool, free: usize) -> usize {
        if under_load && free > self.shares.reserve { RECEIVE_RING_SIZE } else { self.shares.idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: usize = 131_072;

    #[test]
    fn sockets_that_come_one_by_one_leave_the_reserve_alone() {
        let taken: usize = (1..=500).map(|sockets| Shares::of(FRAMES, 1, sockets).idle).sum();
        let Shares { reserve, waiting, .. } = Shares::of(FRAMES, 1, 500);
        assert!(taken + reserve + waiting <= FRAMES && waiting > FRAMES / 8, "{taken}, {waiting}");
        assert_eq!(Shares::of(FRAMES, 2, 4), Shares { idle: 1024, reserve: 32_768, waiting: 47_104 });
        assert_eq!(Shares::of(1, 1, 1).idle, 1);
    }

    #[test]
    fn who_is_under_load_takes_more_while_enough_is_free() {
        let mut budget = Budget::default();
        budget.share(Shares { idle: 100, reserve: 1000, waiting: 0 });
        assert_eq!(budget.allowance(true, 1001), RECEIVE_RING_SIZE);
        assert_eq!(budget.allowance(true, 1000), 100);
        assert_eq!(budget.allowance(false, 1001), 100);
    }

    #[test]
    fn one_socket_under_load_leaves_room_for_the_next() {
        let mut budget = Budget::default();
        budget.share(Shares { idle: 1, reserve: 0, waiting: 900 });
        let mut fill_up = || {
            let mut own = 0;
            while budget.room(own) > 0 {
                let more = budget.room(own);
                budget.wait(more);
                own += more;
            }
            own
        };
        let (first, second) = (fill_up(), fill_up());
        assert!((700..=720).contains(&first), "{first}");
        assert!((130..=144).contains(&second), "{second}");
        budget.go(first + second);
        assert!(budget.room(0) > 0);
    }
}
