//! Jobs, datapaths and rounds: every datapath once in a round, so that other load of the machine affects all
//! alike.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::interrupt;
use crate::job::Job;
use crate::measure::{Conditions, Sample, measure};
use crate::peers::{Context, Kind, Peer};

/// Plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub kinds: Vec<Kind>,
    pub jobs: Vec<Job>,
    /// Rounds of `up-64`, `down-64`, and the same with a tunnel or security groups.
    pub rounds: usize,
    /// Rounds of the other jobs.
    pub rounds_of_others: usize,
    pub conditions: Conditions,
}

/// A measurement that was not made, and the reason.
#[derive(Debug, Clone, Serialize)]
pub struct NotRun {
    pub what: String,
    pub why: String,
}

/// Samples of each job and datapath, by round.
#[derive(Debug, Default)]
pub struct Results {
    pub samples: BTreeMap<(usize, Kind), Vec<Option<Sample>>>,
    pub not_run: Vec<NotRun>,
}

impl Results {
    /// Records and prints what is not measured.
    pub fn miss(&mut self, what: &str, why: &str) {
        eprintln!("not run: {what}: {}", why.lines().collect::<Vec<_>>().join(" "));
        self.not_run.push(NotRun { what: what.to_owned(), why: why.to_owned() });
    }
}

impl Plan {
    fn rounds_of(&self, job: Job) -> usize {
        if [Job::UP, Job::DOWN, Job::ENCAP, Job::DECAP].contains(&job) || job.has_groups() {
            self.rounds
        } else {
            self.rounds_of_others
        }
    }

    /// Runs the plan. A signal ends it; a datapath that fails is left out afterwards.
    pub fn run(&self, context: &Context) -> Result<Results> {
        let mut results = Results::default();
        let mut peers = self.start(context, &mut results)?;
        let steps: usize = self.jobs.iter().map(|job| self.rounds_of(*job) * peers.len()).sum();
        let bar = progress(steps);
        for round in 0..self.rounds.max(self.rounds_of_others) {
            for (place, job) in self.jobs.iter().enumerate() {
                if round >= self.rounds_of(*job) {
                    continue;
                }
                peers.retain_mut(|(kind, peer)| {
                    bar.set_message(format!("round {}: {job}, {kind}", round + 1));
                    bar.inc(1);
                    if kind.refuses(*job).is_some() || interrupt::check().is_err() {
                        return true;
                    }
                    let outcome = measure(context, &**peer, *job, self.conditions);
                    if let Err(error) = &outcome
                        && interrupt::check().is_ok()
                    {
                        bar.suspend(|| results.miss(&format!("{kind} from {job} on"), &format!("{error:#}")));
                    }
                    let alive = outcome.is_ok();
                    results.samples.entry((place, *kind)).or_default().push(outcome.ok());
                    alive
                });
                interrupt::check()?;
            }
        }
        bar.finish_and_clear();
        Ok(results)
    }

    fn start(&self, context: &Context, results: &mut Results) -> Result<Vec<(Kind, Box<dyn Peer>)>> {
        let bar = progress(self.kinds.len());
        let mut peers = Vec::new();
        for kind in &self.kinds {
            interrupt::check()?;
            bar.set_message(format!("starting {kind}"));
            match kind.start(context) {
                Ok(peer) => {
                    peer.pause();
                    peers.push((*kind, peer));
                    for job in &self.jobs {
                        if let Some(why) = kind.refuses(*job) {
                            results
                                .not_run
                                .push(NotRun { what: format!("{kind}, {job}"), why: why.to_owned() });
                        }
                    }
                }
                Err(error) => {
                    let remedy =
                        if kind.is_foreign() { "; scripts/bench --install gets what it needs" } else { "" };
                    bar.suspend(|| results.miss(&kind.to_string(), &format!("{error:#}{remedy}")));
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(peers)
    }
}

/// A progress bar, if there is a terminal.
pub fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left: {msg}").unwrap();
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
