//! Signals: SIGTERM and SIGINT end the daemon, SIGHUP reads the configuration again, and all others are
//! ignored that would end it by default and can be.

use std::io;

use libc::{
    SIGALRM, SIGIO, SIGPROF, SIGPWR, SIGSTKFLT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU,
    SIGXFSZ,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals without a function here. The Rust runtime ignores SIGPIPE. SIGTTOU would stop a process in the
/// background that logs to its terminal.
const IGNORED: [libc::c_int; 12] = [
    SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGTTIN,
    SIGTTOU,
];

/// The request that a signal stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGTERM or SIGINT: the daemon ends.
    Stop,
    /// SIGHUP: the configuration is read again.
    Reload,
}

/// The signal handlers, which remain installed until the process ends.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the handlers. Unlike ignored signals, they are not inherited by other programs.
    pub(super) fn open() -> io::Result<Self> {
        for number in IGNORED.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            drop(signal(SignalKind::from_raw(number))?);
        }
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request. Cancel-safe.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hang_up.recv() => Request::Reload,
        }
    }

    /// Waits for the request to stop. Others have no effect during the start.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Request::Stop {}
    }
}
