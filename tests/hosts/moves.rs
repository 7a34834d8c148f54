//! Ports and hosts that come and go.

use std::thread::sleep;
use std::time::Duration;

use testkit::netns::veth;
use testkit::records::port_id;

use super::testbed::{mac, on_hosts, tunnel};

/// Pings are 10 ms apart: a second of loss.
const SECOND: u64 = 100;

#[test]
fn a_port_that_moves_to_another_host_loses_at_most_a_second() {
    on_hosts(3, |hosts| {
        hosts.network(1, &tunnel("geneve", 38));
        let (a, b) = (hosts.guest("a", 1, 1), hosts.guest("b", 2, 1));
        // The guest's second link is that of its new host: both are one port, which a bridge of the guest
        // has.
        let guest = &hosts.guests[b].netns;
        veth((&hosts.host(3).netns, "b"), (guest, "eth9", "02:00:00:00:09:09"), 1);
        hosts.host(3).netns.ip(&format!("link set dev b alias {}", port_id(2)));
        guest.ip("link add br0 type bridge");
        guest.ip("address flush dev eth0");
        for link in ["eth0", "eth9"] {
            guest.ip(&format!(
                "link set dev {link} address 02:00:00:00:09:0{} master br0",
                link.trim_start_matches("eth")
            ));
        }
        guest.ip(&format!("link set dev br0 address {} up", mac(2)));
        guest.ip(&format!("address add {}/24 dev br0", hosts.guests[b].ip));
        hosts.start();
        let ip = hosts.guests[b].ip.clone();
        hosts.wait_until_reachable(a, &ip);
        for to in [3, 2, 3] {
            let pings = hosts.pings(a, &ip);
            sleep(Duration::from_secs(1));
            hosts.bind(b, 1, to);
            hosts.host(to).daemon().wait_until_up("ports", 1);
            hosts.wait_until_reachable(a, &ip);
            sleep(Duration::from_secs(1));
            let (sent, answered) = pings.end();
            assert!(sent - answered <= SECOND, "to host {to}: {answered} of {sent} answered");
        }
    });
}

#[test]
fn a_host_that_is_killed_is_reached_again_when_it_is_back() {
    on_hosts(2, |hosts| {
        let (a, b) = hosts.start_with_two_guests(&tunnel("geneve", 38));
        let ip = hosts.guests[b].ip.clone();
        hosts.kill_host(2);
        assert!(!hosts.reaches(a, &ip));
        hosts.start_host(2);
        hosts.wait_until_reachable(a, &ip);
    });
}
