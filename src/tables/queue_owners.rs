//! Which worker owns each queue of a link.

use super::{LinkSlot, MAX_WORKERS, WorkerId};
use crate::types::QueueId;

/// How the queues of a link are given to workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueSpread {
    /// One worker after the other.
    Workers,
    /// All to one worker: it remembers the connections of ports that are filtered.
    OneWorker,
}

/// The worker of each queue of a link, by queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueOwners(Box<[WorkerId]>);

impl QueueOwners {
    /// The worker of `workers` that owns a queue: the queues of a link go round from the link's home worker
    /// on. Links with as many queues as there are workers never need a hand-over; links with one queue
    /// spread.
    #[must_use]
    pub fn owner_of(link: LinkSlot, queue: QueueId, spread: QueueSpread, workers: usize) -> WorkerId {
        let home = usize::from(link.0);
        let place = match spread {
            QueueSpread::Workers => usize::from(queue.0),
            QueueSpread::OneWorker => 0,
        };
        (home + place).checked_rem(workers).unwrap_or(0)
    }

    /// Whether `worker` owns `queue`; true for nearly all frames, which then leave by it.
    #[inline]
    #[must_use]
    pub fn is_owner(&self, queue: QueueId, worker: WorkerId) -> bool {
        self.0.get(usize::from(queue.0)) == Some(&worker)
    }

    /// The queue by which a frame that `worker` received from queue `entry` of any link leaves, and that
    /// queue's owner: the one of the same number, or the next after it that `worker` owns itself. It depends
    /// on nothing else, so the frames of one flow keep their order.
    #[inline]
    #[must_use]
    pub fn exit(&self, entry: QueueId, worker: WorkerId) -> (QueueId, WorkerId) {
        if self.is_owner(entry, worker) { (entry, worker) } else { self.other_exit(entry, worker) }
    }

    fn other_exit(&self, entry: QueueId, worker: WorkerId) -> (QueueId, WorkerId) {
        let owners = &self.0;
        let Some(first) = usize::from(entry.0).checked_rem(owners.len()) else { return (QueueId(0), worker) };
        let queues = (first..owners.len()).chain(0..first);
        let own = queues.zip(owners.iter().cycle().skip(first)).find(|(_, owner)| **owner == worker);
        let queue = own.map_or(first, |(queue, _)| queue);
        (QueueId(queue as u16), owners.get(queue).copied().unwrap_or(worker))
    }
}

impl FromIterator<WorkerId> for QueueOwners {
    fn from_iter<T: IntoIterator<Item = WorkerId>>(owners: T) -> Self {
        Self(owners.into_iter().collect())
    }
}

/// A set of workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkerSet([u64; MAX_WORKERS / 64]);

impl WorkerSet {
    /// Adds a worker. Ignores numbers of [`MAX_WORKERS`] and more, which no worker has.
    pub fn insert(&mut self, worker: WorkerId) {
        if let Some(word) = self.0.get_mut(worker / 64) {
            *word |= 1 << (worker % 64);
        }
    }

    /// The workers in it, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = WorkerId> + use<> {
        let words = self.0.into_iter().enumerate().filter(|(_, word)| *word != 0);
        words.flat_map(|(place, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| place * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_by_an_own_queue_where_there_is_one() {
        let exit = |owners: &[usize], entry, worker| {
            owners.iter().copied().collect::<QueueOwners>().exit(QueueId(entry), worker)
        };
        assert_eq!(exit(&[0, 1, 0, 1], 2, 0), (QueueId(2), 0));
        assert_eq!(exit(&[0, 1, 0, 1], 3, 0), (QueueId(0), 0));
        assert_eq!(exit(&[0, 1], 5, 0), (QueueId(0), 0));
        assert_eq!(exit(&[1], 3, 0), (QueueId(0), 1));
        assert_eq!(exit(&[1, 2], 1, 0), (QueueId(1), 2));
        assert_eq!(exit(&[], 1, 0), (QueueId(0), 0));
    }

    #[test]
    fn queues_go_round_from_the_home_worker_on() {
        let owners = |link, queues, workers| -> Vec<_> {
            (0..queues)
                .map(|queue| {
                    QueueOwners::owner_of(LinkSlot(link), QueueId(queue), QueueSpread::Workers, workers)
                })
                .collect()
        };
        assert_eq!(owners(0, 4, 2), [0, 1, 0, 1]);
        assert_eq!(owners(3, 1, 2), [1]);
        assert_eq!(owners(3, 1, 0), [0]);
    }

    #[test]
    fn a_set_has_what_was_inserted() {
        let mut set = WorkerSet::default();
        for worker in [1023, 64, 0, 63, 64] {
            set.insert(worker);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 1023]);
    }
}
