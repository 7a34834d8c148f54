//! Another process holds the kernel's RTNL lock: every call that attaches, binds or queries a link waits.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::life::Pair;
use testkit::command::succeed;
use testkit::testbed::{Testbed, on_testbed};
use testkit::wait::until;

/// Maximum time in seconds for which the lock is held.
const LONGEST: &str = "40";

/// A process that holds the lock.
struct Holder {
    process: Child,
    /// Closing it releases the lock.
    input: Option<ChildStdin>,
}

fn build(testbed: &Testbed) -> PathBuf {
    let program = testbed.files.path("hold_rtnl");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/hold_rtnl.c");
    succeed(Command::new("cc").args(["-pthread", "-o"]).arg(&program).arg(source), "");
    program
}

impl Holder {
    /// Starts the process; returns when it holds the lock.
    fn start(testbed: &Testbed, program: &PathBuf, link: &str) -> Self {
        let mut command = testbed.host.command("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args([link, LONGEST]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut answer = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "held\n");
        let input = process.stdin.take();
        Self { process, input }
    }

    fn release(mut self) {
        drop(self.input.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have exited already, and a drop must not panic.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn calls_that_wait_for_the_lock_block_nothing_else() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
        let program = build(testbed);
        let holder = Holder::start(testbed, &program, testbed.dev(&pair.vm));

        // The API answers, frames are forwarded, and records are applied.
        testbed.daemon().wait_for_problem("RTNL");
        pair.assert_served(testbed);
        testbed.set_enabled(&pair.peer, false);
        until("the port to be disabled", || {
            let ports = testbed.daemon().show("ports")?;
            let ports = ports.as_array()?.iter();
            ports.filter(|port| port["reason"]["kind"] == "disabled").count().eq(&1).then_some(())
        });
        testbed.set_enabled(&pair.peer, true);
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
        until("an answer with its age", || {
            testbed
                .daemon()
                .stats_for_people()
                .contains("s old: the daemon waits for the kernel")
                .then_some(())
        });

        holder.release();
        until("no problem", || testbed.daemon().show("problems")?.as_array()?.is_empty().then_some(()));
        assert!(!testbed.daemon().stats_for_people().contains("s old"));
        pair.assert_served(testbed);
    });
}

#[test]
fn stop_during_a_hold_reports_remaining_links_and_ends_with_the_hold() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.wait_until_all_up();
        let program = build(testbed);
        let holder = Holder::start(testbed, &program, testbed.dev(&pair.vm));
        testbed.daemon().wait_for_problem("RTNL");
        let daemon = testbed.take_daemon();
        let stopping = std::thread::spawn(|| daemon.stop());
        until("a log line about the remaining links", || {
            testbed.files.log().contains("stay on their links").then_some(())
        });
        holder.release();
        stopping.join().unwrap();
        let (printed, content) = testbed.files.check(&testbed.host, &["--clean"]);
        assert!(content, "{printed}");
        testbed.wait_for_no_programs();
    });
}
