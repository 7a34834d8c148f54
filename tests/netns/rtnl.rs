//! Another process holds the kernel's RTNL lock: every call that attaches, binds, or asks for a link waits.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::life::Pair;
use testkit::command::succeed;
use testkit::lab::{Lab, in_lab};
use testkit::wait::until;

/// The lock is released after so many seconds at the latest.
const LONGEST: &str = "40";

/// A process that holds the lock.
struct Holder {
    process: Child,
    /// Its end ends the hold.
    input: Option<ChildStdin>,
}

fn build(lab: &Lab) -> PathBuf {
    let program = lab.files.path("hold_rtnl");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/hold_rtnl.c");
    succeed(Command::new("cc").args(["-pthread", "-o"]).arg(&program).arg(source), "");
    program
}

impl Holder {
    /// Returns once the lock is held.
    fn start(lab: &Lab, program: &PathBuf, link: &str) -> Self {
        let mut command = lab.host.command("setpriv");
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
        // It may have ended; a drop does not panic.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn what_waits_for_the_lock_keeps_nothing_else_waiting() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.wait_until_all_up();
        pair.assert_served(lab);
        let program = build(lab);
        let holder = Holder::start(lab, &program, lab.dev(&pair.vm));

        // The API answers, frames flow, records are followed.
        lab.daemon().wait_for_problem("RTNL");
        pair.assert_served(lab);
        lab.set_enabled(&pair.peer, false);
        until("the port to be disabled", || {
            let ports = lab.daemon().show("ports")?;
            let ports = ports.as_array()?.iter();
            ports.filter(|port| port["state"] == "disabled").count().eq(&1).then_some(())
        });
        lab.set_enabled(&pair.peer, true);
        lab.wait_until_all_up();
        pair.assert_served(lab);
        until("an answer that says how old it is", || {
            lab.daemon().stats_for_people().contains("s old: the daemon waits for the kernel").then_some(())
        });

        holder.release();
        until("no problem", || lab.daemon().show("problems")?.as_array()?.is_empty().then_some(()));
        assert!(!lab.daemon().stats_for_people().contains("s old"));
        pair.assert_served(lab);
    });
}

#[test]
fn stop_during_a_hold_says_what_stays_and_ends_with_the_hold() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.wait_until_all_up();
        let program = build(lab);
        let holder = Holder::start(lab, &program, lab.dev(&pair.vm));
        lab.daemon().wait_for_problem("RTNL");
        let daemon = lab.take_daemon();
        let stopping = std::thread::spawn(|| daemon.stop());
        until("the log to say what stays", || lab.files.log().contains("stay on their links").then_some(()));
        holder.release();
        stopping.join().unwrap();
        let (said, content) = lab.files.check(&lab.host, &["--clean"]);
        assert!(content, "{said}");
        lab.wait_for_no_programs();
    });
}
