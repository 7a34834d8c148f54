//! Passwords, certificates and wrong ports: one clear error each, without the password.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::server::free_port;
use super::*;

async fn refusal(url: &str) -> String {
    let error = open(url).await.snapshot().await.unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn a_wrong_user_or_password_is_said_and_the_password_is_not() {
    let server = Server::start();
    server.does::<()>(&[
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">right",
        "~*",
        "resetchannels",
        "+@read",
        "+time",
    ]);
    let host = format!("127.0.0.1:{}", server.port());
    // The rights of docs/northbound.md.
    let rights = [
        "~{*",
        "~/trunkpath/*",
        "&*",
        "+@read",
        "+@connection",
        "+@pubsub",
        "+time",
        "+eval",
        "+set",
        "+del",
        "+config|get",
    ];
    server.does::<()>(&[&["ACL", "SETUSER", "trunkpath", "on", ">right"], &rights[..]].concat());
    let good = open(&format!("redis://trunkpath:right@{host}")).await;
    good.transact(vec![lport("p", "a")]).await.unwrap();
    for user in ["trunkpath", "nobody"] {
        let error = refusal(&format!("redis://{user}:secret@{host}")).await;
        let expected = format!("northbound DB redis://{user}:***@{host}: ");
        assert!(error.starts_with(&expected) && error.contains("check the user and the password"), "{error}");
    }
    // A user with read access only follows by reading again.
    let db = open(&format!("redis://reader:right@{host}?reread=1")).await;
    let error = db.transact(vec![lport("q", "b")]).await.unwrap_err().to_string();
    assert!(error.contains("no permissions") && error.contains("let the user do this"), "{error}");
    let mut follower = Follower::new(db).await;
    good.transact(vec![lport("p", "b")]).await.unwrap();
    follower.until_named("p", Some("b")).await;

    server.does::<()>(&["ACL", "SETUSER", "default", "off"]);
    let error = refusal(&format!("redis://{host}")).await;
    assert!(error.contains("check the user and the password"), "{error}");
}

#[tokio::test]
async fn a_host_needs_no_more_rights_than_the_docs_name() {
    let server = Server::start();
    // The rights of docs/northbound.md.
    let keys = ["%R~{*", "~{chassis.}one", "~/trunkpath/*", "&*"];
    let commands = ["+@read", "+@connection", "+@pubsub", "+time", "+eval", "+set", "+del", "+config|get"];
    server.does::<()>(&[&["ACL", "SETUSER", "host", "on", ">right"], &keys[..], &commands[..]].concat());
    let url = format!("redis://host:right@127.0.0.1:{}", server.port());
    let db = open(&url).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    let ip = "10.0.0.1".parse().unwrap();
    nb::write_chassis(&*db, "one", ip).await.unwrap();
    follower.until(|view| view.records.len() == 1).await;
    for refused in [nb::write_chassis(&*db, "two", ip).await, db.transact(vec![lport("p", "a")]).await] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("docs/northbound.md"), "{error}");
    }
    let reports = nb::reports(&url, "one").await.unwrap();
    reports.set([("p", true)]);
    let there = || server.does::<u32>(&["EXISTS", "/trunkpath/port_up/p"]) == 1;
    let reported = async {
        while !there() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reported).await.expect("it is not reported");
    reports.end().await;
    assert!(!there());
}

/// Creates a CA in `folder` (NAME.pem), and its certificate for 127.0.0.1 (server.pem, server.key).
fn make_ca(folder: &TempDir, name: &str) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // A certificate whose issuer has its own name would count as self-signed.
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    fs::write(folder.path().join(format!("{name}.pem")), ca.pem()).unwrap();
    fs::write(folder.path().join(format!("{name}-server.pem")), certificate.pem()).unwrap();
    fs::write(folder.path().join(format!("{name}-server.key")), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn tls_works_with_the_right_ca_only() {
    let folder = tempfile::tempdir().unwrap();
    make_ca(&folder, "right");
    make_ca(&folder, "wrong");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (ca, cert, key) = (file("right.pem"), file("right-server.pem"), file("right-server.key"));
    let port = free_port();
    let server = Server::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--notify-keyspace-events",
        "Kg$",
    ]);
    let url = |host: &str, options: &str| format!("rediss://{host}:{port}{options}");
    let client = format!("&cert={cert}&key={key}");
    let db = open(&url("127.0.0.1", &format!("?ca={ca}{client}"))).await;
    let mut follower = Follower::new(Arc::clone(&db)).await;
    db.transact(vec![lport("p", "a")]).await.unwrap();
    follower.until_named("p", Some("a")).await;

    let wrong = file("wrong.pem");
    let cases = [
        (
            url("127.0.0.1", &format!("?ca={wrong}{client}")),
            "give the CA that signed the server's certificate",
        ),
        (url("127.0.0.1", ""), "give the CA that signed the server's certificate"),
        (
            url("localhost", &format!("?ca={ca}{client}")),
            "use the host name that the server's certificate was made for",
        ),
        (
            url("127.0.0.1", &format!("?ca={ca}")),
            "the server requires a client certificate of a CA that it trusts",
        ),
        (format!("redis://u:secret@127.0.0.1:{port}"), "if this port speaks TLS, use rediss://"),
        (
            format!("rediss://u:secret@127.0.0.1:{}", server.port()),
            "does this port speak TLS? If not, use redis://",
        ),
    ];
    for (url, expected) in cases {
        let error = refusal(&url).await;
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_cluster_and_a_closed_port_are_said() {
    let server = Server::with(&["--cluster-enabled", "yes"]);
    let error = refusal(&server.url()).await;
    assert!(error.contains("a node of a redis cluster, which is not supported"), "{error}");
    let error = refusal(&format!("redis://u:secret@127.0.0.1:{}", free_port())).await;
    assert!(error.contains("is redis-server running there, and is this its port?"), "{error}");
}
