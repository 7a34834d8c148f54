//! Paths follow the kernel: routes, MAC addresses, carriers.

use super::testbed::{LOCAL, address, on_testbed, router_mac};
use trunkpath::control::underlay::{NoPath, Path};

#[test]
fn endpoints_on_the_link_and_behind_a_router_are_reached() {
    on_testbed("endpoints_on_the_link_and_behind_a_router_are_reached", |testbed| {
        testbed.host.ip("route add 203.0.113.0/24 via 198.51.100.254");
        testbed.host.ip("-6 route add 2001:db8:9::/64 via 2001:db8:3::fe");
        // An IPv4 prefix by an IPv6 router (RFC 8950).
        testbed.host.ip("route add 203.0.114.0/24 via inet6 2001:db8:3::fe dev u2");
        let remotes = [
            ("192.0.2.254", "192.0.2.254", 1),
            ("203.0.113.9", "198.51.100.254", 2),
            ("203.0.114.9", "2001:db8:3::fe", 2),
            ("2001:db8:2::fe", "2001:db8:2::fe", 1),
            ("2001:db8:9::9", "2001:db8:3::fe", 2),
        ];
        testbed.set_endpoints(LOCAL, &remotes.map(|(remote, ..)| remote));
        for (remote, next_hop, number) in remotes {
            let path = testbed.path(remote, |_| true);
            let link = format!("u{number}");
            let expected = Path {
                link: testbed.ifindex(&link),
                source: LOCAL.of_family(address(remote)).unwrap(),
                next_hop: address(next_hop),
                source_mac: testbed.mac(&link),
                destination_mac: router_mac(number),
                mtu_bytes: 1500,
            };
            assert_eq!(path, expected);
        }
    });
}

#[test]
fn a_new_mac_address_of_the_next_hop_is_used() {
    on_testbed("a_new_mac_address_of_the_next_hop_is_used", |testbed| {
        let remotes = ["192.0.2.254", "2001:db8:2::fe"];
        testbed.set_endpoints(LOCAL, &remotes);
        for remote in remotes {
            testbed.path(remote, |path| path.destination_mac == router_mac(1));
        }
        let new = "02:00:00:00:00:33";
        testbed.routers[0].ip(&format!("link set dev p1 address {new}"));
        let new = new.parse().unwrap();
        for remote in remotes {
            testbed.path(remote, |path| path.destination_mac == new);
        }

        let own = "02:00:00:00:00:44";
        testbed.host.ip(&format!("link set dev u1 address {own}"));
        let own = own.parse().unwrap();
        for remote in remotes {
            testbed.path(remote, |path| path.source_mac == own);
        }
    });
}

#[test]
fn a_lost_carrier_is_a_reason_until_it_returns() {
    on_testbed("a_lost_carrier_is_a_reason_until_it_returns", |testbed| {
        let remotes = ["192.0.2.254", "2001:db8:2::fe"];
        testbed.set_endpoints(LOCAL, &remotes);
        for _ in 0..3 {
            for remote in remotes {
                testbed.path(remote, |_| true);
            }
            testbed.routers[0].ip("link set dev p1 down");
            for remote in remotes {
                testbed.reason(
                    remote,
                    |reason| matches!(reason, NoPath::NoCarrier { link, .. } if link == "u1"),
                );
            }
            testbed.routers[0].ip("link set dev p1 up");
            // An address of IPv6 goes with the link.
            testbed.routers[0].ip("address replace 2001:db8:2::fe/64 dev p1 nodad");
        }
        for remote in remotes {
            testbed.path(remote, |_| true);
        }
        testbed.host.ip("link set dev u1 down");
        // Routes go with the link, and the address stays.
        testbed.reason("192.0.2.254", |reason| matches!(reason, NoPath::NoRoute { .. }));
        testbed.host.ip("link set dev u1 up");
        testbed.path("192.0.2.254", |_| true);
    });
}

#[test]
fn a_route_by_another_link_is_followed() {
    on_testbed("a_route_by_another_link_is_followed", |testbed| {
        testbed.host.ip("route add 203.0.113.0/24 via 192.0.2.254");
        testbed.set_endpoints(LOCAL, &["203.0.113.9"]);
        let (first, second) = (testbed.ifindex("u1"), testbed.ifindex("u2"));
        testbed.path("203.0.113.9", |path| path.link == first);
        testbed.host.ip("route replace 203.0.113.0/24 via 198.51.100.254");
        let path = testbed.path("203.0.113.9", |path| path.link == second);
        assert_eq!((path.destination_mac, path.source), (router_mac(2), address("192.0.2.1")));

        // A rule that depends on the source address.
        testbed.host.ip("route add 203.0.113.0/24 via 192.0.2.254 table 100");
        testbed.host.ip("rule add from 192.0.2.1 ipproto udp table 100");
        testbed.path("203.0.113.9", |path| path.link == first);
        testbed.host.ip("rule del from 192.0.2.1 ipproto udp table 100");
        testbed.path("203.0.113.9", |path| path.link == second);

        testbed.host.ip("link del u2");
        testbed.reason("203.0.113.9", |reason| matches!(reason, NoPath::NoRoute { .. }));
    });
}
