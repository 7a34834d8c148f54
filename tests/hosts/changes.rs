//! Changes of the underlay: routes, next hops, carrier, MTU.

use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::command::{output, succeed};
use testkit::wait::until;

use super::testbed::{Hosts, on_hosts, tunnel};

/// Time after which frames flow again once the kernel knows. It is a promise to operators, with room for a
/// busy machine.
const FLOWING_AGAIN: Duration = Duration::from_secs(15);

/// Two hosts that reach each other's endpoint, 198.51.100.N on `lo`, by either of two underlays; a guest on
/// each.
fn on_two_underlays(test: impl FnOnce(&mut Hosts, usize, &str)) {
    on_hosts(2, |hosts| {
        hosts.add_underlay("br2");
        for number in [1, 2] {
            hosts.plug(number, "br2", "eth2", &format!("203.0.113.{number}/24"));
            hosts.host(number).netns.ip(&format!("address add 198.51.100.{number}/32 dev lo"));
            let chassis = serde_json::json!({ "id": format!("host{number}"), "ip": format!("198.51.100.{number}"),
                "tunnel_types": ["vxlan", "geneve", "gre"] });
            hosts.put("chassis", &chassis);
            hosts.all[usize::from(number) - 1].set_endpoint(&format!("198.51.100.{number}"));
            route(hosts, number, &format!("via 192.0.2.{}", 3 - number));
        }
        let (a, b) = hosts.start_with_two_guests(&tunnel("geneve", 38));
        let ip = hosts.guests[b].ip.clone();
        test(hosts, a, &ip);
    });
}

fn route(hosts: &Hosts, number: u8, path: &str) {
    hosts.host(number).netns.ip(&format!("route replace 198.51.100.{}/32 {path}", 3 - number));
}

fn assert_flowing(hosts: &Hosts, a: usize, ip: &str, what: &str) {
    let start = Instant::now();
    hosts.wait_until_reachable(a, ip);
    assert!(start.elapsed() < FLOWING_AGAIN, "{what}: {:?}", start.elapsed());
}

#[test]
fn a_route_by_another_link_is_followed() {
    on_two_underlays(|hosts, a, ip| {
        for number in [1, 2] {
            route(hosts, number, &format!("via 203.0.113.{}", 3 - number));
        }
        hosts.wire.ip("link set br1 down");
        assert_flowing(hosts, a, ip, "by the other link");
        let peers = hosts.host(1).daemon().show("peers").unwrap();
        assert_eq!(peers[0]["paths"][0]["link"], "eth2");
        // The link that no tunnel leaves by is the host's alone again.
        until("eth1 without a program", || {
            (!hosts.host(1).netns.ip("-details link show eth1").contains("prog/xdp")).then_some(())
        });
    });
}

#[test]
fn a_next_hop_with_another_address_is_followed() {
    on_two_underlays(|hosts, a, ip| {
        let two = &hosts.host(2).netns;
        two.ip("link set eth1 address 02:aa:00:00:01:99");
        // A gratuitous announcement, as a router sends that takes over.
        hosts.host(1).netns.ip("neigh replace 192.0.2.2 lladdr 02:aa:00:00:01:99 dev eth1 nud reachable");
        assert_flowing(hosts, a, ip, "with another MAC address");
    });
}

#[test]
fn carrier_that_comes_back_is_used_again() {
    on_two_underlays(|hosts, a, ip| {
        hosts.wire.ip("link set eth1-h2 down");
        hosts.host(2).daemon().wait_for_problem("no carrier");
        assert!(!hosts.reaches(a, ip));
        hosts.wire.ip("link set eth1-h2 up");
        assert_flowing(hosts, a, ip, "after the carrier's return");
    });
}

#[test]
fn without_a_route_or_a_neighbour_there_is_a_problem_with_the_route_that_was_asked() {
    on_two_underlays(|hosts, a, ip| {
        hosts.host(1).netns.ip("route delete 198.51.100.2/32");
        hosts.host(1).daemon().wait_for_problem("ip route get 198.51.100.2 from 198.51.100.1");
        assert!(!hosts.reaches(a, ip));
        assert!(hosts.host(1).dropped("tunnel_no_route") > 0);
        route(hosts, 1, "via 192.0.2.77");
        hosts.host(1).daemon().wait_for_problem("192.0.2.77 on link eth1");
        assert!(!hosts.reaches(a, ip));
        assert!(hosts.host(1).dropped("tunnel_no_neighbour") > 0);
        route(hosts, 1, "via 192.0.2.2");
        assert_flowing(hosts, a, ip, "with the route again");
    });
}

#[test]
fn the_mtu_of_a_route_is_obeyed() {
    on_two_underlays(|hosts, a, ip| {
        let long = || {
            let ping = ["-q", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", ip];
            output(hosts.guests[a].netns.command("ping").args(ping), "").status.success()
        };
        assert!(long());
        route(hosts, 1, "via 192.0.2.2 mtu 1300");
        until("the smaller MTU", || {
            (hosts.host(1).daemon().show("peers")?[0]["paths"][0]["mtu"] == 1300).then_some(())
        });
        assert!(!long() && hosts.host(1).dropped("fit_too_long") > 0);
        assert!(hosts.reaches(a, ip));
        route(hosts, 1, "via 192.0.2.2");
        until("the larger MTU", || long().then_some(()));
    });
}

#[test]
fn flows_spread_over_paths_of_equal_cost() {
    on_two_underlays(|hosts, a, ip| {
        for number in [1, 2] {
            let far = 3 - number;
            let netns = &hosts.host(number).netns;
            netns.enter(|| std::fs::write("/proc/sys/net/ipv4/fib_multipath_hash_policy", "1").unwrap());
            route(hosts, number, &format!("nexthop via 192.0.2.{far} nexthop via 203.0.113.{far}"));
        }
        until("two paths", || {
            (hosts.host(1).daemon().show("peers")?[0]["paths"].as_array()?.len() == 2).then_some(())
        });
        hosts.wait_until_reachable(a, ip);
        let sent = |link: &str| {
            let counter = format!("/sys/class/net/{link}/statistics/tx_packets");
            let sent = succeed(hosts.host(1).netns.command("cat").arg(counter), "");
            sent.trim().parse::<u64>().unwrap()
        };
        let before = ["eth1", "eth2"].map(sent);
        // Each datagram is a flow of its own.
        let program = format!(
            "import socket\nfor i in range(400):\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
             s.sendto(b'x', ('{ip}', 2000 + i)); s.close()"
        );
        succeed(hosts.guests[a].netns.command("python3").args(["-c", &program]), "");
        sleep(Duration::from_millis(500));
        let after = ["eth1", "eth2"].map(sent);
        let [one, two] = [0, 1].map(|link| after[link] - before[link]);
        assert!(one >= 50 && two >= 50, "{one} by eth1, {two} by eth2");
    });
}
