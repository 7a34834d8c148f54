//! A server process that can be frozen and killed.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it; its output is appended to the file `log`.
    ///
    /// # Panics
    ///
    /// If the program is not installed.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let spawned = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!("{command:?}: {error}: `scripts/setup test` installs what is missing")
        });
        Self { child }
    }

    /// Stops it (SIGSTOP); its connections stay open.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it continue (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have exited already, and a drop must not panic.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
