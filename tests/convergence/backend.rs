//! A store that other programs write to and that fails.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use trunkpath::nb::{self, NbError, NorthboundDb, Op, RecordId};

use testkit::stores::{Kind, Server, Write, Writer};

pub enum Backend {
    Sqlite(TempDir, Arc<dyn NorthboundDb>),
    Served(Box<Server>, Writer),
}

impl Backend {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = nb::open(&sqlite_url(&folder)).await.unwrap();
        Self::Sqlite(folder, db)
    }

    pub async fn served(kind: Kind) -> Self {
        let (server, writer) = Server::start(kind).await;
        Self::Served(Box::new(server), writer)
    }

    pub async fn open(&self) -> Arc<dyn NorthboundDb> {
        let url = match self {
            Self::Sqlite(folder, _) => sqlite_url(folder),
            // Changes without a notification are found within a second.
            Self::Served(server, Writer::Redis(_)) => format!("{}?reread=1", server.url()),
            Self::Served(server, Writer::Etcd(_)) => server.url(),
        };
        nb::open(&url).await.unwrap()
    }

    pub async fn write(&mut self, writes: &[Write]) {
        // One by one: a record may occur twice, and a rejected one must not reject others.
        for write in writes.chunks(1) {
            match self {
                Self::Served(_, other) => other.write(write).await,
                // The only store that rejects invalid records.
                Self::Sqlite(_, db) => match db.transact(write.iter().map(op).collect()).await {
                    Ok(_) | Err(NbError::Rejected { .. }) => {}
                    Err(error) => panic!("{error}"),
                },
            }
        }
    }

    /// Makes the store fail in one of several ways, and repairs it.
    pub async fn disturb(&mut self, number: usize) {
        let Self::Served(server, writer) = self else { return };
        match (number % 3, &mut *writer) {
            (0, Writer::Etcd(_)) => {
                server.kill();
                server.run();
            }
            (0, Writer::Redis(connection)) => {
                redis::cmd("SAVE").exec_async(connection).await.unwrap();
                server.kill();
                server.run();
            }
            (1, Writer::Etcd(client)) => {
                let newest = client.get("x", None).await.unwrap().header().unwrap().revision();
                client.compact(newest, None).await.unwrap();
            }
            (1, Writer::Redis(connection)) => {
                // Followers lose the connection, or only the notifications.
                redis::cmd("CONFIG")
                    .arg(&["SET", "notify-keyspace-events", ""])
                    .exec_async(connection)
                    .await
                    .unwrap();
                redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).exec_async(connection).await.unwrap();
            }
            _ => {
                signal(server, Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_millis(200)).await;
                signal(server, Signal::SIGCONT);
            }
        }
        *writer = server.writer().await;
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("nb.db").display())
}

fn op((RecordId { table, id }, text): &Write) -> Op {
    match text {
        Some(text) => Op::Put { table: *table, json: serde_json::from_str(text).unwrap_or_default() },
        None => Op::Delete { table: *table, id: id.clone() },
    }
}

fn signal(server: &Server, signal: Signal) {
    let child = server.child.as_ref().unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}
