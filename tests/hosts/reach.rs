//! Guests of two hosts reach each other, and the hosts go on using their link.

use std::net::IpAddr;

use super::testbed::{endpoint, on_hosts, reaches, tunnel};
use crate::netns::transport::tcp;

#[test]
fn ports_and_subports_of_two_hosts_reach_each_other_and_the_hosts_do_too() {
    on_hosts(2, |hosts| {
        hosts.network(1, &tunnel("vxlan", 37));
        hosts.network(2, &tunnel("geneve", 38));
        hosts.network(3, &tunnel("gre", 39));
        let (a, b) = (hosts.guest("a", 1, 1), hosts.guest("b", 2, 1));
        hosts.subport(a, 11, 2, 100);
        let far = hosts.subport(b, 12, 2, 200);
        hosts.subport(a, 21, 3, 101);
        let far_by_gre = hosts.subport(b, 22, 3, 100);
        hosts.start();
        let ip = hosts.guests[b].ip.clone();
        for ip in [&ip, &far, &far_by_gre] {
            hosts.wait_until_reachable(a, ip);
        }
        let [a, b] = [a, b].map(|guest| &hosts.guests[guest].netns);
        for ip in [&ip, &far, &far_by_gre] {
            let ip: IpAddr = ip.parse().unwrap();
            tcp(a, b, ip);
        }
        let [one, two] = [1, 2].map(|number| &hosts.host(number).netns);
        assert!(reaches(one, &endpoint(2)) && reaches(two, &endpoint(1)));
        tcp(one, two, endpoint(2).parse().unwrap());
        let peers = hosts.host(1).daemon().show("peers").unwrap();
        assert_eq!(peers[0]["peer"], "host2");
        assert_eq!(
            (&peers[0]["endpoint"], &peers[0]["paths"][0]["link"]),
            (&"192.0.2.2".into(), &"eth1".into())
        );
        assert_eq!(peers[0]["networks"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn with_the_daemons_dead_the_hosts_own_traffic_is_as_before() {
    on_hosts(2, |hosts| {
        let (a, b) = hosts.start_with_two_guests(&tunnel("geneve", 38));
        let ip = hosts.guests[b].ip.clone();
        for number in [1, 2] {
            hosts.kill_host(number);
        }
        let [one, two] = [1, 2].map(|number| &hosts.host(number).netns);
        assert!(reaches(one, &endpoint(2)));
        tcp(one, two, endpoint(2).parse().unwrap());
        hosts.start();
        hosts.wait_until_reachable(a, &ip);
    });
}

#[test]
fn fragments_of_tunnel_packets_arrive() {
    on_hosts(2, |hosts| {
        let (_, b) = hosts.start_with_two_guests(&tunnel("vxlan", 37));
        // What another switch sends that fragments: a datagram with a header of VXLAN, longer than its path.
        let program = format!(
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('{}', 0)); \
             s.setsockopt(socket.IPPROTO_IP, 10, 0); \
             f = bytes.fromhex('{}') + bytes.fromhex('{}') + bytes.fromhex('88b5') + bytes(1400); \
             s.sendto(bytes([8, 0, 0, 0, 0, 0, 37, 0]) + f, ('{}', 4789))",
            endpoint(1),
            super::testbed::mac(2).replace(':', ""),
            "020000009901",
            endpoint(2),
        );
        hosts.host(1).netns.ip("link set eth1 mtu 700");
        let received = || {
            let counter = "/sys/class/net/eth0/statistics/rx_bytes";
            let bytes = testkit::command::succeed(hosts.guests[b].netns.command("cat").arg(counter), "");
            bytes.trim().parse::<u64>().unwrap()
        };
        let before = received();
        testkit::command::succeed(hosts.host(1).netns.command("python3").args(["-c", &program]), "");
        testkit::wait::until("the reassembled frame", || (received() >= before + 1400).then_some(()));
    });
}
