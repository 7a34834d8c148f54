//! Random steps. Few ports, addresses and flags, so that packets meet the rules and connections of others.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::choice::{maybe, one_of};
use super::packet::{ACK, Body, FIN, PSH, Packet, RST, SYN};

/// One step of a [`Run`](super::Run).
#[derive(Debug, Clone)]
pub enum Step {
    /// The rules of a group; `None` deletes it.
    Rules(&'static str, Option<Vec<Value>>),
    Stateless(&'static str, bool),
    Groups(&'static str, Vec<&'static str>),
    Addresses(&'static str, Vec<&'static str>),
    /// Seconds.
    Pause(u64),
    /// The sender, whether to all, the packet.
    Send(&'static str, bool, Packet),
    /// The packet sent before, from the other end; TCP with these flags.
    Answer(Option<u8>),
    /// An error about the packet sent before.
    Error,
}

const GROUPS: [&str; 3] = ["g1", "g2", "g3"];

pub fn rule() -> impl Strategy<Value = Value> {
    let protocols = [6, 17, 132, 99, 0].map(|protocol| json!({"protocol": protocol}));
    let ports =
        (select(vec![6, 17, 132, 33, 136]), select(vec![(0, 0), (1, 80), (80, 80), (80, 443), (0, 65535)]));
    let ports = ports.prop_map(
        |(protocol, (min, max))| json!({"protocol": protocol, "port_range_min": min, "port_range_max": max}),
    );
    let plain =
        one_of([(3, Just(json!({})).boxed()), (2, select(protocols.to_vec()).boxed()), (3, ports.boxed())]);
    let icmp = (select(vec![0, 3, 8, 128, 129, 133, 1, 255]), maybe(50, select(vec![0, 1])));
    let icmp = icmp.prop_map(|(kind, code)| (json!({"port_range_min": kind, "port_range_max": code}), true));
    let body = one_of([(4, plain.prop_map(|rule| (rule, false)).boxed()), (2, icmp.boxed())]);
    let remote = one_of([
        (2, Just((None, None)).boxed()),
        (2, (0..4_usize).prop_map(|prefix| (Some(prefix), None)).boxed()),
        (2, select(GROUPS.to_vec()).prop_map(|group| (None, Some(group))).boxed()),
    ]);
    (body, any::<bool>(), any::<bool>(), remote).prop_map(
        |((mut rule, is_icmp), is_egress, v6, (prefix, group))| {
            rule["id"] = "r".into();
            rule["direction"] = if is_egress { "egress" } else { "ingress" }.into();
            rule["ethertype"] = if v6 { "IPv6" } else { "IPv4" }.into();
            if is_icmp {
                rule["protocol"] = if v6 { 58 } else { 1 }.into();
            }
            let prefixes = if v6 {
                ["::/0", "2001:db8::/64", "2001:db8::/126", "2001:db8::2/128"]
            } else {
                ["0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/30", "10.0.0.2/32"]
            };
            if let Some(prefix) = prefix {
                rule["remote_ip_prefix"] = prefixes[prefix].into();
            }
            if let Some(group) = group {
                rule["remote_group_id"] = group.into();
            }
            rule
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let port = || select(vec![0_u16, 1, 80, 443, 2000]);
    let flags = select(vec![SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK]);
    let flags = one_of([(4, flags.boxed()), (1, any::<u8>().boxed())]);
    let tcp = (port(), port(), flags);
    let ports = (select(vec![17_u8, 17, 132, 33, 136]), port(), port());
    let dhcp = select(vec![(67, 68), (68, 67), (546, 547), (547, 546)]);
    let message = select(vec![0_u8, 8, 9, 13, 14, 128, 129, 130, 133, 134, 135, 136, 137, 139, 143]);
    let message = (message, 0..2_u8, 1..3_u16);
    one_of([
        (4, tcp.prop_map(|(source, destination, flags)| Body::Tcp(source, destination, flags)).boxed()),
        (
            3,
            ports
                .prop_map(|(protocol, source, destination)| Body::Ports(protocol, source, destination))
                .boxed(),
        ),
        (1, dhcp.prop_map(|(source, destination)| Body::Ports(17, source, destination)).boxed()),
        (3, message.prop_map(|(kind, code, id)| Body::Message(kind, code, id)).boxed()),
        (1, select(vec![2_u8, 47, 50, 99]).prop_map(Body::Other).boxed()),
    ])
}

/// Message types that are errors of the family are sent by the step `Error` only: they need a packet to quote.
fn is_error(packet: &Packet) -> bool {
    matches!(
        (packet.v6, &packet.body),
        (false, Body::Message(3 | 4 | 5 | 11 | 12, ..)) | (true, Body::Message(0..128, ..))
    )
}

pub fn packet(from: u8) -> impl Strategy<Value = Packet> {
    let fragment = maybe(15, (1..3_u16, 0..2_u16, any::<bool>()));
    (any::<bool>(), select(vec![1_u8, 2, 9]), body(), fragment)
        .prop_map(move |(v6, to, body, fragment)| {
            // A whole packet in one fragment exists in IPv6 only.
            let fragment = fragment.filter(|(_, offset, more)| v6 || *more || *offset > 0);
            Packet { v6, from, to, body, fragment }
        })
        .prop_filter("an error", |packet| !is_error(packet))
}

pub fn step() -> impl Strategy<Value = Step> {
    let group = || select(GROUPS.to_vec());
    let guarded = || select(vec!["a", "b"]);
    let senders = select(vec![("a", 1), ("b", 2), ("x", 9), ("x", 1), ("x", 2), ("x", 3)]);
    let send = (senders, prop::bool::weighted(0.1), packet(0))
        .prop_map(|((port, from), to_all, packet)| Step::Send(port, to_all, Packet { from, ..packet }));
    let answer = maybe(50, select(vec![SYN | ACK, ACK, FIN | ACK, RST, SYN]));
    let rules = (group(), maybe(90, prop::collection::vec(rule(), 0..5)));
    let groups = (guarded(), subsequence(vec!["g1", "g2", "g3", "g9"], 0..3));
    let addresses = (guarded(), any::<bool>()).prop_map(|(port, has_more)| {
        let ips = match (port, has_more) {
            ("a", false) => vec!["10.0.0.1", "2001:db8::1"],
            ("a", true) => vec!["10.0.0.1", "2001:db8::1", "10.0.0.3", "2001:db8::3"],
            (_, false) => vec!["10.0.0.2", "2001:db8::2"],
            (_, true) => vec!["10.0.0.2", "2001:db8::2", "10.0.0.9"],
        };
        Step::Addresses(port, ips)
    });
    one_of([
        (60, send.boxed()),
        (40, answer.prop_map(Step::Answer).boxed()),
        (6, rules.prop_map(|(group, rules)| Step::Rules(group, rules)).boxed()),
        (1, (group(), any::<bool>()).prop_map(|(group, has_none)| Step::Stateless(group, has_none)).boxed()),
        (3, groups.prop_map(|(port, groups)| Step::Groups(port, groups)).boxed()),
        (2, addresses.boxed()),
        (4, select(vec![1, 5, 29, 30, 31, 61, 119, 121, 601]).prop_map(Step::Pause).boxed()),
        (6, Just(Step::Error).boxed()),
    ])
}

/// Segments of one TCP connection, from both of its ends, and pauses.
pub fn segment() -> impl Strategy<Value = Step> {
    let flags = one_of([
        (9, select(vec![SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK]).boxed()),
        (1, select(vec![RST, RST | ACK]).boxed()),
        (1, any::<u8>().boxed()),
    ]);
    let send = (any::<bool>(), flags).prop_map(|(is_openers, flags)| {
        let packet = Packet::new(1, 9, Body::Tcp(2000, 80, flags));
        if is_openers { Step::Send("a", false, packet) } else { Step::Send("x", false, packet.reply()) }
    });
    let pause = select(vec![1, 9, 11, 31, 61, 119, 121]).prop_map(Step::Pause);
    one_of([(15, send.boxed()), (1, pause.boxed())])
}

/// Behind the bytes of a fuzzer: more than a step draws, with packets that are filtered out. Unequal bytes, so that
/// they differ from a repeated one.
const TAIL: [[u8; 2]; 512] = [[0x5a, 0x5b]; 512];

/// The steps that a fuzzer's bytes select, at most `most`.
pub fn steps_of(bytes: &[u8], most: usize) -> Vec<Step> {
    let config = Config { failure_persistence: None, ..Config::default() };
    // A choice draws eight bytes, of which the last one decides. At the end the generator yields zeros, which a
    // choice among three rejects for ever.
    let mut words = bytes.iter().flat_map(|byte| [*byte; 8]).collect::<Vec<_>>();
    words.extend(TAIL.as_flattened());
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &words);
    let (mut runner, step) = (TestRunner::new_with_rng(config, rng), step());
    let mut steps = vec![];
    while steps.len() < most
        && !TAIL.as_flattened().starts_with(&runner.rng().clone().next_u32().to_le_bytes())
    {
        steps.push(step.new_tree(&mut runner).expect("a step").current());
    }
    steps
}
