//! Signals: common ones do not stop the daemon, and SIGHUP reads the configuration again.

use std::fs;

use nix::libc;
use nix::sys::signal::{Signal, kill};

use super::life::Pair;
use testkit::frame::{Frame, tci};
use testkit::testbed::{Testbed, on_testbed};
use testkit::wait::until;

const UNKNOWN: u16 = tci(0, false, 7);

/// Sends a signal by its number: real-time signals have no name.
fn send(testbed: &Testbed, signal: i32) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{signal}"), testbed.daemon().pid().to_string()])
        .status();
    assert!(sent.unwrap().success(), "signal {signal}");
}

#[test]
fn signals_without_a_meaning_are_ignored() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        let named = [
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGPIPE,
            libc::SIGALRM,
            libc::SIGVTALRM,
            libc::SIGPROF,
            libc::SIGIO,
            libc::SIGPWR,
            libc::SIGSTKFLT,
            libc::SIGXCPU,
            libc::SIGXFSZ,
            libc::SIGTTIN,
            libc::SIGTTOU,
        ];
        for signal in named.into_iter().chain([libc::SIGRTMIN(), libc::SIGRTMAX()]) {
            send(testbed, signal);
            pair.assert_served(testbed);
        }
    });
}

/// Sends SIGHUP and waits for a new log line with `text`.
fn reload(testbed: &Testbed, text: &str) {
    let lines = || testbed.files.log().lines().filter(|line| line.contains(text)).count();
    let before = lines();
    kill(testbed.daemon().pid(), Signal::SIGHUP).unwrap();
    until(&format!("a log line with {text:?}"), || (lines() > before).then_some(()));
}

#[test]
fn sighup_applies_changeable_settings_and_reports_the_others() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (vm, peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let file = testbed.files.path("trunkpath.toml");
        fs::write(&file, "umem_mib = 64\n").unwrap();
        testbed.arguments.extend(["--config".to_owned(), file.display().to_string()]);
        testbed.start();
        let tagged = Frame::new(vm.mac, peer.mac).tagged(UNKNOWN);
        testbed.exchange(&vm, &tagged, &[(&peer, &tagged)]);

        fs::write(&file, "umem_mib = 128\nflood_rate = 50000\n[port.\"*\"]\nunknown_tags = \"drop\"\n")
            .unwrap();
        reload(testbed, "flood_rate: 50000 instead of 100000");
        reload(testbed, "umem_mib: kept 64, 128 needs a restart");
        testbed.exchange(&vm, &tagged, &[]);
        until("the drop by the new policy", || {
            (testbed.daemon().dropped(&vm.id(), "classify_unknown_tag") == 1).then_some(())
        });

        for (broken, complaint) in [
            ("flood_rate = \"many\"", "flood_rate"),
            ("umem = 1", "unknown key"),
            ("[", "the configuration stays as it is"),
        ] {
            fs::write(&file, broken).unwrap();
            reload(testbed, complaint);
            testbed.exchange(&vm, &tagged, &[]);
        }

        // The other policy is another XDP program, so it is attached again.
        fs::write(&file, "umem_mib = 64\n[port.\"*\"]\nno_socket = \"pass\"\n").unwrap();
        reload(testbed, "port.\"*\"");
        testbed.wait_until_all_up();
        testbed.exchange(&vm, &tagged, &[(&peer, &tagged)]);
        until("the pins to go", || testbed.files.pins().is_empty().then_some(()));
    });
}

#[test]
fn sighup_without_a_file_is_reported() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        reload(testbed, "there is no --config file to read again");
        pair.assert_served(testbed);
    });
}
