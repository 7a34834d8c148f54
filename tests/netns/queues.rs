//! Several queues and workers: frames cross from worker to worker, and each flow stays in order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use testkit::command::succeed;
use testkit::frame::{Frame, Mac, tci};
use testkit::netns::Netns;
use testkit::stream::{Stream, assert_in_order, number, payload};
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;

const QUEUES: u32 = 4;
const FLOWS: u16 = 32;
const FRAMES_PER_FLOW: u64 = 200;

#[test]
fn four_queues_and_two_workers_keep_each_flow_in_order() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        testbed.queues = QUEUES;
        testbed.arguments = ["--workers", "0,1"].map(str::to_owned).to_vec();
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();
        let workers = testbed.daemon().show("workers").unwrap();
        assert_eq!(workers.as_array().unwrap().len(), 2, "{workers}");

        // At the same time: from both ports of the guest, and to one of them.
        let to1: Vec<_> = (0..FLOWS).map(|flow| udp(vm.mac, peer1.mac, flow)).collect();
        let to2: Vec<_> = (0..FLOWS).map(|flow| udp(sub.mac, peer2.mac, flow)).collect();
        let back: Vec<_> = (0..FLOWS).map(|flow| udp(peer2.mac, sub.mac, flow)).collect();
        let tag = tci(0, false, 100);
        std::thread::scope(|scope| {
            let from_vm: Vec<_> =
                to1.iter().cloned().chain(to2.iter().map(|frame| frame.tagged(tag))).collect();
            let (vm_sender, peer_sender) = (testbed.sender(&vm), testbed.sender(&peer2));
            scope.spawn(move || Stream::interleaved(&vm_sender, &from_vm, FRAMES_PER_FLOW));
            let from_peer = back.clone();
            scope.spawn(move || Stream::interleaved(&peer_sender, &from_peer, FRAMES_PER_FLOW));
        });

        assert_flows_arrived(testbed, &peer1, &to1);
        assert_flows_arrived(testbed, &peer2, &to2);
        assert_flows_arrived(testbed, &vm, &back.iter().map(|frame| frame.tagged(tag)).collect::<Vec<_>>());
        let used = queues_used(testbed, &vm);
        assert!(used > 1, "the flows of a test of many queues came by {used} of them");
    });
}

/// Asserts that each flow of `flows` arrived at `port`'s guest completely and in order.
fn assert_flows_arrived(testbed: &Testbed, port: &Port, flows: &[Frame]) {
    let mut numbers: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    let mut missing = flows.len() * usize::try_from(FRAMES_PER_FLOW).unwrap();
    let heads: Vec<Vec<u8>> = flows.iter().map(|flow| head(&flow.bytes())).collect();
    testbed.capture(port).through(|frame| {
        let head = head(frame);
        assert!(heads.contains(&head), "a frame of no flow: {frame:02x?}");
        numbers.entry(head).or_default().push(number(frame));
        missing -= 1;
        missing == 0
    });
    for (flow, head) in heads.iter().enumerate() {
        println!("flow {flow} to port {}", port.key);
        assert_in_order(&numbers[head], FRAMES_PER_FLOW);
    }
}

/// A frame without the number at its end.
fn head(frame: &[u8]) -> Vec<u8> {
    frame[..frame.len() - 8].to_vec()
}

/// Number of RX queues of `port`'s link that received frames.
fn queues_used(testbed: &Testbed, port: &Port) -> usize {
    let counters = succeed(testbed.host.command("ethtool").args(["-S", testbed.dev(port)]), "");
    let packets = |line: &str| {
        let (name, value) = line.split_once(':')?;
        (name.contains("rx_queue_") && name.ends_with("_xdp_packets")).then(|| value.trim() != "0")
    };
    counters.lines().filter_map(packets).filter(|used| *used).count()
}

/// The first frame of a UDP flow, by whose ports the sender's kernel chooses the queue. The UDP checksum of 0
/// means none; that of the IPv4 header is right.
fn udp(src: Mac, dst: Mac, flow: u16) -> Frame {
    let payload = payload(0);
    let length = u16::try_from(payload.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + 8 + length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(Ipv4Addr::new(10, 1, 0, src[5]).octets());
    ip.extend(Ipv4Addr::new(10, 1, 0, dst[5]).octets());
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let udp = [5000 + flow, 6000, 8 + length, 0].map(u16::to_be_bytes).concat();
    Frame { ethertype: 0x0800, ..Frame::new(src, dst).carrying(&[ip, udp, payload].concat()) }
}

#[test]
fn queue_that_is_added_gets_a_socket() {
    on_testbed(|testbed| {
        let one = testbed.network();
        testbed.queues = 2;
        let (vm, peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let dev = testbed.dev(&vm).to_owned();
        let set_queues = |netns: &Netns, dev: &str, count: &str| {
            succeed(netns.command("ethtool").args(["-L", dev, "rx", count, "tx", count]), "");
        };
        set_queues(testbed.netns(&vm), "eth0", "1");
        set_queues(&testbed.host, &dev, "1");
        testbed.start();
        assert_eq!(queues_of(testbed, &vm), Some(1));
        // As a VM that opens its tap after the daemon, or enables its second queue.
        set_queues(&testbed.host, &dev, "2");
        set_queues(testbed.netns(&vm), "eth0", "2");
        until("a socket on the second queue", || (queues_of(testbed, &vm) == Some(2)).then_some(()));
        testbed.wait_until_all_up();
        let frames = (0..FLOWS).map(|flow| udp(vm.mac, peer.mac, flow).bytes());
        let mut missing: BTreeSet<_> = frames.collect();
        for frame in &missing {
            testbed.sender(&vm).send(frame);
        }
        // No marker, as in `exchange`: it arrives by one queue, maybe before the frames of the other.
        testbed.capture(&peer).through(|frame| {
            missing.remove(frame);
            missing.is_empty()
        });
    });
}

/// Number of queues with a socket, by `trunkpath show ports`.
fn queues_of(testbed: &Testbed, port: &Port) -> Option<u64> {
    let ports = testbed.daemon().show("ports")?;
    ports.as_array()?.iter().find(|row| row["lport"] == port.id())?["queues"].as_u64()
}
