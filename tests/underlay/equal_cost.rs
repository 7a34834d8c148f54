//! Routes of equal cost: each bucket of source ports takes one of their next hops.

use std::fs;

use super::testbed::{LOCAL, on_testbed};
use trunkpath::control::underlay::{BUCKETS, NoPath, Paths};
use trunkpath::types::IfIndex;

const REMOTES: [&str; 2] = ["203.0.113.9", "2001:db8:9::9"];

fn buckets_by(paths: &Paths, link: IfIndex) -> usize {
    (0..BUCKETS).filter(|bucket| paths.of_bucket(*bucket).link == link).count()
}

#[test]
fn next_hops_share_the_source_ports_and_replace_each_other() {
    on_testbed("next_hops_share_the_source_ports_and_replace_each_other", |testbed| {
        testbed.host.enter(|| {
            for family in ["ipv4", "ipv6"] {
                fs::write(format!("/proc/sys/net/{family}/fib_multipath_hash_policy"), "1").unwrap();
            }
        });
        testbed.host.ip(
            "route add 203.0.113.0/24 nexthop via 192.0.2.254 weight 1 nexthop via 198.51.100.254 weight 3",
        );
        testbed.host.ip("-6 route add 2001:db8:9::/64 nexthop via 2001:db8:2::fe weight 1 \
             nexthop via 2001:db8:3::fe weight 3");
        testbed.set_endpoints(LOCAL, &REMOTES);
        let (first, second) = (testbed.ifindex("u1"), testbed.ifindex("u2"));
        for remote in REMOTES {
            testbed.paths(remote, |paths| {
                (buckets_by(paths, first), buckets_by(paths, second)) == (BUCKETS / 4, BUCKETS - BUCKETS / 4)
            });
        }
        // The next hop stays in the route, marked `linkdown`.
        testbed.routers[1].ip("link set dev p2 down");
        for remote in REMOTES {
            testbed.paths(remote, |paths| buckets_by(paths, first) == BUCKETS);
        }
        testbed.routers[1].ip("link set dev p2 up");
        testbed.routers[1].ip("address replace 2001:db8:3::fe/64 dev p2 nodad");
        for remote in REMOTES {
            testbed.paths(remote, |paths| buckets_by(paths, second) == BUCKETS - BUCKETS / 4);
        }
        testbed.routers[0].ip("link set dev p1 down");
        testbed.routers[1].ip("link set dev p2 down");
        for remote in REMOTES {
            testbed
                .reason(remote, |reason| matches!(reason, NoPath::NoCarrier { .. } | NoPath::NoRoute { .. }));
        }
    });
}

#[test]
fn nexthop_objects_are_followed_without_announcements_of_routes() {
    on_testbed("nexthop_objects_are_followed_without_announcements_of_routes", |testbed| {
        let compatible = "/proc/sys/net/ipv4/nexthop_compat_mode";
        testbed.host.ip("nexthop add id 1 via 192.0.2.254 dev u1");
        testbed.host.ip("nexthop add id 2 via 198.51.100.254 dev u2");
        testbed.host.ip("nexthop add id 10 group 1/2");
        testbed.host.ip("route add 203.0.113.0/24 nhid 10");
        testbed.set_endpoints(LOCAL, &["203.0.113.9"]);
        let (first, second) = (testbed.ifindex("u1"), testbed.ifindex("u2"));
        testbed.paths("203.0.113.9", |paths| buckets_by(paths, first) == BUCKETS / 2);
        testbed.host.ip("nexthop replace id 10 group 2");
        testbed.paths("203.0.113.9", |paths| buckets_by(paths, second) == BUCKETS);

        // Neither announcements of routes nor routes have next hops now: the kernel chooses one.
        testbed.host.enter(|| fs::write(compatible, "0").unwrap());
        testbed.host.ip("nexthop replace id 10 group 1");
        testbed.paths("203.0.113.9", |paths| buckets_by(paths, first) == BUCKETS);
    });
}
