//! Signals: two end the daemon, one reads the configuration again, and no other one that a process may send by habit
//! ends it. By default they would, as SIGKILL does.

use std::io;

use libc::{
    SIGALRM, SIGIO, SIGPROF, SIGPWR, SIGSTKFLT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU,
    SIGXFSZ,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals without a meaning here. SIGPIPE is not among them: the Rust runtime ignores it. SIGTTOU would stop a
/// process in the background that logs to its terminal.
const IGNORED: [libc::c_int; 12] = [
    SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGTTIN,
    SIGTTOU,
];

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The handlers, in force from the opening to the end of the process.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs them. Handlers, unlike ignored signals, are not inherited by other programs.
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

    /// The next request; can be dropped and called again without losing one.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hang_up.recv() => Request::Reload,
        }
    }

    /// Waits for the request to stop; a configuration is read again only once there is something to configure.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Request::Stop {}
    }
}
