//! Division of the packet memory between sockets, and between receive rings and waiting frames.
//!
//! Each socket has a small share of chunks in its fill ring at all times. A socket under load may fill its
//! ring while a quarter of all chunks is free; that quarter is for frames in TX rings, for copies, and for
//! future sockets. All other chunks may hold frames that wait for the workers.

use crate::xsk::RECEIVE_RING_SIZE;

/// Idle sockets share one in so many chunks equally.
///
/// A fill ring returns no chunks, so a socket keeps the share from a time with fewer sockets. With a share of
/// `1/n` for each, the sum grows with the logarithm of `n`: to a half of all chunks with 500 sockets.
const IDLE_PART: usize = 8;

/// Lower bound of the share of an idle socket while the memory suffices: the chunks of an unsegmented TCP
/// packet of 64 KiB.
const MIN_IDLE: usize = 40;

/// One in so many chunks is never used by waiting frames, and is free on an idle switch.
const RESERVE_PART: usize = 4;

/// Factor of the dynamic threshold, alpha in the paper that [`Budget::room`] cites: the ratio of a socket's
/// waiting chunks to the room that is left for all sockets. A single socket under load has four fifths of the
/// room: enough for bursts, and [`OpenSocket`](super::open_socket::OpenSocket) shortens standing queues.
const ALPHA: usize = 4;

/// Lower bound of the number of sockets in the division, so that the first few leave chunks for later ones.
const MIN_SOCKETS: usize = 16;

/// The limits of one worker, in chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shares {
    /// Chunks in the fill ring and RX ring of each socket.
    pub(super) idle: usize,
    /// Free chunks of the arena above which a socket may exceed `idle`.
    pub(super) reserve: usize,
    /// Chunks of frames that may wait for the worker.
    pub(super) waiting: usize,
}

/// The shares of a worker, and their use.
#[derive(Debug, Default)]
pub(super) struct Budget {
    shares: Shares,
    waiting: usize,
}

impl Shares {
    /// The shares of each of `workers` workers with `sockets` sockets in total, in an arena of `chunks`
    /// chunks.
    pub(super) fn of(chunks: usize, workers: usize, sockets: usize) -> Self {
        let idle = |sockets: usize| {
            let share = chunks / IDLE_PART / sockets.max(MIN_SOCKETS);
            share.max(MIN_IDLE.min(chunks / RESERVE_PART / sockets.max(1))).clamp(1, RECEIVE_RING_SIZE)
        };
        let reserve = chunks / RESERVE_PART;
        // The sum of the shares of sockets that were added one by one.
        let all_idle: usize = (1..=sockets).map(idle).sum();
        let waiting = chunks.saturating_sub(reserve).saturating_sub(all_idle) / workers.max(1);
        Self { idle: idle(sockets), reserve, waiting }
    }

    /// Upper bound of the waiting chunks of one socket.
    pub(super) const fn max_waiting(self) -> usize {
        self.waiting * ALPHA / (ALPHA + 1)
    }
}

impl Budget {
    pub(super) const fn set_shares(&mut self, shares: Shares) {
        self.shares = shares;
    }

    pub(super) const fn shares(&self) -> Shares {
        self.shares
    }

    /// Chunks by which the waiting frames of a socket may grow that has `own` chunks waiting: up to [`ALPHA`]
    /// times the room that is left afterwards, so that one socket under load leaves room for the next
    /// (dynamic threshold: Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet
    /// Switches", IEEE/ACM Transactions on Networking 6(2), 1998).
    #[inline]
    pub(super) const fn room(&self, own: usize) -> usize {
        let left = self.shares.waiting.saturating_sub(self.waiting);
        // The largest n with own + n <= ALPHA * (left - n).
        (ALPHA * left).saturating_sub(own) / (ALPHA + 1)
    }

    /// Adds to the number of waiting chunks.
    #[inline]
    pub(super) const fn add_waiting(&mut self, chunks: usize) {
        self.waiting += chunks;
    }

    /// Subtracts from the number of waiting chunks.
    #[inline]
    pub(super) const fn remove_waiting(&mut self, chunks: usize) {
        self.waiting -= chunks;
    }

    /// Chunks that a socket may have in its fill ring and RX ring while `free` chunks of the arena are free.
    #[inline]
    pub(super) const fn allowance(&self, under_load: bool, free: usize) -> usize {
        if under_load && free > self.shares.reserve { RECEIVE_RING_SIZE } else { self.shares.idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKS: usize = 131_072;

    #[test]
    fn sockets_that_are_added_one_by_one_do_not_use_the_reserve() {
        let taken: usize = (1..=500).map(|sockets| Shares::of(CHUNKS, 1, sockets).idle).sum();
        let Shares { reserve, waiting, .. } = Shares::of(CHUNKS, 1, 500);
        assert!(taken + reserve + waiting <= CHUNKS && waiting > CHUNKS / 8, "{taken}, {waiting}");
        assert_eq!(Shares::of(CHUNKS, 2, 4), Shares { idle: 1024, reserve: 32_768, waiting: 47_104 });
        assert_eq!(Shares::of(1, 1, 1).idle, 1);
    }

    #[test]
    fn a_socket_under_load_may_have_more_while_the_reserve_is_free() {
        let mut budget = Budget::default();
        budget.set_shares(Shares { idle: 100, reserve: 1000, waiting: 0 });
        assert_eq!(budget.allowance(true, 1001), RECEIVE_RING_SIZE);
        assert_eq!(budget.allowance(true, 1000), 100);
        assert_eq!(budget.allowance(false, 1001), 100);
    }

    #[test]
    fn one_socket_under_load_leaves_room_for_the_next() {
        let mut budget = Budget::default();
        budget.set_shares(Shares { idle: 1, reserve: 0, waiting: 900 });
        let mut fill_up = || {
            let mut own = 0;
            while budget.room(own) > 0 {
                let more = budget.room(own);
                budget.add_waiting(more);
                own += more;
            }
            own
        };
        let (first, second) = (fill_up(), fill_up());
        assert!((700..=720).contains(&first), "{first}");
        assert!((130..=144).contains(&second), "{second}");
        budget.remove_waiting(first + second);
        assert!(budget.room(0) > 0);
    }
}
