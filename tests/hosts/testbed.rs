//! Hosts with a daemon each, and their guests, on underlays that are bridges.
//!
//! ```text
//!   guest a          host 1 (192.0.2.1)        host 2 (192.0.2.2)          guest b
//!     eth0 -------- a  [daemon]  eth1             eth1  [daemon]  b -------- eth0
//!                                 |                |
//!                             eth1-h1 -- br1 -- eth1-h2      the namespace "wire"
//! ```

use std::cell::RefCell;
use std::io::Read as _;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use testkit::command::output;
use testkit::daemon::{Daemon, Files};
use testkit::netns::{Netns, veth};
use testkit::records::port_id;
use testkit::root::is_root;
use testkit::wait::until;

/// Bytes of the longest packet on the underlay: a guest's 1500 fit in any tunnel.
pub const MTU: u32 = 1600;

/// A host with its daemon, which is started last.
#[derive(Debug)]
pub struct Host {
    daemon: Option<Daemon>,
    pub netns: Netns,
    pub files: Files,
    number: u8,
    arguments: Vec<String>,
}

/// A guest, and the address of its own port.
#[derive(Debug)]
pub struct Guest {
    pub netns: Netns,
    pub key: u32,
    pub ip: String,
}

/// Fields are dropped in this order: daemons stop before their links go.
#[derive(Debug)]
pub struct Hosts {
    pub all: Vec<Host>,
    pub guests: Vec<Guest>,
    pub wire: Netns,
    /// Lines for `nb apply`, collected while no daemon runs. A process for each would take most of a test's
    /// time on a slow machine.
    records: RefCell<Vec<String>>,
}

/// Runs `test` on `count` hosts that have a chassis record each, without guests. Without root it is skipped.
pub fn on_hosts(count: u8, test: impl FnOnce(&mut Hosts)) {
    if !is_root(std::thread::current().name().unwrap_or("this test")) {
        return;
    }
    let wire = Netns::new("wire");
    bridge(&wire, "br1");
    let mut hosts = Hosts { all: Vec::new(), guests: Vec::new(), wire, records: RefCell::default() };
    for number in 1..=count {
        hosts.add_host(number);
    }
    test(&mut hosts);
    hosts.finish();
}

fn bridge(wire: &Netns, name: &str) {
    wire.ip(&format!("link add {name} type bridge"));
    wire.ip(&format!("link set {name} mtu 9000 up"));
}

/// The endpoint of a host.
pub fn endpoint(number: u8) -> String {
    format!("192.0.2.{number}")
}

impl Hosts {
    fn add_host(&mut self, number: u8) {
        let netns = Netns::new(&format!("host{number}"));
        let mut files = Files::new();
        files.chassis = format!("host{number}");
        if let Some(first) = self.all.first() {
            files.url.clone_from(&first.files.url);
        }
        let arguments = ["--local-ip".to_owned(), endpoint(number)].to_vec();
        self.all.push(Host { daemon: None, netns, files, number, arguments });
        self.plug(number, "br1", "eth1", &format!("{}/24", endpoint(number)));
        let chassis = json!({ "id": format!("host{number}"), "ip": endpoint(number),
            "tunnel_types": ["vxlan", "geneve", "gre"] });
        self.put("chassis", &chassis);
    }

    /// Gives a host a link to a bridge of the wire.
    pub fn plug(&self, number: u8, bridge: &str, link: &str, address: &str) {
        let host = self.host(number);
        let (far, last) = (format!("{link}-h{number}"), link.trim_start_matches("eth"));
        veth((&self.wire, &far), (&host.netns, link, &underlay_mac(last, number)), 1);
        self.wire.ip(&format!("link set {far} mtu {MTU} master {bridge}"));
        host.netns.ip(&format!("link set {link} mtu {MTU}"));
        if !address.is_empty() {
            host.netns.ip(&format!("address add {address} dev {link}"));
        }
    }

    /// Adds a second underlay.
    pub fn add_underlay(&self, name: &str) {
        bridge(&self.wire, name);
    }

    pub fn host(&self, number: u8) -> &Host {
        &self.all[usize::from(number) - 1]
    }

    /// Writes a record: at once if a daemon runs, else before one starts.
    pub fn put(&self, table: &str, record: &Value) {
        self.records.borrow_mut().push(json!({ "table": table, "record": record }).to_string());
        if self.all.iter().any(|host| host.daemon.is_some()) {
            self.write_records();
        }
    }

    fn write_records(&self) {
        let records = self.records.take();
        if !records.is_empty() {
            self.all[0].files.nb(&["apply", "-"], &records.join("\n"));
        }
    }

    /// Adds a network. `segment` has the fields of its type.
    pub fn network(&self, key: u32, segment: &Value) {
        let mut record = json!({ "id": network_id(key), "unique_key": key, "topic": "t", "mtu": 1500 });
        record.as_object_mut().unwrap().extend(segment.as_object().unwrap().clone());
        self.put("lswitch", &record);
    }

    /// Adds a guest with a link to host `number`, on a network. Returns its index.
    pub fn guest(&mut self, name: &str, number: u8, network: u32) -> usize {
        let key = self.guests.len() as u32 + 1;
        let guest = Guest { netns: Netns::new(name), key, ip: format!("10.38.0.{key}") };
        self.put_port(key, network, Some(number));
        let host = self.host(number);
        veth((&host.netns, name), (&guest.netns, "eth0", &mac(key)), 1);
        host.netns.ip(&format!("link set dev {name} alias {}", port_id(key)));
        guest.netns.ip(&format!("address add {}/24 dev eth0", guest.ip));
        self.guests.push(guest);
        self.guests.len() - 1
    }

    /// Starts the daemons with guest `a` on host 1 and guest `b` on host 2, on one network, and waits until
    /// `a` reaches `b`. Returns their indexes.
    pub fn start_with_two_guests(&mut self, segment: &Value) -> (usize, usize) {
        self.network(1, segment);
        let (a, b) = (self.guest("a", 1, 1), self.guest("b", 2, 1));
        self.start();
        self.wait_until_reachable(a, &self.guests[b].ip);
        (a, b)
    }

    /// Writes the record of a port; one without a host is a subport.
    pub fn put_port(&self, key: u32, network: u32, host: Option<u8>) {
        let mut record = json!({ "id": port_id(key), "unique_key": key, "topic": "t", "enabled": true,
            "lswitch": network_id(network), "macs": [mac(key)] });
        if let Some(number) = host {
            record["binding"] = json!({ "type": "chassis", "chassis": format!("host{number}") });
        }
        self.put("lport", &record);
    }

    /// Changes the record of a port.
    pub fn edit_port(&self, key: u32, change: impl FnOnce(&mut Value)) {
        self.write_records();
        let record = self.all[0].files.nb(&["get", "lport", &port_id(key)], "");
        let mut record = serde_json::from_str(&record).unwrap();
        change(&mut record);
        self.put("lport", &record);
    }

    /// All records, with the table of each.
    pub fn dump(&self) -> Vec<Value> {
        self.write_records();
        self.all[0].files.dump()
    }

    /// Writes the records of a subport.
    pub fn put_subport(&self, parent: u32, key: u32, network: u32, vid: u16) {
        self.put_port(key, network, None);
        let segmentation = json!({ "topic": "t", "parent": port_id(parent), "port": port_id(key),
            "segmentation_type": "vlan", "segmentation_id": vid });
        self.put("child_port_segmentation", &segmentation);
    }

    /// Adds a subport of a guest, with a VLAN link that has an address. Returns that address.
    pub fn subport(&self, guest: usize, key: u32, network: u32, vid: u16) -> String {
        let netns = self.guests[guest].netns.name();
        testkit::command::run(&format!("scripts/guest-vlan {netns} eth0 {vid} eth0.{vid}"));
        self.subport_of_link(guest, key, network, vid)
    }

    /// The same for a guest that already has the VLAN link, `eth0.VID`.
    pub fn subport_of_link(&self, guest: usize, key: u32, network: u32, vid: u16) -> String {
        self.put_subport(self.guests[guest].key, key, network, vid);
        let netns = &self.guests[guest].netns;
        let link = format!("eth0.{vid}");
        netns.ip(&format!("link set dev {link} address {} up", mac(key)));
        let ip = format!("10.{}.0.{key}", 100 + network);
        netns.ip(&format!("address add {ip}/24 dev {link}"));
        ip
    }

    pub fn start(&mut self) {
        for number in 1..=self.all.len() as u8 {
            self.start_host(number);
        }
    }

    pub fn start_host(&mut self, number: u8) {
        self.write_records();
        let host = &mut self.all[usize::from(number) - 1];
        host.daemon = Some(Daemon::start(&host.netns, &host.files, &host.arguments));
    }

    /// Kills a daemon as `kill -9` does.
    pub fn kill_host(&mut self, number: u8) {
        self.all[usize::from(number) - 1].daemon = None;
    }

    /// Waits until guest `from` gets an answer from `ip`.
    pub fn wait_until_reachable(&self, from: usize, ip: &str) {
        until(&format!("guest {from} reaches {ip}"), || self.reaches(from, ip).then_some(()));
    }

    pub fn reaches(&self, from: usize, ip: &str) -> bool {
        reaches(&self.guests[from].netns, ip)
    }

    /// Starts a ping every 10 ms.
    pub fn pings(&self, from: usize, ip: &str) -> Pings {
        let mut command = self.guests[from].netns.command("ping");
        let child =
            command.args(["-q", "-i", "0.01", ip]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Pings(child.unwrap())
    }

    /// Sends a guest's frames by another host from now on: the record's binding moves, as Neutron moves it at
    /// the end of a live migration.
    pub fn bind(&self, guest: usize, network: u32, number: u8) {
        self.put_port(self.guests[guest].key, network, Some(number));
    }

    fn finish(&mut self) {
        for host in &mut self.all {
            host.daemon().wait_for_no_drift();
            let stats = host.daemon().stats();
            let chunks = &stats["chunks"];
            assert_eq!(chunks["sum"], chunks["total"], "host {}: {chunks}", host.number);
            drop(host.daemon.take());
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for host in &self.all {
                eprintln!("--- host {}\n{}", host.number, host.state());
            }
        }
    }
}

impl Host {
    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon is started")
    }

    /// Replaces the tunnel endpoint.
    pub fn set_endpoint(&mut self, address: &str) {
        address.clone_into(&mut self.arguments[1]);
    }

    /// Adds arguments for `trunkpath run`.
    pub fn argue(&mut self, arguments: &[&str]) {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    /// Frames dropped for `reason` on the way from or to other hosts, or on no port.
    pub fn dropped(&self, reason: &str) -> u64 {
        let stats = self.daemon().stats();
        let rows = ["outside", "ports"].map(|part| stats[part].as_array().unwrap().clone()).concat();
        rows.iter().filter_map(|row| row["drops"][reason].as_u64()).sum()
    }

    fn state(&self) -> String {
        let shown =
            ["peers", "uplinks", "ports", "problems"].map(|view| self.files.ask_if_up(&["show", view]));
        format!("{}\n{}\n{}", shown.join("\n"), self.files.ask_if_up(&["stats"]), self.files.log())
    }
}

/// A ping that runs in the background.
pub struct Pings(Child);

impl Pings {
    /// Ends it. Returns how many requests were sent and how many were answered.
    pub fn end(mut self) -> (u64, u64) {
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
        let mut report = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        self.0.wait().unwrap();
        let line = report.lines().find(|line| line.contains(" packets transmitted")).expect(&report);
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

pub fn reaches(netns: &Netns, ip: &str) -> bool {
    output(netns.command("ping").args(["-q", "-c", "1", "-W", "1", ip]), "").status.success()
}

/// The address of a host's link `eth{link}`.
pub fn underlay_mac(link: &str, number: u8) -> String {
    format!("02:aa:00:00:0{link}:{number:02x}")
}

pub fn network_id(key: u32) -> String {
    format!("net{key}")
}

pub fn mac(key: u32) -> String {
    format!("fa:16:3e:00:01:{key:02x}")
}

/// The fields of a network with a tunnel.
pub fn tunnel(kind: &str, id: u32) -> Value {
    json!({ "network_type": kind, "segmentation_id": id })
}
