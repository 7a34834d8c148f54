//! The NB DB becomes unreachable in several ways, and comes back: forwarding continues, and changes made
//! meanwhile are applied.

use super::vm_ports::VmPorts;
use testkit::nb_servers::{NbServers, with_etcd, with_redis};
use testkit::testbed::Testbed;

/// Problem shown while the NB DB is unreachable.
pub const AWAY: &str = "forwarding goes on with what was read last";

/// Test in which `leaves` makes the DB unreachable, and `returns` ends that.
fn away_and_back(
    testbed: &mut Testbed,
    servers: &mut NbServers,
    leaves: fn(&mut NbServers),
    returns: fn(&mut NbServers),
) {
    let ports = VmPorts::new(testbed, 2);
    testbed.start();
    servers.write(vec![ports.add(0, 200)]);
    ports.assert_added(testbed, 0, 200);
    let traffic = ports.traffic(testbed);
    leaves(servers);
    testbed.daemon().wait_for_nb("stale: db_away");
    testbed.daemon().wait_for_problem(AWAY);
    traffic.wait_for_more();
    // Links still change.
    let bystander = testbed.dev(&ports.bystander).to_owned();
    testbed.host.ip(&format!("link set dev {bystander} down"));
    testbed.daemon().wait_until_up("ports", 2);
    testbed.host.ip(&format!("link set dev {bystander} up"));
    testbed.daemon().wait_until_up("ports", 3);

    returns(servers);
    servers.write(vec![ports.add(0, 300), ports.add(1, 200)]);
    testbed.wait_for_vid(&ports.spares[0], 300);
    testbed.wait_for_vid(&ports.spares[1], 200);
    testbed.daemon().wait_until_converged();
    // Reports may have expired meanwhile.
    servers.wait_for_reports(&[&ports.all()[..], &[&ports.spares[0], &ports.spares[1]]].concat());
    traffic.assert_arrived(testbed, &ports);
    ports.assert_added(testbed, 0, 300);
    ports.assert_added(testbed, 1, 200);
}

#[test]
fn etcd_is_frozen_under_traffic() {
    with_etcd(1, |testbed, servers| away_and_back(testbed, servers, |it| it.freeze(0), |it| it.thaw(0)));
}

#[test]
fn etcd_is_stopped_under_traffic() {
    with_etcd(1, |testbed, servers| away_and_back(testbed, servers, |it| it.kill(0), |it| it.run(0)));
}

#[test]
fn etcd_is_cut_off_under_traffic() {
    with_etcd(1, |testbed, servers| away_and_back(testbed, servers, |it| it.unplug(), |it| it.plug()));
}

#[test]
fn redis_is_frozen_under_traffic() {
    with_redis(|testbed, servers| away_and_back(testbed, servers, |it| it.freeze(0), |it| it.thaw(0)));
}

#[test]
fn redis_is_restarted_under_traffic() {
    with_redis(|testbed, servers| away_and_back(testbed, servers, |it| it.kill(0), |it| it.run(0)));
}

#[test]
fn redis_is_cut_off_under_traffic() {
    with_redis(|testbed, servers| away_and_back(testbed, servers, |it| it.unplug(), |it| it.plug()));
}
