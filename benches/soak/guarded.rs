//! Guests under security groups, whose rules and members change.

use std::fs;

use serde_json::{Value, json};
use testkit::frame::{Frame, tci};
use testkit::noise::Noise;
use testkit::security_groups::packet::{ACK, Body, FIN, Packet, SYN};
use testkit::stream::Stream;
use testkit::testbed::{Port, Testbed};
use testkit::wait::until;
use trunkpath::nb::{Op, Table};

const VID: u16 = 100;

/// Bytes of the header of an untagged frame, and the EtherType of IPv4.
const ETHERNET: usize = 14;
const IPV4: u16 = 0x0800;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const STEADY_PORT: u16 = 5000;

/// Ids of groups. The first one always has the rules that the steady ports need, the second one always exists.
const STEADY: &str = "steady";
const CHANGING: &str = "changing";
const OTHERS: &str = "others";

/// Seconds: so short that connections begin and are forgotten all the time.
const TIMEOUTS: &str = "[connection_timeouts]
udp = 3\nudp_stream = 5\nicmp = 3\ntcp_syn_sent = 3\ntcp_syn_recv = 3\ntcp_established = 5
tcp_fin_wait = 3\ntcp_close_wait = 3\ntcp_last_ack = 3\ntcp_time_wait = 3\ntcp_close = 3
";

/// A port with port security and security groups.
#[derive(Debug)]
struct Guest {
    port: Port,
    /// Number of its host in packets.
    host: u8,
    record: Value,
}

/// Two guests with a subport, and peers on their networks.
#[derive(Debug)]
pub struct Guarded {
    /// A subport and its peer, which receives nothing else. Nothing else is sent by their links, so that frames
    /// that a stopped daemon does not receive are no more than the link has room for.
    steady: [Guest; 2],
    /// A port and its peer, a subport of the same guest and its peer.
    changing: [Guest; 4],
}

impl Guarded {
    /// Adds the ports to a testbed that has no daemon yet.
    pub fn new(testbed: &mut Testbed) -> Self {
        let (one, two) = (testbed.network(), testbed.network());
        let tenant = testbed.guest("tenant", one);
        let steady = [testbed.subport(&tenant, VID, two), testbed.guest("server", two)];
        let guest = testbed.guest("guarded", one);
        let peer = testbed.guest("peer", one);
        let changing = [guest.clone(), peer, testbed.subport(&guest, VID, two), testbed.guest("caller", two)];
        let file = testbed.files.path("soak.toml");
        fs::write(&file, TIMEOUTS).unwrap();
        testbed.arguments.extend(["--config".to_owned(), file.display().to_string()]);
        let mut hosts = 1..;
        let mut guest = |port| Guest { port, host: hosts.next().unwrap(), record: Value::Null };
        Self { steady: steady.map(&mut guest), changing: changing.map(&mut guest) }
    }

    /// Writes the groups, and the records of the ports. The daemon runs.
    pub fn guard(&mut self, testbed: &Testbed) {
        for (id, rules) in groups() {
            testbed.files.nb(&["put", "secgroup", &group(id, &rules).to_string()], "");
        }
        let steady = self.steady.iter_mut().map(|guest| (guest, STEADY));
        for (guest, group) in steady.chain(self.changing.iter_mut().map(|guest| (guest, CHANGING))) {
            let record = testbed.files.nb(&["get", "lport", &guest.port.id()], "");
            guest.record = serde_json::from_str(&record).unwrap();
            guest.record["port_security_enabled"] = true.into();
            guest.record["ips"] = json!([format!("10.0.0.{}", guest.host)]);
            testbed.files.nb(&["put", "lport", &guest.with_groups(&[group]).to_string()], "");
        }
    }

    /// Packets of the changing ports in both directions. Their arrival is not checked.
    pub fn noise(&self, testbed: &Testbed) -> Noise {
        let [guest, peer, subport, caller] = &self.changing;
        let tagged = frames(subport, caller).into_iter().map(|frame| frame.tagged(tci(0, false, VID)));
        let of_guest = frames(guest, peer).into_iter().chain(tagged).collect();
        let sources = [
            (&guest.port, of_guest),
            (&peer.port, frames(peer, guest)),
            (&caller.port, frames(caller, subport)),
        ];
        Noise::start(testbed, &sources)
    }

    /// Sends UDP between the steady ports while `work` runs; every packet must arrive.
    pub fn undisturbed_by(&self, testbed: &Testbed, work: impl FnOnce()) {
        let [from, to] = &self.steady;
        let packet = Packet::new(from.host, to.host, Body::Ports(UDP, 7, STEADY_PORT));
        let (frame, capture) = (frame_of(&packet, from, to), testbed.capture(&to.port));
        let sent = frame.tagged(tci(0, false, VID));
        let stream = Stream::new(testbed.sender(&from.port), sent).with_head(frame.payload.clone());
        let running = stream.start_steadily(capture);
        work();
        running.stop().assert_arrived(capture, &frame);
        for guest in &self.changing {
            testbed.capture(&guest.port).forget();
        }
    }

    /// A change of rules or of members, which allows what the steady ports send.
    pub fn change(&self, random: &mut fastrand::Rng) -> Op {
        let mut some = |mut rules: Vec<Value>| {
            rules.retain(|_| random.bool());
            rules
        };
        let (more, groups) = (some(rules()), some(vec![CHANGING.into(), OTHERS.into()]));
        match random.u8(..6) {
            0 => put_group(STEADY, &[steady_rules(), more].concat()),
            1 => put_group(CHANGING, &more),
            2 if random.bool() => Op::Delete { table: Table::SecurityGroup, id: OTHERS.to_owned() },
            2 => put_group(OTHERS, &more),
            3 => {
                // A port is closed while one of its groups does not exist.
                let groups = if random.bool() { &[STEADY, CHANGING][..] } else { &[STEADY] };
                put_port(self.steady[random.usize(..2)].with_groups(groups))
            }
            _ => {
                let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
                put_port(self.changing[random.usize(..4)].with_groups(&groups))
            }
        }
    }
}

impl Guest {
    fn with_groups(&self, groups: &[&str]) -> Value {
        let mut record = self.record.clone();
        record["security_groups"] = json!(groups);
        record
    }
}

/// The groups as they were at the start.
pub fn restoration() -> Vec<Op> {
    groups().map(|(id, rules)| put_group(id, &rules)).into()
}

/// Number of connections of all ports.
pub fn connections(testbed: &Testbed) -> u64 {
    testbed.daemon().show("connections").unwrap()["total"].as_u64().unwrap()
}

/// Waits until all connections are forgotten, once nothing is sent.
pub fn wait_for_no_connections(testbed: &Testbed) {
    until("all connections to be forgotten", || (connections(testbed) == 0).then_some(()));
}

fn groups() -> [(&'static str, Vec<Value>); 3] {
    [(STEADY, steady_rules()), (CHANGING, rules()), (OTHERS, vec![])]
}

fn put_group(id: &str, rules: &[Value]) -> Op {
    Op::Put { table: Table::SecurityGroup, json: group(id, rules) }
}

fn put_port(json: Value) -> Op {
    Op::Put { table: Table::Lport, json }
}

fn group(id: &str, rules: &[Value]) -> Value {
    json!({"id": id, "name": id, "topic": "t", "rules": rules})
}

fn rule(id: &str, direction: &str, protocol: u8, more: &Value) -> Value {
    let mut rule = json!({"id": id, "topic": "t", "direction": direction, "ethertype": "IPv4"});
    rule["protocol"] = protocol.into();
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn steady_rules() -> Vec<Value> {
    let ports = json!({"port_range_min": STEADY_PORT, "port_range_max": STEADY_PORT});
    let members = json!({"remote_group_id": STEADY});
    vec![rule("steady-out", "egress", UDP, &ports), rule("steady-in", "ingress", UDP, &members)]
}

/// Rules that allow some of the changing ports' packets.
fn rules() -> Vec<Value> {
    let ports = json!({"port_range_min": 1, "port_range_max": 1002});
    vec![
        rule("udp-out", "egress", UDP, &ports),
        rule("udp-in", "ingress", UDP, &json!({"remote_group_id": CHANGING})),
        rule("tcp-out", "egress", TCP, &json!({})),
        rule("tcp-in", "ingress", TCP, &json!({"remote_ip_prefix": "10.0.0.0/30"})),
        rule("ping-out", "egress", ICMP, &json!({"port_range_min": 8, "port_range_max": 0})),
        rule("ping-in", "ingress", ICMP, &json!({})),
    ]
}

/// What a guest sends to another one: packets of its own, and answers.
fn frames(from: &Guest, to: &Guest) -> Vec<Frame> {
    let answers = packets(to, from).into_iter().map(|packet| packet.reply());
    packets(from, to).into_iter().chain(answers).map(|packet| frame_of(&packet, from, to)).collect()
}

fn packets(from: &Guest, to: &Guest) -> Vec<Packet> {
    let udp = (1000..1005).map(|port| Body::Ports(UDP, port, port));
    let tcp = [SYN, ACK, FIN | ACK].map(|flags| Body::Tcp(2000, 80, flags));
    let bodies = udp.chain(tcp).chain([8, 0].map(|kind| Body::Message(kind, 0, 1)));
    bodies.map(|body| Packet::new(from.host, to.host, body)).collect()
}

fn frame_of(packet: &Packet, from: &Guest, to: &Guest) -> Frame {
    let bytes = packet.frame(to.port.mac, from.port.mac, &[]);
    let frame = Frame::new(from.port.mac, to.port.mac).carrying(&bytes[ETHERNET..]);
    Frame { ethertype: IPV4, ..frame }
}
