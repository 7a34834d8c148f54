//! The daemon: the plane on real devices, and the cloud above it.

use std::collections::BTreeMap;

use super::ControlError;
use super::af_xdp::AfXdp;
use super::cloud::Cloud;
use super::follow::News;
use super::incumbent_store::IncumbentStore;
use super::links::{LinkEvent, Links};
use super::pinning::{Folder, Pinning};
use super::plane::Plane;
use crate::config::{Config, OnWorkerPanic};
use crate::kernel::inspect;
use crate::logging::LogLoss;
use crate::nb::{self, Snapshot};
use crate::tables::{PortState, WorkerId};
use crate::types::{IfIndex, Problem};
use crate::worker::WorkerPoolError;

/// Everything the control thread knows and holds.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) plane: Plane<AfXdp>,
    pub(super) cloud: Cloud,
    /// How often each worker did.
    panics: BTreeMap<WorkerId, u64>,
    log: LogLoss,
    incumbents: IncumbentStore,
    /// Whether there may be others than when they were stored last.
    incumbents_changed: bool,
}

impl Daemon {
    /// Registers the packet memory and starts the workers. The NB DB comes with what is known of it before it is asked.
    pub(super) async fn start(
        config: Config,
        links: Links,
        (cloud, copy): (Cloud, Option<Snapshot>),
        folder: Folder,
        log: LogLoss,
    ) -> Result<Self, ControlError> {
        let arena = AfXdp::register(&config).await?;
        // There is no other switch in this network namespace from here on: its pins are ours.
        let pinning = Pinning::start(&config, folder);
        let start = |config: &Config, publisher: &_| AfXdp::start(config, arena, pinning, publisher);
        let (incumbents, remembered) = IncumbentStore::open(&config.state, &nb::masked(&config.nb));
        let mut plane = Plane::new(config, links, start)?;
        plane.remember(remembered);
        if let Some(copy) = copy {
            plane.read(&copy);
        }
        let panics = BTreeMap::new();
        Ok(Self { plane, cloud, panics, log, incumbents, incumbents_changed: false })
    }

    /// Takes news from the NB DB.
    pub(super) fn hear(&mut self, news: News) {
        match &news {
            News::All(snapshot) => self.plane.read(snapshot),
            News::Changes(changes) => self.plane.follow(changes),
            News::Lost(_) => {}
        }
        self.cloud.note(news);
    }

    /// Takes news of a link.
    ///
    /// # Errors
    /// A worker has died.
    pub(super) async fn see(&mut self, event: LinkEvent) -> Result<(), WorkerPoolError> {
        let news_were_lost = matches!(event, LinkEvent::Resync(_));
        self.plane.see(event);
        if news_were_lost {
            // A link that is there may have been elsewhere meanwhile, which nothing but its sockets tells.
            let reports = self.plane.devices.workers.report().await?;
            let sockets = reports.iter().flat_map(|report| &report.sockets);
            sockets.filter(|socket| !socket.is_bound).for_each(|socket| self.plane.lose(socket.link));
        }
        Ok(())
    }

    /// Writes down who holds what several records claim; once a second or so.
    pub(super) async fn store_incumbents(&mut self) {
        if self.incumbents.is_ready() && (self.incumbents_changed || self.incumbents.problem().is_some()) {
            self.incumbents_changed = false;
            self.incumbents.store(self.plane.incumbents()).await;
        }
    }

    /// Why they are not kept, if they are not.
    pub(super) fn incumbents_problem(&self) -> Option<Problem> {
        self.incumbents.problem()
    }

    /// Makes it all true, and tells the cloud which ports forward: their sockets and tables are in force.
    pub(super) async fn reconcile(&mut self) -> Result<(), WorkerPoolError> {
        match self.plane.reconcile().await {
            // The next look after the workers sees to it.
            Err(WorkerPoolError::Died { .. })
                if self.plane.config.on_worker_panic == OnWorkerPanic::Restart => {}
            outcome => outcome?,
        }
        let reported = self.plane.take_reported();
        self.incumbents_changed = true;
        let compiler = self.plane.compiler();
        let is_up = |lport: &str| compiler.report(lport).is_some_and(|report| report.state == PortState::Up);
        self.cloud.report(reported.into_iter().map(|lport| (lport.to_string(), is_up(&lport))));
        Ok(())
    }

    /// Counts the queues of the devices that are to be ours, and says whether there is news. A tap gets another one
    /// for each that its VM opens, and nobody announces that.
    pub(super) fn recount_queues(&mut self) -> bool {
        let wanted: Vec<IfIndex> = self.plane.desired.devices().map(|(ifindex, _)| ifindex).collect();
        let mut news = false;
        for ifindex in wanted {
            let Some(link) = self.plane.links.get(ifindex) else { continue };
            if let Some(in_use) = inspect::queues(&link.name, ifindex) {
                news |= self.plane.count_queues(ifindex, in_use.rx, in_use.tx);
            }
        }
        news
    }

    /// Starts workers again that panicked, and lets their devices be taken again by the next round; or fails, if that is
    /// what the configuration wants. Returns whether there were any.
    pub(super) async fn revive_workers(&mut self) -> Result<bool, WorkerPoolError> {
        let dead = self.plane.devices.workers.dead();
        for worker in &dead {
            if self.plane.config.on_worker_panic == OnWorkerPanic::Exit {
                return Err(WorkerPoolError::Died { worker: *worker });
            }
            tracing::error!(worker, "a worker panicked, which is a bug: it is started again, with its ports");
            self.plane.devices.workers.restart(*worker, &self.plane.publisher)?;
            self.plane.reopen(*worker).await;
            *self.panics.entry(*worker).or_default() += 1;
        }
        Ok(!dead.is_empty())
    }

    /// What the panics so far mean to an operator.
    pub(super) fn panic_problems(&self) -> impl Iterator<Item = Problem> {
        self.panics.iter().map(|(worker, panics)| {
            let reason = format!(
                "it panicked, {panics} times by now, and was started again with its ports: the log says where; report it"
            );
            Problem::new(format!("worker {worker}"), reason)
        })
    }

    /// Log lines that could not be written.
    pub(super) fn log_problem(&self) -> Option<Problem> {
        let reason = format!(
            "{} lines were lost, because it cannot be written: {}; forwarding goes on -> make room, or read it",
            self.log.lines(),
            self.log.reason()?,
        );
        Some(Problem::new("log", reason))
    }

    /// Takes the programs off the links, stops the workers, closes all sockets and withdraws what we reported.
    pub(super) async fn stop(self) {
        let incumbents = self.plane.incumbents();
        let Plane { ports, devices, .. } = self.plane;
        devices.stop(ports.into_values().map(|port| port.handle));
        self.incumbents.close(incumbents).await;
        self.cloud.close().await;
    }
}
