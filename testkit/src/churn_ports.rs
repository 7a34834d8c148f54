//! Ports for tests with [`crate::churn`]: guests whose links change, and guests whose links do not.

use crate::churn::MOST_QUEUES;
use crate::frame::{BROADCAST, Frame, tci};
use crate::noise::Noise;
use crate::stream::Stream;
use crate::testbed::{Port, Testbed};

const VID: u16 = 100;

/// Guests on one network, each with a subport on another one. The links of `churned` change.
#[derive(Debug)]
pub struct ChurnPorts {
    pub churned: Vec<Port>,
    pub subports: Vec<Port>,
    /// On the network of the churned ports; their links do not change.
    pub steady: [Port; 2],
    /// On the network of the subports; its link does not change.
    pub beside: Port,
}

impl ChurnPorts {
    /// Adds the ports to a testbed that has no daemon yet.
    pub fn new(testbed: &mut Testbed) -> Self {
        let (one, two) = (testbed.network(), testbed.network());
        testbed.queues = MOST_QUEUES;
        let churned: Vec<_> = (0..4).map(|number| testbed.guest(&format!("vm{number}"), one)).collect();
        testbed.queues = 1;
        let subports = churned.iter().map(|port| testbed.subport(port, VID, two)).collect();
        let steady = ["steady", "other"].map(|name| testbed.guest(name, one));
        Self { churned, subports, steady, beside: testbed.guest("beside", two) }
    }

    /// Frames from every churned port to ports of all kinds, and back; with `floods` to all ports of a
    /// network as well. None is for the second steady guest.
    pub fn noise(&self, testbed: &Testbed, floods: bool) -> Noise {
        let [steady, other] = &self.steady;
        let from_vm = |(vm, sub): (&Port, &Port)| {
            let tagged = |dst| Frame::new(sub.mac, dst).tagged(tci(0, false, VID));
            let to_vms = self.churned.iter().map(|to| Frame::new(vm.mac, to.mac));
            let to_all = floods.then(|| tagged(BROADCAST));
            to_vms.chain([Frame::new(vm.mac, steady.mac), tagged(self.beside.mac)]).chain(to_all).collect()
        };
        let pairs = self.churned.iter().zip(&self.subports);
        let mut sources: Vec<_> = pairs.map(|pair| (pair.0, from_vm(pair))).collect();
        let to = |from: &Port, to: &[Port]| to.iter().map(|to| Frame::new(from.mac, to.mac)).collect();
        sources.push((other, to(other, &self.churned)));
        sources.push((&self.beside, to(&self.beside, &self.subports)));
        Noise::start(testbed, &sources)
    }

    /// Exchanges a frame each way between every churned port and a steady one, on both networks.
    pub fn assert_served(&self, testbed: &mut Testbed) {
        for (vm, sub) in self.churned.iter().zip(&self.subports) {
            let tag = tci(0, false, VID);
            let (up, down) = (Frame::new(vm.mac, self.steady[1].mac), Frame::new(self.steady[1].mac, vm.mac));
            testbed.exchange(vm, &up, &[(&self.steady[1], &up)]);
            testbed.exchange(&self.steady[1], &down, &[(vm, &down)]);
            let (up, down) = (Frame::new(sub.mac, self.beside.mac), Frame::new(self.beside.mac, sub.mac));
            testbed.exchange(vm, &up.tagged(tag), &[(&self.beside, &up)]);
            testbed.exchange(&self.beside, &down, &[(vm, &down.tagged(tag))]);
        }
    }

    /// Sends frames between the steady ports while `work` runs; every one must arrive.
    pub fn undisturbed_by(&self, testbed: &Testbed, work: impl FnOnce()) {
        let [from, to] = &self.steady;
        let frame = Frame::new(from.mac, to.mac);
        let stream = Stream::new(testbed.sender(from), frame.clone()).start_steadily(testbed.capture(to));
        work();
        stream.stop().assert_arrived(testbed.capture(to), &frame);
        for port in [from, &self.beside] {
            testbed.capture(port).forget();
        }
    }
}
