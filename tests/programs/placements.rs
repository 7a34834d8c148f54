//! Where client and server are.

use testkit::command::run;
use testkit::daemon::Files;
use testkit::netns::Netns;
use testkit::testbed::{Port, Testbed, on_testbed};

use super::place::{End, Place};
use super::servers::Servers;
use super::{clients, session};
use crate::hosts::testbed::{on_hosts, tunnel};

fn check(files: &Files, client: &End, server: &End) {
    let place = Place::new(files, client, server);
    let servers = Servers::start(&place);
    clients::follow_their_rules(&place, &servers);
    session::is_kept(&place, &servers);
}

#[test]
fn programs_work_as_rules_allow_on_a_port() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (client, server) = (testbed.guest("client", one), testbed.guest("server", one));
        testbed.start();
        check(&testbed.files, &own(testbed, &client), &own(testbed, &server));
    });
}

#[test]
fn programs_work_as_rules_allow_on_a_subport() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let subport = testbed.subport(&vm, 100, two);
        let (_peer, server) = (testbed.guest("peer", one), testbed.guest("server", two));
        testbed.start();
        let dev = testbed.vlan_interface(&subport, 0);
        let client = End { netns: testbed.netns(&vm), dev: &dev, port: subport.id() };
        check(&testbed.files, &client, &own(testbed, &server));
    });
}

#[test]
fn programs_work_as_rules_allow_between_a_parent_and_its_subport() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let vm = testbed.guest("vm", one);
        let subport = testbed.subport(&vm, 100, one);
        let _peer = testbed.guest("peer", one);
        testbed.start();
        let container = Container::new(testbed, &subport);
        check(&testbed.files, &own(testbed, &vm), &container.end());
    });
}

#[test]
fn programs_work_as_rules_allow_between_two_subports_of_a_vm() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let subports = [100, 200].map(|vid| testbed.subport(&vm, vid, two));
        let _peer = testbed.guest("peer", one);
        testbed.start();
        let [client, server] = subports.map(|subport| Container::new(testbed, &subport));
        check(&testbed.files, &client.end(), &server.end());
    });
}

#[test]
fn programs_work_as_rules_allow_across_two_hosts() {
    on_hosts(2, |hosts| {
        let (a, b) = hosts.start_with_two_guests(&tunnel("geneve", 38));
        hosts.network(2, &tunnel("vxlan", 39));
        let _address = hosts.subport(a, 11, 2, 100);
        let far = hosts.subport(b, 12, 2, 200);
        hosts.wait_until_reachable(a, &far);
        let [client, server] = [(a, "eth0.100", 11), (b, "eth0.200", 12)].map(|(guest, dev, key)| End {
            netns: &hosts.guests[guest].netns,
            dev,
            port: testkit::records::port_id(key),
        });
        check(&hosts.host(1).files, &client, &server);
    });
}

/// The end of a guest's own port.
fn own<'a>(testbed: &'a Testbed, port: &Port) -> End<'a> {
    End { netns: testbed.netns(port), dev: "eth0", port: port.id() }
}

/// A container in a VM, with a subport of its own.
struct Container {
    netns: Netns,
    dev: String,
    port: String,
}

impl Container {
    fn new(testbed: &Testbed, subport: &Port) -> Self {
        let (netns, dev) = (Netns::new("container"), testbed.vlan_interface(subport, 0));
        let vm = testbed.netns(subport);
        run(&format!("ip -n {} link set dev {dev} netns {}", vm.name(), netns.name()));
        netns.ip(&format!("link set dev {dev} up"));
        Self { netns, dev, port: subport.id() }
    }

    fn end(&self) -> End<'_> {
        End { netns: &self.netns, dev: &self.dev, port: self.port.clone() }
    }
}
