//! What only etcd does: elect a leader, forget its history, take permissions away.

use std::ops::Range;

use etcd_client::{Client, CompactionOptions, Permission, RoleRevokePermissionOptions};

use super::away::AWAY;
use super::site::Site;
use testkit::cloud::with_etcd;
use testkit::wait::until;

#[test]
fn leader_is_killed_during_500_changes_under_traffic() {
    with_etcd(3, |lab, cloud| {
        let site = Site::new(lab, 10);
        lab.start();
        let traffic = site.traffic(lab);
        // Each port in turn is added, given another VID, and removed.
        let changes = |range: Range<u16>| {
            let change = |number: u16| {
                let (spare, turn) = (number % 10, number / 10);
                match turn % 3 {
                    0 => site.add(spare.into(), 200 + spare),
                    1 => site.add(spare.into(), 300 + number),
                    _ => site.remove(spare.into()),
                }
            };
            range.map(change).collect()
        };
        cloud.write(changes(0..150));
        let leader = cloud.leader();
        cloud.kill(leader);
        cloud.write(changes(150..350));
        cloud.run(leader);
        cloud.write(changes(350..500));
        for spare in 0..10 {
            lab.wait_for_vid(&site.spares[usize::from(spare)], 300 + 490 + spare);
        }
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 9, 300 + 499);
    });
}

#[test]
fn each_server_is_frozen_in_turn_under_traffic() {
    with_etcd(3, |lab, cloud| {
        let site = Site::new(lab, 1);
        lab.start();
        let traffic = site.traffic(lab);
        // One of them is the one that is followed.
        for (server, vid) in [(0, 200), (1, 201), (2, 202)] {
            cloud.freeze(server);
            cloud.write(vec![site.add(0, vid)]);
            lab.wait_for_vid(&site.spares[0], vid);
            cloud.thaw(server);
        }
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 0, 202);
    });
}

#[test]
fn history_is_compacted_behind_our_back_under_traffic() {
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 2);
        lab.start();
        cloud.write(vec![site.add(0, 200)]);
        site.assert_added(lab, 0, 200);
        let traffic = site.traffic(lab);
        cloud.unplug();
        // A watch that is not given up by then would hear of the changes and not miss the history.
        until("the watch to be given up", || lab.files.log().contains("the watch ").then_some(()));
        cloud.write(vec![site.remove(0), site.add(1, 201)]);
        cloud.with_client(|mut client| async move {
            let now = client.get("x", None).await.unwrap().header().unwrap().revision();
            client.compact(now, Some(CompactionOptions::new().with_physical())).await.unwrap();
        });
        cloud.plug();
        lab.wait_for_vid(&site.spares[1], 201);
        lab.daemon().wait_until_up("subports", 2);
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 1, 201);
    });
}

#[test]
fn permission_is_revoked_and_granted_under_traffic() {
    with_etcd(1, |lab, cloud| {
        let site = Site::new(lab, 1);
        cloud.with_client(|client| async move { add_users(client).await });
        lab.files.url = cloud.url.replace("//", "//host:secret@");
        cloud.url = cloud.url.replace("//", "//root:secret@");
        lab.start();
        lab.daemon().wait_until_converged();
        let traffic = site.traffic(lab);

        cloud.with_client(|mut root| async move {
            let all = RoleRevokePermissionOptions::new().with_prefix();
            root.role_revoke_permission("host", "/", Some(all)).await.unwrap();
        });
        // etcd asks for permission when a watch begins.
        cloud.kill(0);
        cloud.run(0);
        lab.daemon().wait_for_problem("no permission");
        lab.daemon().wait_for_problem(AWAY);
        lab.daemon().wait_for_nb("stale: the DB is away");
        cloud.write(vec![site.add(0, 200)]);
        cloud.with_client(|mut root| async move { allow_all(&mut root).await });
        lab.wait_for_vid(&site.spares[0], 200);
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 0, 200);
    });
}

/// Users root and host, and nobody else may do anything.
async fn add_users(mut client: Client) {
    for name in ["root", "host"] {
        client.user_add(name, "secret", None).await.unwrap();
        client.role_add(name).await.unwrap();
        client.user_grant_role(name, name).await.unwrap();
    }
    allow_all(&mut client).await;
    client.auth_enable().await.unwrap();
}

/// Host may do everything with the records and the reports.
async fn allow_all(client: &mut Client) {
    client.role_grant_permission("host", Permission::read_write("/").with_prefix()).await.unwrap();
}
