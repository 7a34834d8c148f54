//! Random changes of groups and of their members, one after the other.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::daemon::Files;
use testkit::wait::PATIENCE;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};
use trunkpath::api::{Client, Query};
use trunkpath::nb::{self, Revision, Table};

use super::traffic::{Machine, PORTS};

const GROUPS: [&str; 3] = ["g1", "g2", "g3"];
const RULES_AT_MOST: usize = 6;
/// Between two changes, at most.
const PAUSE_MS: u64 = 10;

/// The writer. Its records are the present ones.
pub struct Changes {
    runtime: Runtime,
    url: String,
    api: PathBuf,
    random: fastrand::Rng,
    ports: Vec<Value>,
    groups: Vec<Value>,
    rules_made: u32,
    /// For `judge.py`.
    pub made: Vec<Value>,
}

impl Changes {
    /// Gives each machine random groups, and waits until they are in force.
    pub fn begin(files: &Files, machines: &[Machine]) -> Self {
        let seed = std::env::var("TRUNKPATH_SEED").map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or_else(|_| fastrand::u64(..));
        println!("TRUNKPATH_SEED={seed}");
        let port = |machine: &Machine| {
            let record = files.nb(&["get", "lport", &machine.port], "");
            let mut record: Value = serde_json::from_str(&record).unwrap();
            record["port_security_enabled"] = true.into();
            record["ips"] = json!(machine.ips);
            record
        };
        let mut changes = Self {
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            url: files.url.clone(),
            api: files.path("api.sock"),
            random: fastrand::Rng::with_seed(seed),
            ports: machines.iter().map(port).collect(),
            groups: GROUPS.map(|id| json!({"id": id, "topic": "t", "rules": []})).to_vec(),
            rules_made: 0,
            made: vec![],
        };
        for group in 0..GROUPS.len() {
            for _ in 0..RULES_AT_MOST {
                changes.change_group(group);
            }
        }
        (0..machines.len()).for_each(|port| changes.change_port(port));
        let tables = [(Table::SecurityGroup, &changes.groups), (Table::Lport, &changes.ports)];
        let all = tables.map(|(table, records)| records.iter().map(move |record| (table, record.clone())));
        changes.write(all.into_iter().flatten().collect());
        for change in &mut changes.made {
            (change["written"], change["in_force"]) = (0.into(), 0.into());
        }
        changes
    }

    /// Makes `count` changes; each is in force before the next one is written.
    pub fn make(&mut self, count: usize) {
        let records = (0..count).map(|_| {
            if self.random.usize(..4) == 0 {
                let port = self.random.usize(..self.ports.len());
                self.change_port(port);
                (Table::Lport, self.ports[port].clone())
            } else {
                let group = self.random.usize(..GROUPS.len());
                self.change_group(group);
                (Table::SecurityGroup, self.groups[group].clone())
            }
        });
        let records = records.collect();
        self.write(records);
    }

    /// Adds or removes a rule.
    fn change_group(&mut self, group: usize) {
        let rule = self.rule();
        let rules = self.groups[group]["rules"].as_array_mut().unwrap();
        if rules.len() == RULES_AT_MOST || (!rules.is_empty() && self.random.bool()) {
            rules.remove(self.random.usize(..rules.len()));
        } else {
            rules.push(rule);
        }
    }

    /// Gives a port one or two groups.
    fn change_port(&mut self, port: usize) {
        let groups = self.random.choose_multiple(GROUPS, 2);
        let count = self.random.usize(1..=2);
        self.ports[port]["security_groups"] = json!(groups[..count]);
    }

    fn rule(&mut self) -> Value {
        let random = &mut self.random;
        self.rules_made += 1;
        let mut rule = json!({"id": self.rules_made.to_string(), "topic": "t"});
        rule["direction"] = random.choice(["egress", "ingress"]).into();
        let is_v4 = random.bool();
        rule["ethertype"] = if is_v4 { "IPv4" } else { "IPv6" }.into();
        if let Some(protocol) = random.choice([None, Some(17), Some(17), Some(6)]).unwrap() {
            rule["protocol"] = protocol.into();
            let (min, max) = (random.choice(PORTS).unwrap(), random.choice(PORTS).unwrap());
            (rule["port_range_min"], rule["port_range_max"]) = (min.min(max).into(), min.max(max).into());
        }
        match random.u8(..4) {
            0 => rule["remote_group_id"] = random.choice(GROUPS).into(),
            1 if is_v4 => rule["remote_ip_prefix"] = random.choice(["10.1.0.2/31", "10.1.0.1/32"]).into(),
            1 => rule["remote_ip_prefix"] = random.choice(["fd00::2/127", "fd00::1/128"]).into(),
            _ => {}
        }
        rule
    }

    fn write(&mut self, records: Vec<(Table, Value)>) {
        let Self { runtime, url, api, random, made, .. } = self;
        runtime.block_on(async {
            let db = nb::open(url).await.unwrap();
            let mut client = Client::connect(api, PATIENCE).await.unwrap();
            for (table, record) in records {
                let written = now_ns();
                let revision = db.put(table, record.clone()).await.unwrap();
                timeout(PATIENCE, in_force(&mut client, revision)).await.expect("a change in force");
                made.push(json!({"table": table.name(), "record": record, "written": written,
                    "in_force": now_ns()}));
                sleep(Duration::from_millis(random.u64(..PAUSE_MS))).await;
            }
        });
    }
}

/// Returns when the daemon forwards by these records.
async fn in_force(client: &mut Client, revision: Revision) {
    loop {
        let nb = client.request(&Query::Nb).await.unwrap().value;
        if nb["revision"].as_u64() >= Some(revision.0) {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// By the clock of all times in the test.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}
