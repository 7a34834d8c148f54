//! Links are created, deleted and changed a thousand times: other guests lose no frame, and no resource is
//! leaked.

use testkit::churn::Churn;
use testkit::churn_ports::ChurnPorts;
use testkit::frame::Frame;
use testkit::netns::Netns;
use testkit::noise::Noise;
use testkit::resources::Held;
use testkit::testbed::{Testbed, on_testbed};
use testkit::wait::until;

/// Operations between two checks that everything has settled.
const OPERATIONS: usize = 100;
const ROUNDS: usize = 10;

fn round(testbed: &Testbed, ports: &ChurnPorts, churn: &mut Churn, noise: &Noise) {
    ports.undisturbed_by(testbed, || {
        churn.operate(testbed, noise, OPERATIONS);
        churn.settle(testbed);
    });
}

#[test]
fn links_change_a_thousand_times_under_traffic() {
    on_testbed(|testbed| {
        let ports = ChurnPorts::new(testbed);
        testbed.start();
        let mut churn = Churn::new(testbed, &ports.churned);
        let noise = ports.noise(testbed, true);
        // Warm-up: memory that is allocated once is not counted as leaked.
        round(testbed, &ports, &mut churn, &noise);
        churn.restore(testbed, &noise);
        drop(noise);
        let before = Held::by(testbed.daemon());

        let noise = ports.noise(testbed, true);
        for _ in 0..ROUNDS {
            round(testbed, &ports, &mut churn, &noise);
        }
        churn.restore(testbed, &noise);
        drop(noise);
        let after = Held::by(testbed.daemon());
        println!("before: {before}\nafter:  {after}");
        after.assert_no_more_than(&before);
        testbed.daemon().wait_until_converged();
        testbed.forget_arrived(&ports.steady[0]);
        ports.assert_served(testbed);
    });
}

#[test]
fn link_that_was_elsewhere_while_announcements_were_lost_is_attached_again() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let (vm, peer) = (testbed.guest("vm", one), testbed.guest("peer", one));
        let elsewhere = Netns::new("elsewhere");
        testbed.host.ip("link add spare type veth peer name spare-peer");
        testbed.start();
        let dev = testbed.dev(&vm).to_owned();
        testbed.daemon().while_stopped(|| {
            testbed.host.ip(&format!("link set dev {dev} netns {}", elsewhere.name()));
            elsewhere.ip(&format!("link set dev {dev} netns {}", testbed.host.name()));
            testbed.host.ip(&format!("link set dev {dev} up"));
            // More events than the kernel buffers for a socket that is not read.
            let changes = (0..500).map(|number| format!("link set dev spare mtu {}", 1400 + number % 2));
            testbed.host.ip_batch(&changes.collect::<Vec<_>>());
        });
        // Both ports count as up until the daemon knows that the link was away.
        until("the link to be opened again", || {
            (testbed.files.log().matches(&format!("link open link={dev:?}")).count() == 2).then_some(())
        });
        assert!(testbed.files.log().contains("announcements of links were lost"), "{}", testbed.files.log());
        testbed.daemon().wait_until_up("ports", 2);
        let frame = Frame::new(vm.mac, peer.mac);
        testbed.exchange(&vm, &frame, &[(&peer, &frame)]);
        // Later announcements are followed as before.
        for (state, up) in [("down", 1), ("up", 2)] {
            testbed.host.ip(&format!("link set dev {dev} {state}"));
            testbed.daemon().wait_until_up("ports", up);
        }
    });
}
