//! The longest packet of a path.

use std::fs;
use std::net::{IpAddr, UdpSocket};

use super::testbed::{LOCAL, Testbed, address, on_testbed};
use testkit::netns::{Netns, veth};
use testkit::wire::Sender;
use trunkpath::control::underlay::Path;

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

/// Adds a network behind router 1 with an MTU of 1300, and routes to it.
fn add_narrow_network(testbed: &Testbed) -> Netns {
    let (far, router) = (Netns::new("far"), &testbed.routers[0]);
    veth((router, "down"), (&far, "up", "02:00:00:00:00:55"), 1);
    router.enter(|| {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        fs::write("/proc/sys/net/ipv6/conf/down/disable_ipv6", "0").unwrap();
    });
    router.ip("link set dev down mtu 1300");
    router.ip("address add 203.0.113.254/24 dev down");
    router.ip("address add 2001:db8:9::fe/64 dev down nodad");
    testbed.host.ip("route add 203.0.113.0/24 via 192.0.2.254");
    testbed.host.ip("-6 route add 2001:db8:9::/64 via 2001:db8:2::fe");
    far
}

#[test]
fn a_path_mtu_of_the_hosts_own_packets_is_obeyed() {
    on_testbed("a_path_mtu_of_the_hosts_own_packets_is_obeyed", |testbed| {
        let _far = add_narrow_network(testbed);
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

#[test]
fn a_path_mtu_of_packets_without_a_socket_is_obeyed() {
    const PROTOCOLS: [u8; 2] = [17, 47];
    on_testbed("a_path_mtu_of_packets_without_a_socket_is_obeyed", |testbed| {
        let _far = add_narrow_network(testbed);
        let remotes = ["203.0.113.17", "203.0.113.47", "2001:db8:9::17", "2001:db8:9::47"];
        testbed.set_endpoints(LOCAL, &remotes);
        let sender = Sender::new(&testbed.host, "u1");
        for (remote, protocol) in remotes.into_iter().zip(PROTOCOLS.into_iter().cycle()) {
            let path = testbed.path(remote, |path| path.mtu_bytes == 1500);
            sender.send(&frame(&path, address(remote), protocol));
            wait_for(testbed, remote, 1300);
        }
    });
}

/// A frame with 1400 bytes in an outer packet that must not be fragmented.
fn frame(path: &Path, remote: IpAddr, protocol: u8) -> Vec<u8> {
    // The ports of UDP, its length and no checksum; GRE without options.
    let inner =
        if protocol == 17 { [0xc0, 0, 0x12, 0xb5, 5, 0x78, 0, 0] } else { [0, 0, 0x65, 0x58, 0, 0, 0, 0] };
    let mut packet = match (path.source, remote) {
        (IpAddr::V4(source), IpAddr::V4(remote)) => {
            let mut header = [0x45, 0, 5, 0x8c, 0, 0, 0x40, 0, 64, protocol, 0, 0].to_vec();
            header.extend([source.octets(), remote.octets()].concat());
            let words = header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
            let sum: u32 = words.sum();
            let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
            header[10..12].copy_from_slice(&(!folded).to_be_bytes());
            [vec![8, 0], header].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(remote)) => {
            let header = [0x86, 0xdd, 0x60, 0, 0, 0, 5, 0x78, protocol, 64];
            [&header[..], &source.octets(), &remote.octets()].concat()
        }
        mixed => panic!("one family: {mixed:?}"),
    };
    packet.extend(inner);
    packet.resize(packet.len() + 1400 - inner.len(), 0);
    [&path.destination_mac.bytes()[..], &path.source_mac.bytes(), &packet].concat()
}
