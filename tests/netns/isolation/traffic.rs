//! Numbered datagrams between machines, on flows with and without an opposite one.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::netns::Netns;

use super::changes::now_ns;

/// UDP ports of each machine.
pub const PORTS: [u16; 4] = [7001, 7002, 7003, 7004];

/// Source and destination ports: the first two are each other's answers, to the others there is none.
const FLOWS: [(u16, u16); 4] = [(7001, 7002), (7002, 7001), (7004, 7003), (7004, 7001)];

/// Pause between two rounds; in each, a machine sends on all its flows.
const REST: Duration = Duration::from_millis(10);

/// Time in which the last datagrams arrive, or never.
const MISSED: Duration = Duration::from_secs(1);

/// A port, and sockets in the namespace that has its link.
pub struct Machine {
    pub port: String,
    pub ips: [IpAddr; 2],
    sockets: Vec<UdpSocket>,
}

impl Machine {
    pub fn new(netns: &Netns, port: String, ips: [IpAddr; 2]) -> Self {
        let addresses: Vec<_> =
            ips.iter().flat_map(|ip| PORTS.map(|port| SocketAddr::new(*ip, port))).collect();
        let bind = |address: &SocketAddr| {
            let socket = UdpSocket::bind(address).unwrap();
            socket.set_read_timeout(Some(MISSED)).unwrap();
            socket
        };
        let sockets = netns.enter(|| addresses.iter().map(bind).collect());
        Self { port, ips, sockets }
    }

    fn socket(&self, address: SocketAddr) -> UdpSocket {
        let bound = self.sockets.iter().find(|socket| socket.local_addr().unwrap() == address);
        bound.unwrap().try_clone().unwrap()
    }
}

struct Flow<'a> {
    from: &'a Machine,
    to: &'a Machine,
    source: SocketAddr,
    destination: SocketAddr,
}

fn all(machines: &[Machine]) -> Vec<Flow<'_>> {
    let pairs = machines.iter().flat_map(|from| machines.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from.port != to.port);
    let flows = pairs.flat_map(|(from, to)| {
        from.ips.iter().zip(&to.ips).flat_map(move |(source, destination)| {
            FLOWS.map(|(source_port, destination_port)| Flow {
                from,
                to,
                source: SocketAddr::new(*source, source_port),
                destination: SocketAddr::new(*destination, destination_port),
            })
        })
    });
    flows.collect()
}

/// All flows, for `judge.py`.
pub fn flows(machines: &[Machine]) -> Vec<Value> {
    let flow = |flow: &Flow| {
        let (source, destination) = (flow.source, flow.destination);
        json!([
            flow.from.port,
            flow.to.port,
            source.ip(),
            destination.ip(),
            source.port(),
            destination.port()
        ])
    };
    all(machines).iter().map(flow).collect()
}

/// The flow and the time of a datagram, which are its content.
type Sent = (u32, u64);

/// A sender for each machine and a receiver for each socket.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Vec<Sent>>>,
    receivers: Vec<JoinHandle<Vec<(Sent, u64)>>>,
}

impl Traffic {
    pub fn start(machines: &[Machine]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = |socket: &UdpSocket| {
            let (socket, stop) = (socket.try_clone().unwrap(), Arc::clone(&stop));
            spawn(move || receive(&socket, &stop))
        };
        let receivers = machines.iter().flat_map(|machine| &machine.sockets).map(receiver).collect();
        let flows = all(machines);
        let sender = |machine: &Machine| {
            let numbered = flows.iter().zip(0..).filter(|(flow, _)| flow.from.port == machine.port);
            let own = numbered.map(|(flow, number)| (number, machine.socket(flow.source), flow.destination));
            let (own, stop): (Vec<_>, _) = (own.collect(), Arc::clone(&stop));
            spawn(move || send(&own, &stop))
        };
        let senders = machines.iter().map(sender).collect();
        Self { stop, senders, receivers }
    }

    /// Returns what was received, and what was sent and not received, for `judge.py`.
    pub fn stop(self) -> (Vec<(u32, u64, u64)>, Vec<Sent>) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.senders.into_iter().flat_map(|sender| sender.join().unwrap());
        let mut missing: BTreeSet<_> = sent.collect();
        let received = self.receivers.into_iter().flat_map(|receiver| receiver.join().unwrap());
        let received: Vec<_> = received.map(|((flow, sent), at)| (flow, sent, at)).collect();
        for (flow, sent, _) in &received {
            assert!(
                missing.remove(&(*flow, *sent)),
                "a datagram of flow {flow} arrived twice, or was not sent"
            );
        }
        (received, missing.into_iter().collect())
    }
}

fn send(flows: &[(u32, UdpSocket, SocketAddr)], stop: &AtomicBool) -> Vec<Sent> {
    let mut all = vec![];
    while !stop.load(Ordering::Relaxed) {
        for (flow, socket, destination) in flows {
            let sent = now_ns();
            let datagram = [&flow.to_be_bytes()[..], &sent.to_be_bytes()].concat();
            socket.send_to(&datagram, destination).unwrap();
            all.push((*flow, sent));
        }
        sleep(REST);
    }
    all
}

/// Returns when it is stopped and nothing more arrives.
fn receive(socket: &UdpSocket, stop: &AtomicBool) -> Vec<(Sent, u64)> {
    let mut all = vec![];
    loop {
        let mut datagram = [0; 12];
        if socket.recv(&mut datagram).is_ok() {
            let [flow, sent @ ..] = datagram.as_chunks::<4>().0 else { unreachable!("12 bytes") };
            let sent = u64::from_be_bytes(sent.concat().try_into().unwrap());
            all.push(((u32::from_be_bytes(*flow), sent), now_ns()));
        } else if stop.load(Ordering::Relaxed) {
            return all;
        }
    }
}
