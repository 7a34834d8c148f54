//! The program of uplinks: which frames belong to the switch.

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags};
use trunkpath::xsk::XskSocket;

use super::{XDP_PASS, XDP_REDIRECT, counters, socket, verdict};
use skeleton::{UplinkSkel, UplinkSkelBuilder};

super::skeleton!("/uplink.skel.rs");

const LOCAL4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const LOCAL6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Outcome of a frame, as the program counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tunnel,
    Provider,
    Passed,
}
use Kind::{Passed, Provider, Tunnel};

const UDP: u8 = 17;
const GRE: u8 = 47;

fn frame(ethernet_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    frame.extend(ethernet_type.to_be_bytes());
    frame.extend(payload);
    frame
}

fn tagged(tpid: u16, tci: u16, mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(12..12, [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
    frame
}

/// A packet whose header after IP has `second` as its second half-word.
fn ipv4(to: Ipv4Addr, protocol: u8, second: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 48, 0, 1, 0, 0, 64, protocol, 0, 0, 198, 51, 100, 1];
    packet.extend(to.octets());
    packet.extend([0x20, 0x00]);
    packet.extend(second.to_be_bytes());
    packet.extend([0; 24]);
    frame(0x0800, &packet)
}

fn ipv6(to: Ipv6Addr, next: u8, second: u16) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 28, next, 64];
    packet.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).octets());
    packet.extend(to.octets());
    packet.extend([0x20, 0x00]);
    packet.extend(second.to_be_bytes());
    packet.extend([0; 24]);
    frame(0x86dd, &packet)
}

/// The frame with other bytes at an offset in its IP packet.
fn with(mut frame: Vec<u8>, offset: usize, bytes: &[u8]) -> Vec<u8> {
    frame[14 + offset..][..bytes.len()].copy_from_slice(bytes);
    frame
}

fn cut(mut frame: Vec<u8>, len: usize) -> Vec<u8> {
    frame.truncate(len);
    frame
}

/// Frames with their kind on an uplink whose provider networks have the VIDs 100 and 4094.
fn frames() -> Vec<(&'static str, Vec<u8>, Kind)> {
    let other4 = Ipv4Addr::new(192, 0, 2, 2);
    let vxlan4 = || ipv4(LOCAL4, UDP, 4789);
    let vxlan6 = || ipv6(LOCAL6, UDP, 4789);
    vec![
        ("VXLAN", vxlan4(), Tunnel),
        ("Geneve", ipv4(LOCAL4, UDP, 6081), Tunnel),
        ("Ethernet in GRE", ipv4(LOCAL4, GRE, 0x6558), Tunnel),
        ("IP in GRE", ipv4(LOCAL4, GRE, 0x0800), Passed),
        ("DNS", ipv4(LOCAL4, UDP, 53), Passed),
        ("TCP to the port of VXLAN", ipv4(LOCAL4, 6, 4789), Passed),
        ("to another address", ipv4(other4, UDP, 4789), Passed),
        ("to the unspecified address", ipv4(Ipv4Addr::UNSPECIFIED, UDP, 4789), Passed),
        ("DF is no fragment", with(vxlan4(), 6, &[0x40, 0]), Tunnel),
        ("first fragment", with(vxlan4(), 6, &[0x20, 0]), Passed),
        ("last fragment", with(vxlan4(), 6, &[0, 0x10]), Passed),
        ("IPv4 options", with(vxlan4(), 0, &[0x46]), Passed),
        ("no IPv4", with(vxlan4(), 0, &[0x65]), Passed),
        ("the shortest packet", cut(vxlan4(), 14 + 20 + 4), Tunnel),
        ("cut in the ports", cut(vxlan4(), 14 + 20 + 3), Passed),
        ("cut in the IPv4 header", cut(vxlan4(), 14 + 19), Passed),
        ("cut after the type", cut(vxlan4(), 14), Passed),
        ("VXLAN over IPv6", vxlan6(), Tunnel),
        ("Geneve over IPv6", ipv6(LOCAL6, UDP, 6081), Tunnel),
        ("GRE over IPv6", ipv6(LOCAL6, GRE, 0x6558), Tunnel),
        ("IPv6 to another address", ipv6(Ipv6Addr::LOCALHOST, UDP, 4789), Passed),
        ("one bit of the last word differs", with(vxlan6(), 39, &[0]), Passed),
        ("fragment header", ipv6(LOCAL6, 44, 4789), Passed),
        ("hop-by-hop options", ipv6(LOCAL6, 0, 4789), Passed),
        ("no IPv6", with(vxlan6(), 0, &[0x45]), Passed),
        ("IPv6 cut in the ports", cut(vxlan6(), 14 + 40 + 3), Passed),
        ("VID 100", tagged(0x8100, 100, vxlan4()), Provider),
        ("VID 100 with PCP and DEI", tagged(0x8100, 0xf064, frame(0x0806, &[0; 46])), Provider),
        ("VID 4094", tagged(0x8100, 4094, vxlan4()), Provider),
        ("VID 101", tagged(0x8100, 101, vxlan4()), Passed),
        ("a tunnel in a VLAN of the host", tagged(0x8100, 200, vxlan6()), Passed),
        ("VID 100 in a service tag", tagged(0x88a8, 100, vxlan4()), Passed),
        ("VID 100 in VID 200", tagged(0x8100, 200, tagged(0x8100, 100, vxlan4())), Passed),
        ("VID 200 in VID 100", tagged(0x8100, 100, tagged(0x8100, 200, vxlan4())), Provider),
        ("a tag without a type", cut(tagged(0x8100, 100, vxlan4()), 18), Provider),
        ("half a tag", cut(tagged(0x8100, 100, vxlan4()), 16), Passed),
        ("ARP", frame(0x0806, &[0; 46]), Passed),
        ("priority tag", tagged(0x8100, 0xa000, frame(0x0806, &[0; 46])), Passed),
    ]
}

/// On an uplink with a flat network all frames without a VID belong to the switch as well.
fn on_flat(frame: &[u8], kind: Kind) -> Kind {
    let has_no_vid = match frame.get(12..16) {
        Some([0x81, 0, high, low]) => high.trailing_zeros() >= 4 && *low == 0,
        Some([0x88, 0xa8, ..]) | None => false,
        Some(_) => frame.len() >= 18,
    };
    if kind == Passed && has_no_vid { Provider } else { kind }
}

/// A `struct uplink_selection`, with VID 0 for a flat network.
fn selection(vids: &[usize]) -> Vec<u8> {
    let mut words = [0_u64; 64];
    for vid in vids {
        words[vid / 64] |= 1 << (vid % 64);
    }
    let mut value: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
    value.extend(LOCAL6.octets());
    value.extend(LOCAL4.octets());
    value.extend([0; 4]);
    value
}

fn with_program(value: &[u8], test: impl FnOnce(&UplinkSkel<'_>)) {
    let mut object = MaybeUninit::uninit();
    let mut open = UplinkSkelBuilder::default().open(&mut object).expect("the object");
    open.progs.uplink_bound.set_autoload(false);
    let loaded = open.load().expect("the verifier's consent");
    loaded.maps.selection.update(&0_u32.to_ne_bytes(), value, MapFlags::ANY).expect("its size");
    test(&loaded);
}

/// Runs a frame, and returns its kind by the counters.
fn kind_of(uplink: &UplinkSkel<'_>, frame: &[u8]) -> Kind {
    // In the order of `enum uplink_counter`.
    let before: [u64; 4] = counters(&uplink.maps.counters);
    let action = verdict(&uplink.progs.uplink, frame);
    let after: [u64; 4] = counters(&uplink.maps.counters);
    let counted = std::array::from_fn(|counter| after[counter] - before[counter]);
    match (action, counted) {
        (XDP_REDIRECT, [1, 0, 0, 0]) => Tunnel,
        (XDP_REDIRECT, [0, 0, 0, 1]) => Provider,
        (XDP_PASS, [0, 1, 0, 0]) => Passed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_frames_of_the_switch_are_redirected() {
    if !testkit::root::is_root("only_frames_of_the_switch_are_redirected") {
        return;
    }
    let socket = socket();
    let fd = socket.as_fd().as_raw_fd().to_ne_bytes();
    with_program(&selection(&[100, 4094]), |uplink| {
        let sockets = &uplink.maps.sockets;
        sockets.update(&0_u32.to_ne_bytes(), &fd, MapFlags::ANY).expect("room for one queue");
        for (name, frame, kind) in frames() {
            assert_eq!(kind_of(uplink, &frame), kind, "{name}");
        }
        let select = |value: &[u8]| uplink.maps.selection.update(&0_u32.to_ne_bytes(), value, MapFlags::ANY);
        select(&selection(&[0, 100, 4094])).unwrap();
        for (name, frame, kind) in frames() {
            assert_eq!(kind_of(uplink, &frame), on_flat(&frame, kind), "{name}, beside a flat network");
        }
        // Nothing is selected: without an endpoint no address is one.
        select(&[0; 536]).unwrap();
        for (name, frame, _) in frames() {
            assert_eq!(kind_of(uplink, &frame), Passed, "{name}, without a selection");
        }
    });
    XskSocket::close_all(vec![socket]);
}

#[test]
fn without_a_socket_all_frames_of_an_uplink_are_the_hosts() {
    if !testkit::root::is_root("without_a_socket_all_frames_of_an_uplink_are_the_hosts") {
        return;
    }
    with_program(&selection(&(0..4095).collect::<Vec<_>>()), |uplink| {
        for (name, frame, _) in frames() {
            assert_eq!(kind_of(uplink, &frame), Passed, "{name}");
        }
    });
}
