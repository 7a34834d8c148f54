//! Which device is a port's, and which devices are fit for it.

use std::process::Command;

use testkit::command::succeed;
use testkit::frame::Frame;
use testkit::lab::{FoundBy, Lab, Port, in_lab};

/// Another program's, which lets all frames go on to the kernel.
const FOREIGN_PROGRAM: &str = r#"
    __attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
    char _license[] __attribute__((section("license"), used)) = "Apache-2.0";
"#;

/// Two guests on one network.
fn pair(lab: &mut Lab, by: FoundBy) -> (Port, Port) {
    let one = lab.network();
    (lab.guest_found_by(by, "vm", one), lab.guest_found_by(by, "peer", one))
}

fn assert_served(lab: &mut Lab, (a, b): &(Port, Port)) {
    let frame = Frame::new(a.mac, b.mac);
    lab.exchange(a, &frame, &[(b, &frame)]);
}

#[test]
fn device_is_found_by_alias() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::Alias);
        lab.start();
        assert_served(lab, &pair);
    });
}

#[test]
fn device_is_found_by_attach() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::Attach);
        lab.start();
        assert_served(lab, &pair);
    });
}

#[test]
fn device_is_found_by_tap_name() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::TapName);
        lab.start();
        assert_served(lab, &pair);
    });
}

#[test]
fn device_may_come_after_the_daemon() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::Alias);
        let dev = lab.dev(&pair.0).to_owned();
        lab.host.ip(&format!("link delete dev {dev}"));
        lab.launch();
        lab.daemon().wait_until_up("ports", 1);
        lab.plug(&pair.0);
        lab.daemon().wait_until_up("ports", 2);
        assert_served(lab, &pair);
    });
}

#[test]
fn veths_are_served_in_native_mode() {
    in_lab(|lab| {
        let _pair = pair(lab, FoundBy::Alias);
        lab.start();
        let ports = lab.daemon().show("ports").unwrap();
        for port in ports.as_array().unwrap() {
            assert_eq!(port["mode"], "native", "{port}");
        }
    });
}

#[test]
fn link_for_generic_mode_only_is_refused_unless_allowed() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::Attach);
        // All that the veth carries, by a device that no program can be attached to in native mode.
        let (id, dev) = (pair.0.id(), lab.dev(&pair.0).to_owned());
        lab.host.ip(&format!("link add link {dev} name generic0 type macvlan mode passthru"));
        lab.host.ip("link set dev generic0 up");
        for argument in &mut lab.arguments {
            *argument = argument.replace(&format!("{id}={dev}"), &format!("{id}=generic0"));
        }
        lab.launch();
        lab.daemon().wait_until_up("ports", 1);
        lab.daemon().wait_for_problem("allow_generic");
        lab.take_daemon().stop();

        lab.arguments.extend(["--port".to_owned(), format!("{id}:allow_generic=true")]);
        lab.relaunch();
        lab.wait_until_all_up();
        let ports = lab.daemon().show("ports").unwrap();
        let port = ports.as_array().unwrap().iter().find(|port| port["lport"] == id).unwrap();
        assert_eq!(port["mode"], "generic", "{port}");
        assert_served(lab, &pair);
    });
}

#[test]
fn foreign_program_is_left_alone() {
    in_lab(|lab| {
        let pair = pair(lab, FoundBy::Alias);
        let dev = lab.dev(&pair.0).to_owned();
        let object = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let mut clang = Command::new("clang");
        succeed(
            clang.args(["-target", "bpf", "-O2", "-x", "c", "-c", "-", "-o"]).arg(&object),
            FOREIGN_PROGRAM,
        );
        lab.host.ip(&format!("link set dev {dev} xdpdrv object {} section xdp", object.display()));

        lab.launch();
        lab.daemon().wait_until_up("ports", 1);
        lab.daemon().wait_for_problem(&dev);
        let links = lab.host.ip(&format!("-details link show dev {dev}"));
        assert!(links.contains("prog/xdp"), "the foreign program is gone:\n{links}");

        // Its owner takes it away.
        lab.host.ip(&format!("link set dev {dev} xdpdrv off"));
        lab.wait_until_all_up();
        assert_served(lab, &pair);
    });
}

#[test]
fn port_leaves_by_its_device_though_another_has_its_old_name() {
    in_lab(|lab| {
        let (a, b) = pair(lab, FoundBy::Alias);
        let dev = lab.dev(&b).to_owned();
        lab.host.ip("link add stranger type veth peer name stranger-peer");
        lab.host.ip("link set dev stranger up");
        lab.host.ip(&format!("link set dev {dev} down"));
        lab.launch();
        lab.daemon().wait_until_up("ports", 1);
        // By the time the daemon hears that the device is on, its name is another one's.
        lab.daemon().while_stopped(|| {
            lab.host.ip(&format!("link set dev {dev} up"));
            lab.host.ip(&format!("link set dev {dev} name moved"));
            lab.host.ip(&format!("link set dev stranger name {dev}"));
        });
        lab.daemon().wait_until_up("ports", 2);
        lab.recapture(&b);
        assert_served(lab, &(a, b));
    });
}

#[test]
fn port_whose_switched_off_device_is_replaced_is_served_by_the_new_one() {
    in_lab(|lab| {
        let one = lab.network();
        let _peer = lab.guest("peer", one);
        // Older than the port's device: the order of the two must not matter.
        lab.host.ip("link add spare type veth peer name spare-peer");
        let vm = lab.guest_found_by(FoundBy::Attach, "vm", one);
        lab.start();
        let dev = lab.dev(&vm).to_owned();
        lab.host.ip(&format!("link set dev {dev} down"));
        lab.daemon().wait_until_up("ports", 1);
        lab.host.ip(&format!("link set dev {dev} name retired"));
        lab.host.ip(&format!("link set dev spare name {dev}"));
        lab.host.ip("link set dev spare-peer up");
        lab.host.ip(&format!("link set dev {dev} up"));
        lab.daemon().wait_until_up("ports", 2);
        let retired = lab.host.ip("-details link show dev retired");
        assert!(!retired.contains("prog/xdp"), "the old device is still held:\n{retired}");
        let workers = lab.daemon().show("workers").unwrap().to_string();
        assert!(workers.contains(&format!("{dev}/0")) && !workers.contains("retired"), "{workers}");
    });
}
