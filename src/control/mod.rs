//! The control thread: one thread, one async runtime, everything slow.
//!
//! It follows the NB DB and the links, and whatever happens there it does the same: work out which ports are to be
//! here, open and close what differs, compile the tables, publish them. It also answers
//! the API between two such rounds.

mod desired;
mod follow;
pub mod links;
mod open_port;
mod reconcile;
mod trace;
mod views;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until};

use crate::api::{ApiError, Call, Server};
use crate::config::Config;
use crate::kernel;
use crate::nb::{self, NbError};
use crate::worker::WorkerPoolError;
use crate::xsk::ArenaError;
use follow::Follower;
use links::{LinkWatch, LinksError};
use reconcile::{Cloud, Control};

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
    Api(#[from] ApiError),
    /// No runtime, no signals.
    #[error("cannot start the control thread: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// [`ControlError`].
pub fn run(config: Config) -> Result<(), ControlError> {
    kernel::log_libbpf();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), ControlError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let api = Server::bind(&config.api).await?;
    let db = nb::open(&config.nb).await;
    let db =
        db.map_err(|source| ControlError::Nb { url: nb::masked(&config.nb), source: Box::new(source) })?;
    let (links, mut link_watch) = LinkWatch::open().await?;
    let reports = nb::reports(&config.nb, &config.chassis).await;
    let reports = reports
        .map_err(|source| ControlError::Nb { url: nb::masked(&config.nb), source: Box::new(source) })?;
    let mut follower = Follower::new(Arc::clone(&db));
    let mut control = Control::start(config, links, Cloud { db, reports }).await?;

    let (calls, mut questions) = mpsc::channel::<Call>(16);
    tokio::spawn(api.serve(calls));
    let mut health = interval(Duration::from_secs(1));
    tracing::info!(chassis = control.chassis(), "forwarding");
    loop {
        let retry = control.next_retry().unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
        tokio::select! {
            news = follower.next() => control.hear(news),
            event = link_watch.next() => control.see(event?),
            Some(call) = questions.recv() => {
                let answer = control.answer(call.query).await;
                // A client that hung up does not want it any more.
                drop(call.reply.send(answer));
                continue;
            }
            () = sleep_until(retry) => {}
            _ = health.tick() => {
                control.check_workers()?;
                if !control.recount_queues() {
                    continue;
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
        control.reconcile().await?;
    }
    tracing::info!("stopping");
    control.stop().await;
    Ok(())
}
