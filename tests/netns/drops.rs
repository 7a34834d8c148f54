//! Frames that are dropped: none leaves the switch, and each is counted for its reason.

use testkit::frame::{CTAG, Frame, tci};
use testkit::testbed::on_testbed;
use testkit::wait::until;

#[test]
fn frames_without_a_receiver_are_dropped_and_counted() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let sub = testbed.subport(&vm, 100, two);
        let (peer1, peer2) = (testbed.guest("peer1", one), testbed.guest("peer2", two));
        testbed.start();

        let unknown = [2, 0xde, 0xad, 0, 0, 1];
        let frames = [
            Frame::new(vm.mac, unknown),
            // The destination is on the other network.
            Frame::new(vm.mac, peer2.mac),
            Frame::new(sub.mac, peer1.mac).tagged(tci(0, false, 100)),
            // The destination is its source.
            Frame::new(vm.mac, vm.mac),
            Frame::new(sub.mac, sub.mac).tagged(tci(0, false, 100)),
        ];
        testbed.exchange(&vm, &frames, &[]);

        // The frame ends behind the EtherType of a tag.
        testbed
            .sender(&vm)
            .send(&Frame { ethertype: CTAG, ..Frame::new(vm.mac, peer1.mac).carrying(&[]) }.bytes());
        testbed.exchange(&vm, &[], &[]);

        let daemon = testbed.daemon();
        for (port, reason, count) in [
            (&vm, "locate_unknown", 2),
            (&sub, "locate_unknown", 1),
            (&vm, "locate_is_source", 1),
            (&sub, "locate_is_source", 1),
            (&vm, "classify_truncated", 1),
        ] {
            until(&format!("{count} {reason} at port {}", port.key), || {
                (daemon.dropped(&port.id(), reason) == count).then_some(())
            });
        }
    });
}
