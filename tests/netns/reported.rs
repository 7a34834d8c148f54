//! What the daemon tells the cloud: which ports forward, while they do, and that this host is here.

use trunkpath::nb::Table;

use super::site::Site;
use crate::support::cloud::{Cloud, with_etcd, with_redis};
use crate::support::lab::{Lab, Port};
use crate::support::wait::until;

/// Waits until exactly these ports are said to forward, by a host that lives if there are any.
fn wait_for_reports(cloud: &Cloud, ports: &[&Port]) {
    let mut expected: Vec<_> = ports.iter().map(|port| format!("port_up/{}", port.id())).collect();
    if !ports.is_empty() {
        expected.push("chassis/lab".to_owned());
    }
    expected.sort();
    until(&format!("reports {expected:?}"), || {
        let mut reports = cloud.keys("/trunkpath/");
        // Which is there for writers to keep out of each other's way.
        reports.remove("writer");
        reports.into_iter().eq(expected.iter().cloned()).then_some(())
    });
}

/// In all that can happen to a port and its host.
fn reported_exactly_while_it_forwards(lab: &mut Lab, cloud: &mut Cloud) {
    let site = Site::new(lab, 1);
    let Site { vm, steady, peer, bystander, .. } = &site;
    lab.start();
    wait_for_reports(cloud, &[vm, steady, peer, bystander]);
    cloud.write(vec![site.add(0, 200)]);
    wait_for_reports(cloud, &[vm, steady, peer, bystander, &site.spares[0]]);
    cloud.write(vec![site.remove(0)]);
    wait_for_reports(cloud, &[vm, steady, peer, bystander]);

    lab.set_enabled(steady, false);
    wait_for_reports(cloud, &[vm, peer, bystander]);
    lab.set_enabled(steady, true);
    wait_for_reports(cloud, &[vm, steady, peer, bystander]);

    let dev = lab.dev(vm).to_owned();
    lab.host.ip(&format!("link set dev {dev} down"));
    wait_for_reports(cloud, &[peer, bystander]);
    lab.host.ip(&format!("link set dev {dev} up"));
    wait_for_reports(cloud, &[vm, steady, peer, bystander]);

    assert!(lab.take_daemon().stop().success());
    wait_for_reports(cloud, &[]);
    lab.relaunch();
    wait_for_reports(cloud, &[vm, steady, peer, bystander]);
    // By itself.
    lab.take_daemon().kill();
    wait_for_reports(cloud, &[]);
}

#[test]
fn port_is_reported_to_etcd_exactly_while_it_forwards() {
    with_etcd(1, reported_exactly_while_it_forwards);
}

#[test]
fn port_is_reported_to_redis_exactly_while_it_forwards() {
    with_redis(reported_exactly_while_it_forwards);
}

#[test]
fn host_writes_its_own_record() {
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 0);
        lab.start();
        until("our record in table chassis", || {
            let record = cloud.with_db(|db| async move { db.get(Table::Chassis, "lab").await.unwrap() })?;
            assert_eq!(record.json["ip"], "10.99.0.2", "{record:?}");
            Some(())
        });
        assert_eq!(cloud.keys("/chassis/").into_iter().collect::<Vec<_>>(), ["lab"]);
        lab.daemon().wait_until_converged();
        site.assert_steady_served(lab);
    });
}

#[test]
fn daemon_ends_in_time_while_the_db_is_frozen() {
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 0);
        let Site { vm, steady, peer, bystander, .. } = &site;
        lab.start();
        wait_for_reports(cloud, &[vm, steady, peer, bystander]);
        cloud.freeze(0);
        assert!(lab.take_daemon().stop().success());
        let log = lab.files.log();
        assert!(log.contains("the NB DB does not answer: what was reported to it ends by itself"), "{log}");
        cloud.thaw(0);
        wait_for_reports(cloud, &[]);
    });
}

#[test]
fn daemon_ends_in_time_without_the_db() {
    with_etcd(1, |lab, cloud| {
        cloud.kill(0);
        lab.relaunch();
        lab.daemon().wait_for_nb("not read yet");
        lab.daemon().wait_for_problem("nothing is known of it yet");
        assert!(lab.take_daemon().stop().success());
        let log = lab.files.log();
        assert!(log.contains("the NB DB is away at the end: ") && log.contains("no server answers"), "{log}");
    });
}
