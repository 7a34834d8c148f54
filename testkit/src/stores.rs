//! A server of etcd or redis on loopback, and a writer that uses only the layout of the keys.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::{Txn, TxnOp};
use tempfile::TempDir;
use trunkpath::nb::RecordId;

/// Records in one transaction of etcd, whose limit is 128.
const TRANSACTION: usize = 128;
/// Records in one pipeline of redis.
const PIPELINE: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Etcd,
    Redis,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Redis => "redis",
        }
    }
}

/// A server, killed and its data deleted when dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: u16,
    peer_port: u16,
    folder: TempDir,
    /// `None` after a call of [`Server::kill`].
    pub child: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free at the time of the call.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts a server. Returns it with a writer when it serves.
    pub async fn start(kind: Kind) -> (Self, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { kind, port: free_port(), peer_port: free_port(), folder, child: None };
        server.run();
        let writer = server.writer().await;
        (server, writer)
    }

    /// Starts the server with the data of its last run.
    pub fn run(&mut self) {
        let folder = self.folder.path().to_str().unwrap();
        let client = format!("http://127.0.0.1:{}", self.port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let (port, cluster) = (self.port.to_string(), format!("default={peer}"));
        let (program, args) = match self.kind {
            Kind::Etcd => (
                "etcd",
                vec![
                    ("--data-dir", folder),
                    ("--listen-client-urls", &client),
                    ("--advertise-client-urls", &client),
                    ("--listen-peer-urls", &peer),
                    ("--initial-advertise-peer-urls", &peer),
                    ("--initial-cluster", &cluster),
                ],
            ),
            Kind::Redis => (
                "redis-server",
                vec![
                    ("--port", port.as_str()),
                    ("--bind", "127.0.0.1"),
                    ("--dir", folder),
                    ("--save", ""),
                    ("--notify-keyspace-events", "K$g"),
                ],
            ),
        };
        // The kernel kills it when the test ends, even by a signal.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command.args(args.iter().flat_map(|(name, value)| [name, value]));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("setpriv, etcd and redis-server: run `scripts/setup test`"));
    }

    /// The URL for `--nb`.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind.name(), self.port)
    }

    /// Waits until the server serves and returns a writer.
    pub async fn writer(&self) -> Writer {
        let host = format!("127.0.0.1:{}", self.port);
        loop {
            let writer = match self.kind {
                Kind::Etcd => {
                    let mut client = etcd_client::Client::connect([&host], None).await.unwrap();
                    client.get("x", None).await.is_ok().then(|| Writer::Etcd(Box::new(client)))
                }
                Kind::Redis => {
                    let client = redis::Client::open(self.url()).unwrap();
                    client.get_multiplexed_async_connection().await.ok().map(Writer::Redis)
                }
            };
            match writer {
                Some(writer) => return writer,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Writes records as another program does.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the client of etcd has none")]
pub enum Writer {
    Etcd(Box<etcd_client::Client>),
    Redis(redis::aio::MultiplexedConnection),
}

/// A record and its text; `None` deletes it.
pub type Write = (RecordId, Option<String>);

impl Writer {
    /// Writes texts, valid records or not, each id once; returns when the server has them.
    pub async fn write(&mut self, writes: &[Write]) {
        match self {
            Self::Etcd(client) => {
                for some in writes.chunks(TRANSACTION) {
                    let op = |(RecordId { table, id }, text): &Write| match text {
                        Some(text) => TxnOp::put(format!("/{table}/{id}"), text.as_str(), None),
                        None => TxnOp::delete(format!("/{table}/{id}"), None),
                    };
                    let ops: Vec<_> = some.iter().map(op).collect();
                    client.txn(Txn::new().and_then(ops)).await.unwrap();
                }
            }
            Self::Redis(connection) => {
                for some in writes.chunks(PIPELINE) {
                    let mut pipe = redis::pipe();
                    for (RecordId { table, id }, text) in some {
                        let key = format!("{{{table}.t}}{id}");
                        match text {
                            Some(text) => pipe.set(key, text),
                            None => pipe.del(key),
                        };
                    }
                    pipe.exec_async(connection).await.unwrap();
                }
            }
        }
    }
}
