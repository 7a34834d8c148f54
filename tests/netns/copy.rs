//! The daemon starts without its NB DB: by the copy that its last run left, or with nothing at all.

use rusqlite::Connection;

use super::site::Site;
use testkit::cloud::with_etcd;
use testkit::daemon::Daemon;
use testkit::lab::Lab;
use testkit::wait::until;

/// The daemon is ended somehow, the DB is cut off, and the daemon starts again.
fn starts_by_its_copy(end: fn(Daemon)) {
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 2);
        lab.start();
        cloud.write(vec![site.add(0, 200)]);
        site.assert_added(lab, 0, 200);
        wait_until_kept(lab);
        end(lab.take_daemon());
        cloud.unplug();
        cloud.write(vec![site.remove(0), site.add(1, 201)]);

        lab.relaunch();
        lab.daemon().wait_until_up("ports", 3);
        lab.daemon().wait_until_up("subports", 2);
        lab.daemon().wait_for_nb("stale: the copy of the last run");
        lab.daemon().wait_for_problem("forwarding by the copy of the last run");
        site.assert_served(lab, &site.spares[0], 200);
        site.assert_steady_served(lab);

        let traffic = site.traffic(lab);
        cloud.plug();
        lab.wait_for_vid(&site.spares[1], 201);
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 1, 201);
        lab.daemon().wait_until_up("subports", 2);
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
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 1);
        cloud.kill(0);
        lab.relaunch();
        lab.daemon().wait_for_nb("not read yet");
        lab.daemon().wait_for_problem("nothing is known of it yet");
        cloud.run(0);
        cloud.wait_until_serving();
        lab.write_records();
        lab.wait_until_all_up();
        lab.daemon().wait_until_converged();
        site.assert_steady_served(lab);
    });
}

/// Waits until the copy has what is in force.
fn wait_until_kept(lab: &Lab) {
    let copy = Connection::open(lab.files.state()).unwrap();
    let in_force = lab.daemon().show("nb").unwrap()["revision"].as_u64().unwrap();
    until("the copy to be up to date", || {
        let kept = copy.query_row("SELECT revision FROM origin", [], |row| row.get::<_, u64>(0));
        kept.is_ok_and(|kept| kept >= in_force).then_some(())
    });
}
