//! Tables in a comparable form: keys instead of slots, which may differ from one compilation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use super::peer::{Paths, Peer};
use super::{
    Compiler, Filter, Identity, LINK_OWNER, LinkSlot, Network, PeerSlot, Port, PortReport, PortSlot, Tables,
    TagMeaning, Tags, VlanTable,
};
use crate::nb::Binding;
use crate::packet::{ETHERTYPE_DOT1Q, Tag};
use crate::types::drop_reason::Tunnel as TunnelDrop;
use crate::types::{Id, MacAddr, NetworkKey, Pcp, SourceRules, Tci, Tunnel, TunnelType, VlanId, Wants};

/// Everything in tables that affects frames or reports.
#[derive(Debug, PartialEq, Eq)]
pub struct TableDump {
    /// By ifindex: place, port, needed steps, MTU, longest frame.
    links: BTreeMap<u32, (LinkSlot, Option<Holder>, Wants, usize, usize)>,
    ports: BTreeMap<Identity, PortDump>,
    networks: BTreeMap<NetworkKey, NetworkDump>,
    /// By the binding of their ports; `None` for one without a record or a port.
    hosts: BTreeMap<Option<Binding>, HostDump>,
    outside: OutsideDump,
    reports: BTreeMap<Id, PortReport>,
    /// The number of times that each occurs.
    problems: BTreeMap<String, usize>,
    /// Ports, networks and hosts that occur more than once; empty for correct tables.
    repeated: Vec<String>,
}

/// The holder of a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Here(Identity),
    /// Another host, by the binding of its ports.
    Host(Binding),
}

#[derive(Debug, PartialEq, Eq)]
struct PortDump {
    network: Option<NetworkKey>,
    link: LinkSlot,
    tags: Tags,
    /// Subport by VID; `None` if the tag is unusable.
    subports: BTreeMap<VlanId, Option<Holder>>,
    /// Whether other tags are dropped.
    drops_unknown_tags: bool,
    source_rules: Option<Arc<SourceRules>>,
    /// Empty for a port that is not filtered; `None` for a filter that is missing.
    filter: Vec<Option<Filter>>,
}

#[derive(Debug, PartialEq, Eq)]
struct NetworkDump {
    /// The port with each address, or all its claimants: frames decide which of them is the holder.
    macs: BTreeMap<MacAddr, Vec<Option<Holder>>>,
    /// The receivers of floods from here, sorted: the order of hosts is that of their slots.
    flood: Vec<Option<Holder>>,
    /// The receivers of floods from other hosts.
    flood_from_hosts: Vec<Option<Holder>>,
    tunnel: Option<Tunnel>,
    /// The port of an uplink, if there is one.
    wire: Vec<Option<Holder>>,
}

#[derive(Debug, PartialEq, Eq)]
struct HostDump {
    address: IpAddr,
    paths: Result<Paths, TunnelDrop>,
}

/// What is accepted from other hosts.
#[derive(Debug, PartialEq, Eq, Default)]
struct OutsideDump {
    endpoint: Option<IpAddr>,
    hosts: BTreeMap<IpAddr, Option<Holder>>,
    networks: BTreeMap<(TunnelType, u32), Option<NetworkKey>>,
    /// The numbers of hosts and of networks: more than those above are left over.
    entries: (usize, usize),
}

impl OutsideDump {
    fn compare(&self, expected: &Self, found: &mut Vec<String>) {
        compare("host at", &self.hosts, &expected.hosts, found);
        compare("network of tunnel", &self.networks, &expected.networks, found);
        if self.endpoint != expected.endpoint {
            let (endpoint, expected) = (self.endpoint, expected.endpoint);
            found.push(format!("tunnel endpoint of this host is {endpoint:?}: expected {expected:?}"));
        }
        if self.entries != expected.entries {
            let ((hosts, networks), expected) = (self.entries, expected.entries);
            found.push(format!(
                "packets of {hosts} hosts and {networks} tunnels are accepted: expected {} and {}",
                expected.0, expected.1,
            ));
        }
    }
}

/// Tables, with the hosts at the slots of peers.
struct Source<'a> {
    tables: &'a Tables,
    hosts: BTreeMap<PeerSlot, &'a Binding>,
}

impl TableDump {
    /// Dumps `tables`, the result of `compiler`.
    #[must_use]
    pub fn of(compiler: &Compiler, tables: &Tables) -> Self {
        let hosts = compiler.peers().map(|(binding, slot, _)| (slot, binding)).collect();
        let source = Source { tables, hosts };
        let mut dump = Self {
            links: BTreeMap::new(),
            ports: BTreeMap::new(),
            networks: BTreeMap::new(),
            hosts: BTreeMap::new(),
            outside: source.outside(),
            reports: compiler.reports().map(|(port, report)| (port.into(), report.clone())).collect(),
            problems: BTreeMap::new(),
            repeated: Vec::new(),
        };
        for problem in compiler.problems() {
            *dump.problems.entry(problem.to_string()).or_default() += 1;
        }
        dump.add_links(&source);
        for network in tables.networks() {
            if dump.networks.insert(network.key, source.network(network)).is_some() {
                dump.repeated.push(format!("network {}", network.key));
            }
        }
        dump.add_hosts(&source);
        dump
    }

    fn add_links(&mut self, source: &Source<'_>) {
        for place in (0..=u16::MAX).map(LinkSlot) {
            let Some(link) = source.tables.link(place) else { continue };
            let owner = source.holder(PortSlot { link: place, number: LINK_OWNER });
            self.links.insert(link.ifindex.get(), (place, owner, link.wants, link.mtu, link.longest_frame));
            for port in link.ports() {
                let is_repeated = self.ports.insert(port.identity, source.port(place, port)).is_some();
                if is_repeated && port.identity != Identity::UPLINK {
                    self.repeated.push(format!("port {:?}", port.identity));
                }
            }
        }
    }

    fn add_hosts(&mut self, source: &Source<'_>) {
        for slot in (0..=u16::MAX).map(PeerSlot) {
            let Some(Peer { address, paths, .. }) = source.tables.peer(slot) else { continue };
            let host = HostDump { address: *address, paths: paths.clone() };
            let binding = source.hosts.get(&slot).map(|binding| (*binding).clone());
            if self.hosts.insert(binding.clone(), host).is_some() {
                self.repeated.push(format!("host {binding:?}"));
            }
        }
    }

    /// The differences between these tables and the `expected` ones, a sentence each.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("link", &self.links, &expected.links, &mut found);
        compare("port", &self.ports, &expected.ports, &mut found);
        compare("network", &self.networks, &expected.networks, &mut found);
        compare("host", &self.hosts, &expected.hosts, &mut found);
        self.outside.compare(&expected.outside, &mut found);
        compare("report of", &self.reports, &expected.reports, &mut found);
        compare("problem", &self.problems, &expected.problems, &mut found);
        found.extend(self.repeated.iter().map(|what| format!("{what} occurs twice: expected once")));
        found
    }
}

fn compare<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    here: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
    found: &mut Vec<String>,
) {
    let keys: BTreeSet<_> = here.keys().chain(expected.keys()).collect();
    for key in keys {
        let (here, expected) = (here.get(key), expected.get(key));
        if here != expected {
            found.push(format!("{what} {key:?} is {here:?}: expected {expected:?}"));
        }
    }
}

impl Source<'_> {
    fn holder(&self, slot: PortSlot) -> Option<Holder> {
        match slot.peer() {
            Some(peer) => self.hosts.get(&peer).map(|binding| Holder::Host((*binding).clone())),
            None => self.tables.port(slot).map(|port| Holder::Here(port.identity)),
        }
    }

    fn port(&self, link: LinkSlot, port: &Port) -> PortDump {
        PortDump {
            network: port.network.and_then(|network| Some(self.tables.network(network)?.key)),
            link,
            tags: port.tags.clone(),
            subports: port.subports.as_deref().map(|table| self.tags(table)).unwrap_or_default(),
            drops_unknown_tags: port.subports.as_deref().is_some_and(VlanTable::drops_unknown_tags),
            source_rules: port.source_rules.clone(),
            filter: port
                .filter
                .iter()
                .map(|filter| self.tables.filter(filter.rules).map(Filter::without_generation))
                .collect(),
        }
    }

    fn tags(&self, table: &VlanTable) -> BTreeMap<VlanId, Option<Holder>> {
        let vids = (VlanId::MIN.get()..=VlanId::MAX.get()).filter_map(|vid| VlanId::new(vid).ok());
        let tag = |vid| Tag { tpid: ETHERTYPE_DOT1Q, tci: Tci::new(vid, Pcp::default()) };
        vids.filter_map(|vid| match table.get(tag(vid)) {
            TagMeaning::Parent | TagMeaning::Unwanted => None,
            TagMeaning::Subport(slot) => Some((vid, self.holder(slot))),
            TagMeaning::Unusable => Some((vid, None)),
        })
        .collect()
    }

    fn network(&self, network: &Network) -> NetworkDump {
        let claimants = |place| -> Vec<_> {
            match network.contested_at(place) {
                Some(address) => address.claimants().map(|slot| self.holder(slot)).collect(),
                None => vec![self.holder(place)],
            }
        };
        let receivers = |origin| {
            let slots = network.receivers(origin).iter();
            let mut receivers: Vec<_> = slots.map(|slot| self.holder(*slot)).collect();
            receivers.sort();
            receivers
        };
        NetworkDump {
            macs: network.macs.iter().map(|(mac, place)| (*mac, claimants(*place))).collect(),
            flood: receivers(PortSlot::NONE),
            flood_from_hosts: receivers(PortSlot::of_peer(PeerSlot(0))),
            tunnel: network.tunnel,
            wire: network.wire.iter().map(|slot| self.holder(*slot)).collect(),
        }
    }

    fn outside(&self) -> OutsideDump {
        let outside = self.tables.outside();
        let host = |address| self.holder(PortSlot::of_peer(outside.peer(address)?));
        let key = |tunnel: Tunnel| {
            let slot = outside.network(tunnel.kind(), tunnel.key())?;
            self.tables.network(slot).map(|network| network.key)
        };
        let tunnels = self.tables.networks().filter_map(|network| network.tunnel);
        OutsideDump {
            endpoint: outside.endpoint,
            hosts: self.tables.peers().map(|peer| (peer.address, host(peer.address))).collect(),
            networks: tunnels.map(|tunnel| ((tunnel.kind(), tunnel.key()), key(tunnel))).collect(),
            entries: outside.entry_counts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nb::{Change, Record, Table};
    use crate::tables::{LocalLink, Policy, QueueOwners};
    use crate::types::{IfIndex, LinkRole};

    /// A parent with a subport that has `vid`.
    fn dump(vid: u16) -> TableDump {
        let mut compiler = Compiler::new(1, Policy::default());
        for (table, json) in [
            (Table::Lswitch, json!({"id": "n", "unique_key": 1})),
            (Table::Lport, json!({"id": "parent", "unique_key": 1, "lswitch": "n"})),
            (Table::Lport, json!({"id": "subport", "unique_key": 2, "lswitch": "n"})),
            (
                Table::ChildPortSegmentation,
                json!({"id": "s", "parent": "parent", "port": "subport", "segmentation_type": "vlan",
                    "segmentation_id": vid}),
            ),
        ] {
            let id = json["id"].as_str().unwrap().to_owned();
            compiler.apply_change(&Change::Put(Record { table, id, json }));
        }
        compiler.set_link(LocalLink {
            slot: LinkSlot(0),
            ifindex: IfIndex::new(7).unwrap(),
            role: LinkRole::Port("parent".into()),
            up: true,
            queues: QueueOwners::from_iter([0]),
            complete_checksums: true,
            mtu: 1500,
            longest_frame: 1518,
            host_address: None,
        });
        let tables = compiler.compile();
        TableDump::of(&compiler, &tables)
    }

    #[test]
    fn differences_are_reported_and_nothing_else() {
        assert_eq!(dump(100).differences(&dump(100)), Vec::<String>::new());
        let found = dump(100).differences(&dump(200));
        let about = |what: &str| found.iter().filter(|difference| difference.starts_with(what)).count();
        // The tags of the parent, the tag of the subport, and the report about the subport.
        assert_eq!((about("port "), about("report of \"subport\""), found.len()), (2, 1, 3), "{found:#?}");
    }
}
