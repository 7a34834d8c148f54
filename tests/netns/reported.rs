//! Reports of the daemon in the NB DB: which ports forward, and that its host is alive.

use trunkpath::nb::Table;

use super::vm_ports::VmPorts;
use testkit::nb_servers::{NbServers, with_etcd, with_redis};
use testkit::testbed::Testbed;
use testkit::wait::until;

/// Through changes of ports and of the host, a port is reported exactly while it forwards.
fn reported_exactly_while_it_forwards(testbed: &mut Testbed, servers: &mut NbServers) {
    let ports = VmPorts::new(testbed, 1);
    let VmPorts { vm, steady, peer, bystander, .. } = &ports;
    testbed.start();
    servers.wait_for_reports(&ports.all());
    servers.write(vec![ports.add(0, 200)]);
    servers.wait_for_reports(&[vm, steady, peer, bystander, &ports.spares[0]]);
    servers.write(vec![ports.remove(0)]);
    servers.wait_for_reports(&ports.all());

    testbed.set_enabled(steady, false);
    servers.wait_for_reports(&[vm, peer, bystander]);
    testbed.set_enabled(steady, true);
    servers.wait_for_reports(&ports.all());

    let dev = testbed.dev(vm).to_owned();
    testbed.host.ip(&format!("link set dev {dev} down"));
    servers.wait_for_reports(&[peer, bystander]);
    testbed.host.ip(&format!("link set dev {dev} up"));
    servers.wait_for_reports(&ports.all());

    testbed.take_daemon().stop();
    servers.wait_for_reports(&[]);
    testbed.relaunch();
    servers.wait_for_reports(&ports.all());
    // Without a stop: the reports expire.
    testbed.take_daemon().kill();
    servers.wait_for_reports(&[]);
    // The next start adopts the programs that the killed daemon left on the links.
    testbed.relaunch();
    servers.wait_for_reports(&ports.all());
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
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 0);
        testbed.start();
        until("this host's record in table chassis", || {
            let record =
                servers.with_db(|db| async move { db.get(Table::Chassis, "testbed").await.unwrap() })?;
            assert_eq!(record.json["ip"], "10.99.0.2", "{record:?}");
            Some(())
        });
        assert_eq!(servers.keys("/chassis/").into_iter().collect::<Vec<_>>(), ["testbed"]);
        testbed.daemon().wait_until_converged();
        ports.assert_steady_served(testbed);
    });
}

#[test]
fn daemon_ends_in_time_while_the_db_is_frozen() {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 0);
        testbed.start();
        servers.wait_for_reports(&ports.all());
        servers.freeze(0);
        testbed.take_daemon().stop();
        let log = testbed.files.log();
        assert!(log.contains("the NB DB does not answer: the reports expire by themselves"), "{log}");
    });
}

#[test]
fn daemon_ends_in_time_without_the_db() {
    with_etcd(1, |testbed, servers| {
        servers.kill(0);
        testbed.relaunch();
        testbed.daemon().wait_for_nb("unread");
        testbed.daemon().wait_for_problem("nothing is known of it yet");
        testbed.take_daemon().stop();
        let log = testbed.files.log();
        assert!(
            log.contains("the NB DB is unreachable at the end: ") && log.contains("no server answers"),
            "{log}"
        );
    });
}
