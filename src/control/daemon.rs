//! The state of the control thread: a reconciler with real links, the NB session, and what the log contains
//! of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::af_xdp::{AfXdp, LinkCheck};
use super::blocking::blocking;
use super::error::ControlError;
use super::event_log::{EventLog, PortRecord};
use super::follow::NbEvent;
use super::incumbent_store::IncumbentStore;
use super::links::{LinkEvent, Links};
use super::live_views::LiveViews;
use super::nb_session::NbSession;
use super::pinning::{Pinning, PreparedFolder};
use super::reconciler::Reconciler;
use super::slow_path::SlowPath;
use super::tunnels::Tunnels;
use super::underlay::Resolved;
use crate::config::{Config, OnWorkerPanic};
use crate::logging::LogLoss;
use crate::nb::{self, Snapshot};
use crate::tables::{PortState, WorkerId};
use crate::types::Problem;
use crate::worker::WorkerPoolError;

/// Everything that belongs to the control thread.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) reconciler: Reconciler<AfXdp>,
    pub(super) session: NbSession,
    /// Number of panics of each worker.
    panics: BTreeMap<WorkerId, u64>,
    pub(super) events: EventLog,
    log: LogLoss,
    incumbents: IncumbentStore,
    /// The paths to other hosts.
    pub(super) tunnels: Tunnels,
    pub(super) slow_path: SlowPath,
}

impl Daemon {
    /// Registers the packet memory and starts the workers. The records of the session's copy are in force
    /// until the NB DB is read.
    pub(super) async fn start(
        config: Config,
        links: Links,
        (session, copy): (NbSession, Option<Snapshot>),
        folder: PreparedFolder,
        log: LogLoss,
    ) -> Result<Self, ControlError> {
        let arena = AfXdp::register(&config).await?;
        // Only one switch can register packet memory in a network namespace, so its pins belong to this
        // process.
        let settings = config.clone();
        let pinning = blocking(move || Pinning::start(&settings, folder)).await;
        let start = |config: &Config, publisher: &_| AfXdp::start(config, arena, pinning, publisher);
        let (incumbents, remembered) = IncumbentStore::open(&config.state, &nb::masked(&config.nb));
        let mut reconciler = Reconciler::new(config, links, start)?;
        reconciler.set_incumbents(remembered);
        if let Some(copy) = copy {
            reconciler.apply_snapshot(&copy);
        }
        let panics = BTreeMap::new();
        let events = EventLog::default();
        let tunnels = Tunnels::open().await?;
        let AfXdp { arena, workers, .. } = &reconciler.backend;
        let slow_path = SlowPath::new(arena, workers.reporter().clone());
        Ok(Self { reconciler, session, panics, events, log, incumbents, tunnels, slow_path })
    }

    /// Applies an event of the NB DB.
    pub(super) fn apply_nb_event(&mut self, event: NbEvent) {
        match &event {
            NbEvent::Snapshot(snapshot) => self.reconciler.apply_snapshot(snapshot),
            NbEvent::Changes(changes) => self.reconciler.apply_changes(changes),
            NbEvent::Unreachable(_) => {}
        }
        self.session.apply_event(event);
    }

    /// Applies a change of the links.
    pub(super) fn apply_link_event(&mut self, event: LinkEvent) {
        let is_resync = matches!(event, LinkEvent::Resync(_));
        self.reconciler.backend.registry.apply_link_event(&event);
        if let Some((before, now)) = self.reconciler.link_change(&event) {
            self.events.log_link(before, now);
        }
        self.reconciler.apply_link_event(event);
        if is_resync {
            // A link that exists may have been in another namespace meanwhile: only its sockets show that.
            self.reconciler.backend.start_socket_check();
        }
    }

    /// Stores the incumbents if they may have changed. Called once a second.
    pub(super) async fn store_incumbents(&mut self) {
        let mut is_due = || self.reconciler.take_incumbents_changed() || self.incumbents.problem().is_some();
        if self.incumbents.is_ready() && is_due() {
            self.incumbents.store(self.reconciler.incumbents()).await;
        }
    }

    /// The problem of the last attempt to store the incumbents.
    pub(super) fn incumbents_problem(&self) -> Option<Problem> {
        self.incumbents.problem()
    }

    /// Reconciles, then logs and reports the ports whose state may have changed. A port that is reported as
    /// up has sockets, and the tables in force contain it.
    pub(super) async fn reconcile(&mut self) -> Result<(), WorkerPoolError> {
        self.reconcile_links().await?;
        if self.update_tunnels() {
            self.reconcile_links().await?;
        }
        self.update_slow_path();
        self.report();
        Ok(())
    }

    async fn reconcile_links(&mut self) -> Result<(), WorkerPoolError> {
        match self.reconciler.reconcile().await {
            // `restart_workers` starts it again.
            Err(WorkerPoolError::Died { .. })
                if self.reconciler.config.on_worker_panic == OnWorkerPanic::Restart => {}
            outcome => outcome?,
        }
        Ok(())
    }

    /// Logs and reports the ports whose state has changed.
    fn report(&mut self) {
        let reported = self.reconciler.take_reported();
        let compiler = self.reconciler.compiler();
        for lport in &reported {
            let record = compiler.report(lport).map(|report| PortRecord {
                state: report.state,
                parent: report.parent.clone(),
                has_port_security: compiler.has_port_security(lport),
            });
            self.events.log_port(lport, record);
        }
        let is_up = |lport: &str| compiler.report(lport).is_some_and(|report| report.state == PortState::Up);
        self.session.report(reported.iter().map(|lport| (lport, is_up(lport))));
        self.session.report_physical_networks(self.reconciler.config.uplinks.keys());
    }

    /// Applies the result of a search for the paths to a host.
    pub(super) fn apply_paths(&mut self, resolved: Resolved) {
        if let Err(reason) = &resolved.paths {
            tracing::info!(endpoint = %resolved.remote, "no path: {reason}");
        }
        if let Some((address, paths)) = self.tunnels.insert(resolved) {
            self.reconciler.apply_paths(address, Some(paths));
        }
    }

    /// Starts to compare the links with what was opened. Each difference is an event of the backend.
    pub(super) fn check_links(&mut self) -> Result<(), ControlError> {
        if !self.reconciler.backend.is_alive() {
            return Err(ControlError::RtnlThread);
        }
        let Reconciler { desired, links, ports, backend, .. } = &mut self.reconciler;
        backend.start_check(|| LinkCheck {
            links: desired.links().filter_map(|ifindex| links.get_shared(ifindex)).collect(),
            programs: ports.iter().map(|port| port.handle.program.attached().clone()).collect(),
        });
        backend.start_socket_check();
        Ok(())
    }

    /// The views of counters and workers, for the tasks of the API.
    pub(super) fn live_views(&self) -> LiveViews {
        let AfXdp { arena, workers, registry, .. } = &self.reconciler.backend;
        LiveViews {
            arena,
            workers: workers.reporter().clone(),
            links: Arc::clone(registry),
            counters: self.reconciler.compiler.counters().clone(),
        }
    }

    /// Starts workers again that panicked; the next round opens their links. Returns whether there were any.
    ///
    /// # Errors
    /// A worker has panicked, and the setting `on_worker_panic` is `exit`.
    pub(super) async fn restart_workers(&mut self) -> Result<bool, WorkerPoolError> {
        let dead = self.reconciler.backend.workers.dead();
        for worker in &dead {
            if self.reconciler.config.on_worker_panic == OnWorkerPanic::Exit {
                return Err(WorkerPoolError::Died { worker: *worker });
            }
            tracing::error!(worker, "a worker panicked, which is a bug: it is started again, with its ports");
            self.reconciler.backend.workers.restart(*worker, &self.reconciler.publisher)?;
            self.reconciler.reopen(*worker).await;
            *self.panics.entry(*worker).or_default() += 1;
        }
        Ok(!dead.is_empty())
    }

    /// A problem for each worker that has panicked since the start.
    pub(super) fn panic_problems(&self) -> impl Iterator<Item = Problem> {
        self.panics.iter().map(|(worker, panics)| {
            let reason = format!(
                "it panicked, {panics} times by now, and was started again with its ports: the log says where; report it"
            );
            Problem::new(format!("worker {worker}"), reason)
        })
    }

    /// The problem that log lines could not be written.
    pub(super) fn log_problem(&self) -> Option<Problem> {
        let reason = format!(
            "{} lines were lost, because it cannot be written: {}; forwarding goes on -> make room, or read it",
            self.log.lines(),
            self.log.reason()?,
        );
        Some(Problem::new("log", reason))
    }

    /// Detaches the programs from the links, stops the workers, closes all sockets and withdraws the reports.
    pub(super) async fn stop(self) {
        let incumbents = self.reconciler.incumbents();
        let Reconciler { ports, backend, .. } = self.reconciler;
        backend.stop(ports.into_handles()).await;
        self.incumbents.close(incumbents).await;
        self.session.close().await;
        self.tunnels.close().await;
    }
}
