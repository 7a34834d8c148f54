//! XDP programs that a killed daemon leaves on its links with the policy `drop`, and their removal.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::life::{Pair, VID};
use testkit::command::{output, succeed};
use testkit::daemon::Daemon;
use testkit::frame::Frame;
use testkit::stream::Stream;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;
use testkit::wire::Capture;

/// Capture on the host's end of `port`'s link: frames that no XDP program drops.
fn host_stack(testbed: &Testbed, port: &Port) -> Capture {
    Capture::start(&testbed.host, testbed.dev(port))
}

/// Frames that the XDP program on `port`'s link dropped, with or without a daemon.
fn dropped(testbed: &Testbed, port: &Port) -> u64 {
    let statistics = succeed(testbed.host.command("ethtool").args(["-S", testbed.dev(port)]), "");
    let line = statistics.lines().find_map(|line| line.trim().strip_prefix("rx_queue_0_xdp_drops:"));
    line.expect("veth counts what XDP drops").trim().parse().unwrap()
}

/// Sends frames from the guest of `vm`; all must be dropped on its link.
fn assert_all_dropped(testbed: &Testbed, pair: &Pair) {
    const FRAMES: u64 = 20;
    let before = dropped(testbed, &pair.vm);
    for _ in 0..FRAMES {
        testbed.sender(&pair.vm).send(&Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID).bytes());
    }
    until("the program to drop what was sent", || {
        (dropped(testbed, &pair.vm) == before + FRAMES).then_some(())
    });
}

/// Sends a frame from the guest of `vm`, which must reach the host's stack.
fn assert_passed(testbed: &Testbed, pair: &Pair, stack: &Capture) {
    let frame = Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID).bytes();
    testbed.sender(&pair.vm).send(&frame);
    stack.through(|arrived| arrived == frame);
}

fn clean(testbed: &Testbed) {
    let (printed, content) = testbed.files.check(&testbed.host, &["--clean"]);
    assert!(content && printed.contains("removed"), "{printed}");
    assert_eq!(testbed.files.pins(), [""; 0], "{printed}");
    testbed.wait_for_no_programs();
}

#[test]
fn killed_switch_drops_under_traffic_until_the_next_one_serves() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        pair.assert_served(testbed);
        let stack = host_stack(testbed, &pair.vm);
        let template = Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID);
        for _ in 0..3 {
            let traffic = Stream::new(testbed.sender(&pair.vm), template.clone()).start();
            testbed.take_daemon().kill();
            let before = dropped(testbed, &pair.vm);
            until("the left program to drop", || (dropped(testbed, &pair.vm) > before).then_some(()));
            assert_eq!(testbed.files.pins().len(), 3);
            testbed.relaunch();
            testbed.wait_until_all_up();
            drop(traffic.stop());
        }
        testbed.forget_arrived(&pair.vm);
        pair.assert_served(testbed);
        assert!(testbed.files.log().contains("adopted"), "{}", testbed.files.log());
        stack.stop_silent();
    });
}

#[test]
fn check_lists_what_is_pinned_and_clean_removes_it() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        let (printed, _) = testbed.files.check(&testbed.host, &["--clean"]);
        assert!(printed.contains("a running switch uses it"), "{printed}");
        assert_eq!(testbed.files.pins().len(), 3, "a running switch keeps its pins");

        testbed.take_daemon().kill();
        let stack = host_stack(testbed, &pair.vm);
        assert_all_dropped(testbed, &pair);
        let (printed, _) = testbed.files.check(&testbed.host, &[]);
        let named = printed.lines().any(|line| line.contains("link vm") && line.contains("pinned"));
        assert!(named && printed.contains("check --clean"), "{printed}");
        stack.stop_silent();

        let stack = host_stack(testbed, &pair.vm);
        clean(testbed);
        assert_passed(testbed, &pair, &stack);
        stack.stop();
    });
}

#[test]
fn start_with_policy_pass_takes_over_and_leaves_nothing_when_killed() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        let stack = host_stack(testbed, &pair.vm);
        testbed.take_daemon().kill();
        testbed.arguments.extend(["--port".to_owned(), "*:no_socket=pass".to_owned()]);
        testbed.relaunch();
        testbed.wait_until_all_up();
        assert_eq!(testbed.files.pins(), [""; 0]);
        pair.assert_served(testbed);
        stack.stop_silent();

        let stack = host_stack(testbed, &pair.vm);
        testbed.take_daemon().kill();
        testbed.wait_for_no_programs();
        assert_passed(testbed, &pair, &stack);
        stack.stop();
    });
}

#[test]
fn stale_pin_is_removed_and_the_new_link_is_served() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        let pins = testbed.files.pins();
        testbed.take_daemon().kill();
        let dev = testbed.dev(&pair.vm).to_owned();
        testbed.host.ip(&format!("link delete dev {dev}"));
        let (printed, _) = testbed.files.check(&testbed.host, &[]);
        assert!(printed.contains("its link was removed"), "{printed}");
        testbed.plug(&pair.vm);
        testbed.relaunch();
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
        assert!(testbed.files.log().contains("stale pin removed"), "{}", testbed.files.log());
        let now = testbed.files.pins();
        assert!(now.len() == 3 && now != pins, "{pins:?} before, {now:?} now");
    });
}

#[test]
fn pin_without_a_port_is_a_problem() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.take_daemon().kill();
        // The operator removed the port of the link meanwhile.
        let dev = testbed.dev(&pair.vm).to_owned();
        testbed.host.ip(&format!("link set dev {dev} alias nobodys"));
        testbed.relaunch();
        testbed.daemon().wait_for_problem("a program of an earlier run drops all its frames");
        assert_all_dropped(testbed, &pair);
    });
}

#[test]
fn two_network_namespaces_share_a_folder() {
    on_testbed(|one| {
        on_testbed(|two| {
            two.files.pin_folder.clone_from(&one.files.pin_folder);
            let pairs = (Pair::new(one), Pair::new(two));
            one.start();
            two.start();
            assert_eq!(one.files.pins().len(), 6);
            one.take_daemon().kill();
            two.take_daemon().kill();
            clean_one_of_two(two, one);
            assert_all_dropped(one, &pairs.0);
            one.relaunch();
            one.wait_until_all_up();
            pairs.0.assert_served(one);
            // The checks at the end of the testbed need the daemon stopped.
            one.take_daemon().stop();
            one.host.assert_no_programs();
        });
    });
}

/// Runs the clean-up in `here`, which must not touch `there`.
fn clean_one_of_two(here: &Testbed, there: &Testbed) {
    let (printed, _) = here.files.check(&here.host, &["--clean"]);
    assert!(printed.contains("another network namespace"), "{printed}");
    assert_eq!(here.files.pins().len(), 3, "{printed}");
    here.host.assert_no_programs();
    assert!(there.host.has_programs());
}

/// Mounts the folder again when dropped.
struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        // A drop must not panic again while a test fails.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).output());
    }
}

#[test]
fn bpffs_is_mounted_where_it_is_missing() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.files.pin_folder = testbed.files.path("pins");
        let mounted = Unmounted(testbed.files.pin_folder.clone());
        testbed.write_records();
        testbed.adopt(Daemon::start_among_our_mounts(&testbed.host, &testbed.files, &testbed.arguments));
        assert_eq!(testbed.files.pins().len(), 3);
        testbed.take_daemon().stop();
        assert!(!testbed.files.pin_folder.exists(), "a clean end leaves neither the mount nor its folder");
        testbed.adopt(Daemon::start_among_our_mounts(&testbed.host, &testbed.files, &testbed.arguments));
        assert_eq!(testbed.daemon().show("problems").unwrap().as_array().unwrap().len(), 0);
        testbed.take_daemon().kill();
        assert_all_dropped(testbed, &pair);
        testbed.adopt(Daemon::start_among_our_mounts(&testbed.host, &testbed.files, &testbed.arguments));
        pair.assert_served(testbed);
        testbed.take_daemon().stop();
        assert_eq!(testbed.files.pins(), [""; 0]);
        drop(mounted);
    });
}

#[test]
fn start_that_fails_leaves_nothing() {
    on_testbed(|testbed| {
        let (pins, api) = (testbed.files.path("made/pins"), testbed.files.path("made/too/api.sock"));
        let not_a_socket = testbed.files.path("file");
        fs::write(&not_a_socket, "").unwrap();
        let sqlite = testbed.files.url.clone();
        for (nb, api, complaint) in [
            ("mysql://x", &api, "mysql://x"),
            ("sqlite:/proc/no/nb.db", &api, "/proc/no"),
            (sqlite.as_str(), &not_a_socket, "not a socket"),
        ] {
            let mut command = Command::new("nsenter");
            command
                .arg(format!("--net=/run/netns/{}", testbed.host.name()))
                .arg(env!("CARGO_BIN_EXE_trunkpath"));
            command.args(["run", "--nb", nb, "--chassis", "c1", "--api"]).arg(api);
            command.arg("--pin-folder").arg(&pins).arg("--state").arg(testbed.files.state());
            let ended = output(&mut command, "");
            let printed = String::from_utf8(ended.stderr).unwrap();
            assert!(!ended.status.success() && printed.contains(complaint), "{printed}");
            assert!(!testbed.files.path("made").exists(), "{nb}: {printed}");
        }
    });
}

#[test]
fn mount_that_ends_with_the_switch_is_a_problem() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.files.pin_folder = testbed.files.path("pins");
        testbed.start();
        pair.assert_served(testbed);
        testbed.daemon().wait_for_problem("mount namespace");
        assert!(testbed.files.log().contains("reach the host's own stack"), "{}", testbed.files.log());
    });
}

#[test]
fn without_the_right_to_mount_the_switch_runs_and_reports_the_loss() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.files.pin_folder = testbed.files.path("pins");
        fs::create_dir(&testbed.files.pin_folder).unwrap();
        testbed.start_as_nobody();
        pair.assert_served(testbed);
        for part in
            ["CAP_SYS_ADMIN", testbed.files.pin_folder.to_str().unwrap(), "reach the host's own stack"]
        {
            testbed.daemon().wait_for_problem(part);
        }
    });
}
