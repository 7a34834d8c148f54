//! Server and client of the API on a real socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trunkpath::api::model::{ConnectionsRequest, TraceRequest};
use trunkpath::api::{ApiError, Call, Client, ClientError, Hex, ListenError, Query, Reply, Server};

/// Time limit, longer than any test takes.
const PATIENCE: Duration = Duration::from_mins(2);

const AGE_SECS: u64 = 7;

/// A server that answers each query with the path of the query, and rejects traces.
async fn daemon(path: &Path) -> JoinSet<()> {
    let server = Server::bind(path).await.unwrap();
    let (calls, mut incoming) = mpsc::channel::<Call>(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(server.serve(calls));
    tasks.spawn(async move {
        while let Some(Call { query, reply }) = incoming.recv().await {
            let outcome = match &query {
                Query::Trace(request) => Err(ApiError::NoSuchPort {
                    lport: request.port.clone(),
                    ids: vec![request.frame.to_string()],
                }),
                Query::Connections(request) => Ok(json!([query.path(), request.port])),
                Query::Ports
                | Query::Subports
                | Query::Networks
                | Query::Peers
                | Query::Uplinks
                | Query::Workers
                | Query::Problems
                | Query::Nb
                | Query::Drift
                | Query::Groups
                | Query::Stats => Ok(json!([query.path()])),
            };
            reply.send(Reply { outcome, age_secs: AGE_SECS }).unwrap();
        }
    });
    tasks
}

fn trace() -> Query {
    Query::Trace(TraceRequest { port: "p".to_owned(), frame: Hex(vec![1, 0xff]) })
}

#[tokio::test]
async fn one_connection_carries_every_query_and_errors_keep_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/by/us/api.sock");
    let _daemon = daemon(&path).await;
    let mut client = Client::connect(&path, PATIENCE).await.unwrap();
    for query in
        [Query::Ports, Query::Subports, Query::Networks, Query::Workers, Query::Problems, Query::Stats]
    {
        let answer = client.request(&query).await.unwrap();
        assert_eq!((answer.value, answer.age_secs), (json!([query.path()]), AGE_SECS));
    }
    // A port whose id is not its own in a URL.
    for port in [None, Some("a&b=c/\u{e4} d".to_owned())] {
        let query = Query::Connections(ConnectionsRequest { port: port.clone() });
        assert_eq!(client.request(&query).await.unwrap().value, json!([query.path(), port]));
    }
    let refusal = client.request(&trace()).await.unwrap_err();
    assert_eq!(refusal.to_string(), "no lport with id \"p\"; there is one named p: 01ff");
    let answer = client.request(&Query::Ports).await.unwrap();
    assert_eq!(answer.value, json!(["/v1/ports"]), "usable after a refusal");
}

async fn raw(path: &Path, request: String) -> String {
    let path = path.to_owned();
    let exchange = move || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(path)?;
        // A server that closes before it has read everything resets the connection behind its answer.
        stream.write_all(request.as_bytes()).unwrap_or_default();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_default();
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::task::spawn_blocking(exchange).await.unwrap().unwrap()
}

#[tokio::test]
async fn plain_http_works_as_curl_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let _daemon = daemon(&path).await;
    let head = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let ports = raw(&path, format!("GET /v1/ports {head}\r\n")).await;
    assert!(ports.starts_with("HTTP/1.1 200 OK") && ports.ends_with(r#"["/v1/ports"]"#), "{ports}");
    let unknown = raw(&path, format!("GET /v1/port {head}\r\n")).await;
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("/v1/ports, "), "{unknown}");
    let typo = raw(&path, format!("GET /v1/connections?lport=p {head}\r\n")).await;
    assert!(typo.starts_with("HTTP/1.1 400") && typo.contains("lport"), "{typo}");
    for body in
        ["", "{", r#"{"port":"p"}"#, r#"{"port":"p","frame":"0"}"#, r#"{"port":"p","frame":"","x":1}"#]
    {
        let request = format!("POST /v1/trace {head}Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = raw(&path, request).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("not a trace request"), "{answer}");
    }
}

#[tokio::test]
async fn unfinished_requests_block_no_other_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let _daemon = daemon(&path).await;
    let mut unfinished = vec![];
    for number in 0..1000 {
        let mut stream = UnixStream::connect(&path).unwrap();
        let head = "POST /v1/trace HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n";
        // Nothing, half a head, or half a body. The server may have closed a connection already.
        let parts = [String::new(), head.to_owned(), format!("{head}\r\n{{")];
        stream.write_all(parts[number % 3].as_bytes()).unwrap_or_default();
        unfinished.push(stream);
        if number % 100 == 0 {
            let mut client = Client::connect(&path, PATIENCE).await.unwrap();
            let answer = client.request(&Query::Ports).await.unwrap();
            assert_eq!(answer.value, json!(["/v1/ports"]), "{number} unfinished");
        }
    }
    let mut client = Client::connect(&path, PATIENCE).await.unwrap();
    assert_eq!(client.request(&Query::Ports).await.unwrap().value, json!(["/v1/ports"]));
}

#[tokio::test]
async fn a_request_that_is_too_long_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let _daemon = daemon(&path).await;
    let head = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let body = "x".repeat(300_000);
    let answer =
        raw(&path, format!("POST /v1/trace {head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = raw(&path, format!("GET /v1/{} {head}\r\n", "x".repeat(100_000))).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn a_lock_on_its_folder_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let lock = std::fs::File::open(folder.path()).unwrap();
    lock.lock().unwrap();
    drop(Server::bind(&folder.path().join("api.sock")).await.unwrap());
}

#[tokio::test]
async fn only_the_owner_may_connect_and_the_file_is_removed_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let server = Server::bind(&path).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_daemons_file_is_replaced_and_a_live_ones_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind, as SIGKILL leaves it");
    let _live = Server::bind(&path).await.unwrap();
    let refusal = Server::bind(&path).await.unwrap_err();
    assert!(matches!(refusal, ListenError::InUse { .. }), "{refusal}");
    assert!(refusal.to_string().contains(&std::process::id().to_string()), "{refusal}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    std::fs::write(&path, "mine").unwrap();
    let refusal = Server::bind(&path).await.unwrap_err();
    assert!(matches!(refusal, ListenError::NotASocket { .. }), "{refusal}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test]
async fn without_a_daemon_the_error_has_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let missing = Client::connect(&path, PATIENCE).await.unwrap_err();
    assert!(matches!(missing, ClientError::NoDaemon { .. }), "{missing}");
    assert!(missing.to_string().contains("trunkpath run"), "{missing}");
    std::fs::write(&path, "a file").unwrap();
    let file = Client::connect(&path, PATIENCE).await.unwrap_err();
    assert!(file.to_string().contains("api.sock is not a socket"), "{file}");
}

#[tokio::test]
async fn a_daemon_that_stops_answers_the_last_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let (calls, incoming) = mpsc::channel(1);
    drop(incoming);
    let server = Server::bind(&path).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.serve(calls));
    let mut client = Client::connect(&path, PATIENCE).await.unwrap();
    let refusal = client.request(&Query::Ports).await.unwrap_err();
    assert!(refusal.to_string().contains("stopping"), "{refusal}");
}

#[tokio::test]
async fn the_timeout_bounds_the_wait_for_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let (calls, _never_answered) = mpsc::channel(1);
    let server = Server::bind(&path).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.serve(calls));
    let mut client = Client::connect(&path, Duration::from_millis(100)).await.unwrap();
    let error = client.request(&Query::Ports).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("--timeout"), "{error}");
}
