//! How the frames of the packet memory are shared out: derived here and nowhere else.
//!
//! A quarter lies ready with the kernel, in equal shares for all sockets, whether anything comes or not. A quarter is
//! lent to the sockets that are under load. A quarter may wait in front of the workers. The last quarter is for what is
//! on its way out, and for copies.

use crate::xsk::RECEIVE_RING_FRAMES;

/// So many sockets are reckoned with at the least, so that the first few do not take what later ones need.
const FEWEST_SOCKETS: usize = 16;

/// A socket that nothing comes in by has no use for more.
const MOST_IDLE_FRAMES: usize = RECEIVE_RING_FRAMES / 2;

/// What one worker may do with frames. All numbers are frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shares {
    /// What each socket keeps with the kernel to receive into.
    pub(super) idle: usize,
    /// What all sockets of the worker together may keep there besides, those that are under load.
    pub(super) lendable: usize,
    /// What may wait in front of the worker.
    pub(super) waiting: usize,
}

/// What a worker has of its shares, and what of them is in use.
#[derive(Debug, Default)]
pub(super) struct Budget {
    shares: Shares,
    lent: usize,
    waiting: usize,
}

impl Shares {
    /// Shares out `frames` to each of `workers`, which have `sockets` sockets together.
    pub(super) fn of(frames: usize, workers: usize, sockets: usize) -> Self {
        let (quarter, workers) = (frames / 4, workers.max(1));
        let idle = (quarter / sockets.max(FEWEST_SOCKETS)).clamp(1, MOST_IDLE_FRAMES);
        let lendable = (2 * quarter).saturating_sub(idle * sockets) / workers;
        Self { idle, lendable, waiting: quarter / workers }
    }

    /// Frames of one socket that wait at the most.
    pub(super) const fn most_waiting(self) -> usize {
        self.waiting / 2
    }
}

impl Budget {
    /// Goes by `shares` from now on. `receiving` are the frames that each socket has with the kernel.
    pub(super) fn share(&mut self, shares: Shares, receiving: impl Iterator<Item = usize>) {
        self.shares = shares;
        self.lent = receiving.map(|frames| frames.saturating_sub(shares.idle)).sum();
    }

    pub(super) const fn shares(&self) -> Shares {
        self.shares
    }

    /// How many more frames may wait of a socket that has `own` waiting: no socket has more of them than there is room
    /// left, so one under load leaves room for the next (Choudhury and Hahne, "Dynamic queue length thresholds").
    #[inline]
    pub(super) const fn room(&self, own: usize) -> usize {
        // A socket that takes n more leaves n less.
        self.shares.waiting.saturating_sub(self.waiting).saturating_sub(own) / 2
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

    /// Takes back what a socket with `receiving` frames at the kernel has been lent.
    #[inline]
    pub(super) const fn take_back(&mut self, receiving: usize) {
        self.lent = self.lent.saturating_sub(receiving.saturating_sub(self.shares.idle));
    }

    /// How many frames a socket may have with the kernel: nothing of it is lent at the moment.
    #[inline]
    pub(super) fn allowance(&self, under_load: bool) -> usize {
        let lendable = if under_load { self.shares.lendable.saturating_sub(self.lent) } else { 0 };
        (self.shares.idle + lendable).min(RECEIVE_RING_FRAMES)
    }

    /// Lends a socket what it has with the kernel beyond its share.
    #[inline]
    pub(super) const fn lend(&mut self, receiving: usize) {
        self.lent += receiving.saturating_sub(self.shares.idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: usize = 131_072;

    #[test]
    fn more_is_never_shared_out_than_there_is() {
        for (frames, workers, sockets) in
            [(FRAMES, 1, 2), (FRAMES, 1, 500), (FRAMES, 4, 500), (512, 1, 1), (512, 2, 16), (1, 1, 1)]
        {
            let shares = Shares::of(frames, workers, sockets);
            let all = shares.idle * sockets + (shares.lendable + shares.waiting) * workers;
            assert!(all <= (frames * 3 / 4).max(sockets), "{frames} {workers} {sockets}: {shares:?}");
            assert!(shares.idle > 0);
        }
        assert_eq!(Shares::of(FRAMES, 1, 4), Shares { idle: 2048, lendable: 57_344, waiting: 32_768 });
        assert_eq!(Shares::of(FRAMES, 2, 500), Shares { idle: 65, lendable: 16_518, waiting: 16_384 });
    }

    #[test]
    fn who_is_under_load_borrows_and_gives_back() {
        let mut budget = Budget::default();
        budget.share(Shares { idle: 100, lendable: 5000, waiting: 0 }, [100, 100].into_iter());
        assert_eq!((budget.allowance(false), budget.allowance(true)), (100, RECEIVE_RING_FRAMES));
        budget.lend(RECEIVE_RING_FRAMES);
        assert_eq!(budget.allowance(true), 100 + 5000 - (RECEIVE_RING_FRAMES - 100));
        budget.take_back(RECEIVE_RING_FRAMES);
        assert_eq!(budget.allowance(true), RECEIVE_RING_FRAMES);
    }

    #[test]
    fn one_socket_under_load_leaves_room_for_the_next() {
        let mut budget = Budget::default();
        budget.share(Shares { idle: 1, lendable: 0, waiting: 900 }, std::iter::empty());
        let (mut first, mut second) = (0, 0);
        while budget.room(first) > 0 {
            budget.wait(budget.room(first));
            first = budget.waiting;
        }
        assert!((440..=450).contains(&first), "{first}");
        while budget.room(second) > 0 {
            let more = budget.room(second);
            budget.wait(more);
            second += more;
        }
        assert!((220..=230).contains(&second), "{second}");
        budget.go(first + second);
        assert!(budget.room(0) > 0);
    }
}
