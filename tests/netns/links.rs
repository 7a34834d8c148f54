//! Which link belongs to a port, and which links can be used.

use std::process::Command;

use testkit::command::succeed;
use testkit::frame::Frame;
use testkit::testbed::{FoundBy, Port, Testbed, on_testbed};

/// An XDP program of another owner, which passes all frames to the kernel.
const FOREIGN_PROGRAM: &str = r#"
    __attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
    char _license[] __attribute__((section("license"), used)) = "Apache-2.0";
"#;

/// Two guests on one network.
fn pair(testbed: &mut Testbed, by: FoundBy) -> (Port, Port) {
    let one = testbed.network();
    (testbed.guest_found_by(by, "vm", one), testbed.guest_found_by(by, "peer", one))
}

fn assert_served(testbed: &mut Testbed, (a, b): &(Port, Port)) {
    let frame = Frame::new(a.mac, b.mac);
    testbed.exchange(a, &frame, &[(b, &frame)]);
}

#[test]
fn link_is_found_by_alias() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::Alias);
        testbed.start();
        assert_served(testbed, &pair);
    });
}

#[test]
fn link_is_found_by_attach() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::Attach);
        testbed.start();
        assert_served(testbed, &pair);
    });
}

#[test]
fn link_is_found_by_tap_name() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::TapName);
        testbed.start();
        assert_served(testbed, &pair);
    });
}

#[test]
fn link_may_appear_after_the_daemon() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::Alias);
        let dev = testbed.dev(&pair.0).to_owned();
        testbed.host.ip(&format!("link delete dev {dev}"));
        testbed.launch();
        testbed.daemon().wait_until_up("ports", 1);
        testbed.plug(&pair.0);
        testbed.daemon().wait_until_up("ports", 2);
        assert_served(testbed, &pair);
    });
}

#[test]
fn veths_are_served_in_native_mode() {
    on_testbed(|testbed| {
        let _pair = pair(testbed, FoundBy::Alias);
        testbed.start();
        let ports = testbed.daemon().show("ports").unwrap();
        for port in ports.as_array().unwrap() {
            assert_eq!(port["mode"], "native", "{port}");
        }
    });
}

#[test]
fn link_for_generic_mode_only_is_rejected_unless_allowed() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::Attach);
        // A macvlan takes all frames of the veth; no program can be attached to it in native mode.
        let (id, dev) = (pair.0.id(), testbed.dev(&pair.0).to_owned());
        testbed.host.ip(&format!("link add link {dev} name generic0 type macvlan mode passthru"));
        testbed.host.ip("link set dev generic0 up");
        for argument in &mut testbed.arguments {
            *argument = argument.replace(&format!("{id}={dev}"), &format!("{id}=generic0"));
        }
        testbed.launch();
        testbed.daemon().wait_until_up("ports", 1);
        testbed.daemon().wait_for_problem("allow_generic");
        testbed.take_daemon().stop();

        testbed.arguments.extend(["--port".to_owned(), format!("{id}:allow_generic=true")]);
        testbed.relaunch();
        testbed.wait_until_all_up();
        let ports = testbed.daemon().show("ports").unwrap();
        let port = ports.as_array().unwrap().iter().find(|port| port["lport"] == id).unwrap();
        assert_eq!(port["mode"], "generic", "{port}");
        assert_served(testbed, &pair);
    });
}

#[test]
fn foreign_program_is_left_alone() {
    on_testbed(|testbed| {
        let pair = pair(testbed, FoundBy::Alias);
        let dev = testbed.dev(&pair.0).to_owned();
        let object = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let mut clang = Command::new("clang");
        succeed(
            clang.args(["-target", "bpf", "-O2", "-x", "c", "-c", "-", "-o"]).arg(&object),
            FOREIGN_PROGRAM,
        );
        testbed.host.ip(&format!("link set dev {dev} xdpdrv object {} section xdp", object.display()));

        testbed.launch();
        testbed.daemon().wait_until_up("ports", 1);
        testbed.daemon().wait_for_problem(&dev);
        let links = testbed.host.ip(&format!("-details link show dev {dev}"));
        assert!(links.contains("prog/xdp"), "the foreign program is gone:\n{links}");

        // Its owner detaches it.
        testbed.host.ip(&format!("link set dev {dev} xdpdrv off"));
        testbed.wait_until_all_up();
        assert_served(testbed, &pair);
    });
}

#[test]
fn port_leaves_by_its_link_though_another_has_its_old_name() {
    on_testbed(|testbed| {
        let (a, b) = pair(testbed, FoundBy::Alias);
        let dev = testbed.dev(&b).to_owned();
        testbed.host.ip("link add stranger type veth peer name stranger-peer");
        testbed.host.ip("link set dev stranger up");
        testbed.host.ip(&format!("link set dev {dev} down"));
        testbed.launch();
        testbed.daemon().wait_until_up("ports", 1);
        // When the daemon receives the event of the link, another link has its name.
        testbed.daemon().while_stopped(|| {
            testbed.host.ip(&format!("link set dev {dev} up"));
            testbed.host.ip(&format!("link set dev {dev} name moved"));
            testbed.host.ip(&format!("link set dev stranger name {dev}"));
        });
        testbed.daemon().wait_until_up("ports", 2);
        testbed.recapture(&b);
        assert_served(testbed, &(a, b));
    });
}

#[test]
fn port_whose_switched_off_link_is_replaced_is_served_by_the_new_one() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let _peer = testbed.guest("peer", one);
        // Created before the port's link: their order must not matter.
        testbed.host.ip("link add spare type veth peer name spare-peer");
        let vm = testbed.guest_found_by(FoundBy::Attach, "vm", one);
        testbed.start();
        let dev = testbed.dev(&vm).to_owned();
        testbed.host.ip(&format!("link set dev {dev} down"));
        testbed.daemon().wait_until_up("ports", 1);
        testbed.host.ip(&format!("link set dev {dev} name retired"));
        testbed.host.ip(&format!("link set dev spare name {dev}"));
        testbed.host.ip("link set dev spare-peer up");
        testbed.host.ip(&format!("link set dev {dev} up"));
        testbed.daemon().wait_until_up("ports", 2);
        let retired = testbed.host.ip("-details link show dev retired");
        assert!(!retired.contains("prog/xdp"), "the old link is still held:\n{retired}");
        let workers = testbed.daemon().show("workers").unwrap().to_string();
        assert!(workers.contains(&format!("{dev}/0")) && !workers.contains("retired"), "{workers}");
    });
}
