//! The kernel's entries of next hops: kept while a tunnel needs them.

use super::testbed::{LOCAL, Testbed, on_testbed, router_mac};
use testkit::wait::until;
use trunkpath::control::underlay::NoPath;

fn shown(testbed: &Testbed, address: &str) -> String {
    testbed.host.ip(&format!("neighbour show {address}"))
}

fn wait_for(testbed: &Testbed, address: &str, wanted: impl Fn(&str) -> bool) {
    until(&format!("the entry of {address}"), || wanted(&shown(testbed, address)).then_some(()));
}

#[test]
fn entries_are_kept_while_they_are_needed() {
    on_testbed("entries_are_kept_while_they_are_needed", |testbed| {
        testbed.host.ip("route add 203.0.113.0/24 via 198.51.100.254");
        testbed.set_endpoints(LOCAL, &["192.0.2.254", "203.0.113.9"]);
        for remote in ["192.0.2.254", "203.0.113.9"] {
            testbed.path(remote, |_| true);
        }
        wait_for(testbed, "192.0.2.254", |entry| entry.contains("managed"));
        wait_for(testbed, "198.51.100.254", |entry| entry.contains("managed"));

        // Removed by another program, it is requested again.
        testbed.host.ip("neighbour flush dev u2");
        wait_for(testbed, "198.51.100.254", |entry| entry.contains("managed"));
        testbed.path("203.0.113.9", |_| true);

        testbed.set_endpoints(LOCAL, &["192.0.2.254"]);
        wait_for(testbed, "198.51.100.254", |entry| !entry.contains("managed"));
        assert!(shown(testbed, "192.0.2.254").contains("managed"));

        // A killed predecessor's entry is released by its successor.
        testbed.kill();
        testbed.open();
        testbed.set_endpoints(LOCAL, &["203.0.113.9"]);
        testbed.path("203.0.113.9", |_| true);
        wait_for(testbed, "192.0.2.254", |entry| !entry.contains("managed"));

        testbed.close();
        assert!(!testbed.host.ip("neighbour show").contains("managed"));
    });
}

#[test]
fn entries_of_others_stay_as_they_are() {
    on_testbed("entries_of_others_stay_as_they_are", |testbed| {
        testbed.host.ip("neighbour add 192.0.2.5 lladdr 02:00:00:00:00:05 nud permanent dev u1");
        testbed.host.ip("neighbour add 198.51.100.254 managed dev u2");
        testbed.set_endpoints(LOCAL, &["192.0.2.5", "198.51.100.254"]);
        let mac = "02:00:00:00:00:05".parse().unwrap();
        testbed.path("192.0.2.5", |path| path.destination_mac == mac);
        testbed.path("198.51.100.254", |path| path.destination_mac == router_mac(2));
        testbed.close();
        assert!(shown(testbed, "192.0.2.5").contains("PERMANENT"));
        assert!(shown(testbed, "198.51.100.254").contains("managed"));
    });
}

#[test]
fn a_silent_next_hop_fails_until_it_answers() {
    on_testbed("a_silent_next_hop_fails_until_it_answers", |testbed| {
        let remotes = ["192.0.2.77", "2001:db8:2::77"];
        testbed.set_endpoints(LOCAL, &remotes);
        for remote in remotes {
            testbed.reason(remote, |reason| matches!(reason, NoPath::Resolving { .. }));
            let (outcome, _) =
                testbed.wait_for(remote, |outcome| matches!(outcome, Err(NoPath::NoNeighbour { .. })));
            let reason = outcome.unwrap_err().to_string();
            assert!(reason.contains("on link u1") && reason.contains("`ip route get "), "{reason}");
        }
        testbed.routers[0].ip("address add 192.0.2.77/24 dev p1");
        testbed.routers[0].ip("address add 2001:db8:2::77/64 dev p1 nodad");
        for remote in remotes {
            testbed.path(remote, |path| path.destination_mac == router_mac(1));
        }
    });
}
