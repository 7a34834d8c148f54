//! Guests whose links come and go, and others beside them.

use crate::churn::MOST_QUEUES;
use crate::frame::{BROADCAST, Frame, tci};
use crate::noise::Noise;
use crate::stream::Stream;
use crate::testbed::{Port, Testbed};

const VID: u16 = 100;

/// Guests on one network, each with a subport on another one. The links of some are churned.
#[derive(Debug)]
pub struct ChurnPorts {
    pub churned: Vec<Port>,
    pub subports: Vec<Port>,
    /// Untouched, on the network of the churned ones.
    pub steady: [Port; 2],
    /// Untouched, on the network of the subports.
    pub beside: Port,
}

impl ChurnPorts {
    /// Before the start.
    pub fn new(testbed: &mut Testbed) -> Self {
        let (one, two) = (testbed.network(), testbed.network());
        testbed.queues = MOST_QUEUES;
        let churned: Vec<_> = (0..4).map(|number| testbed.guest(&format!("vm{number}"), one)).collect();
        testbed.queues = 1;
        let subports = churned.iter().map(|port| testbed.subport(port, VID, two)).collect();
        let steady = ["steady", "other"].map(|name| testbed.guest(name, one));
        Self { churned, subports, steady, beside: testbed.guest("beside", two) }
    }

    /// Frames from every churned port to ports of all kinds, and back; with `floods` to all ports of a network as well.
    /// None goes to the second steady guest.
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

    /// A frame each way between every churned port and an untouched one, on both networks.
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

    /// Frames between the untouched ports, until the end of `work`: none is lost.
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
