use super::*;
use crate::control::underlay::neighbours::{Keeper, Neighbour};
use crate::control::underlay::no_path::Rejection;
use crate::control::underlay::output_links::Lower;
use crate::types::IfIndex;

const MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

fn index(link: u32) -> IfIndex {
    IfIndex::new(link).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn asked() -> Asked {
    Asked { remote: address("198.51.100.9"), source: address("192.0.2.1") }
}

fn link(name: &str) -> OutputLink {
    let name = name.to_owned();
    OutputLink {
        name,
        mtu_bytes: 1600,
        mac: Some(MAC),
        up: true,
        carrier: true,
        lower: None,
        controller: None,
    }
}

fn hop(link: u32, gateway: u8) -> Hop {
    Hop { link: index(link), via: Some(IpAddr::from([192, 0, 2, gateway])), weight: 1, is_dead: false }
}

/// Links 2 and 3, with a neighbour 192.0.2.N of MAC address 02:00:00:00:01:N on each for N = 7 and 8.
struct Kernel {
    links: OutputLinks,
    neighbours: Neighbours,
}

impl Kernel {
    fn new() -> Self {
        let links = [(index(2), link("u2")), (index(3), link("u3"))].into_iter().collect();
        let mut kernel = Self { links, neighbours: Neighbours::default() };
        for (link, gateway) in [(2, 7), (3, 7), (2, 8), (3, 8)] {
            kernel.set(link, gateway, Resolution::Usable(mac_of(gateway)));
        }
        kernel
    }

    fn set(&mut self, link: u32, gateway: u8, resolution: Resolution) {
        let next_hop = NextHop { link: index(link), address: IpAddr::from([192, 0, 2, gateway]) };
        self.neighbours.insert(next_hop, Neighbour { resolution, keeper: Keeper::Nobody });
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut OutputLink)) {
        let mut link = self.links.get(index(number)).unwrap().clone();
        change(&mut link);
        self.links.insert(index(number), link);
    }

    fn decide(&self, lookup: &Lookup) -> Result<Paths, NoPath> {
        decide(asked(), lookup, View { links: &self.links, neighbours: &self.neighbours })
    }
}

fn mac_of(gateway: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 1, gateway])
}

/// A route by these next hops; a packet takes the first of them.
fn lookup(hops: &[Hop]) -> Lookup {
    let forward = |hops: &[Hop]| Route::Forward(Forward { hops: hops.to_vec(), mtu_bytes: None });
    Lookup { matched: forward(hops), exact: forward(&hops[..1]) }
}

fn macs(paths: &Paths) -> [u8; BUCKETS] {
    std::array::from_fn(|bucket| paths.of_bucket(bucket).destination_mac.bytes()[5])
}

#[test]
fn one_next_hop_is_one_path() {
    let kernel = Kernel::new();
    let paths = kernel.decide(&lookup(&[hop(2, 7)])).unwrap();
    let expected = Path {
        link: index(2),
        source: asked().source,
        next_hop: address("192.0.2.7"),
        source_mac: MAC,
        destination_mac: mac_of(7),
        mtu_bytes: 1600,
    };
    assert_eq!(paths.distinct(), [expected]);
    assert_eq!(macs(&paths), [7; BUCKETS]);
}

#[test]
fn the_smallest_mtu_counts() {
    let kernel = Kernel::new();
    let with = |matched, exact| {
        let route = |mtu| Route::Forward(Forward { hops: vec![hop(2, 7)], mtu_bytes: NonZeroU32::new(mtu) });
        kernel
            .decide(&Lookup { matched: route(matched), exact: route(exact) })
            .unwrap()
            .of_bucket(0)
            .mtu_bytes
    };
    assert_eq!(with(0, 0), 1600);
    assert_eq!(with(1500, 1500), 1500, "metric");
    assert_eq!(with(1500, 1400), 1400, "path MTU");
    assert_eq!(with(9000, 9000), 1600, "no more than the link's");
}

#[test]
fn a_redirect_replaces_the_only_gateway() {
    let kernel = Kernel::new();
    let mut redirected = lookup(&[hop(2, 7)]);
    redirected.exact = lookup(&[hop(2, 8)]).exact;
    assert_eq!(macs(&kernel.decide(&redirected).unwrap()), [8; BUCKETS]);
}

#[test]
fn buckets_are_shared_by_weight_and_keep_their_paths() {
    let mut kernel = Kernel::new();
    let mut hops = [hop(2, 7), hop(3, 8)];
    assert_eq!(
        macs(&kernel.decide(&lookup(&hops)).unwrap()),
        [7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8]
    );
    hops[1].weight = 3;
    let before = macs(&kernel.decide(&lookup(&hops)).unwrap());
    assert_eq!(before, [7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);

    hops[0].is_dead = true;
    assert_eq!(macs(&kernel.decide(&lookup(&hops)).unwrap()), [8; BUCKETS]);
    hops[0].is_dead = false;
    kernel.set(3, 8, Resolution::Failed);
    assert_eq!(macs(&kernel.decide(&lookup(&hops)).unwrap()), [7; BUCKETS]);

    let three = [hop(2, 7), hop(3, 8), hop(3, 7)];
    kernel.set(3, 8, Resolution::Usable(mac_of(8)));
    let all = macs(&kernel.decide(&lookup(&three)).unwrap());
    kernel.set(3, 7, Resolution::Failed);
    let two = macs(&kernel.decide(&lookup(&three)).unwrap());
    let moved = all.iter().zip(two).filter(|(before, after)| *before != after).count();
    assert!(moved <= 6, "{all:?} {two:?}");
}

#[test]
fn each_state_of_the_link_has_its_reason() {
    let reason = |change: fn(&mut OutputLink)| {
        let mut kernel = Kernel::new();
        kernel.change(2, change);
        kernel.decide(&lookup(&[hop(2, 7)])).unwrap_err()
    };
    let link = || "u2".to_owned();
    assert_eq!(reason(|link| link.up = false), NoPath::Down { asked: asked(), link: link() });
    assert_eq!(reason(|link| link.carrier = false), NoPath::NoCarrier { asked: asked(), link: link() });
    assert_eq!(reason(|link| link.mac = None), NoPath::NotEthernet { asked: asked(), link: link() });
    let stacked = NoPath::Stacked { asked: asked(), link: link(), lower: "u3".to_owned() };
    assert_eq!(reason(|link| link.lower = Some(Lower::Here(index(3)))), stacked);

    let mut kernel = Kernel::new();
    kernel.change(3, |link| link.controller = Some(index(2)));
    assert_eq!(kernel.decide(&lookup(&[hop(2, 7)])).unwrap_err(), stacked, "a bridge with a member");
    let no_link = NoPath::NoLink { asked: asked(), link: index(9) };
    assert_eq!(kernel.decide(&lookup(&[hop(9, 7)])).unwrap_err(), no_link);
    let mut dead = hop(2, 7);
    dead.is_dead = true;
    assert_eq!(
        Kernel::new().decide(&lookup(&[dead])).unwrap_err(),
        NoPath::NoCarrier { asked: asked(), link: link() }
    );
}

#[test]
fn an_unresolved_next_hop_is_pending_or_failed() {
    let mut kernel = Kernel::new();
    let via = address("192.0.2.6");
    let resolving = NoPath::Resolving { asked: asked(), via, link: "u2".to_owned() };
    assert_eq!(kernel.decide(&lookup(&[hop(2, 6)])).unwrap_err(), resolving);
    kernel.set(2, 6, Resolution::Failed);
    let failed = NoPath::NoNeighbour { asked: asked(), via, link: "u2".to_owned() };
    assert_eq!(kernel.decide(&lookup(&[hop(2, 6)])).unwrap_err(), failed);
}

#[test]
fn routes_that_do_not_forward_have_their_reasons() {
    let kernel = Kernel::new();
    let of = |route: Route| kernel.decide(&Lookup { matched: route.clone(), exact: route }).unwrap_err();
    let remote = asked().remote;
    assert_eq!(of(Route::Local), NoPath::LocalAddress { remote });
    assert_eq!(of(Route::NotUnicast), NoPath::NotUnicast { remote });
    assert_eq!(of(Route::Missing), NoPath::NoRoute { asked: asked() });
    let rejection = Rejection::Blackhole;
    assert_eq!(of(Route::Rejected(rejection)), NoPath::Rejected { asked: asked(), rejection });
}
