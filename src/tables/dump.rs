//! Tables in a comparable form: keys instead of slots, which may differ from one compilation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use super::identity::Holder;
use super::{
    Compiler, Identity, LINK_OWNER, LinkSlot, Network, Port, PortReport, PortSlot, Tables, TagMeaning, Tags,
    VlanTable,
};
use crate::packet::{ETHERTYPE_DOT1Q, Tag};
use crate::types::{Id, MacAddr, NetworkKey, Pcp, SourceRules, Tci, VlanId, Wants};

/// Everything in tables that affects frames or reports.
#[derive(Debug, PartialEq, Eq)]
pub struct TableDump {
    /// By ifindex: place, port, needed steps, MTU, longest frame.
    links: BTreeMap<u32, (LinkSlot, Option<Holder>, Wants, usize, usize)>,
    ports: BTreeMap<Identity, PortDump>,
    networks: BTreeMap<NetworkKey, NetworkDump>,
    reports: BTreeMap<Id, PortReport>,
    /// The number of times that each occurs.
    problems: BTreeMap<String, usize>,
    /// Ports and networks that occur more than once; empty for correct tables.
    repeated: Vec<String>,
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
}

#[derive(Debug, PartialEq, Eq)]
struct NetworkDump {
    /// The port with each address, or all its claimants: frames decide which of them is the holder.
    macs: BTreeMap<MacAddr, Vec<Option<Holder>>>,
    flood: Vec<Option<Holder>>,
}

impl TableDump {
    /// Dumps `tables`, the result of `compiler`.
    #[must_use]
    pub fn of(compiler: &Compiler, tables: &Tables) -> Self {
        let mut dump = Self {
            links: BTreeMap::new(),
            ports: BTreeMap::new(),
            networks: BTreeMap::new(),
            reports: compiler.reports().map(|(port, report)| (port.into(), report.clone())).collect(),
            problems: BTreeMap::new(),
            repeated: Vec::new(),
        };
        for problem in compiler.problems() {
            *dump.problems.entry(problem.to_string()).or_default() += 1;
        }
        for place in (0..=u16::MAX).map(LinkSlot) {
            let Some(link) = tables.link(place) else { continue };
            let owner = holder_of(tables, PortSlot { link: place, number: LINK_OWNER });
            dump.links.insert(link.ifindex.get(), (place, owner, link.wants, link.mtu, link.longest_frame));
            for port in link.ports() {
                let is_repeated = dump.ports.insert(port.identity, dump_port(tables, place, port)).is_some();
                if is_repeated && port.identity != Identity::UPLINK {
                    dump.repeated.push(format!("port {:?}", port.identity));
                }
            }
        }
        for network in tables.networks() {
            if dump.networks.insert(network.key, dump_network(tables, network)).is_some() {
                dump.repeated.push(format!("network {}", network.key));
            }
        }
        dump
    }

    /// The differences between these tables and the `expected` ones, a sentence each.
    #[must_use]
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("link", &self.links, &expected.links, &mut found);
        compare("port", &self.ports, &expected.ports, &mut found);
        compare("network", &self.networks, &expected.networks, &mut found);
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

fn dump_port(tables: &Tables, link: LinkSlot, port: &Port) -> PortDump {
    PortDump {
        network: port.network.and_then(|network| Some(tables.network(network)?.key)),
        link,
        tags: port.tags.clone(),
        subports: port.subports.as_deref().map(|table| dump_tags(tables, table)).unwrap_or_default(),
        drops_unknown_tags: port.subports.as_deref().is_some_and(VlanTable::drops_unknown_tags),
        source_rules: port.source_rules.clone(),
    }
}

fn dump_tags(tables: &Tables, table: &VlanTable) -> BTreeMap<VlanId, Option<Holder>> {
    let vids = (VlanId::MIN.get()..=VlanId::MAX.get()).filter_map(|vid| VlanId::new(vid).ok());
    let tag = |vid| Tag { tpid: ETHERTYPE_DOT1Q, tci: Tci::new(vid, Pcp::default()) };
    vids.filter_map(|vid| match table.get(tag(vid)) {
        TagMeaning::Parent | TagMeaning::Unwanted => None,
        TagMeaning::Subport(slot) => Some((vid, holder_of(tables, slot))),
        TagMeaning::Unusable => Some((vid, None)),
    })
    .collect()
}

fn dump_network(tables: &Tables, network: &Network) -> NetworkDump {
    let claimants = |place| -> Vec<_> {
        match network.contested_at(place) {
            Some(address) => address.claimants().map(|slot| holder_of(tables, slot)).collect(),
            None => vec![holder_of(tables, place)],
        }
    };
    NetworkDump {
        macs: network.macs.iter().map(|(mac, place)| (*mac, claimants(*place))).collect(),
        flood: network.receivers(PortSlot::NONE).iter().map(|slot| holder_of(tables, *slot)).collect(),
    }
}

fn holder_of(tables: &Tables, slot: PortSlot) -> Option<Holder> {
    tables.holder(slot)
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
