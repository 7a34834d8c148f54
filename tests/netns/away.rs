//! The NB DB goes away, in every way there is, and comes back: forwarding goes on, and what has changed is caught up with.

use super::site::Site;
use testkit::cloud::{Cloud, with_etcd, with_redis};
use testkit::lab::Lab;

/// What `show problems` says then.
pub const AWAY: &str = "forwarding goes on with what was read last";

/// The DB `leaves` and later `returns`.
fn away_and_back(lab: &mut Lab, cloud: &mut Cloud, leaves: fn(&mut Cloud), returns: fn(&mut Cloud)) {
    let site = Site::new(lab, 2);
    lab.start();
    cloud.write(vec![site.add(0, 200)]);
    site.assert_added(lab, 0, 200);
    let traffic = site.traffic(lab);
    leaves(cloud);
    lab.daemon().wait_for_nb("stale: the DB is away");
    lab.daemon().wait_for_problem(AWAY);
    traffic.wait_for_more();
    // Links come and go as ever.
    let bystander = lab.dev(&site.bystander).to_owned();
    lab.host.ip(&format!("link set dev {bystander} down"));
    lab.daemon().wait_until_up("ports", 2);
    lab.host.ip(&format!("link set dev {bystander} up"));
    lab.daemon().wait_until_up("ports", 3);

    returns(cloud);
    cloud.write(vec![site.add(0, 300), site.add(1, 200)]);
    lab.wait_for_vid(&site.spares[0], 300);
    lab.wait_for_vid(&site.spares[1], 200);
    lab.daemon().wait_until_converged();
    // They may have run out meanwhile.
    cloud.wait_for_reports(&[&site.ports()[..], &[&site.spares[0], &site.spares[1]]].concat());
    traffic.assert_arrived(lab, &site);
    site.assert_added(lab, 0, 300);
    site.assert_added(lab, 1, 200);
}

#[test]
fn etcd_is_frozen_under_traffic() {
    with_etcd(1, |lab, cloud| away_and_back(lab, cloud, |it| it.freeze(0), |it| it.thaw(0)));
}

#[test]
fn etcd_is_stopped_under_traffic() {
    with_etcd(1, |lab, cloud| away_and_back(lab, cloud, |it| it.kill(0), |it| it.run(0)));
}

#[test]
fn etcd_is_cut_off_under_traffic() {
    with_etcd(1, |lab, cloud| away_and_back(lab, cloud, |it| it.unplug(), |it| it.plug()));
}

#[test]
fn redis_is_frozen_under_traffic() {
    with_redis(|lab, cloud| away_and_back(lab, cloud, |it| it.freeze(0), |it| it.thaw(0)));
}

#[test]
fn redis_is_restarted_under_traffic() {
    with_redis(|lab, cloud| away_and_back(lab, cloud, |it| it.kill(0), |it| it.run(0)));
}

#[test]
fn redis_is_cut_off_under_traffic() {
    with_redis(|lab, cloud| away_and_back(lab, cloud, |it| it.unplug(), |it| it.plug()));
}
