//! Broadcasts between hosts.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use super::testbed::{on_hosts, tunnel};

#[test]
fn a_flood_is_one_packet_to_each_host_and_comes_back_from_none() {
    on_hosts(3, |hosts| {
        hosts.network(1, &tunnel("vxlan", 37));
        let a = hosts.guest("a", 1, 1);
        for (name, host) in [("b", 2), ("c", 2), ("d", 3), ("e", 3)] {
            hosts.guest(name, host, 1);
        }
        hosts.start();
        let ips: Vec<_> = hosts.guests.iter().skip(1).map(|guest| guest.ip.clone()).collect();
        for ip in &ips {
            hosts.wait_until_reachable(a, ip);
        }
        let filter = ["-nn", "-U", "-i", "eth1-h1", "udp port 4789", "-w", "-"];
        let capture =
            hosts.wire.command("tcpdump").args(filter).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut capture = capture.unwrap();
        sleep(Duration::from_secs(1));
        // Nobody has the address, so that only requests are on the wire.
        let netns = &hosts.guests[a].netns;
        testkit::command::output(netns.command("ping").args(["-q", "-c", "1", "-W", "1", "10.38.0.99"]), "");
        sleep(Duration::from_secs(3));
        capture.kill().unwrap();
        let captured = capture.wait_with_output().unwrap().stdout;
        let requests: Vec<_> = destinations(&captured);
        let to = |last: u8| requests.iter().filter(|packet| **packet == [192, 0, 2, last]).count();
        assert!(to(2) > 0 && to(2) == to(3), "one copy to each host: {requests:?}");
        assert_eq!((requests.len(), to(1)), (to(2) + to(3), 0));
    });
}

/// The destinations of the ARP requests in tunnel packets of a pcap file.
fn destinations(pcap: &[u8]) -> Vec<[u8; 4]> {
    let mut found = Vec::new();
    let mut rest = pcap.get(24..).unwrap_or_default();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let len = u32::from_ne_bytes(header[8..12].try_into().unwrap()) as usize;
        let Some((packet, after)) = after.split_at_checked(len) else { break };
        // Ethernet, IPv4, UDP and VXLAN; a broadcast of ARP inside.
        if packet.get(50..56) == Some(&[0xff; 6]) && packet.get(62..64) == Some(&[8, 6]) {
            found.push(packet[30..34].try_into().unwrap());
        }
        rest = after;
    }
    found
}
