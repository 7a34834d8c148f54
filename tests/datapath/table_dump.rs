//! Tables in a form that can be compared: slots, which may differ from one compilation to the next, become keys.

use std::collections::{BTreeMap, BTreeSet};

use trunkpath::tables::{
    Compiler, LINK_OWNER, LinkSlot, Network, Port, PortReport, PortSlot, Tables, TagMeaning, VlanTable,
};
use trunkpath::types::{MacAddr, NetworkKey, PortKey, VlanId};

/// Everything that a worker or an operator could see.
#[derive(Debug, PartialEq)]
pub struct Dump {
    /// By ifindex: place, port, checksums completed.
    links: BTreeMap<u32, (LinkSlot, PortKey, bool)>,
    ports: BTreeMap<PortKey, PortDump>,
    networks: BTreeMap<NetworkKey, NetworkDump>,
    reports: BTreeMap<String, PortReport>,
    problems: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
struct PortDump {
    network: Option<NetworkKey>,
    link: LinkSlot,
    tags: Vec<VlanId>,
    /// `None`: the tag is unusable.
    subports: BTreeMap<VlanId, Option<PortKey>>,
}

#[derive(Debug, PartialEq)]
struct NetworkDump {
    macs: BTreeMap<MacAddr, PortKey>,
    flood: Vec<PortKey>,
}

/// Dumps the tables that `compiler` has made.
pub fn dump(compiler: &Compiler, tables: &Tables) -> Dump {
    let mut links = BTreeMap::new();
    let mut ports = BTreeMap::new();
    for place in (0..64).map(LinkSlot) {
        let Some(link) = tables.link(place) else { continue };
        let owner = key_of(tables, PortSlot { link: place, number: LINK_OWNER });
        links.insert(link.ifindex.get(), (place, owner, link.complete_checksums));
        for port in link.ports() {
            let before = ports.insert(port.key, dump_port(tables, place, port));
            assert_eq!(before, None, "each port is there once");
        }
    }
    assert_eq!(links.len(), tables.links().count(), "no more than 64 links");
    let networks: BTreeMap<_, _> =
        tables.networks().map(|network| (network.key, dump_network(tables, network))).collect();
    assert_eq!(networks.len(), tables.networks().count(), "each network is there once");
    Dump {
        links,
        ports,
        networks,
        reports: compiler.reports().map(|(port, report)| (port.to_owned(), report.clone())).collect(),
        problems: compiler.problems().iter().map(ToString::to_string).collect(),
    }
}

fn dump_port(tables: &Tables, link: LinkSlot, port: &Port) -> PortDump {
    PortDump {
        network: port.network.map(|network| tables.network(network).unwrap().key),
        link,
        tags: port.tags.to_vec(),
        subports: port.subports.as_deref().map(|table| dump_tags(tables, table)).unwrap_or_default(),
    }
}

fn dump_tags(tables: &Tables, table: &VlanTable) -> BTreeMap<VlanId, Option<PortKey>> {
    let vids = (VlanId::MIN.get()..=VlanId::MAX.get()).map(|vid| VlanId::new(vid).unwrap());
    vids.filter_map(|vid| match table.get(vid) {
        TagMeaning::Parent => None,
        TagMeaning::Subport(slot) => Some((vid, Some(key_of(tables, slot)))),
        TagMeaning::Unusable => Some((vid, None)),
    })
    .collect()
}

fn dump_network(tables: &Tables, network: &Network) -> NetworkDump {
    NetworkDump {
        macs: network.macs.iter().map(|(mac, slot)| (*mac, key_of(tables, *slot))).collect(),
        flood: network.flood.iter().map(|slot| key_of(tables, *slot)).collect(),
    }
}

fn key_of(tables: &Tables, slot: PortSlot) -> PortKey {
    tables.port(slot).expect("a slot of these tables").key
}
