//! Ports for tests of the NB DB: a subport that does not change, with traffic both ways, and spare ports of
//! the same guest on the same network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trunkpath::nb::{Op, Table, segmentation_id};

use testkit::frame::{Frame, tci};
use testkit::records;
use testkit::stream::{Running, Stream};
use testkit::testbed::{Port, Testbed};
use testkit::wait::until;

const STEADY_VID: u16 = 100;

/// A VLAN-aware guest `vm`, and a peer on the network of its subports.
#[derive(Debug)]
pub struct VmPorts {
    pub vm: Port,
    pub steady: Port,
    pub peer: Port,
    /// A guest on the network of `vm` itself, to which nothing is sent.
    pub bystander: Port,
    /// Ports without a segmentation.
    pub spares: Vec<Port>,
}

impl VmPorts {
    /// Adds the ports to a testbed, with this number of spare ones.
    pub fn new(testbed: &mut Testbed, spares: u16) -> Self {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let steady = testbed.subport(&vm, STEADY_VID, two);
        let spares = (0..spares).map(|index| testbed.spare_port(&vm, 200 + index, two)).collect();
        let (peer, bystander) = (testbed.guest("peer", two), testbed.guest("bystander", one));
        Self { vm, steady, peer, bystander, spares }
    }

    /// All ports but the spare ones.
    pub const fn all(&self) -> [&Port; 4] {
        [&self.vm, &self.steady, &self.peer, &self.bystander]
    }

    /// The change that makes a spare port a subport with this VID, or changes its VID.
    pub fn add(&self, spare: usize, vid: u16) -> Op {
        let mut line = records::segmentation(self.vm.key, self.spares[spare].key, vid);
        Op::Put { table: Table::ChildPortSegmentation, json: line["record"].take() }
    }

    /// The change that makes it a spare port again.
    pub fn remove(&self, spare: usize) -> Op {
        Op::Delete { table: Table::ChildPortSegmentation, id: self.segmentation_id(spare) }
    }

    /// The id of the record that makes a spare port a subport.
    pub fn segmentation_id(&self, spare: usize) -> String {
        segmentation_id(&self.vm.id(), &self.spares[spare].id())
    }

    /// Waits until the spare port is served with this VID and the tables equal a fresh read, and exchanges
    /// frames with it.
    pub fn assert_added(&self, testbed: &mut Testbed, spare: usize, vid: u16) {
        testbed.wait_for_vid(&self.spares[spare], vid);
        testbed.daemon().wait_until_converged();
        self.assert_served(testbed, &self.spares[spare], vid);
    }

    /// Exchanges a frame each way with the peer.
    pub fn assert_served(&self, testbed: &mut Testbed, subport: &Port, vid: u16) {
        let (up, down) = (Frame::new(subport.mac, self.peer.mac), Frame::new(self.peer.mac, subport.mac));
        let tag = tci(0, false, vid);
        testbed.exchange(&self.vm, &up.tagged(tag), &[(&self.peer, &up)]);
        testbed.exchange(&self.peer, &down, &[(&self.vm, &down.tagged(tag))]);
    }

    /// Exchanges frames between the steady subport and the peer.
    pub fn assert_steady_served(&self, testbed: &mut Testbed) {
        self.assert_served(testbed, &self.steady, STEADY_VID);
    }

    /// Starts frames of the steady subport, both ways.
    pub fn traffic(&self, testbed: &Testbed) -> Traffic {
        let up = Frame::new(self.steady.mac, self.peer.mac);
        let down = Frame::new(self.peer.mac, self.steady.mac);
        let tag = tci(0, false, STEADY_VID);
        let (to_vm, to_peer) = (testbed.capture(&self.vm), testbed.capture(&self.peer));
        Traffic {
            sent_up: Stream::new(testbed.sender(&self.vm), up.tagged(tag)).start_steadily(to_peer),
            sent_down: Stream::new(testbed.sender(&self.peer), down.clone()).start_steadily(to_vm),
            arrived: [to_vm.arrived(), to_peer.arrived()],
            up,
            down: down.tagged(tag),
        }
    }
}

/// Frames sent by [`VmPorts::traffic`].
#[derive(Debug)]
pub struct Traffic {
    sent_up: Running,
    sent_down: Running,
    /// Frames that arrived at each end.
    arrived: [Arc<AtomicU64>; 2],
    /// The frames as they arrive.
    up: Frame,
    down: Frame,
}

impl Traffic {
    /// Waits until a thousand more frames have arrived at both ends.
    pub fn wait_for_more(&self) {
        for arrived in &self.arrived {
            let enough = arrived.load(Ordering::Relaxed) + 1000;
            until("a thousand more frames", || (arrived.load(Ordering::Relaxed) >= enough).then_some(()));
        }
    }

    /// Stops it, and asserts that every frame arrived, once and in order.
    pub fn assert_arrived(self, testbed: &Testbed, ports: &VmPorts) {
        let (up, down) = (self.sent_up.stop(), self.sent_down.stop());
        up.assert_arrived(testbed.capture(&ports.peer), &self.up);
        down.assert_arrived(testbed.capture(&ports.vm), &self.down);
    }
}
