//! Security groups with TCP and UDP of ordinary programs, on a port and on a subport.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::netns::Netns;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::{PATIENCE, until};

use super::transport::address;

/// Time in which a packet that passes arrives for certain, and one that is dropped is missed.
const MISSED: Duration = Duration::from_millis(700);

const OPEN: u16 = 8080;
const SHUT: u16 = 8081;

fn rule(id: &str, direction: &str, ethertype: &str, more: &Value) -> Value {
    let mut rule = json!({"id": id, "topic": "t", "direction": direction, "ethertype": ethertype});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

/// Clients may open TCP connections; servers are reached by them at one port.
fn put_groups(testbed: &Testbed, clients_may: bool) {
    let families = ["IPv4", "IPv6"];
    let tcp = json!({"protocol": 6});
    let to_server =
        json!({"protocol": 6, "port_range_min": OPEN, "port_range_max": OPEN, "remote_group_id": "clients"});
    let egress: Vec<_> = families.iter().map(|family| rule(family, "egress", family, &tcp)).collect();
    let ingress: Vec<_> = families.iter().map(|family| rule(family, "ingress", family, &to_server)).collect();
    let clients = if clients_may { egress } else { vec![] };
    for (id, rules) in [("clients", clients), ("servers", ingress)] {
        testbed
            .files
            .nb(&["put", "secgroup", &json!({"id": id, "topic": "t", "rules": rules}).to_string()], "");
    }
}

fn listen(netns: &Netns, address: IpAddr, port: u16) -> TcpListener {
    netns.enter(|| TcpListener::bind(SocketAddr::new(address, port)).unwrap())
}

fn connect(netns: &Netns, address: IpAddr, port: u16, patience: Duration) -> Option<TcpStream> {
    netns.enter(|| TcpStream::connect_timeout(&SocketAddr::new(address, port), patience).ok())
}

/// Whether a datagram arrives.
fn is_heard(from: &Netns, to: &Netns, ip: IpAddr) -> bool {
    let receiver = to.enter(|| UdpSocket::bind(SocketAddr::new(ip, SHUT)).unwrap());
    receiver.set_read_timeout(Some(MISSED)).unwrap();
    let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let sender = from.enter(|| UdpSocket::bind(SocketAddr::new(any, 0)).unwrap());
    sender.send_to(b"hello", SocketAddr::new(ip, SHUT)).unwrap();
    receiver.recv(&mut [0; 8]).is_ok()
}

/// A client, which may be a subport, and a server of one network, and their addresses.
fn check(testbed: &Testbed, (client, client_ip): (&Port, IpAddr), (server, server_ip): (&Port, IpAddr)) {
    let (inside, outside) = (testbed.netns(client), testbed.netns(server));
    let _shut = listen(outside, server_ip, SHUT);
    let _client_listens = listen(inside, client_ip, OPEN);
    let listener = listen(outside, server_ip, OPEN);
    // Before its groups are in force, every connection is accepted.
    until("the groups", || connect(inside, server_ip, SHUT, MISSED).is_none().then_some(()));
    assert!(connect(outside, client_ip, OPEN, MISSED).is_none(), "no egress rule of the server");
    assert!(
        !is_heard(inside, outside, server_ip) && !is_heard(outside, inside, client_ip),
        "no rule for UDP"
    );

    let mut stream = connect(inside, server_ip, OPEN, PATIENCE).expect("a connection that rules allow");
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.set_read_timeout(Some(MISSED)).unwrap();
    let mut passes = |byte: u8| {
        stream.write_all(&[byte]).unwrap();
        let mut read = [0];
        accepted.read_exact(&mut read).is_ok() && read == [byte]
    };
    assert!(passes(1));
    put_groups(testbed, false);
    until("the rule to be removed", || (!passes(2)).then_some(()));
    assert!(connect(inside, server_ip, OPEN, MISSED).is_none());
    put_groups(testbed, true);
    // What was lost is sent again.
    let mut waiting = [0];
    until("the connection to be revived", || accepted.read_exact(&mut waiting).is_ok().then_some(()));
}

#[test]
fn connections_of_ordinary_programs_follow_the_rules_and_their_changes() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let subport = testbed.subport(&vm, 100, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();
        let vlan = testbed.vlan_interface(&subport, 0);
        put_groups(testbed, true);
        for (client, dev, server) in [(&vm, "eth0", &peer1), (&subport, &*vlan, &peer2)] {
            let (client_ips, server_ips) =
                (address(testbed, client, dev, 1), address(testbed, server, "eth0", 2));
            testbed.guard(client, &client_ips.map(|ip| ip.to_string()), "clients");
            testbed.guard(server, &server_ips.map(|ip| ip.to_string()), "servers");
            for (client_ip, server_ip) in client_ips.into_iter().zip(server_ips) {
                check(testbed, (client, client_ip), (server, server_ip));
            }
            // The other network has the same addresses.
            testbed.netns(client).ip(&format!("address flush dev {dev}"));
        }
    });
}
