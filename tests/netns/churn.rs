//! Links come, go and change a thousand times: others do not notice, and nothing is left over.

use testkit::churn::Churn;
use testkit::churn_site::ChurnSite;
use testkit::frame::Frame;
use testkit::lab::{Lab, in_lab};
use testkit::netns::Netns;
use testkit::noise::Noise;
use testkit::resources::Held;
use testkit::wait::until;

/// Operations between two moments at which everything must have settled.
const OPERATIONS: usize = 100;
const ROUNDS: usize = 10;

fn round(lab: &Lab, site: &ChurnSite, churn: &mut Churn, noise: &Noise) {
    site.undisturbed_by(lab, || {
        churn.operate(lab, noise, OPERATIONS);
        churn.settle(lab);
    });
}

#[test]
fn links_change_a_thousand_times_under_traffic() {
    in_lab(|lab| {
        let site = ChurnSite::new(lab);
        lab.start();
        let mut churn = Churn::new(lab, &site.churned);
        let noise = site.noise(lab, true);
        // What is allocated once is allocated then.
        round(lab, &site, &mut churn, &noise);
        churn.restore(lab, &noise);
        drop(noise);
        let before = Held::by(lab.daemon());

        let noise = site.noise(lab, true);
        for _ in 0..ROUNDS {
            round(lab, &site, &mut churn, &noise);
        }
        churn.restore(lab, &noise);
        drop(noise);
        let after = Held::by(lab.daemon());
        println!("before: {before}\nafter:  {after}");
        after.assert_no_more_than(&before);
        lab.daemon().wait_until_converged();
        lab.forget_arrived(&site.steady[0]);
        site.assert_served(lab);
    });
}

#[test]
fn link_that_was_elsewhere_while_announcements_were_lost_is_taken_again() {
    in_lab(|lab| {
        let one = lab.network();
        let (vm, peer) = (lab.guest("vm", one), lab.guest("peer", one));
        let elsewhere = Netns::new("elsewhere");
        lab.host.ip("link add spare type veth peer name spare-peer");
        lab.start();
        let dev = lab.dev(&vm).to_owned();
        lab.daemon().while_stopped(|| {
            lab.host.ip(&format!("link set dev {dev} netns {}", elsewhere.name()));
            elsewhere.ip(&format!("link set dev {dev} netns {}", lab.host.name()));
            lab.host.ip(&format!("link set dev {dev} up"));
            // More than the kernel keeps for one who does not listen.
            let changes = (0..500).map(|number| format!("link set dev spare mtu {}", 1400 + number % 2));
            lab.host.ip_batch(&changes.collect::<Vec<_>>());
        });
        until("lost announcements", || lab.files.log().contains("announcements").then_some(()));
        lab.daemon().wait_until_up("ports", 2);
        let frame = Frame::new(vm.mac, peer.mac);
        lab.exchange(&vm, &frame, &[(&peer, &frame)]);
    });
}
