//! Frames that guests of one host or of several exchange, compared to the byte.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::frame::{Frame, MARKER, Mac, ethertype, hex, tci};
use crate::records::port_id;
use crate::stream::Stream;
use crate::wire::{Capture, Sender};

/// A network, identified by its `unique_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub u32);

/// A logical port: that of a guest's link, or a subport of it.
#[derive(Debug, Clone)]
pub struct Port {
    pub key: u32,
    pub mac: Mac,
    pub network: Network,
    /// Index of its guest.
    pub guest: usize,
    /// Its VLAN tags on the guest's link, outermost first.
    pub vids: Vec<u16>,
}

impl Port {
    pub fn id(&self) -> String {
        port_id(self.key)
    }
}

/// The link of a guest: its name on the host, and sender and capture on the guest's end.
#[derive(Debug)]
pub struct Station {
    pub name: String,
    /// Number of the guest's host.
    pub host: u8,
    pub sender: Arc<Sender>,
    pub capture: Capture,
    /// Frames that were captured and are not compared yet.
    arrived: Vec<Vec<u8>>,
}

impl Station {
    pub fn new(name: &str, host: u8, sender: Sender, capture: Capture) -> Self {
        Self { name: name.to_owned(), host, sender: Arc::new(sender), capture, arrived: vec![] }
    }
}

/// Frames by the names of stations: those to send, or those that must arrive.
pub type FramesByStation = BTreeMap<String, Vec<Vec<u8>>>;

/// The stations of a test, by the index of the guest, and the ports behind their links.
#[derive(Debug, Default)]
pub struct Exchange {
    pub stations: Vec<Station>,
    pub ports: Vec<Port>,
    markers: u64,
}

impl Exchange {
    pub fn new(stations: Vec<Station>, ports: Vec<Port>) -> Self {
        Self { stations, ports, markers: 0 }
    }

    /// Index of the guest whose link has this name.
    pub fn guest(&self, name: &str) -> usize {
        self.stations.iter().position(|station| station.name == name).expect("a guest of that name")
    }

    /// Sends frames from several guests at once, slowly enough for every queue on the way.
    pub fn send(&self, frames: &FramesByStation) {
        std::thread::scope(|scope| {
            for (name, frames) in frames {
                let sender = &self.stations[self.guest(name)].sender;
                scope.spawn(|| Stream::paced(sender, frames));
            }
        });
    }

    /// Asserts that each guest got exactly what `wanted` lists for it, in any order, where `senders` sent
    /// last.
    pub fn assert_arrived(&mut self, senders: &[usize], mut wanted: FramesByStation) {
        let from: Vec<_> = senders.iter().map(|sender| self.stations[*sender].name.clone()).collect();
        for (guest, frames) in self.arrived(senders).into_iter().enumerate() {
            let name = &self.stations[guest].name;
            let wanted = wanted.remove(name).unwrap_or_default();
            assert_same(&format!("guest {name}, after frames from {}", from.join(", ")), frames, wanted);
        }
    }

    /// Frames that arrived at each guest so far, where `senders` sent last.
    ///
    /// A marker to each host follows the frames from a sender; when it has arrived, all frames before it have
    /// left the sender's host and passed the uplink of the other one. Markers between guests of one host
    /// follow then, so each guest has all its frames when it has its marker.
    pub fn arrived(&mut self, senders: &[usize]) -> Vec<Vec<Vec<u8>>> {
        let hosts: BTreeSet<_> = self.stations.iter().map(|station| station.host).collect();
        let mut complete = vec![];
        for &sender in senders {
            for &host in &hosts {
                let marked = self.mark(|from, (_, to_host)| from.guest == sender && to_host == host);
                complete.extend(marked.filter(|_| senders.len() == 1).map(|(guest, _)| guest));
            }
        }
        for guest in (0..self.stations.len()).filter(|guest| !complete.contains(guest)) {
            self.mark(|_, (to, _)| to.guest == guest).expect("each guest shares a network with another");
        }
        let mut arrived: Vec<_> =
            self.stations.iter_mut().map(|station| std::mem::take(&mut station.arrived)).collect();
        for frames in &mut arrived {
            frames.retain(|frame| ethertype(frame) != MARKER);
        }
        arrived
    }

    /// Sends a marker between two ports of two guests that `fits` accepts, and waits until it has arrived.
    /// `fits` gets the sender, and the receiver with the number of its host. Returns the guest that received
    /// it, and its payload; `None` without such ports.
    pub fn mark(&mut self, fits: impl Fn(&Port, (&Port, u8)) -> bool) -> Option<(usize, Vec<u8>)> {
        let host = |port: &Port| self.stations[port.guest].host;
        let pairs = self.ports.iter().flat_map(|from| self.ports.iter().map(move |to| (from, to)));
        let (from, to) = pairs
            .filter(|(from, to)| from.network == to.network && from.guest != to.guest)
            .filter(|(from, to)| fits(from, (to, host(to))))
            // The pair on one host with the fewest tags depends on the least of the switch.
            .min_by_key(|(from, to)| (host(from) != host(to), from.vids.len() + to.vids.len()))?;
        let (from, to) = (from.clone(), to.clone());
        let sender = Arc::clone(&self.stations[from.guest].sender);
        let send = |marker: Frame| {
            let sent = from.vids.iter().rev().fold(marker, |frame, vid| frame.tagged(tci(0, false, *vid)));
            sender.send(&sent.bytes());
        };
        Some((to.guest, self.mark_by(from.mac, &to, send)))
    }

    /// Makes a marker from `source` to a port, and waits until it has arrived after `send`. Returns its
    /// payload.
    pub fn mark_by(&mut self, source: Mac, to: &Port, send: impl FnOnce(Frame)) -> Vec<u8> {
        self.markers += 1;
        let payload = [&self.markers.to_be_bytes()[..], &[0; 42]].concat();
        send(Frame { ethertype: MARKER, ..Frame::new(source, to.mac).carrying(&payload) });
        let station = &mut self.stations[to.guest];
        station.arrived.extend(station.capture.through(|frame| frame.ends_with(&payload)));
        payload
    }

    /// Stops all captures, and asserts that the kernel dropped no frame for lack of room.
    pub fn stop(&mut self) {
        for station in self.stations.drain(..) {
            station.capture.stop();
        }
    }
}

/// Asserts that two lists have the same frames, in any order.
pub fn assert_same(what: &str, mut got: Vec<Vec<u8>>, mut wanted: Vec<Vec<u8>>) {
    got.sort_unstable();
    wanted.sort_unstable();
    assert!(got == wanted, "{what}\n{}", difference(&got, &wanted));
}

/// Description of how two sorted lists of frames differ.
fn difference(got: &[Vec<u8>], wanted: &[Vec<u8>]) -> String {
    let without = |list: &[Vec<u8>], other: &[Vec<u8>]| {
        let mut other = other.iter().peekable();
        let mut left = vec![];
        for frame in list {
            while other.next_if(|next| *next < frame).is_some() {}
            if other.next_if(|next| *next == frame).is_none() {
                left.push(hex(frame));
            }
        }
        left
    };
    let (more, less) = (without(got, wanted), without(wanted, got));
    format!(
        "got {} frames, expected {}\n  unexpected {more:#?}\n     missing {less:#?}",
        got.len(),
        wanted.len()
    )
}
