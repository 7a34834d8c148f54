//! Links that should be open and are not: queued, being opened, or refused until a later attempt. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::LinkOptions;
use crate::tables::LinkSlot;
use crate::types::{IfIndex, LinkRole};

/// The first and the longest pause before a refused link is tried again. The kernel releases a closed socket
/// some milliseconds later; another program may hold the link for any time.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Links that are being opened at a time. The kernel opens one after the other, so that more of them are no
/// faster, and a link that is no longer wanted when its turn comes is opened in vain.
const OPENINGS_AT_ONCE: usize = 8;

/// A link that is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) role: LinkRole,
    pub(super) slot: LinkSlot,
    pub(super) options: LinkOptions,
    pub(super) since: Instant,
}

/// Why a link is not open.
#[derive(Debug)]
pub(in crate::control) struct Refusal {
    pub(in crate::control) reason: String,
    /// `None` for a link that was open and has not been tried again yet.
    retry: Option<Retry>,
}

/// The next attempt to open a refused link, and the pause before it.
#[derive(Debug, Clone, Copy)]
struct Retry {
    at: Instant,
    pause: Duration,
}

/// The links on the way to be opened.
#[derive(Debug, Default)]
pub(in crate::control) struct Openings {
    /// Opened in the order of their ifindexes.
    queued: BTreeSet<IfIndex>,
    opening: BTreeMap<IfIndex, Opening>,
    refused: BTreeMap<IfIndex, Refusal>,
    /// The refused links that wait for their next attempt, by its time.
    retries: BTreeSet<(Instant, IfIndex)>,
}

impl Openings {
    /// Queues a link, unless it is being opened or waits for its next attempt.
    pub(super) fn enqueue(&mut self, ifindex: IfIndex) {
        let waits = self.refused.get(&ifindex).and_then(|refusal| refusal.retry);
        let waits = waits.is_some_and(|retry| self.retries.contains(&(retry.at, ifindex)));
        if !waits && !self.opening.contains_key(&ifindex) {
            self.queued.insert(ifindex);
        }
    }

    /// Removes the next link from the queue, after the links whose next attempt is due were queued. `None`
    /// while as many are being opened as may be at a time.
    pub(super) fn pop(&mut self, now: Instant) -> Option<IfIndex> {
        while let Some((at, ifindex)) = self.retries.first().copied().filter(|(at, _)| *at <= now) {
            self.retries.remove(&(at, ifindex));
            self.queued.insert(ifindex);
        }
        if self.opening.len() < OPENINGS_AT_ONCE { self.queued.pop_first() } else { None }
    }

    /// Records that a link is being opened.
    pub(super) fn begin(&mut self, ifindex: IfIndex, opening: Opening) {
        self.opening.insert(ifindex, opening);
    }

    /// Records the end of an opening, which may be followed by [`refuse`](Self::refuse).
    pub(super) fn end(&mut self, ifindex: IfIndex) -> Option<Opening> {
        self.opening.remove(&ifindex)
    }

    /// Records that a link could not be opened. It is tried again after a pause, which doubles. Returns
    /// whether this is the first attempt that failed.
    pub(super) fn refuse(&mut self, ifindex: IfIndex, reason: &str, now: Instant) -> bool {
        let before = self.refused.get(&ifindex).and_then(|refusal| refusal.retry);
        let pause = before.map_or(RETRY_FIRST, |retry| (retry.pause * 2).min(RETRY_LONGEST));
        self.forget(ifindex);
        let at = now + pause;
        self.retries.insert((at, ifindex));
        self.refused.insert(ifindex, Refusal { reason: reason.to_owned(), retry: Some(Retry { at, pause }) });
        before.is_none()
    }

    /// Records why a link that was open is not, until it is open again.
    pub(super) fn suspend(&mut self, ifindex: IfIndex, reason: String) {
        self.forget(ifindex);
        self.refused.insert(ifindex, Refusal { reason, retry: None });
    }

    /// Removes a link from the queue and from those that are refused, because it is open or no longer wanted.
    /// If it is being opened, that goes on.
    pub(super) fn forget(&mut self, ifindex: IfIndex) {
        self.queued.remove(&ifindex);
        if let Some(Refusal { retry: Some(retry), .. }) = self.refused.remove(&ifindex) {
            self.retries.remove(&(retry.at, ifindex));
        }
    }

    /// The time of the next attempt at a refused link; `None` if none waits for one.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    pub(in crate::control) fn refusal(&self, ifindex: IfIndex) -> Option<&Refusal> {
        self.refused.get(&ifindex)
    }

    /// The links that are refused, by ifindex.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (IfIndex, &Refusal)> {
        self.refused.iter().map(|(ifindex, refusal)| (*ifindex, refusal))
    }

    /// Time since the opening of a link began; `None` if it is not being opened.
    pub(in crate::control) fn opening_for(&self, ifindex: IfIndex) -> Option<Duration> {
        self.opening.get(&ifindex).map(|opening| opening.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortOptions;
    use crate::tables::QueueSpread;

    fn index(number: u32) -> IfIndex {
        IfIndex::new(number).unwrap()
    }

    fn opening(since: Instant) -> Opening {
        Opening {
            role: LinkRole::Port("p".into()),
            slot: LinkSlot(0),
            options: LinkOptions::Port(PortOptions::default(), QueueSpread::Workers),
            since,
        }
    }

    #[test]
    fn a_refused_link_is_queued_again_when_its_pause_is_over_and_not_before() {
        let (mut openings, now) = (Openings::default(), Instant::now());
        openings.enqueue(index(1));
        assert_eq!(openings.pop(now), Some(index(1)));
        openings.begin(index(1), opening(now));
        openings.enqueue(index(1));
        assert_eq!(openings.pop(now), None, "it is being opened");
        openings.end(index(1));
        assert!(openings.refuse(index(1), "held", now), "the first attempt");
        openings.enqueue(index(1));
        assert_eq!((openings.pop(now), openings.next_retry()), (None, Some(now + RETRY_FIRST)));

        let later = now + RETRY_FIRST;
        assert_eq!((openings.pop(later), openings.next_retry()), (Some(index(1)), None));
        assert!(!openings.refuse(index(1), "held", later));
        assert_eq!(openings.next_retry(), Some(later + 2 * RETRY_FIRST));
        openings.forget(index(1));
        assert!(openings.refusal(index(1)).is_none());
        assert_eq!((openings.pop(later + RETRY_LONGEST), openings.next_retry()), (None, None));
    }

    #[test]
    fn a_link_that_was_open_is_refused_until_it_is_open_again_and_does_not_wait() {
        let (mut openings, now) = (Openings::default(), Instant::now());
        openings.suspend(index(1), "it was away".to_owned());
        openings.enqueue(index(1));
        assert_eq!((openings.pop(now), openings.next_retry()), (Some(index(1)), None));
        assert_eq!(openings.refusal(index(1)).unwrap().reason, "it was away");
        openings.forget(index(1));
        assert!(openings.refusal(index(1)).is_none());
    }
}
