//! A virtual MAC address in the `allowed_address_pairs` of several guests, as keepalived has it with
//! `use_vmac`.

use std::fs;
use std::net::UdpSocket;

use serde_json::{Value, json};

use testkit::frame::{Frame, Mac, tci};
use testkit::records::text;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;

/// Address of VRRP for router 51 (RFC 9568, 7.3).
const VIRTUAL: Mac = [0, 0, 0x5e, 0, 1, 0x33];
const VIRTUAL_IP: &str = "10.9.0.99";
const PEER_IP: &str = "10.9.0.2";

/// Starts the daemon with port security, and a pair of the virtual addresses, for both routers.
fn start(testbed: &mut Testbed, routers: [&Port; 2]) {
    testbed.write_records();
    for router in routers {
        testbed.secure(router, &[]);
        testbed.pair(router, VIRTUAL_IP, VIRTUAL);
    }
    testbed.relaunch();
    testbed.wait_until_all_up();
}

/// Row of `show networks` for the pair of a router.
fn pair(testbed: &Testbed, router: &Port) -> Value {
    let networks = testbed.daemon().show("networks").unwrap();
    let mut ports =
        networks.as_array().unwrap().iter().flat_map(|network| network["ports"].as_array().unwrap());
    ports.find(|port| port["lport"] == router.id()).unwrap()["pairs"].clone()
}

fn assert_holder(testbed: &Testbed, routers: [&Port; 2], holder: &Port) {
    for router in routers {
        assert_eq!(pair(testbed, router), json!([{"mac": text(VIRTUAL), "holder": holder.id()}]));
    }
}

fn moves(testbed: &Testbed, router: &Port) -> u64 {
    let stats = testbed.daemon().stats();
    let port = stats["ports"].as_array().unwrap().iter().find(|row| row["lport"] == router.id()).unwrap();
    port["address_moves"].as_u64().unwrap()
}

/// Sends an announcement of a router until it holds the virtual address. A move is possible a second after
/// the last one.
fn take_over(testbed: &mut Testbed, router: &Port, announcement: &Frame) {
    until("the address to move", || {
        testbed.sender(router).send(&announcement.bytes());
        (pair(testbed, router)[0]["holder"] == router.id()).then_some(())
    });
    testbed.forget_arrived(router);
}

#[test]
fn a_virtual_address_moves_between_a_subport_and_a_guest() {
    on_testbed(|testbed| {
        let network = testbed.network();
        let other = testbed.network();
        let vm = testbed.guest("vm", other);
        let master = testbed.subport(&vm, 100, network);
        let (backup, peer) = (testbed.guest("backup", network), testbed.guest("peer", network));
        let routers = [&master, &backup];
        start(testbed, routers);

        let (to_virtual, advertisement) = (Frame::new(peer.mac, VIRTUAL), Frame::new(VIRTUAL, peer.mac));
        let vlan = tci(0, false, 100);
        take_over(testbed, &master, &advertisement.tagged(vlan));
        testbed.exchange(&peer, &to_virtual, &[(&vm, &to_virtual.tagged(vlan))]);
        testbed.exchange(&vm, &advertisement.tagged(vlan), &[(&peer, &advertisement)]);
        assert_holder(testbed, routers, &master);

        let traced = ["trace", "--port", &backup.id(), "--src", &text(VIRTUAL), "--dst", &text(peer.mac)];
        assert!(testbed.files.ask(&traced).contains(&peer.id()));
        assert_holder(testbed, routers, &master);

        take_over(testbed, &backup, &advertisement);
        testbed.exchange(&peer, &to_virtual, &[(&backup, &to_virtual)]);
        assert_holder(testbed, routers, &backup);
        assert_eq!(moves(testbed, &backup), 1);
        assert!(testbed.files.ask(&["show", "networks"]).contains(&format!("{} (held)", text(VIRTUAL))));
        assert!(testbed.daemon().stats_for_people().contains("ADDRESSES MOVED HERE"));
        assert_eq!(testbed.daemon().show("drift"), Some(json!([])));

        // The only remaining claimant holds the address without an announcement.
        testbed.set_enabled(&backup, false);
        testbed.daemon().wait_until_up("ports", 2);
        assert_holder(testbed, routers, &master);
        testbed.set_enabled(&backup, true);
        testbed.daemon().wait_until_up("ports", 3);
        testbed.exchange(&peer, &to_virtual, &[(&vm, &to_virtual.tagged(vlan))]);
    });
}

/// Creates a link with the virtual addresses on a router; it is down.
fn add_virtual_interface(testbed: &Testbed, router: &Port) {
    let netns = testbed.netns(router);
    netns.ip(&format!("link add vrrp link eth0 address {} type macvlan mode private", text(VIRTUAL)));
    netns.ip(&format!("addr add {VIRTUAL_IP}/24 dev vrrp"));
    // Otherwise eth0 answers for the address of the other link, with its own MAC address.
    netns.enter(|| fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").unwrap());
}

/// A nonblocking socket of a guest.
fn socket(testbed: &Testbed, port: &Port, address: &str) -> UdpSocket {
    let socket = testbed.netns(port).enter(|| UdpSocket::bind(address)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

#[test]
fn a_kernel_reaches_a_macvlan_in_one_guest_and_after_a_failover_in_another() {
    on_testbed(|testbed| {
        let network = testbed.network();
        let (vm, backup, peer) =
            (testbed.guest("vm", network), testbed.guest("backup", network), testbed.guest("peer", network));
        start(testbed, [&vm, &backup]);
        testbed.netns(&peer).ip(&format!("addr add {PEER_IP}/24 dev eth0"));
        for router in [&vm, &backup] {
            add_virtual_interface(testbed, router);
        }
        let client = socket(testbed, &peer, &format!("{PEER_IP}:7000"));

        for (router, failed) in [(&vm, &backup), (&backup, &vm), (&vm, &backup)] {
            testbed.netns(failed).ip("link set vrrp down");
            testbed.netns(router).ip("link set vrrp up");
            let server = socket(testbed, router, "0.0.0.0:7000");
            until("a datagram to the virtual address", || {
                // As a VRRP master sends its advertisements.
                server.send_to(b"advertisement", (PEER_IP, 7001)).unwrap();
                client.send_to(b"request", (VIRTUAL_IP, 7000)).unwrap();
                let mut buffer = [0; 16];
                server.recv_from(&mut buffer).ok().filter(|(length, _)| buffer[..*length] == *b"request")
            });
        }
    });
}
