//! Endpoints without a path, each with its reason.

use super::testbed::{LOCAL, address, on_testbed};
use trunkpath::control::underlay::{LocalEndpoints, NoPath, Rejection};

#[test]
fn routes_that_forward_nothing_have_their_reasons() {
    on_testbed("routes_that_forward_nothing_have_their_reasons", |testbed| {
        for (remote, kind) in
            [("203.0.113.1", "blackhole"), ("203.0.113.2", "unreachable"), ("203.0.113.3", "prohibit")]
        {
            testbed.host.ip(&format!("route add {kind} {remote}"));
        }
        for (remote, kind) in
            [("2001:db8:9::1", "blackhole"), ("2001:db8:9::2", "unreachable"), ("2001:db8:9::3", "prohibit")]
        {
            testbed.host.ip(&format!("-6 route add {kind} {remote}"));
        }
        let rejecting = [
            ("203.0.113.1", Rejection::Blackhole),
            ("203.0.113.2", Rejection::Unreachable),
            ("203.0.113.3", Rejection::Prohibit),
            ("2001:db8:9::1", Rejection::Blackhole),
            ("2001:db8:9::2", Rejection::Unreachable),
            ("2001:db8:9::3", Rejection::Prohibit),
        ];
        let (missing, own) =
            (["203.0.113.9", "2001:db8:9::9"], ["198.51.100.1", "192.0.2.1", "2001:db8:3::1"]);
        let group = ["192.0.2.255", "224.0.0.1", "ff02::1"];
        let all: Vec<_> =
            rejecting.iter().map(|(remote, _)| *remote).chain(missing).chain(own).chain(group).collect();
        testbed.set_endpoints(LOCAL, &all);
        for (remote, rejection) in rejecting {
            let reason = testbed.reason(remote, |_| true);
            assert!(
                matches!(reason, NoPath::Rejected { rejection: found, .. } if found == rejection),
                "{reason}"
            );
        }
        for remote in missing {
            let reason = testbed.reason(remote, |_| true);
            assert!(matches!(reason, NoPath::NoRoute { .. }), "{remote}: {reason}");
        }
        for remote in own {
            assert_eq!(testbed.reason(remote, |_| true), NoPath::LocalAddress { remote: address(remote) });
        }
        for remote in group {
            assert_eq!(testbed.reason(remote, |_| true), NoPath::NotUnicast { remote: address(remote) });
        }

        // A route that is added is used.
        testbed.host.ip("route add 203.0.113.9 via 192.0.2.254");
        testbed.path("203.0.113.9", |_| true);
    });
}

#[test]
fn this_host_needs_an_endpoint_of_the_family_on_a_link() {
    on_testbed("this_host_needs_an_endpoint_of_the_family_on_a_link", |testbed| {
        let only_v4 = LocalEndpoints { v6: None, ..LOCAL };
        testbed.set_endpoints(only_v4, &["192.0.2.254", "2001:db8:2::fe"]);
        testbed.path("192.0.2.254", |_| true);
        let remote = address("2001:db8:2::fe");
        assert_eq!(testbed.reason("2001:db8:2::fe", |_| true), NoPath::OtherFamily { remote });

        testbed.set_endpoints(LOCAL, &["192.0.2.254", "2001:db8:2::fe"]);
        testbed.path("2001:db8:2::fe", |_| true);

        for (remote, own) in [("192.0.2.254", "192.0.2.1/24"), ("2001:db8:2::fe", "2001:db8:2::1/64")] {
            testbed.host.ip(&format!("address del {own} dev u1"));
            // The address without the length of its prefix.
            let source_address = address(own.split('/').next().unwrap());
            let reason = testbed.reason(remote, |reason| matches!(reason, NoPath::SourceMissing { .. }));
            assert_eq!(reason, NoPath::SourceMissing { source_address });
            testbed.host.ip(&format!("address add {own} dev u1 nodad"));
            testbed.path(remote, |_| true);
        }
    });
}

#[test]
fn links_that_send_by_another_link_are_named() {
    on_testbed("links_that_send_by_another_link_are_named", |testbed| {
        testbed.set_endpoints(LOCAL, &["203.0.113.1"]);
        testbed.host.ip("link add br-ex type bridge");
        testbed.host.ip("link set dev br-ex up");
        testbed.host.ip("address add 203.0.113.254/24 dev br-ex");
        // A bridge without members sends by itself.
        testbed.reason(
            "203.0.113.1",
            |reason| matches!(reason, NoPath::Resolving { link, .. } if link == "br-ex"),
        );
        testbed.host.ip("link set dev u2 master br-ex");
        let reason = testbed.reason("203.0.113.1", |reason| matches!(reason, NoPath::Stacked { .. }));
        assert!(
            matches!(&reason, NoPath::Stacked { link, lower, .. } if link == "br-ex" && lower == "u2"),
            "{reason}"
        );
        testbed.host.ip("route add 203.0.113.1 dev lo");
        testbed.reason(
            "203.0.113.1",
            |reason| matches!(reason, NoPath::NotEthernet { link, .. } if link == "lo"),
        );
    });
}
