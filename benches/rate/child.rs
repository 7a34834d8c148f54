//! A datapath as a child process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Time limit of a start or an end.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two checks.
const BREATH: Duration = Duration::from_millis(5);

/// A child process, stopped when dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: Process,
    log: PathBuf,
    /// Its stdin; some programs exit when it is closed.
    _stdin: Option<ChildStdin>,
}

impl Child {
    /// Starts `command`, which logs to a file in `folder`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let spawned = command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file).spawn();
        let mut process = spawned.with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), _stdin: process.stdin.take(), process, log })
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    pub fn wait_until<T>(&mut self, what: &str, mut is_ready: impl FnMut() -> Option<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(answer) = is_ready() {
                return Ok(answer);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, self.last_words());
            }
            if start.elapsed() > PATIENCE {
                bail!("{}: waited {PATIENCE:?} for {what}: {}", self.name, self.last_words());
            }
            sleep(BREATH);
        }
    }

    /// Waits until its log contains `text`.
    pub fn wait_for_log(&mut self, text: &str) -> Result<()> {
        let log = self.log.clone();
        self.wait_until(&format!("{text:?} in its log"), || {
            fs::read_to_string(&log).is_ok_and(|printed| printed.contains(text)).then_some(())
        })
    }

    /// Stops it (SIGSTOP), so that others have the CPUs.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it continue (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub fn signal(&self, signal: Signal) {
        // The failure of a process that has exited shows elsewhere.
        kill(self.pid(), signal).unwrap_or_default();
    }

    /// Waits until it exits.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            sleep(BREATH);
        }
        bail!("{} does not end", self.name)
    }

    /// The last lines of its log, as one line.
    fn last_words(&self) -> String {
        let printed = fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<_> =
            printed.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        lines.reverse();
        lines.join(" / ")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A stopped process does not handle SIGTERM. It may have exited already, and a drop must not panic.
        self.resume();
        self.signal(Signal::SIGTERM);
        if self.wait().is_err() {
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }
}
