//! A network namespace of the test's own, and the loud skip where there can be none.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace, deleted when this is dropped.
pub struct Namespace(String);

impl Namespace {
    /// Makes one; `None`, after saying so, without root.
    pub fn new(test: &str) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            let required = std::env::var_os("TRUNKPATH_REQUIRE_ROOT").is_some_and(|value| value == "1");
            assert!(!required, "{test} needs root, and TRUNKPATH_REQUIRE_ROOT=1 forbids to skip it");
            // Straight to the handle: the test runner captures what the print macros write.
            let mut uncaptured = std::io::stderr();
            writeln!(uncaptured, "SKIPPED {test}: it needs root").unwrap();
            return None;
        }
        let name = format!("tp-cli-{}-{}", id(), MADE.fetch_add(1, Ordering::Relaxed));
        run(Command::new("ip").args(["netns", "add", &name]));
        Some(Self(name))
    }

    /// Runs `ip` with these words in the namespace.
    pub fn ip(&self, words: &str) {
        run(Command::new("ip").args(["-n", &self.0]).args(words.split_whitespace()));
    }

    /// Runs `work` on a thread that lives in the namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.0)).unwrap();
        let enter_and_work = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        thread::scope(|scope| scope.spawn(enter_and_work).join().unwrap())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let deleted = Command::new("ip").args(["netns", "del", &self.0]).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("namespace {} is left behind", self.0);
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
