//! A host with two links, a router behind each, and the resolver in the host's namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use testkit::netns::{Netns, veth};
use testkit::root::is_root;
use testkit::wait::PATIENCE;
use trunkpath::control::underlay::{BUCKETS, LocalEndpoints, NoPath, Path, Paths, Underlay};
use trunkpath::types::{IfIndex, MacAddr};

/// Time in which frames flow again after a change that the kernel has announced.
pub const RECOVERY: Duration = Duration::from_secs(3);

/// The host's addresses on `u1`, its tunnel endpoints.
pub const LOCAL: LocalEndpoints = LocalEndpoints {
    v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
    v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1)),
};

/// The last octet of the routers' MAC addresses.
const ROUTER_MACS: [&str; 2] = ["02:00:00:00:00:11", "02:00:00:00:00:22"];

pub type Outcome = Result<Paths, NoPath>;

/// `host` has `u1` (192.0.2.1/24, `2001:db8:2::1/64`) to `routers[0]` (`.254` and `::fe` on `p1`) and `u2`
/// (198.51.100.1/24, `2001:db8:3::1/64`) to `routers[1]` (`.254` and `::fe` on `p2`), and no default route.
pub struct Testbed {
    pub host: Netns,
    pub routers: [Netns; 2],
    runtime: Runtime,
    underlay: Option<Underlay>,
    outcomes: BTreeMap<IpAddr, Outcome>,
}

/// Runs `test` on a new testbed; without root it is skipped.
pub fn on_testbed(test: &str, work: impl FnOnce(&mut Testbed)) {
    if is_root(test) {
        work(&mut Testbed::new());
    }
}

impl Testbed {
    fn new() -> Self {
        let host = Netns::new("host");
        let routers = [Netns::new("router1"), Netns::new("router2")];
        for (number, router) in (1..).zip(&routers) {
            let (link, peer) = (format!("u{number}"), format!("p{number}"));
            veth((&host, &link), (router, &peer, ROUTER_MACS[number - 1]), 1);
            for (netns, link) in [(&host, &link), (router, &peer)] {
                netns.enter(|| {
                    fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), "0").unwrap();
                    // Announces a new MAC address of its own.
                    fs::write(format!("/proc/sys/net/ipv4/conf/{link}/arp_notify"), "1").unwrap();
                    fs::write(format!("/proc/sys/net/ipv6/conf/{link}/ndisc_notify"), "1").unwrap();
                });
            }
            let subnet = ["192.0.2", "198.51.100"][number - 1];
            let prefix = format!("2001:db8:{}", number + 1);
            host.ip(&format!("address add {subnet}.1/24 dev {link}"));
            host.ip(&format!("address add {prefix}::1/64 dev {link} nodad"));
            router.ip(&format!("address add {subnet}.254/24 dev {peer}"));
            router.ip(&format!("address add {prefix}::fe/64 dev {peer} nodad"));
        }
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut testbed = Self { host, routers, runtime, underlay: None, outcomes: BTreeMap::new() };
        testbed.open();
        testbed
    }

    /// Starts a resolver in the host's namespace.
    pub fn open(&mut self) {
        let Self { host, runtime, .. } = &self;
        self.underlay = Some(host.enter(|| runtime.block_on(Underlay::open()).unwrap()));
    }

    /// Ends the resolver, and waits for its end.
    pub fn close(&mut self) {
        self.runtime.block_on(self.underlay.take().unwrap().close());
    }

    /// Ends the resolver as SIGKILL does: it releases nothing.
    pub fn kill(&mut self) {
        std::mem::forget(self.underlay.take());
    }

    pub fn set_endpoints(&mut self, local: LocalEndpoints, remote: &[&str]) {
        let remote: BTreeSet<_> = remote.iter().map(|remote| address(remote)).collect();
        self.outcomes.retain(|known, _| remote.contains(known));
        self.underlay.as_mut().unwrap().set_endpoints(local, remote);
    }

    /// Waits for an outcome of `remote` that `wanted` accepts. Returns it, and the time that it has taken.
    pub fn wait_for(&mut self, remote: &str, wanted: impl Fn(&Outcome) -> bool) -> (Outcome, Duration) {
        let (start, remote) = (Instant::now(), address(remote));
        loop {
            if let Some(outcome) = self.outcomes.get(&remote).filter(|outcome| wanted(outcome)) {
                return (outcome.clone(), start.elapsed());
            }
            let rest = PATIENCE.saturating_sub(start.elapsed());
            let next = self.underlay.as_mut().unwrap().next();
            let resolved = self.runtime.block_on(async { timeout(rest, next).await });
            let resolved = resolved.unwrap_or_else(|_| {
                panic!("waited {PATIENCE:?} in vain for {remote}: {:?}", self.outcomes.get(&remote))
            });
            let resolved = resolved.unwrap();
            self.outcomes.insert(resolved.remote, resolved.paths);
        }
    }

    /// Waits, for any time, until `remote` is reached by `link`.
    pub fn settle(&mut self, remote: &str, link: IfIndex) {
        let by_link = |paths: &Paths| paths.of_bucket(0).link == link;
        let (outcome, _) = self.wait_for(remote, |outcome| outcome.as_ref().is_ok_and(by_link));
        assert!(outcome.is_ok());
    }

    /// Waits for paths to `remote` that `wanted` accepts; they must come within [`RECOVERY`].
    pub fn paths(&mut self, remote: &str, wanted: impl Fn(&Paths) -> bool) -> Paths {
        let (outcome, time) = self.wait_for(remote, |outcome| outcome.as_ref().is_ok_and(&wanted));
        assert!(time < RECOVERY, "{remote}: {time:?}");
        outcome.unwrap()
    }

    /// Waits for the only path to `remote`.
    pub fn path(&mut self, remote: &str, wanted: impl Fn(&Path) -> bool) -> Path {
        let paths = self.paths(remote, |paths| paths.distinct().len() == 1 && wanted(paths.of_bucket(0)));
        assert!((0..BUCKETS).all(|bucket| paths.of_bucket(bucket) == paths.of_bucket(0)));
        paths.of_bucket(0).clone()
    }

    /// Waits until `remote` has no path for a reason that `wanted` accepts, within [`RECOVERY`].
    pub fn reason(&mut self, remote: &str, wanted: impl Fn(&NoPath) -> bool) -> NoPath {
        let (outcome, time) = self.wait_for(remote, |outcome| outcome.as_ref().is_err_and(&wanted));
        assert!(time < RECOVERY, "{remote}: {time:?}");
        outcome.unwrap_err()
    }

    pub fn ifindex(&self, link: &str) -> IfIndex {
        let file = self.host.ip(&format!("-o link show dev {link}"));
        IfIndex::new(file.split(':').next().unwrap().parse().unwrap()).unwrap()
    }

    pub fn mac(&self, link: &str) -> MacAddr {
        let shown = self.host.ip(&format!("-o link show dev {link}"));
        shown.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    }
}

/// The MAC address of the router behind link `u{number}`.
pub fn router_mac(number: usize) -> MacAddr {
    ROUTER_MACS[number - 1].parse().unwrap()
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
