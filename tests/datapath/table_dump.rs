//! Tables in a form that can be compared: slots, which may differ from one compilation to the next, become keys.

use std::collections::{BTreeMap, BTreeSet};

use trunkpath::tables::{
    Compiled, LinkSlot, Network, NetworkSlot, Port, PortReport, PortSlot, Tables, TagMeaning, VlanTable,
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

/// Dumps tables of up to `links` links.
pub fn dump(compiled: &Compiled, links: u16) -> Dump {
    let tables = &compiled.tables;
    let place = |place| Some((LinkSlot(place), tables.link(LinkSlot(place))?));
    let links = (0..links).filter_map(place).map(|(place, link)| {
        (link.ifindex.get(), (place, key_of(tables, link.port), link.complete_checksums))
    });
    let ports: Vec<&Port> = (0..).map_while(|slot| tables.port(PortSlot(slot))).collect();
    let networks: Vec<&Network> = (0..).map_while(|slot| tables.network(NetworkSlot(slot))).collect();
    let dump = Dump {
        links: links.collect(),
        ports: ports.iter().map(|port| (port.key, dump_port(tables, port))).collect(),
        networks: networks.iter().map(|network| (network.key, dump_network(tables, network))).collect(),
        reports: compiled.ports.clone(),
        problems: compiled.problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(dump.ports.len(), ports.len(), "each port is there once");
    assert_eq!(dump.networks.len(), networks.len(), "each network is there once");
    for port in &ports {
        assert_eq!(tables.slot_of(port.key).map(|slot| key_of(tables, slot)), Some(port.key));
    }
    dump
}

fn dump_port(tables: &Tables, port: &Port) -> PortDump {
    PortDump {
        network: port.network.map(|network| tables.network(network).unwrap().key),
        link: port.exit.link,
        tags: port.exit.tags.to_vec(),
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
