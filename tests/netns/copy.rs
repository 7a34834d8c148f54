//! The daemon starts while its NB DB is unreachable: from the copy that its last run left, or without any
//! records.

use rusqlite::Connection;

use super::vm_ports::VmPorts;
use testkit::daemon::Daemon;
use testkit::nb_servers::with_etcd;
use testkit::testbed::Testbed;
use testkit::wait::until;

/// Stops the daemon by `end`, makes the DB unreachable, and starts the daemon again.
fn starts_by_its_copy(end: fn(Daemon)) {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 2);
        testbed.start();
        servers.write(vec![ports.add(0, 200)]);
        ports.assert_added(testbed, 0, 200);
        wait_until_kept(testbed);
        end(testbed.take_daemon());
        servers.unplug();
        servers.write(vec![ports.remove(0), ports.add(1, 201)]);

        testbed.relaunch();
        testbed.daemon().wait_until_up("ports", 3);
        testbed.daemon().wait_until_up("subports", 2);
        testbed.daemon().wait_for_nb("stale: copy_of_last_run");
        testbed.daemon().wait_for_problem("forwarding by the copy of the last run");
        ports.assert_served(testbed, &ports.spares[0], 200);
        ports.assert_steady_served(testbed);

        let traffic = ports.traffic(testbed);
        servers.plug();
        testbed.wait_for_vid(&ports.spares[1], 201);
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 1, 201);
        testbed.daemon().wait_until_up("subports", 2);
    });
}

#[test]
fn stopped_daemon_starts_by_its_copy_under_traffic() {
    starts_by_its_copy(Daemon::stop);
}

#[test]
fn killed_daemon_starts_by_its_copy_under_traffic() {
    starts_by_its_copy(Daemon::kill);
}

#[test]
fn daemon_without_a_copy_waits_for_the_db() {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 1);
        servers.kill(0);
        testbed.relaunch();
        testbed.daemon().wait_for_nb("unread");
        testbed.daemon().wait_for_problem("nothing is known of it yet");
        servers.run(0);
        servers.wait_until_serving();
        testbed.write_records();
        testbed.wait_until_all_up();
        testbed.daemon().wait_until_converged();
        ports.assert_steady_served(testbed);
    });
}

/// Waits until the copy has the records in force.
fn wait_until_kept(testbed: &Testbed) {
    let copy = Connection::open(testbed.files.state()).unwrap();
    let in_force = testbed.daemon().show("nb").unwrap()["revision"].as_u64().unwrap();
    until("the copy to be up to date", || {
        let kept = copy.query_row("SELECT revision FROM origin", [], |row| row.get::<_, u64>(0));
        kept.is_ok_and(|kept| kept >= in_force).then_some(())
    });
}
