//! The longest packet of a path.

use std::fs;
use std::net::UdpSocket;

use super::testbed::{LOCAL, Testbed, on_testbed};
use testkit::netns::{Netns, veth};

fn wait_for(testbed: &mut Testbed, remote: &str, mtu_bytes: u32) {
    testbed.path(remote, |path| path.mtu_bytes == mtu_bytes);
}

#[test]
fn the_smallest_of_link_and_route_counts() {
    on_testbed("the_smallest_of_link_and_route_counts", |testbed| {
        testbed.host.ip("route add 203.0.113.0/24 via 192.0.2.254");
        testbed.host.ip("-6 route add 2001:db8:9::/64 via 2001:db8:2::fe");
        let remotes = ["203.0.113.9", "2001:db8:9::9"];
        testbed.set_endpoints(LOCAL, &remotes);
        for remote in remotes {
            wait_for(testbed, remote, 1500);
        }
        testbed.host.ip("route change 203.0.113.0/24 via 192.0.2.254 mtu 1400");
        testbed.host.ip("-6 route change 2001:db8:9::/64 via 2001:db8:2::fe mtu 1400");
        for remote in remotes {
            wait_for(testbed, remote, 1400);
        }
        testbed.host.ip("link set dev u1 mtu 1300");
        for remote in remotes {
            wait_for(testbed, remote, 1300);
        }
        testbed.host.ip("link set dev u1 mtu 9000");
        for remote in remotes {
            wait_for(testbed, remote, 1400);
        }
        testbed.host.ip("route change 203.0.113.0/24 via 192.0.2.254");
        wait_for(testbed, "203.0.113.9", 9000);
    });
}

#[test]
fn a_learned_path_mtu_is_obeyed() {
    on_testbed("a_learned_path_mtu_is_obeyed", |testbed| {
        // Router 1 forwards to a network with a smaller MTU.
        let far = Netns::new("far");
        veth((&testbed.routers[0], "down"), (&far, "up", "02:00:00:00:00:55"), 1);
        testbed.routers[0].enter(|| {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
            fs::write("/proc/sys/net/ipv6/conf/down/disable_ipv6", "0").unwrap();
        });
        testbed.routers[0].ip("link set dev down mtu 1300");
        testbed.routers[0].ip("address add 203.0.113.254/24 dev down");
        testbed.routers[0].ip("address add 2001:db8:9::fe/64 dev down nodad");
        testbed.host.ip("route add 203.0.113.0/24 via 192.0.2.254");
        testbed.host.ip("-6 route add 2001:db8:9::/64 via 2001:db8:2::fe");
        let remotes = ["203.0.113.9", "2001:db8:9::9"];
        testbed.set_endpoints(LOCAL, &remotes);
        for (remote, own) in remotes.into_iter().zip(["192.0.2.1", "2001:db8:2::1"]) {
            wait_for(testbed, remote, 1500);
            testbed.host.enter(|| {
                let socket = UdpSocket::bind((own, 0)).unwrap();
                socket.connect((remote, 4789)).unwrap();
                socket.send(&[0; 1400]).unwrap();
            });
            wait_for(testbed, remote, 1300);
        }
    });
}
