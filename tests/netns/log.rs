//! The log cannot be written: the switch still forwards, reports a problem, and stops without an error.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::life::Pair;
use testkit::testbed::{Testbed, on_testbed};

/// Serves a pair while the log cannot be written.
fn serve_with_log_at(testbed: &mut Testbed, stderr: File) -> Pair {
    let pair = Pair::new(testbed);
    testbed.files.stderr = Some(stderr);
    testbed.start();
    // Closing and opening a port logs a line each.
    let vm = testbed.dev(&pair.vm).to_owned();
    for _ in 0..3 {
        testbed.host.ip(&format!("link set dev {vm} alias none"));
        testbed.daemon().wait_until_up("ports", 2);
        testbed.host.ip(&format!("link set dev {vm} alias {}", pair.vm.id()));
        testbed.daemon().wait_until_up("ports", 3);
    }
    pair.assert_served(testbed);
    pair
}

fn pipe() -> (File, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
}

#[test]
fn a_full_disk_under_the_log_does_not_end_the_switch() {
    on_testbed(|testbed| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        serve_with_log_at(testbed, full);
        testbed.daemon().wait_for_problem("No space left on device");
    });
}

#[test]
fn a_log_pipe_without_a_reader_does_not_end_the_switch() {
    on_testbed(|testbed| {
        let (reader, writer) = pipe();
        drop(reader);
        serve_with_log_at(testbed, writer);
        testbed.daemon().wait_for_problem("Broken pipe");
    });
}

#[test]
fn an_unread_log_pipe_blocks_neither_the_switch_nor_its_end() {
    on_testbed(|testbed| {
        let (mut reader, mut writer) = pipe();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while writer.write(&[b'.'; 4096]).is_ok() {}
        // The flag belongs to the end of the pipe, which the daemon shares.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        serve_with_log_at(testbed, writer);
        testbed.take_daemon().stop();
        testbed.files.stderr = None;
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        assert!(log.trim_start_matches('.').is_empty(), "the pipe had room: {log}");
    });
}
