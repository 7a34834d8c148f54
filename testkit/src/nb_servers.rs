//! The NB DB of a testbed: real servers in a namespace of their own, and a cable from there to the host.
//!
//! ```text
//!   the host: the daemon       the servers: etcd, or redis
//!     nb0 10.99.0.2 ------------- eth0 10.99.0.1
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, GetOptions};
use redis::FromRedisValue;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use trunkpath::nb::{self, NbError, NorthboundDb, Op};

use crate::etcd::{self, Member};
use crate::netns::{Netns, veth};
use crate::process::Process;
use crate::records::CHASSIS;
use crate::testbed::{Port, Testbed, on_testbed};
use crate::wait::{PATIENCE, until};

const SERVERS: &str = "10.99.0.1";
const HOST: &str = "10.99.0.2";

/// Runs `test` on a testbed whose NB DB is an etcd cluster of `count` servers.
pub fn with_etcd(count: usize, test: impl FnOnce(&mut Testbed, &mut NbServers)) {
    let members: Vec<_> = (0..count)
        .map(|index| Member {
            client: format!("http://{SERVERS}:{}", 2379 + 10 * index),
            peer: format!("http://{SERVERS}:{}", 2380 + 10 * index),
        })
        .collect();
    let endpoints: Vec<_> = members.iter().map(|member| member.client.replace("http://", "")).collect();
    let lines = |folder: &TempDir| {
        (0..count).map(|index| etcd::command_line(index, &members, folder.path())).collect()
    };
    with_servers(format!("etcd://{}", endpoints.join(",")), lines, test);
}

/// Runs `test` on a testbed whose NB DB is a redis server with notifications, which the daemon also reads
/// again every second.
pub fn with_redis(test: impl FnOnce(&mut Testbed, &mut NbServers)) {
    let line = |folder: &TempDir| {
        let line = format!(
            "redis-server --bind {SERVERS} --port 6379 --protected-mode no --dir {} --appendonly yes \
             --notify-keyspace-events Kg$",
            folder.path().display()
        );
        vec![line.split_whitespace().map(str::to_owned).collect()]
    };
    with_servers(format!("redis://{SERVERS}:6379?reread=1"), line, test);
}

/// The daemon withdraws its reports when it stops, so the servers outlive the testbed.
fn with_servers(
    url: String,
    lines: impl FnOnce(&TempDir) -> Vec<Vec<String>>,
    test: impl FnOnce(&mut Testbed, &mut NbServers),
) {
    let mut servers = None;
    on_testbed(|testbed| {
        let servers = servers.insert(NbServers::new(&testbed.host, url, lines));
        testbed.files.use_db(&servers.url, &servers.netns);
        testbed.arguments.extend(["--local-ip".to_owned(), HOST.to_owned()]);
        test(testbed, servers);
    });
}

/// Servers of the NB DB. Fields are dropped in this order.
#[derive(Debug)]
pub struct NbServers {
    servers: Vec<Server>,
    netns: Netns,
    folder: TempDir,
    /// URL of the NB DB, for the namespace of the servers.
    pub url: String,
}

#[derive(Debug)]
struct Server {
    line: Vec<String>,
    process: Option<Process>,
}

impl NbServers {
    fn new(host: &Netns, url: String, lines: impl FnOnce(&TempDir) -> Vec<Vec<String>>) -> Self {
        let (netns, folder) = (Netns::new("servers"), tempfile::tempdir().unwrap());
        veth((host, "nb0"), (&netns, "eth0", "02:00:00:00:00:99"), 1);
        host.ip(&format!("address add {HOST}/24 dev nb0"));
        netns.ip(&format!("address add {SERVERS}/24 dev eth0"));
        let servers = lines(&folder).into_iter().map(|line| Server { line, process: None }).collect();
        let mut servers = Self { servers, netns, folder, url };
        (0..servers.servers.len()).for_each(|index| servers.run(index));
        servers.wait_until_serving();
        servers
    }

    // --- away and back
    // --------------------------------------------------------------------------------------------

    /// Starts a server with the data of its last run.
    pub fn run(&mut self, index: usize) {
        let Server { line, process } = &mut self.servers[index];
        let log = self.folder.path().join(format!("{index}.log"));
        *process = Some(Process::start(self.netns.command(&line[0]).args(&line[1..]), &log));
    }

    pub fn kill(&mut self, index: usize) {
        self.servers[index].process = None;
    }

    pub fn freeze(&self, index: usize) {
        self.servers[index].process.as_ref().unwrap().freeze();
    }

    pub fn thaw(&self, index: usize) {
        self.servers[index].process.as_ref().unwrap().thaw();
    }

    /// Cuts the link to the host. Connections are not closed: packets are lost.
    pub fn unplug(&self) {
        self.netns.ip("link set dev eth0 down");
    }

    pub fn plug(&self) {
        self.netns.ip("link set dev eth0 up");
    }

    /// Waits until a snapshot of the DB can be read.
    pub fn wait_until_serving(&self) {
        until("the NB DB to be readable", || {
            self.with_db(|db| async move { db.snapshot().await.ok() }).map(drop)
        });
    }

    // --- what others do there
    // -------------------------------------------------------------------------------------

    /// Applies each of `changes` in a transaction of its own, repeated until it succeeds.
    pub fn write(&self, changes: Vec<Op>) {
        self.with_db(|db| async move {
            for change in changes {
                let written = timeout(PATIENCE, write(&*db, &change)).await;
                assert!(written.is_ok(), "{change:?} cannot be written");
            }
        });
    }

    /// Runs `work` with an open NB DB, in the namespace of the servers.
    pub fn with_db<T: Send, F: Future<Output = T>>(
        &self,
        work: impl FnOnce(Arc<dyn NorthboundDb>) -> F + Send,
    ) -> T {
        self.enter(|| async { work(nb::open(&self.url).await.unwrap()).await })
    }

    /// Runs `work` with the client of etcd, in the namespace of the servers.
    pub fn with_client<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce(Client) -> F + Send) -> T {
        let (user, endpoints) = self.etcd();
        let options = user
            .iter()
            .fold(ConnectOptions::new(), |options, (name, password)| options.with_user(*name, *password));
        self.enter(|| async { work(Client::connect(endpoints, Some(options)).await.unwrap()).await })
    }

    /// Index of the etcd server that is the leader.
    pub fn leader(&self) -> usize {
        self.enter(|| async { etcd::leader(&self.etcd().1).await })
    }

    /// Waits until exactly these ports are reported as forwarding, by a live host if there are any.
    pub fn wait_for_reports(&self, ports: &[&Port]) {
        let mut expected: BTreeSet<_> = ports.iter().map(|port| format!("port_up/{}", port.id())).collect();
        if !ports.is_empty() {
            expected.insert(format!("chassis/{CHASSIS}"));
        }
        until(&format!("reports {expected:?}"), || {
            let mut reports = self.keys("/trunkpath/");
            // The lock of writers of records.
            reports.remove("writer");
            (reports == expected).then_some(())
        });
    }

    /// Keys that begin with `prefix`, with that part removed.
    pub fn keys(&self, prefix: &str) -> BTreeSet<String> {
        let keys = if self.url.starts_with("redis") {
            self.redis(&["KEYS", &format!("{prefix}*")])
        } else {
            self.with_client(|mut client| async move {
                let options = GetOptions::new().with_prefix().with_keys_only();
                let found = client.get(prefix, Some(options)).await.unwrap();
                found.kvs().iter().map(|pair| pair.key_str().unwrap().to_owned()).collect::<Vec<_>>()
            })
        };
        keys.iter().map(|key| key[prefix.len()..].to_owned()).collect()
    }

    /// Runs a redis command, as another program would.
    pub fn redis<T: FromRedisValue + Send>(&self, words: &[&str]) -> T {
        self.netns.enter(|| {
            let mut connection = redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap();
            redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).unwrap()
        })
    }

    /// User and password if there are any, and the endpoints.
    fn etcd(&self) -> (Option<(&str, &str)>, Vec<String>) {
        let rest = self.url.strip_prefix("etcd://").unwrap();
        let (user, hosts) = rest.split_once('@').map_or((None, rest), |(user, hosts)| (Some(user), hosts));
        (user.and_then(|user| user.split_once(':')), hosts.split(',').map(str::to_owned).collect())
    }

    /// Runs `work` in the namespace of the servers.
    fn enter<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce() -> F + Send) -> T {
        self.netns.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work())
        })
    }
}

/// Repeats `change` until it succeeds.
async fn write(db: &dyn NorthboundDb, change: &Op) {
    loop {
        match db.transact(vec![change.clone()]).await {
            // An earlier attempt was applied, but its answer was lost.
            Ok(_) | Err(NbError::Rejected { .. }) => return,
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
