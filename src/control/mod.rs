//! The control thread: one async runtime for everything that is not a frame.
//!
//! It follows the NB DB and the links, and whatever happens there it does the same: it determines which ports belong here,
//! has their links opened and closed, compiles the tables and publishes them. Between two such rounds it answers the API.
//! What may wait in the kernel runs on threads of its own (`rtnl_thread`, [`links`]), and its outcome is one more event.

mod af_xdp;
mod answer;
mod backend;
mod bound_elsewhere;
mod daemon;
mod desired;
mod event_log;
mod follow;
mod incumbent_store;
mod link_registry;
pub mod links;
mod live_views;
mod nb_session;
mod pinning;
mod reconciler;
mod reload;
mod render;
mod responder;
mod rtnl_thread;
mod sightings;
mod signals;
mod snapshot_cache;
mod trace;

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::time::Duration;

use caps::errors::CapsError;
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval, sleep_until};

use crate::api::{Call, ListenError, Server};
use crate::config::Config;
use crate::kernel;
use crate::kernel::inspect::{self, MemoryLimit};
use crate::logging::LogLoss;
use crate::nb::{self, NbError};
use crate::worker::WorkerPoolError;
use crate::xsk::ArenaError;
pub use backend::{BackendEvent, LinkBackend, LostReason};
use daemon::Daemon;
pub use follow::{Follower, News};
use links::{LinkWatch, LinksError};
use nb_session::NbSession;
use pinning::Folder;
pub use reconciler::{Evidence, Reconciler};
pub use reload::ReadConfig;
use responder::ApiResponder;
use signals::{Request, Signals};

#[cfg(test)]
mod worker_panics;

/// How much of what the NB DB has told goes into one round.
const BATCH: usize = 10_000;

/// Memory besides the packet memory: tables of a few thousand ports, buffers of the kernel for a few sockets.
const REST_MIB: u64 = 32;

/// How long the end waits for calls that are still under way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the daemon does not run (any longer).
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The NB DB cannot be opened or read.
    #[error("NB DB {url}: {source}")]
    Nb {
        /// Its URL.
        url: String,
        /// Why.
        source: Box<NbError>,
    },
    /// A control group leaves too little memory.
    #[error(
        "umem_mib = {umem_mib} takes {needed_mib} MiB, the rest of the switch included, and {file} allows {allowed_mib} MiB: the kernel would end the switch for it -> a smaller umem_mib, or a higher limit (MemoryMax= of a systemd unit)",
        file = file.display()
    )]
    MemoryLimit {
        /// As configured.
        umem_mib: u32,
        /// What the switch needs.
        needed_mib: u64,
        /// What it may have.
        allowed_mib: u64,
        /// The file with the limit.
        file: PathBuf,
    },
    /// The links cannot be watched.
    #[error(transparent)]
    Links(#[from] LinksError),
    /// There is no packet memory.
    #[error(transparent)]
    Arena(#[from] ArenaError),
    /// There are no workers.
    #[error(transparent)]
    Workers(#[from] WorkerPoolError),
    /// The API socket is not to be had.
    #[error(transparent)]
    Api(#[from] ListenError),
    /// The thread for calls to the kernel panicked, which is a bug.
    #[error("the thread that opens and closes links has died")]
    RtnlThread,
    /// No runtime, no signals.
    #[error("cannot start the control thread: {0}")]
    Runtime(#[from] std::io::Error),
}

/// What takes capabilities that the switch does not keep: the pin folder. Rights belong to a thread and those that it
/// starts, so this comes before any other thread.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    folder: Folder,
    dropped: Result<(), CapsError>,
}

impl Prepared {
    /// Prepares the host for `config`, then drops the capabilities that are no longer needed.
    ///
    /// # Errors
    /// [`ControlError::Nb`] for a URL of no known kind; nothing has been created then.
    pub fn new(config: Config) -> Result<Self, ControlError> {
        nb::check_url(&config.nb).map_err(|source| nb_error(&config, source))?;
        check_memory(config.umem_mib)?;
        let folder = Folder::prepare(&config);
        Ok(Self { config, folder, dropped: kernel::drop_privileges() })
    }
}

/// Runs the daemon until SIGTERM or SIGINT. `read` reads the configuration again on SIGHUP.
///
/// # Errors
/// [`ControlError`].
pub fn run(prepared: Prepared, read: &ReadConfig, log: LogLoss) -> Result<(), ControlError> {
    kernel::log_libbpf();
    let Prepared { config, folder, dropped } = prepared;
    if let Err(error) = dropped {
        tracing::warn!("cannot drop the capabilities that are no longer needed: {error}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config, folder, read, log));
    // A call that the kernel does not return from keeps its thread, and not the process.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
}

/// Refuses packet memory that a control group would not let the switch have.
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

/// Runs a call that may wait in the kernel or for a disk, and lets others run meanwhile.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

fn nb_error(config: &Config, source: NbError) -> ControlError {
    ControlError::Nb { url: nb::masked(&config.nb), source: Box::new(source) }
}

/// Opens everything that the daemon needs; no link is touched yet.
async fn start(
    config: Config,
    folder: Folder,
    log: LogLoss,
) -> Result<(Daemon, Server, LinkWatch), ControlError> {
    let api = Server::bind(&config.api).await?;
    let session = NbSession::open(&config).await.map_err(|source| nb_error(&config, source))?;
    let (links, link_watch) = LinkWatch::open().await?;
    let daemon = Daemon::start(config, links, session, folder, log).await?;
    Ok((daemon, api, link_watch))
}

async fn serve(
    config: Config,
    folder: Folder,
    read: &ReadConfig<'_>,
    log: LogLoss,
) -> Result<(), ControlError> {
    let mut signals = Signals::open()?;
    // A start may wait: for a DB, for a predecessor's memory.
    let (mut daemon, api, mut link_watch) = tokio::select! {
        started = start(config, folder, log) => started?,
        () = signals.stop() => return Ok(()),
    };
    let mut follower = Follower::new(daemon.session.db());
    let chassis = daemon.reconciler.config.chassis.clone();
    daemon.reconcile().await?;

    let (calls, mut questions) = mpsc::channel::<Call>(16);
    let views = daemon.live_views();
    tokio::spawn(api.serve(ApiResponder { views, calls }));
    let mut health = interval(Duration::from_secs(1));
    tracing::info!(chassis, "forwarding");
    loop {
        let retry =
            daemon.reconciler.next_retry().unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
        tokio::select! {
            news = follower.next() => {
                daemon.hear(news);
                // What has come meanwhile costs one round, not one each.
                for _ in 1..BATCH {
                    let Some(news) = follower.next().now_or_never() else { break };
                    daemon.hear(news);
                }
            }
            event = link_watch.next() => daemon.apply_link_event(event?),
            event = daemon.reconciler.backend.next() => daemon.reconciler.push_backend_event(event),
            Some(call) = questions.recv() => {
                daemon.answer(call);
                continue;
            }
            () = sleep_until(retry) => {}
            _ = health.tick() => {
                let revived = daemon.revive_workers().await?;
                daemon.session.tick();
                daemon.events.tick();
                daemon.store_incumbents().await;
                daemon.check_links()?;
                if !revived && !daemon.reconciler.has_events() {
                    continue;
                }
            }
            request = signals.next() => match request {
                Request::Stop => break,
                Request::Reload => daemon.reload(read),
            },
        }
        daemon.reconcile().await?;
    }
    tracing::info!("stopping");
    daemon.stop().await;
    Ok(())
}
