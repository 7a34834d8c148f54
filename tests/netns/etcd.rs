//! Features of etcd: leader election, compaction, permissions.

use std::ops::Range;

use etcd_client::{Client, CompactionOptions, Permission, RoleRevokePermissionOptions};

use super::away::AWAY;
use super::vm_ports::VmPorts;
use testkit::nb_servers::with_etcd;
use testkit::wait::until;

#[test]
fn leader_is_killed_during_500_changes_under_traffic() {
    with_etcd(3, |testbed, servers| {
        let ports = VmPorts::new(testbed, 10);
        testbed.start();
        let traffic = ports.traffic(testbed);
        // Each port in turn is added, gets another VID, and is removed.
        let changes = |range: Range<u16>| {
            let change = |number: u16| {
                let (spare, turn) = (number % 10, number / 10);
                match turn % 3 {
                    0 => ports.add(spare.into(), 200 + spare),
                    1 => ports.add(spare.into(), 300 + number),
                    _ => ports.remove(spare.into()),
                }
            };
            range.map(change).collect()
        };
        servers.write(changes(0..150));
        let leader = servers.leader();
        servers.kill(leader);
        servers.write(changes(150..350));
        servers.run(leader);
        servers.write(changes(350..500));
        for spare in 0..10 {
            testbed.wait_for_vid(&ports.spares[usize::from(spare)], 300 + 490 + spare);
        }
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 9, 300 + 499);
    });
}

#[test]
fn each_server_is_frozen_in_turn_under_traffic() {
    with_etcd(3, |testbed, servers| {
        let ports = VmPorts::new(testbed, 1);
        testbed.start();
        let traffic = ports.traffic(testbed);
        // One of them is the server that the daemon watches.
        for (server, vid) in [(0, 200), (1, 201), (2, 202)] {
            servers.freeze(server);
            servers.write(vec![ports.add(0, vid)]);
            testbed.wait_for_vid(&ports.spares[0], vid);
            servers.thaw(server);
        }
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 0, 202);
    });
}

#[test]
fn history_is_compacted_under_traffic() {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 2);
        testbed.start();
        servers.write(vec![ports.add(0, 200)]);
        ports.assert_added(testbed, 0, 200);
        let traffic = ports.traffic(testbed);
        servers.unplug();
        // A watch that is still open would receive the changes and not miss the history.
        until("the watch to be given up", || testbed.files.log().contains("the watch ").then_some(()));
        servers.write(vec![ports.remove(0), ports.add(1, 201)]);
        servers.with_client(|mut client| async move {
            let now = client.get("x", None).await.unwrap().header().unwrap().revision();
            client.compact(now, Some(CompactionOptions::new().with_physical())).await.unwrap();
        });
        servers.plug();
        testbed.wait_for_vid(&ports.spares[1], 201);
        testbed.daemon().wait_until_up("subports", 2);
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 1, 201);
    });
}

#[test]
fn permission_is_revoked_and_granted_under_traffic() {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 1);
        servers.with_client(|client| async move { add_users(client).await });
        testbed.files.url = servers.url.replace("//", "//host:secret@");
        servers.url = servers.url.replace("//", "//root:secret@");
        testbed.start();
        testbed.daemon().wait_until_converged();
        let traffic = ports.traffic(testbed);

        servers.with_client(|mut root| async move {
            let all = RoleRevokePermissionOptions::new().with_prefix();
            root.role_revoke_permission("host", "/", Some(all)).await.unwrap();
        });
        // etcd checks permissions when a watch begins.
        servers.kill(0);
        servers.run(0);
        testbed.daemon().wait_for_problem("no permission");
        testbed.daemon().wait_for_problem(AWAY);
        testbed.daemon().wait_for_nb("stale: db_away");
        servers.write(vec![ports.add(0, 200)]);
        servers.with_client(|mut root| async move { allow_all(&mut root).await });
        testbed.wait_for_vid(&ports.spares[0], 200);
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 0, 200);
    });
}

/// Creates the users root and host, and requires authentication.
async fn add_users(mut client: Client) {
    for name in ["root", "host"] {
        client.user_add(name, "secret", None).await.unwrap();
        client.role_add(name).await.unwrap();
        client.user_grant_role(name, name).await.unwrap();
    }
    allow_all(&mut client).await;
    client.auth_enable().await.unwrap();
}

/// Grants the user host all rights on records and reports.
async fn allow_all(client: &mut Client) {
    client.role_grant_permission("host", Permission::read_write("/").with_prefix()).await.unwrap();
}
