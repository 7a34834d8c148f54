//! TCP and UDP of ordinary programs, between namespaces with default offloads: checksums are still partial
//! when frames reach the switch.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use testkit::command::succeed;
use testkit::netns::Netns;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::PATIENCE;

/// Bytes in each direction of a TCP connection; a shifted or missing one shows.
const TCP_BYTES: u32 = 2_000_000;
const DATAGRAMS: u16 = 50;

/// Bytes by which each datagram is longer than the one before. The longest ones fill an MTU of 1500.
const USUAL_STEP: u16 = 29;

#[test]
fn tcp_and_udp_untagged() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (a, b) = (testbed.guest("a", one), testbed.guest("b", one));
        testbed.start();
        let (a_ips, b_ips) = (address(testbed, &a, "eth0", 1), address(testbed, &b, "eth0", 2));
        for ip in b_ips {
            converse(testbed.netns(&a), testbed.netns(&b), ip, USUAL_STEP);
        }
        for ip in a_ips {
            converse(testbed.netns(&b), testbed.netns(&a), ip, USUAL_STEP);
        }
    });
}

#[test]
fn tcp_and_udp_in_a_vlan() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (_peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();
        let vlan = testbed.vlan_interface(&sub, 0);
        let (vm_ips, peer_ips) = (address(testbed, &vm, &vlan, 1), address(testbed, &peer2, "eth0", 2));
        for ip in peer_ips {
            converse(testbed.netns(&vm), testbed.netns(&peer2), ip, USUAL_STEP);
        }
        for ip in vm_ips {
            converse(testbed.netns(&peer2), testbed.netns(&vm), ip, USUAL_STEP);
        }
    });
}

#[test]
fn tcp_and_udp_between_two_vlans() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (vm, other) = (testbed.guest("vm", one), testbed.guest("other", one));
        let (x, y) = (testbed.subport(&vm, 100, two), testbed.subport(&other, 200, two));
        testbed.start();
        let vlans = (testbed.vlan_interface(&x, 0), testbed.vlan_interface(&y, 0));
        let (_, ips) = (address(testbed, &vm, &vlans.0, 1), address(testbed, &other, &vlans.1, 2));
        for ip in ips {
            converse(testbed.netns(&vm), testbed.netns(&other), ip, USUAL_STEP);
        }
    });
}

#[test]
fn tcp_and_udp_in_a_tunnel_of_the_guests() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (a, b) = (testbed.guest("a", one), testbed.guest("b", one));
        testbed.start();
        converse_in_tunnels(testbed, (&a, "eth0"), &b);
    });
}

#[test]
fn tcp_and_udp_in_a_tunnel_in_a_vlan() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let peer = testbed.guest("peer", two);
        testbed.start();
        let vlan = testbed.vlan_interface(&sub, 0);
        converse_in_tunnels(testbed, (&sub, &vlan), &peer);
    });
}

/// An overlay of the guests, as of containers in a VM: VXLAN with and without an outer checksum.
fn converse_in_tunnels(testbed: &Testbed, (port, dev): (&Port, &str), peer: &Port) {
    // The last datagrams fill an MTU of 1500 less the headers of VXLAN.
    const STEP: u16 = 28;
    let (a_ips, b_ips) = (address(testbed, port, dev, 1), address(testbed, peer, "eth0", 2));
    let (a, b) = (testbed.netns(port), testbed.netns(peer));
    for (sums, udp_port) in [("noudpcsum", 4789), ("udpcsum", 4789), ("noudpcsum", 8472)] {
        let ends = [(a, a_ips[0], b_ips[0], "172.16.0.1"), (b, b_ips[0], a_ips[0], "172.16.0.2")];
        for (netns, local, remote, inner) in ends {
            netns.ip(&format!(
                "link add vx type vxlan id 7 dstport {udp_port} local {local} remote {remote} {sums}"
            ));
            netns.ip("link set vx mtu 1450 up");
            netns.ip(&format!("address add {inner}/24 dev vx"));
        }
        converse(a, b, IpAddr::from([172, 16, 0, 2]), STEP);
        converse(b, a, IpAddr::from([172, 16, 0, 1]), STEP);
        for (netns, ..) in ends {
            netns.ip("link delete dev vx");
        }
    }
}

/// Adds an IPv4 and an IPv6 address that end with `host` to `dev` of `port`'s guest.
pub fn address(testbed: &Testbed, port: &Port, dev: &str, host: u8) -> [IpAddr; 2] {
    let netns = testbed.netns(port);
    let features = succeed(netns.command("ethtool").args(["-k", dev]), "");
    assert!(
        features.contains("tx-checksumming: on"),
        "the offloads of {dev} are not the stock ones: {features}"
    );
    netns.enter(|| std::fs::write(format!("/proc/sys/net/ipv6/conf/{dev}/disable_ipv6"), "0").unwrap());
    netns.ip(&format!("address add 10.1.0.{host}/24 dev {dev}"));
    netns.ip(&format!("address add fd00::{host}/64 dev {dev} nodad"));
    [IpAddr::from([10, 1, 0, host]), IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)])]
}

/// Exchanges TCP and UDP from `client` with `ip` in `server`; each datagram is `step` bytes longer than the
/// one before.
pub fn converse(client: &Netns, server: &Netns, ip: IpAddr, step: u16) {
    tcp(client, server, ip);
    udp(client, server, ip, step);
}

pub fn tcp(client: &Netns, server: &Netns, ip: IpAddr) {
    tcp_of(TCP_BYTES, client, server, ip);
}

/// TCP with this number of bytes in each direction, a multiple of 4.
pub fn tcp_of(bytes: u32, client: &Netns, server: &Netns, ip: IpAddr) {
    let (listener, port) = server.enter(|| {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    });
    let client = client.enter(|| TcpStream::connect_timeout(&SocketAddr::new(ip, port), PATIENCE).unwrap());
    let (server, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| both_ways(server, bytes));
        both_ways(client, bytes);
    });
}

/// Sends and receives at the same time.
fn both_ways(stream: TcpStream, bytes: u32) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let data: Vec<u8> = (0..bytes / 4).flat_map(u32::to_be_bytes).collect();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = stream;
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&data).unwrap());
        let mut received = vec![0; data.len()];
        reader.read_exact(&mut received).unwrap();
        assert!(received == data, "the bytes that came are others than those sent");
    });
}

/// Datagrams of many lengths, odd ones too, each returned before the next.
fn udp(client: &Netns, server: &Netns, ip: IpAddr, step: u16) {
    let bind = |netns: &Netns, ip: IpAddr| {
        let socket = netns.enter(|| UdpSocket::bind((ip, 0)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let echo = bind(server, ip);
    let any = if ip.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let socket = bind(client, any);
    // Connecting looks up a route in the client's namespace, to which the socket belongs.
    socket.connect(echo.local_addr().unwrap()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..DATAGRAMS {
                let mut datagram = [0; 9000];
                let (length, from) = uninterrupted(|| echo.recv_from(&mut datagram));
                echo.send_to(&datagram[..length], from).unwrap();
            }
        });
        for number in 0..DATAGRAMS {
            let sent = vec![number.to_be_bytes()[1]; usize::from(number * step + 1)];
            socket.send(&sent).unwrap();
            let mut received = [0; 9000];
            let length = uninterrupted(|| socket.recv(&mut received));
            assert!(received[..length] == sent, "datagram {number} came back as another");
        }
    });
}

/// Repeats `receive` while it is interrupted. A call with a time limit can be interrupted without a signal
/// handler (`signal(7)`); the standard library repeats only those of streams.
fn uninterrupted<T>(mut receive: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match receive() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.unwrap(),
        }
    }
}
