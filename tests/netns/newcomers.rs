//! Records that claim what working ones hold, with lower ids than all others: nothing changes, even after a
//! restart.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::vm_ports::VmPorts;
use testkit::daemon::Daemon;
use testkit::records::network_id;
use testkit::testbed::{Testbed, on_testbed};
use testkit::wait::until;

/// Writes a record as a program does that validates nothing.
fn write(testbed: &Testbed, table: &str, record: &Value) {
    let db = Connection::open(testbed.files.path("nb.db")).unwrap();
    let id = record["id"].as_str().unwrap();
    db.execute("INSERT INTO record VALUES (?1, ?2, ?3)", [table, id, &record.to_string()]).unwrap();
}

/// Writes a port that claims the key of the subport, a network that claims that of the first network, and a
/// segmentation that claims the tag of the subport.
fn write_newcomers(testbed: &Testbed, ports: &VmPorts) {
    let port = |id: &str, key: u32| {
        json!({"id": id, "topic": "t", "unique_key": key, "lswitch": network_id(2), "macs": ["02:00:00:00:09:01"],
            "enabled": true})
    };
    write(testbed, "lport", &port("0", ports.steady.key));
    write(testbed, "lport", &port("00", 1_000_000));
    write(testbed, "lswitch", &json!({"id": "0", "topic": "t", "unique_key": 1}));
    let tag = json!({"id": "0", "topic": "t", "parent": ports.vm.id(), "port": "00",
        "segmentation_type": "vlan", "segmentation_id": 100});
    write(testbed, "child_port_segmentation", &tag);
}

fn wait_until_named(testbed: &Testbed, ports: &VmPorts) {
    testbed.daemon().wait_for_problem(&format!("belongs to {} already", ports.steady.id()));
    testbed.daemon().wait_for_problem(&format!("belongs to {} already", network_id(1)));
    testbed.daemon().wait_for_problem("vlan 100 of parent");
}

fn newcomers_change_nothing(end: fn(Daemon)) {
    on_testbed(|testbed| {
        let ports = VmPorts::new(testbed, 0);
        testbed.start();
        ports.assert_steady_served(testbed);
        let traffic = ports.traffic(testbed);
        write_newcomers(testbed, &ports);
        wait_until_named(testbed, &ports);
        traffic.assert_arrived(testbed, &ports);
        ports.assert_steady_served(testbed);

        let file = testbed.files.path("last-good.db.incumbents");
        until("the incumbents to be on disk", || {
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            (kept.contains(&ports.steady.id()) && kept.contains("network_key")).then_some(())
        });
        end(testbed.take_daemon());
        testbed.relaunch();
        testbed.wait_until_all_up();
        wait_until_named(testbed, &ports);
        ports.assert_steady_served(testbed);
        assert_eq!(testbed.daemon().show("drift").unwrap(), json!([]));
    });
}

#[test]
fn newcomers_change_nothing_for_what_works_nor_after_a_stop() {
    newcomers_change_nothing(Daemon::stop);
}

#[test]
fn newcomers_change_nothing_for_what_works_nor_after_a_kill() {
    newcomers_change_nothing(Daemon::kill);
}
