//! The times at which routes are requested: at once for new endpoints, soon after a change of routes for all,
//! and one after another at a slow pace, because the kernel announces no change of a path MTU.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use tokio::time::Instant;

/// Time that the announcements of one change of the routes take.
const SETTLE: Duration = Duration::from_millis(20);

/// Least time between the end of a round through all endpoints and the next one.
const PAUSE: Duration = Duration::from_millis(250);

/// A round is followed by a pause of this many times its duration, so that a continuous change of routes
/// takes a tenth of a CPU at most.
const PAUSE_FACTOR: u32 = 9;

/// Time in which each endpoint is examined once.
const PERIOD: Duration = Duration::from_millis(1500);

/// The slices of a period.
const SLICES: usize = 15;

/// Endpoints that are handled between two looks at announcements and commands.
const AT_ONCE: usize = 32;

/// The work that comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// The source addresses first, then all endpoints, by further work.
    Round,
    /// Requests the routes of these endpoints.
    Resolve(Vec<IpAddr>),
    /// Requests the routes of these endpoints, and compares them.
    Examine(Vec<IpAddr>),
}

#[derive(Debug)]
pub(super) struct Schedule {
    /// Endpoints whose routes are to be requested.
    waiting: BTreeSet<IpAddr>,
    /// When all routes must be requested again.
    round_due: Option<Instant>,
    /// The start of the round in progress.
    round_began: Option<Instant>,
    next_round_from: Instant,
    /// The last endpoint that was examined.
    examined: Option<IpAddr>,
    examine_due: Instant,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            waiting: BTreeSet::new(),
            round_due: None,
            round_began: None,
            next_round_from: now,
            examined: None,
            examine_due: now + PERIOD,
        }
    }

    /// Requests the route of one endpoint.
    pub(super) fn add(&mut self, remote: IpAddr) {
        self.waiting.insert(remote);
    }

    /// Requests all routes, after the further announcements of the same change. A change during a round leads
    /// to another one.
    pub(super) fn request_round(&mut self, now: Instant) {
        self.round_due.get_or_insert(now + SETTLE);
    }

    /// Whether all requested routes are known.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.round_due.is_none()
    }

    /// The time of the next work; `None` without endpoints.
    pub(super) fn due<T>(&self, endpoints: &BTreeMap<IpAddr, T>) -> Option<Instant> {
        if endpoints.is_empty() {
            return None;
        }
        if !self.waiting.is_empty() {
            return Some(Instant::now());
        }
        let round = self.round_due.map(|due| due.max(self.next_round_from));
        Some(round.map_or(self.examine_due, |round| round.min(self.examine_due)))
    }

    /// Ends the round if the routes of all its endpoints are known. Must follow each work.
    pub(super) fn finish(&mut self, now: Instant) {
        if self.waiting.is_empty()
            && let Some(began) = self.round_began.take()
        {
            self.next_round_from = now + PAUSE.max((now - began) * PAUSE_FACTOR);
        }
    }

    /// The work that is due.
    pub(super) fn take<T>(&mut self, now: Instant, endpoints: &BTreeMap<IpAddr, T>) -> Option<Work> {
        if self.waiting.is_empty() {
            if self.round_due.is_some_and(|due| due.max(self.next_round_from) <= now) {
                self.round_due = None;
                self.round_began = Some(now);
                self.waiting = endpoints.keys().copied().collect();
                return Some(Work::Round);
            }
            if now < self.examine_due || endpoints.is_empty() {
                return None;
            }
            return Some(Work::Examine(self.next_slice(now, endpoints)));
        }
        let chosen = (0..AT_ONCE).map_while(|_| self.waiting.pop_first()).collect();
        Some(Work::Resolve(chosen))
    }

    fn next_slice<T>(&mut self, now: Instant, endpoints: &BTreeMap<IpAddr, T>) -> Vec<IpAddr> {
        let slices = endpoints.len().min(SLICES);
        let len = endpoints.len().div_ceil(slices);
        self.examine_due = now + PERIOD / slices as u32;
        let from = self.examined.map_or(Bound::Unbounded, Bound::Excluded);
        let mut slice: Vec<_> =
            endpoints.range((from, Bound::Unbounded)).map(|(key, _)| *key).take(len).collect();
        let missing = len - slice.len();
        slice.extend(endpoints.keys().take(missing));
        self.examined = slice.last().copied();
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: u8) -> BTreeMap<IpAddr, u8> {
        (0..count).map(|number| (IpAddr::from([192, 0, 2, number]), number)).collect()
    }

    /// Takes all work that is due.
    fn drain(schedule: &mut Schedule, now: Instant, endpoints: &BTreeMap<IpAddr, u8>) -> (usize, usize) {
        let (mut rounds, mut resolved) = (0, 0);
        while let Some(work) = schedule.take(now, endpoints) {
            match work {
                Work::Round => rounds += 1,
                Work::Resolve(remotes) => resolved += remotes.len(),
                Work::Examine(_) => {}
            }
            schedule.finish(now);
        }
        (rounds, resolved)
    }

    #[test]
    fn a_storm_is_a_few_rounds_and_its_last_change_is_not_lost() {
        let (start, endpoints) = (Instant::now(), endpoints(100));
        let mut schedule = Schedule::new(start);
        let mut rounds = 0;
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            schedule.request_round(now);
            rounds += drain(&mut schedule, now, &endpoints).0;
        }
        assert!((3..=5).contains(&rounds), "{rounds}");
        assert!(!schedule.is_settled());
        assert_eq!(drain(&mut schedule, start + Duration::from_millis(1300), &endpoints), (1, 100));
        assert!(schedule.is_settled());
    }

    #[test]
    fn a_change_during_a_round_leads_to_another_one() {
        let (start, endpoints) = (Instant::now(), endpoints(100));
        let mut schedule = Schedule::new(start);
        schedule.request_round(start);
        let now = start + SETTLE;
        assert_eq!(schedule.take(now, &endpoints), Some(Work::Round));
        assert!(matches!(schedule.take(now, &endpoints), Some(Work::Resolve(some)) if some.len() == AT_ONCE));
        schedule.request_round(now);
        assert_eq!(drain(&mut schedule, now, &endpoints), (0, 100 - AT_ONCE));
        assert_eq!(drain(&mut schedule, now + PAUSE, &endpoints), (1, 100));
    }

    #[test]
    fn a_long_round_has_a_long_pause() {
        let (start, endpoints) = (Instant::now(), endpoints(1));
        let mut schedule = Schedule::new(start);
        schedule.request_round(start);
        assert_eq!(schedule.take(start + SETTLE, &endpoints), Some(Work::Round));
        assert!(matches!(schedule.take(start + SETTLE, &endpoints), Some(Work::Resolve(_))));
        let end = start + SETTLE + Duration::from_millis(100);
        schedule.finish(end);
        schedule.request_round(end);
        assert_eq!(drain(&mut schedule, end, &endpoints), (0, 0));
        assert_eq!(drain(&mut schedule, end + Duration::from_millis(899), &endpoints), (0, 0));
        assert_eq!(drain(&mut schedule, end + Duration::from_millis(900), &endpoints), (1, 1));
    }

    #[test]
    fn each_endpoint_is_examined_once_a_period() {
        for count in [1, 2, 14, 15, 16, 100] {
            let (start, endpoints) = (Instant::now(), endpoints(count));
            let mut schedule = Schedule::new(start);
            let mut seen = BTreeMap::<IpAddr, u32>::new();
            for millisecond in (0..2 * PERIOD.as_millis()).map(|time| u64::try_from(time).unwrap()) {
                let now = start + PERIOD + Duration::from_millis(millisecond);
                while let Some(work) = schedule.take(now, &endpoints) {
                    let Work::Examine(remotes) = work else { panic!("{work:?}") };
                    for remote in remotes {
                        *seen.entry(remote).or_default() += 1;
                    }
                }
            }
            assert_eq!(seen.len(), usize::from(count));
            assert!(seen.values().all(|times| (2..=4).contains(times)), "{count}: {seen:?}");
        }
    }
}
