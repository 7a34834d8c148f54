//! What the daemon tells the cloud: which ports forward, while they do, and that this host is here.

use trunkpath::nb::Table;

use super::site::Site;
use testkit::cloud::{Cloud, with_etcd, with_redis};
use testkit::lab::Lab;
use testkit::wait::until;

/// In all that can happen to a port and its host.
fn reported_exactly_while_it_forwards(lab: &mut Lab, cloud: &mut Cloud) {
    let site = Site::new(lab, 1);
    let Site { vm, steady, peer, bystander, .. } = &site;
    lab.start();
    cloud.wait_for_reports(&site.ports());
    cloud.write(vec![site.add(0, 200)]);
    cloud.wait_for_reports(&[vm, steady, peer, bystander, &site.spares[0]]);
    cloud.write(vec![site.remove(0)]);
    cloud.wait_for_reports(&site.ports());

    lab.set_enabled(steady, false);
    cloud.wait_for_reports(&[vm, peer, bystander]);
    lab.set_enabled(steady, true);
    cloud.wait_for_reports(&site.ports());

    let dev = lab.dev(vm).to_owned();
    lab.host.ip(&format!("link set dev {dev} down"));
    cloud.wait_for_reports(&[peer, bystander]);
    lab.host.ip(&format!("link set dev {dev} up"));
    cloud.wait_for_reports(&site.ports());

    lab.take_daemon().stop();
    cloud.wait_for_reports(&[]);
    lab.relaunch();
    cloud.wait_for_reports(&site.ports());
    // By itself.
    lab.take_daemon().kill();
    cloud.wait_for_reports(&[]);
    // What a kill leaves on the links, the next start takes over.
    lab.relaunch();
    cloud.wait_for_reports(&site.ports());
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
        until("this host's record in table chassis", || {
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
        lab.start();
        cloud.wait_for_reports(&site.ports());
        cloud.freeze(0);
        lab.take_daemon().stop();
        let log = lab.files.log();
        assert!(log.contains("the NB DB does not answer: what was reported to it ends by itself"), "{log}");
    });
}

#[test]
fn daemon_ends_in_time_without_the_db() {
    with_etcd(1, |lab, cloud| {
        cloud.kill(0);
        lab.relaunch();
        lab.daemon().wait_for_nb("not read yet");
        lab.daemon().wait_for_problem("nothing is known of it yet");
        lab.take_daemon().stop();
        let log = lab.files.log();
        assert!(log.contains("the NB DB is away at the end: ") && log.contains("no server answers"), "{log}");
    });
}
