//! The daemon from its start to its end: one loop over all events.

use std::time::Duration;

use caps::errors::CapsError;
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, interval, sleep_until};

use super::backend::LinkBackend;
use super::daemon::Daemon;
use super::error::ControlError;
use super::follow::Follower;
use super::links::LinkWatch;
use super::nb_session::NbSession;
use super::pinning::PreparedFolder;
use super::reload::ReadConfig;
use super::responder::ApiResponder;
use super::signals::{Request, Signals};
use crate::api::{Call, Server};
use crate::config::Config;
use crate::kernel;
use crate::kernel::inspect::{self, MemoryLimit};
use crate::logging::LogLoss;
use crate::nb;

/// Upper bound of the events of the NB DB that one round applies.
const MAX_EVENTS: usize = 10_000;

/// Memory besides the packet memory: tables of a few thousand ports, buffers of the kernel for a few sockets.
const REST_MIB: u64 = 32;

/// Upper bound of the time that the end waits for calls on the blocking pool.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The host after the steps that take capabilities which the switch does not keep: the pin folder exists.
/// Capabilities belong to a thread and to those that it starts, so these steps precede any other thread.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    folder: PreparedFolder,
    dropped: Result<(), CapsError>,
}

impl Prepared {
    /// Prepares the host for `config`, then drops the capabilities that are no longer needed.
    ///
    /// # Errors
    /// [`ControlError::Nb`] for a URL of an unknown kind, before anything is created.
    pub fn new(config: Config) -> Result<Self, ControlError> {
        nb::check_url(&config.nb).map_err(|source| ControlError::nb(&config, source))?;
        check_memory(config.umem_mib)?;
        let folder = PreparedFolder::new(&config);
        Ok(Self { config, folder, dropped: kernel::drop_privileges() })
    }
}

/// Runs the daemon until SIGTERM or SIGINT. On SIGHUP it calls `read` for a new configuration.
///
/// # Errors
/// [`ControlError`]: the start failed, or a part of the switch has died.
pub fn run(prepared: Prepared, read: &ReadConfig, log: LogLoss) -> Result<(), ControlError> {
    kernel::log_libbpf();
    let Prepared { config, folder, dropped } = prepared;
    if let Err(error) = dropped {
        tracing::warn!("cannot drop the capabilities that are no longer needed: {error}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config, folder, read, log));
    // A call that does not return from the kernel keeps its thread, not the process.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
}

/// Rejects packet memory that exceeds the limit of the control group.
fn check_memory(umem_mib: u32) -> Result<(), ControlError> {
    const MIB: u64 = 1 << 20;
    let packets = u64::from(umem_mib);
    let needed_mib = packets + REST_MIB;
    let Some(MemoryLimit { file, bytes }) = inspect::memory_limit() else { return Ok(()) };
    if bytes / MIB >= needed_mib || inspect::free_huge_pages() >= packets * MIB {
        return Ok(());
    }
    Err(ControlError::MemoryLimit { umem_mib, needed_mib, allowed_mib: bytes / MIB, file })
}

/// Opens everything that the daemon needs. No link is changed yet.
async fn start(
    config: Config,
    folder: PreparedFolder,
    log: LogLoss,
) -> Result<(Daemon, Server, LinkWatch), ControlError> {
    let api = Server::bind(&config.api).await?;
    let session = NbSession::open(&config).await.map_err(|source| ControlError::nb(&config, source))?;
    let (links, link_watch) = LinkWatch::open().await?;
    let daemon = Daemon::start(config, links, session, folder, log).await?;
    Ok((daemon, api, link_watch))
}

/// Everything that the loop waits for, beside the backend and the timers.
struct EventSources {
    follower: Follower,
    link_watch: LinkWatch,
    requests: mpsc::Receiver<Call>,
    signals: Signals,
}

/// The outcome of an event for the loop.
enum Next {
    Reconcile,
    /// Nothing has changed that a round could act on.
    Wait,
    Stop,
}

async fn serve(
    config: Config,
    folder: PreparedFolder,
    read: &ReadConfig<'_>,
    log: LogLoss,
) -> Result<(), ControlError> {
    let mut signals = Signals::open()?;
    // A start may wait: for a DB, or for the memory of a predecessor.
    let (mut daemon, api, link_watch) = tokio::select! {
        started = start(config, folder, log) => started?,
        () = signals.stop() => return Ok(()),
    };
    let follower = Follower::new(daemon.session.db());
    daemon.reconcile().await?;

    let (calls, requests) = mpsc::channel(16);
    let views = daemon.live_views();
    tokio::spawn(api.serve(ApiResponder { views, calls }));
    tracing::info!(chassis = daemon.reconciler.config.chassis, "forwarding");
    let mut sources = EventSources { follower, link_watch, requests, signals };
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        match apply_next_event(&mut daemon, &mut sources, &mut seconds, read).await? {
            Next::Reconcile => daemon.reconcile().await?,
            Next::Wait => {}
            Next::Stop => break,
        }
    }
    tracing::info!("stopping");
    daemon.stop().await;
    Ok(())
}

/// Waits for an event of any source, and applies it.
async fn apply_next_event(
    daemon: &mut Daemon,
    sources: &mut EventSources,
    seconds: &mut Interval,
    read: &ReadConfig<'_>,
) -> Result<Next, ControlError> {
    let EventSources { follower, link_watch, requests, signals } = sources;
    let retry = daemon.reconciler.next_retry().unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
    tokio::select! {
        event = follower.next() => {
            daemon.apply_nb_event(event);
            // One round for all events that have arrived.
            for _ in 1..MAX_EVENTS {
                let Some(event) = follower.next().now_or_never() else { break };
                daemon.apply_nb_event(event);
            }
        }
        event = link_watch.next() => daemon.apply_link_event(event?),
        resolved = daemon.tunnels.next() => daemon.apply_paths(resolved?),
        event = daemon.reconciler.backend.next() => daemon.reconciler.push_backend_event(event),
        Some(call) = requests.recv() => {
            daemon.answer(call);
            return Ok(Next::Wait);
        }
        () = sleep_until(retry) => {}
        _ = seconds.tick() => {
            let restarted = daemon.restart_workers().await?;
            daemon.session.confirm_cache();
            daemon.events.start_second();
            daemon.store_incumbents().await;
            daemon.check_links()?;
            if !restarted && !daemon.reconciler.has_events() {
                return Ok(Next::Wait);
            }
        }
        request = signals.next() => match request {
            Request::Stop => return Ok(Next::Stop),
            Request::Reload => daemon.reload(read),
        },
    }
    Ok(Next::Reconcile)
}
