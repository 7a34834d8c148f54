//! The paths to another host: a route by the link of a port, and drift.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use trunkpath::config::Settings;
use trunkpath::control::Reconciler;
use trunkpath::nb::{Record, Revision, Snapshot, Table};
use trunkpath::types::LinkRole;

use super::step::HERE;
use testkit::simulated::{self, Simulated};
use testkit::simulated_underlay::{SimulatedUnderlay, path};

const HERE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const THERE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

fn record(table: Table, json: Value) -> Record {
    Record { table, id: json["id"].as_str().unwrap().to_owned(), json }
}

/// A port here and one on each of two other hosts, of one network.
fn snapshot(host_of_port_2: &str) -> Snapshot {
    let port = |key: u32, host: &str| {
        record(
            Table::Lport,
            json!({"id": format!("p{key}"), "unique_key": key, "lswitch": "n",
                "macs": [format!("02:00:00:00:00:0{key}")], "binding": {"type": "chassis", "chassis": host}}),
        )
    };
    let chassis =
        |id: &str, ip: IpAddr| record(Table::Chassis, json!({"id": id, "ip": ip, "tunnel_types": ["vxlan"]}));
    let network = json!({"id": "n", "unique_key": 1, "network_type": "vxlan", "segmentation_id": 38});
    let other_ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
    let records = vec![
        record(Table::Lswitch, network),
        chassis(HERE, HERE_IP),
        chassis("there", THERE_IP),
        chassis("elsewhere", other_ip),
        port(1, HERE),
        port(2, host_of_port_2),
        port(3, "elsewhere"),
    ];
    Snapshot { revision: Revision(1), records }
}

/// A reconciler with the link 1 of port 1 and the link 2 of nothing, to which the path to `there` is by
/// `link`.
fn reconciler(link: u32) -> Reconciler<Simulated> {
    let links = [simulated::link(1, "p1"), simulated::link(2, "")];
    let settings = Settings { chassis: Some(HERE.to_owned()), ..Settings::default() };
    let mut reconciler = simulated::reconciler_with(settings, links.into_iter().collect());
    reconciler.apply_snapshot(&snapshot("there"));
    let by_link = Ok(vec![path(link, HERE_IP, THERE_IP)]);
    let mut underlay = SimulatedUnderlay::new([(THERE_IP, by_link)].into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(underlay.reconcile(&mut reconciler));
    reconciler
}

fn roles(reconciler: &Reconciler<Simulated>) -> Vec<(u32, LinkRole)> {
    reconciler.open_links().map(|(ifindex, role)| (ifindex.get(), role.clone())).collect()
}

fn port_1() -> LinkRole {
    LinkRole::Port("p1".into())
}

#[test]
fn a_route_makes_its_link_an_uplink() {
    let reconciler = reconciler(2);
    assert_eq!(roles(&reconciler), [(1, port_1()), (2, LinkRole::Uplink("sim2".into()))]);
    assert_eq!(reconciler.problems(), []);
}

#[test]
fn a_route_takes_no_link_from_a_port() {
    let reconciler = reconciler(1);
    assert_eq!(roles(&reconciler), [(1, port_1())]);
    let problems: Vec<_> = reconciler.problems().iter().map(ToString::to_string).collect();
    let expected =
        "endpoint 10.0.0.2: its route is by sim1, the link of port p1: expected one by another link";
    assert_eq!(problems, [expected]);
}

#[test]
fn a_port_on_another_host_than_in_the_records_is_drift() {
    let reconciler = reconciler(2);
    assert_eq!(reconciler.evidence().differences(&snapshot("there")), Vec::<String>::new());
    let moved = reconciler.evidence().differences(&snapshot("elsewhere"));
    assert!(moved.iter().any(|difference| difference.contains("there")), "{moved:?}");
}
