//! What a switch that is killed leaves on its links when the policy is `drop`, and who takes it away.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::life::{Pair, VID};
use testkit::command::{output, succeed};
use testkit::daemon::Daemon;
use testkit::frame::Frame;
use testkit::lab::{Lab, Port, in_lab};
use testkit::stream::Stream;
use testkit::wait::until;
use testkit::wire::Capture;

/// What gets through to the host's own stack on the device of `port`: nothing that an XDP program drops.
fn host_stack(lab: &Lab, port: &Port) -> Capture {
    Capture::start(&lab.host, lab.dev(port))
}

/// Frames that the XDP program of `port`'s device dropped, whoever looks after it.
fn dropped(lab: &Lab, port: &Port) -> u64 {
    let statistics = succeed(lab.host.command("ethtool").args(["-S", lab.dev(port)]), "");
    let line = statistics.lines().find_map(|line| line.trim().strip_prefix("rx_queue_0_xdp_drops:"));
    line.expect("veth counts what XDP drops").trim().parse().unwrap()
}

/// Sends frames from the guest of `vm`, all of which must end at its device.
fn assert_all_dropped(lab: &Lab, pair: &Pair) {
    const FRAMES: u64 = 20;
    let before = dropped(lab, &pair.vm);
    for _ in 0..FRAMES {
        lab.sender(&pair.vm).send(&Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID).bytes());
    }
    until("the program to drop what was sent", || (dropped(lab, &pair.vm) == before + FRAMES).then_some(()));
}

/// Sends a frame from the guest of `vm` that must get through to the host.
fn assert_passed(lab: &Lab, pair: &Pair, stack: &Capture) {
    let frame = Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID).bytes();
    lab.sender(&pair.vm).send(&frame);
    stack.through(|arrived| arrived == frame);
}

fn clean(lab: &Lab) {
    let (said, content) = lab.files.check(&lab.host, &["--clean"]);
    assert!(content && said.contains("removed"), "{said}");
    assert_eq!(lab.files.pins(), [""; 0], "{said}");
    lab.wait_for_no_programs();
}

#[test]
fn killed_switch_drops_under_traffic_until_the_next_one_serves() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        pair.assert_served(lab);
        let stack = host_stack(lab, &pair.vm);
        let template = Frame::new(pair.sub.mac, pair.peer.mac).tagged(VID);
        for _ in 0..3 {
            let traffic = Stream::new(lab.sender(&pair.vm), template.clone()).start();
            lab.take_daemon().kill();
            let before = dropped(lab, &pair.vm);
            until("the left program to drop", || (dropped(lab, &pair.vm) > before).then_some(()));
            assert_eq!(lab.files.pins().len(), 3);
            lab.relaunch();
            lab.wait_until_all_up();
            drop(traffic.stop());
        }
        lab.forget_arrived(&pair.vm);
        pair.assert_served(lab);
        assert!(lab.files.log().contains("adopted"), "{}", lab.files.log());
        stack.stop_silent();
    });
}

#[test]
fn check_lists_what_is_pinned_and_clean_removes_it() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        let (said, _) = lab.files.check(&lab.host, &["--clean"]);
        assert!(said.contains("a running switch has it"), "{said}");
        assert_eq!(lab.files.pins().len(), 3, "a running switch keeps its pins");

        lab.take_daemon().kill();
        let stack = host_stack(lab, &pair.vm);
        assert_all_dropped(lab, &pair);
        let (said, _) = lab.files.check(&lab.host, &[]);
        let named = said.lines().any(|line| line.contains("link vm") && line.contains("pinned"));
        assert!(named && said.contains("check --clean"), "{said}");
        stack.stop_silent();

        let stack = host_stack(lab, &pair.vm);
        clean(lab);
        assert_passed(lab, &pair, &stack);
        stack.stop();
    });
}

#[test]
fn start_with_policy_pass_takes_over_and_leaves_nothing_when_killed() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        let stack = host_stack(lab, &pair.vm);
        lab.take_daemon().kill();
        lab.arguments.extend(["--port".to_owned(), "*:no_socket=pass".to_owned()]);
        lab.relaunch();
        lab.wait_until_all_up();
        assert_eq!(lab.files.pins(), [""; 0]);
        pair.assert_served(lab);
        stack.stop_silent();

        let stack = host_stack(lab, &pair.vm);
        lab.take_daemon().kill();
        lab.wait_for_no_programs();
        assert_passed(lab, &pair, &stack);
        stack.stop();
    });
}

#[test]
fn stale_pin_is_removed_and_the_new_device_served() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        let pins = lab.files.pins();
        lab.take_daemon().kill();
        let dev = lab.dev(&pair.vm).to_owned();
        lab.host.ip(&format!("link delete dev {dev}"));
        let (said, _) = lab.files.check(&lab.host, &[]);
        assert!(said.contains("its device is gone"), "{said}");
        lab.plug(&pair.vm);
        lab.relaunch();
        lab.wait_until_all_up();
        pair.assert_served(lab);
        assert!(lab.files.log().contains("stale pin removed"), "{}", lab.files.log());
        let now = lab.files.pins();
        assert!(now.len() == 3 && now != pins, "{pins:?} before, {now:?} now");
    });
}

#[test]
fn pin_without_a_port_is_a_problem() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.take_daemon().kill();
        // Its operator gave it to nobody meanwhile.
        let dev = lab.dev(&pair.vm).to_owned();
        lab.host.ip(&format!("link set dev {dev} alias nobodys"));
        lab.relaunch();
        lab.daemon().wait_for_problem("a program of an earlier run drops all its frames");
        assert_all_dropped(lab, &pair);
    });
}

#[test]
fn two_network_namespaces_share_a_folder() {
    in_lab(|one| {
        in_lab(|two| {
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
            // What is looked at when this one ends.
            one.take_daemon().stop();
            one.host.assert_no_programs();
        });
    });
}

/// Cleans up in `here`, which must leave what is `there`.
fn clean_one_of_two(here: &Lab, there: &Lab) {
    let (said, _) = here.files.check(&here.host, &["--clean"]);
    assert!(said.contains("another network namespace"), "{said}");
    assert_eq!(here.files.pins().len(), 3, "{said}");
    here.host.assert_no_programs();
    assert!(there.host.has_programs());
}

/// Unmounts when dropped.
struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        // A drop while the test fails must not panic again.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).output());
    }
}

#[test]
fn bpffs_is_mounted_where_it_is_missing() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.files.pin_folder = lab.files.path("pins");
        let mounted = Unmounted(lab.files.pin_folder.clone());
        lab.write_records();
        lab.adopt(Daemon::start_among_our_mounts(&lab.host, &lab.files, &lab.arguments));
        assert_eq!(lab.files.pins().len(), 3);
        lab.take_daemon().stop();
        assert!(!lab.files.pin_folder.exists(), "a clean end leaves neither the mount nor its folder");
        lab.adopt(Daemon::start_among_our_mounts(&lab.host, &lab.files, &lab.arguments));
        assert_eq!(lab.daemon().show("problems").unwrap().as_array().unwrap().len(), 0);
        lab.take_daemon().kill();
        assert_all_dropped(lab, &pair);
        lab.adopt(Daemon::start_among_our_mounts(&lab.host, &lab.files, &lab.arguments));
        pair.assert_served(lab);
        lab.take_daemon().stop();
        assert_eq!(lab.files.pins(), [""; 0]);
        drop(mounted);
    });
}

#[test]
fn start_that_fails_leaves_nothing() {
    in_lab(|lab| {
        let (pins, api) = (lab.files.path("made/pins"), lab.files.path("made/too/api.sock"));
        let not_a_socket = lab.files.path("file");
        fs::write(&not_a_socket, "").unwrap();
        let sqlite = lab.files.url.clone();
        for (nb, api, complaint) in [
            ("mysql://x", &api, "mysql://x"),
            ("sqlite:/proc/no/nb.db", &api, "/proc/no"),
            (sqlite.as_str(), &not_a_socket, "not a socket"),
        ] {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/run/netns/{}", lab.host.name())).arg(env!("CARGO_BIN_EXE_trunkpath"));
            command.args(["run", "--nb", nb, "--chassis", "c1", "--api"]).arg(api);
            command.arg("--pin-folder").arg(&pins).arg("--state").arg(lab.files.state());
            let ended = output(&mut command, "");
            let said = String::from_utf8(ended.stderr).unwrap();
            assert!(!ended.status.success() && said.contains(complaint), "{said}");
            assert!(!lab.files.path("made").exists(), "{nb}: {said}");
        }
    });
}

#[test]
fn mount_that_ends_with_the_switch_is_a_problem() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.files.pin_folder = lab.files.path("pins");
        lab.start();
        pair.assert_served(lab);
        lab.daemon().wait_for_problem("mount namespace");
        assert!(lab.files.log().contains("reach the host's own stack"), "{}", lab.files.log());
    });
}

#[test]
fn without_the_right_to_mount_the_switch_runs_and_says_what_is_lost() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.files.pin_folder = lab.files.path("pins");
        fs::create_dir(&lab.files.pin_folder).unwrap();
        lab.start_as_nobody();
        pair.assert_served(lab);
        for part in ["CAP_SYS_ADMIN", lab.files.pin_folder.to_str().unwrap(), "reach the host's own stack"] {
            lab.daemon().wait_for_problem(part);
        }
    });
}
