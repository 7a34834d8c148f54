//! Records that claim what works, with lower ids than everything else: nothing changes, not even after a restart.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::site::Site;
use testkit::daemon::Daemon;
use testkit::lab::{Lab, in_lab};
use testkit::records::network_id;
use testkit::wait::until;

/// Writes a record as a program does that checks nothing.
fn write(lab: &Lab, table: &str, record: &Value) {
    let db = Connection::open(lab.files.path("nb.db")).unwrap();
    let id = record["id"].as_str().unwrap();
    db.execute("INSERT INTO record VALUES (?1, ?2, ?3)", [table, id, &record.to_string()]).unwrap();
}

/// A port that claims the key of the subport, a network that claims that of the first network, and a segmentation that
/// claims the subport's tag.
fn write_newcomers(lab: &Lab, site: &Site) {
    let port = |id: &str, key: u32| {
        json!({"id": id, "topic": "t", "unique_key": key, "lswitch": network_id(2), "macs": ["02:00:00:00:09:01"],
            "enabled": true})
    };
    write(lab, "lport", &port("0", site.steady.key));
    write(lab, "lport", &port("00", 1_000_000));
    write(lab, "lswitch", &json!({"id": "0", "topic": "t", "unique_key": 1}));
    let tag = json!({"id": "0", "topic": "t", "parent": site.vm.id(), "port": "00",
        "segmentation_type": "vlan", "segmentation_id": 100});
    write(lab, "child_port_segmentation", &tag);
}

fn wait_until_named(lab: &Lab, site: &Site) {
    lab.daemon().wait_for_problem(&format!("is {}'s already", site.steady.id()));
    lab.daemon().wait_for_problem(&format!("is {}'s already", network_id(1)));
    lab.daemon().wait_for_problem("vlan 100 of parent");
}

fn newcomers_change_nothing(end: fn(Daemon)) {
    in_lab(|lab| {
        let site = Site::new(lab, 0);
        lab.start();
        site.assert_steady_served(lab);
        let traffic = site.traffic(lab);
        write_newcomers(lab, &site);
        wait_until_named(lab, &site);
        traffic.assert_arrived(lab, &site);
        site.assert_steady_served(lab);

        let file = lab.files.path("last-good.db.incumbents");
        until("the incumbents to be on disk", || {
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            (kept.contains(&site.steady.id()) && kept.contains("network_key")).then_some(())
        });
        end(lab.take_daemon());
        lab.relaunch();
        lab.wait_until_all_up();
        wait_until_named(lab, &site);
        site.assert_steady_served(lab);
        assert_eq!(lab.daemon().show("drift").unwrap(), json!([]));
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
