//! Users, rights and certificates of etcd.

use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Permission};
use trunkpath::nb;

use super::follow::Reader;
use super::servers::Servers;
use super::{LIMIT, lport, open, raw};

/// Creates the users root and reader; the latter may read /df/ only, as a host.
async fn with_users(servers: &Servers) -> Client {
    let mut raw = raw(servers).await;
    raw.user_add("root", "secret", None).await.unwrap();
    raw.role_add("root").await.unwrap();
    raw.user_grant_role("root", "root").await.unwrap();
    raw.user_add("reader", "p@ss:word", None).await.unwrap();
    raw.role_add("reader").await.unwrap();
    raw.user_grant_role("reader", "reader").await.unwrap();
    grant(&mut raw).await;
    raw.auth_enable().await.unwrap();
    let options = ConnectOptions::new().with_user("root", "secret").with_auto_token_refresh(true);
    Client::connect(servers.endpoints(), Some(options)).await.unwrap()
}

async fn grant(raw: &mut Client) {
    raw.role_grant_permission("reader", Permission::read("/df/").with_prefix()).await.unwrap();
}

async fn error_of(url: &str) -> String {
    open(url).await.snapshot().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_revoked_permission_is_an_error_and_its_return_ends_it() {
    let mut servers = Servers::start(1).await;
    let mut root = with_users(&servers).await;
    let writer = open(&servers.url_with("root:secret@", "/df")).await;
    writer.transact(vec![lport("a")]).await.unwrap();
    let db = open(&servers.url_with("reader:p%40ss%3Aword@", "/df")).await;
    let mut reader = Reader::start(&db).await;

    let refused = db.transact(vec![lport("b")]).await.unwrap_err().to_string();
    assert!(refused.contains("no permission") && refused.contains("grant"), "{refused}");

    root.role_revoke_permission(
        "reader",
        "/df/",
        Some(etcd_client::RoleRevokePermissionOptions::new().with_prefix()),
    )
    .await
    .unwrap();
    let refused = db.snapshot().await.unwrap_err().to_string();
    assert!(refused.contains(&servers.url_with("reader@", "/df")), "{refused}");
    assert!(refused.contains("no permission") && !refused.contains("word"), "{refused}");
    // etcd checks permissions when a watch starts, that is, after the next failure.
    servers.kill(0);
    servers.run(0);
    let refused = reader.next().await.unwrap_err().to_string();
    assert!(refused.contains("no permission"), "{refused}");

    grant(&mut root).await;
    let last = writer.transact(vec![lport("b")]).await.unwrap();
    reader.changes = db.watch(reader.revision);
    reader.follow(last).await;
    reader.assert_same_as_a_fresh_read().await;
}

#[tokio::test]
async fn a_host_needs_no_more_rights_than_the_docs_name() {
    let servers = Servers::start(1).await;
    let mut root = with_users(&servers).await;
    // The commands of docs/northbound.md.
    root.user_add("host", "secret", None).await.unwrap();
    root.role_add("host").await.unwrap();
    for right in [
        Permission::read("/df/").with_prefix(),
        Permission::read_write("/df/trunkpath/").with_prefix(),
        Permission::read_write("/df/chassis/one"),
    ] {
        root.role_grant_permission("host", right).await.unwrap();
    }
    root.user_grant_role("host", "host").await.unwrap();

    let url = servers.url_with("host:secret@", "/df");
    let db = open(&url).await;
    let mut reader = Reader::start(&db).await;
    let ip = "10.0.0.1".parse().unwrap();
    let last = nb::write_chassis(&*db, "one", ip).await.unwrap();
    reader.follow(last).await;
    let refused = nb::write_chassis(&*db, "two", ip).await.unwrap_err().to_string();
    assert!(refused.contains("no permission"), "{refused}");
    let reports = nb::reports(&url, "one").await.unwrap();
    reports.set([("p", true)]);
    let reported = async {
        while root.get("/df/trunkpath/port_up/p", None).await.unwrap().kvs().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, reported).await.expect("it is not reported");
    reports.end().await;
    assert!(root.get("/df/trunkpath/port_up/p", None).await.unwrap().kvs().is_empty());
}

#[tokio::test]
async fn wrong_credentials_and_a_wrong_port_are_named() {
    let servers = Servers::start(1).await;
    with_users(&servers).await;
    for user in ["root:wrong@", "nobody:secret@", ""] {
        let error = error_of(&servers.url_with(user, "")).await;
        assert!(error.contains("login refused") && error.contains("USER:PASSWORD@"), "{error}");
        assert!(!error.contains(":wrong") && error.contains(&servers.endpoints()[0]), "{error}");
    }
    let error = error_of("etcd://127.0.0.1:1").await;
    assert!(error.contains("etcd://127.0.0.1:1: no server answers"), "{error}");
    assert!(error.contains("refused") && error.contains("correct the hosts and ports"), "{error}");
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let error = error_of(&format!("etcd://{}", silent.local_addr().unwrap())).await;
    assert!(error.contains("did not answer within"), "{error}");
}

#[tokio::test]
async fn tls_goes_with_the_right_ca_and_certificate_only() {
    let servers = Servers::start_secure();
    let files = servers.certificates();
    let query = |ca: &std::path::Path, client: bool| {
        let identity = format!("&cert={}&key={}", files.client_cert.display(), files.client_key.display());
        format!("?ca={}{}", ca.display(), if client { identity.as_str() } else { "" })
    };
    let url = servers.url_with("", &query(&files.ca, true));
    let db = open(&url).await;
    let ready = async {
        while db.snapshot().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, ready).await.expect("it does not serve");
    let mut reader = Reader::start(&db).await;
    let last = db.transact(vec![lport("a")]).await.unwrap();
    reader.follow(last).await;
    reader.assert_same_as_a_fresh_read().await;

    let error = error_of(&servers.url_with("", &query(&files.other_ca, true))).await;
    assert!(error.contains("UnknownIssuer") && error.contains("check ca=FILE"), "{error}");
    let error = error_of(&servers.url_with("", &query(&files.ca, false))).await;
    assert!(error.contains("cert=FILE&key=FILE"), "{error}");
    let plain = servers.url_with("", "").replace("etcds", "etcd");
    let error = error_of(&plain).await;
    assert!(error.contains("etcds://"), "{error}");
    let missing = servers.folder().join("none.pem");
    let error =
        trunkpath::nb::open(&servers.url_with("", &query(&missing, false))).await.unwrap_err().to_string();
    assert!(error.contains("none.pem") && error.contains("PEM"), "{error}");
}
