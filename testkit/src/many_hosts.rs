//! Ports on many other hosts, on networks that have a port here each; and the move of one host, and of one
//! port, elsewhere and back.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;
use tokio::runtime::Runtime;
use trunkpath::config::Settings;
use trunkpath::control::Reconciler;
use trunkpath::nb::{Change, ChangeSet, Record, Revision, Snapshot, Table};

use crate::simulated::{self, Simulated};
use crate::simulated_underlay::{SimulatedUnderlay, path};

const HERE: &str = "here";
const HERE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Networks, each of which has one port here.
const NETWORKS: u32 = 100;

/// A host with ports of other hosts in its tables.
#[derive(Debug)]
pub struct ManyHosts {
    reconciler: Reconciler<Simulated>,
    underlay: SimulatedUnderlay,
    hosts: u32,
}

impl ManyHosts {
    /// A host that reaches `ports` ports on `hosts` other hosts.
    pub fn new(ports: u32, hosts: u32, runtime: &Runtime) -> Self {
        let uplink = simulated::link(NETWORKS + 1, "");
        let links = (0..NETWORKS).map(|number| simulated::link(number + 1, &port_id(number))).chain([uplink]);
        let settings = Settings { chassis: Some(HERE.to_owned()), ..Settings::default() };
        let mut reconciler = simulated::reconciler_with(settings, links.collect());
        reconciler.apply_snapshot(&snapshot(ports, hosts));
        let addresses = (0..=hosts).map(address);
        let paths = addresses.map(|there| (there, Ok(vec![path(NETWORKS + 1, HERE_IP, there)])));
        let mut new = Self { reconciler, underlay: SimulatedUnderlay::new(paths.collect()), hosts };
        new.reconcile(runtime);
        assert_eq!(new.reconciler.tables().peers().filter(|peer| peer.paths.is_ok()).count(), hosts as usize);
        new
    }

    fn reconcile(&mut self, runtime: &Runtime) {
        runtime.block_on(self.underlay.reconcile(&mut self.reconciler));
    }

    fn put(&mut self, record: Record, runtime: &Runtime) {
        let changes = vec![Change::Put(record)];
        self.reconciler.apply_changes(&ChangeSet { revision: Revision(2), changes });
        self.reconcile(runtime);
    }

    /// Gives the host in the middle another address, and its own again.
    pub fn change_address(&mut self, runtime: &Runtime) {
        let host = self.hosts / 2;
        for there in [address(self.hosts), address(host)] {
            self.put(chassis(host, there), runtime);
            let tables = self.reconciler.tables();
            assert!(tables.peers().any(|peer| peer.address == there && peer.paths.is_ok()));
        }
    }

    /// Moves a port from the first host to the second, and back.
    pub fn move_port(&mut self, runtime: &Runtime) {
        for host in [1, 0] {
            self.put(port(NETWORKS, &host_id(host)), runtime);
        }
    }
}

/// The records of one host with a port on each network, and of `ports` ports on `hosts` other hosts.
pub fn snapshot(ports: u32, hosts: u32) -> Snapshot {
    let networks = (0..NETWORKS).map(network);
    let own = (0..NETWORKS).map(|number| port(number, HERE));
    let others = (0..ports).map(|number| port(NETWORKS + number, &host_id(number % hosts)));
    let chassis = (0..hosts).map(|number| chassis(number, address(number)));
    let here = record(Table::Chassis, HERE, json!({"ip": HERE_IP, "tunnel_types": ["geneve"]}));
    let records = chassis.chain([here]).chain(networks).chain(own).chain(others);
    let mut records: Vec<_> = records.collect();
    records.sort_by(|a, b| (a.table, &a.id).cmp(&(b.table, &b.id)));
    Snapshot { revision: Revision(1), records }
}

fn record(table: Table, id: &str, mut json: serde_json::Value) -> Record {
    json["id"] = id.into();
    Record { table, id: id.to_owned(), json }
}

/// As long as an id of Neutron.
fn port_id(number: u32) -> String {
    format!("c0a80000-1111-4aaa-8bbb-{number:012}")
}

fn host_id(number: u32) -> String {
    format!("host{number}")
}

/// Of the host with this number; the one behind the last is free.
fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(u32::from_be_bytes([10, 1, 0, 0]) + number).into()
}

fn network(number: u32) -> Record {
    let json = json!({"topic": "t", "unique_key": number + 1, "network_type": "geneve",
        "segmentation_id": number + 1});
    record(Table::Lswitch, &format!("n{number}"), json)
}

fn chassis(number: u32, ip: IpAddr) -> Record {
    record(Table::Chassis, &host_id(number), json!({"ip": ip, "tunnel_types": ["geneve"]}))
}

fn port(number: u32, host: &str) -> Record {
    let [_, high, middle, low] = number.to_be_bytes();
    let json = json!({"topic": "t", "unique_key": number + 1, "lswitch": format!("n{}", number % NETWORKS),
        "macs": [format!("02:00:00:{high:02x}:{middle:02x}:{low:02x}")],
        "binding": {"type": "chassis", "chassis": host}});
    record(Table::Lport, &port_id(number), json)
}
