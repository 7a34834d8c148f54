//! Random rules, changes of groups and members, and packets: the switch does what the model does.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use testkit::frames::BROADCAST;
use testkit::scenario::{Mac, Scenario};
use testkit::switch::Switch;

use super::model::{Model, Verdict};
use super::packet::{ACK, Body, FIN, PSH, Packet, RST, SYN};

const A: Mac = [2, 0, 0, 0, 0, 1];
const B: Mac = [2, 0, 0, 0, 0, 2];
/// A port without port security, which sends from every address.
const X: Mac = [2, 0, 0, 0, 0, 9];

/// Two ports with port security, of hosts 1 and 2, and one without. The second is on another worker.
fn scenario() -> Scenario {
    Scenario::default()
        .network("n", 1)
        .port("a", 1, "n", A)
        .port("b", 2, "n", B)
        .port("x", 9, "n", X)
        .guarded("a", &["10.0.0.1", "2001:db8::1"], &["g1"])
        .guarded("b", &["10.0.0.2", "2001:db8::2"], &["g2"])
        .group("g1", &[])
        .group("g2", &[])
        .link("a")
        .link("b")
        .link("x")
        .worker("b", 1)
}

#[derive(Debug, Clone)]
enum Step {
    /// The rules of a group; `None` deletes it.
    Rules(&'static str, Option<Vec<Value>>),
    Stateless(&'static str, bool),
    Groups(&'static str, Vec<&'static str>),
    Addresses(&'static str, Vec<&'static str>),
    /// Seconds.
    Pause(u64),
    /// The sender, whether to all, the packet.
    Send(&'static str, bool, Packet),
    /// The packet sent before, from the other end; or about it an error.
    Answer(Option<u8>),
    Error,
}

const GROUPS: [&str; 3] = ["g1", "g2", "g3"];

pub(super) fn rule() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        3 => Just(json!({})),
        2 => select(vec![json!({"protocol": 6}), json!({"protocol": 17}), json!({"protocol": 132}), json!({"protocol": 99}), json!({"protocol": 0})]),
        3 => (select(vec![6, 17, 132, 33, 136]), select(vec![(0, 0), (1, 80), (80, 80), (80, 443), (0, 65535)]))
            .prop_map(|(protocol, (min, max))| json!({"protocol": protocol, "port_range_min": min, "port_range_max": max})),
    ];
    let icmp = (select(vec![0, 3, 8, 128, 129, 133, 1, 255]), prop::option::of(select(vec![0, 1])));
    let body = prop_oneof![
        4 => plain.prop_map(|rule| (rule, false)),
        2 => icmp.prop_map(|(kind, code)| (json!({"port_range_min": kind, "port_range_max": code}), true)),
    ];
    let remote = prop_oneof![
        2 => Just((None, None)),
        2 => (0..4_usize).prop_map(|prefix| (Some(prefix), None)),
        2 => select(GROUPS.to_vec()).prop_map(|group| (None, Some(group))),
    ];
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
    let flags = prop_oneof![
        4 => select(vec![SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK]),
        1 => any::<u8>(),
    ];
    let message = select(vec![0_u8, 8, 9, 13, 14, 128, 129, 130, 133, 134, 135, 136, 137, 139, 143]);
    prop_oneof![
        4 => (port(), port(), flags).prop_map(|(source, destination, flags)| Body::Tcp(source, destination, flags)),
        3 => (select(vec![17_u8, 17, 132, 33, 136]), port(), port())
            .prop_map(|(protocol, source, destination)| Body::Ports(protocol, source, destination)),
        1 => select(vec![(67, 68), (68, 67), (546, 547), (547, 546)])
            .prop_map(|(source, destination)| Body::Ports(17, source, destination)),
        3 => (message, 0..2_u8, 1..3_u16).prop_map(|(kind, code, id)| Body::Message(kind, code, id)),
        1 => select(vec![2_u8, 47, 50, 99]).prop_map(Body::Other),
    ]
}

/// Message types that are errors of the family are sent by the step `Error` only: they need a packet to quote.
fn is_error(packet: &Packet) -> bool {
    matches!(
        (packet.v6, &packet.body),
        (false, Body::Message(3 | 4 | 5 | 11 | 12, ..)) | (true, Body::Message(0..128, ..))
    )
}

/// Port security drops these, as their sender is in several fragments.
fn is_unreadable(packet: &Packet) -> bool {
    let announces = match (packet.v6, &packet.body) {
        (true, Body::Message(kind, ..)) => (133..=137).contains(kind),
        (false, Body::Ports(17, _, 67)) => true,
        _ => false,
    };
    announces && packet.fragment.is_some()
}

pub(super) fn packet(from: u8) -> impl Strategy<Value = Packet> {
    let fragment = prop_oneof![
        6 => Just(None),
        1 => (1..3_u16, 0..2_u16, any::<bool>()).prop_map(|(id, offset, more)| Some((id, offset, more))),
    ];
    (any::<bool>(), select(vec![1_u8, 2, 9]), body(), fragment)
        .prop_map(move |(v6, to, body, fragment)| {
            // A whole packet in one fragment exists in IPv6 only.
            let fragment = fragment.filter(|(_, offset, more)| v6 || *more || *offset > 0);
            Packet { v6, from, to, body, fragment }
        })
        .prop_filter("an error", |packet| !is_error(packet))
}

fn step() -> impl Strategy<Value = Step> {
    let group = || select(GROUPS.to_vec());
    let guarded = || select(vec!["a", "b"]);
    let send = prop_oneof![
        Just(("a", 1)),
        Just(("b", 2)),
        Just(("x", 9)),
        Just(("x", 1)),
        Just(("x", 2)),
        Just(("x", 3)),
    ];
    let send = (send, prop::bool::weighted(0.1)).prop_flat_map(|((port, from), to_all)| {
        packet(from).prop_map(move |packet| Step::Send(port, to_all, packet))
    });
    let groups = subsequence(vec!["g1", "g2", "g3", "g9"], 0..3);
    prop_oneof![
        6 => (group(), prop::option::weighted(0.9, prop::collection::vec(rule(), 0..5)))
            .prop_map(|(group, rules)| Step::Rules(group, rules)),
        1 => (group(), any::<bool>()).prop_map(|(group, is_stateless)| Step::Stateless(group, is_stateless)),
        3 => (guarded(), groups).prop_map(|(port, groups)| Step::Groups(port, groups)),
        2 => (guarded(), any::<bool>()).prop_map(|(port, has_more)| {
            let ips = match (port, has_more) {
                ("a", false) => vec!["10.0.0.1", "2001:db8::1"],
                ("a", true) => vec!["10.0.0.1", "2001:db8::1", "10.0.0.3", "2001:db8::3"],
                (_, false) => vec!["10.0.0.2", "2001:db8::2"],
                (_, true) => vec!["10.0.0.2", "2001:db8::2", "10.0.0.9"],
            };
            Step::Addresses(port, ips)
        }),
        4 => select(vec![1, 5, 29, 30, 31, 61, 119, 121, 601]).prop_map(Step::Pause),
        60 => send,
        40 => prop::option::of(select(vec![SYN | ACK, ACK, FIN | ACK, RST, SYN])).prop_map(Step::Answer),
        6 => Just(Step::Error),
    ]
}

/// The switch, the model, and the last packet with its sender.
struct Run {
    scenario: Scenario,
    switch: Switch,
    model: Model,
    last: Option<Packet>,
    passed: usize,
}

impl Run {
    fn new() -> Self {
        let scenario = scenario();
        let switch = Switch::new(&scenario);
        Self { scenario, switch, model: Model::default(), last: None, passed: 0 }
    }

    fn change(&mut self, change: impl FnOnce(&mut Scenario)) {
        change(&mut self.scenario);
        self.model.forget_fragments();
        self.switch.follow(&self.scenario);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step.clone() {
            Step::Rules(group, Some(rules)) => self.change(|scenario| {
                scenario.groups.insert(group.to_owned(), rules);
            }),
            Step::Rules(group, None) => self.change(|scenario| drop(scenario.groups.remove(group))),
            Step::Stateless(group, true) => self.change(|scenario| {
                scenario.stateless.insert(group.to_owned());
            }),
            Step::Stateless(group, false) => self.change(|scenario| {
                scenario.stateless.remove(group);
            }),
            Step::Groups(port, groups) => self.change(|scenario| {
                scenario.port_mut(port).groups =
                    Some(groups.iter().map(|group| (*group).to_owned()).collect());
            }),
            Step::Addresses(port, ips) => self.change(|scenario| {
                scenario.port_mut(port).security = Some((ips, vec![]));
            }),
            Step::Pause(seconds) => self.model.now += seconds,
            Step::Send(port, to_all, packet) => return self.send(port, to_all, packet),
            Step::Answer(flags) => {
                let Some(mut answer) = self.last.as_ref().map(Packet::reply) else { return Ok(()) };
                if let (Body::Tcp(_, _, old), Some(flags)) = (&mut answer.body, flags) {
                    *old = flags;
                }
                if let Body::Message(kind, ..) = &mut answer.body {
                    *kind = match *kind {
                        8 => 0,
                        128 => 129,
                        13 => 14,
                        kind => kind,
                    };
                }
                answer.fragment = None;
                return self.send(port_of(answer.from), false, answer);
            }
            Step::Error => {
                let Some(about) = self.last.clone() else { return Ok(()) };
                if matches!(about.body, Body::Error(..)) {
                    return Ok(());
                }
                let (to, v6) = (about.from, about.v6);
                let body = Body::Error(if v6 { 1 } else { 3 }, 1, Box::new(about));
                return self.send("x", false, Packet { v6, from: 9, to, body, fragment: None });
            }
        }
        Ok(())
    }

    fn send(&mut self, port: &'static str, to_all: bool, packet: Packet) -> Result<(), TestCaseError> {
        if port == port_of(packet.to) && !to_all || port != "x" && is_unreadable(&packet) {
            return Ok(());
        }
        self.switch.outlet.now = self.model.now * 1_000_000_000;
        let Some(sent) = self.permitted(port, &packet)? else { return Ok(()) };
        let receivers: Vec<&str> = match (sent, to_all) {
            (false, _) => vec![],
            (true, true) => ["a", "b", "x"].into_iter().filter(|other| *other != port).collect(),
            (true, false) => vec![port_of(packet.to)],
        };
        let mut expected = vec![];
        let mut dropped = BTreeMap::new();
        for receiver in receivers {
            match self.verdict(receiver, &packet, false) {
                Some(Ok(())) => expected.push(receiver.to_owned()),
                Some(Err(reason)) => drop(dropped.insert(receiver, format!("admit_{reason}"))),
                None => return Ok(()),
            }
        }
        let destination = if to_all { BROADCAST } else { mac_at(port_of(packet.to)) };
        let before = self.switch.drops();
        let mut received: Vec<_> = self
            .switch
            .send(port, &packet.frame(destination, mac_at(port), &[]))
            .into_iter()
            .map(|(link, _)| link)
            .collect();
        received.sort();
        prop_assert_eq!(&received, &expected, "{:?} from {}", packet, port);
        self.passed += received.len();
        for (receiver, reason) in dropped {
            let count = |drops: &BTreeMap<(Option<String>, trunkpath::types::DropReason), u64>| {
                drops
                    .iter()
                    .find(|((port, found), _)| port.as_deref() == Some(receiver) && found.name() == reason)
                    .map_or(0, |(_, count)| *count)
            };
            prop_assert_eq!(
                count(&self.switch.drops()),
                count(&before) + 1,
                "{} at {}: {:?}",
                reason,
                receiver,
                packet
            );
        }
        self.last = Some(packet);
        Ok(())
    }

    fn verdict(&mut self, port: &str, packet: &Packet, is_sent: bool) -> Verdict {
        if port == "x" { Some(Ok(())) } else { self.model.judge(&self.scenario, port, packet, is_sent) }
    }

    /// Whether the sender's groups let the packet out; `None` if that is not known. Sends and checks it if
    /// they do not.
    fn permitted(&mut self, port: &str, packet: &Packet) -> Result<Option<bool>, TestCaseError> {
        match self.verdict(port, packet, true) {
            None => Ok(None),
            Some(Ok(())) => Ok(Some(true)),
            Some(Err(reason)) => {
                let frame = packet.frame(BROADCAST, mac_at(port), &[]);
                let reason = format!("permit_{reason}");
                let count = |switch: &Switch| {
                    let drops = switch.drops();
                    drops
                        .iter()
                        .find(|((at, found), _)| at.as_deref() == Some(port) && found.name() == reason)
                        .map_or(0, |(_, count)| *count)
                };
                let before = count(&self.switch);
                let sent = self.switch.send(port, &frame);
                prop_assert_eq!(
                    (sent, count(&self.switch)),
                    (vec![], before + 1),
                    "{} of {:?}",
                    reason,
                    packet
                );
                self.last = Some(packet.clone());
                Ok(None)
            }
        }
    }
}

fn mac_at(port: &str) -> Mac {
    match port {
        "a" => A,
        "b" => B,
        _ => X,
    }
}

fn port_of(host: u8) -> &'static str {
    match host {
        1 => "a",
        2 => "b",
        _ => "x",
    }
}

/// Segments of one TCP connection, from both of its ends, and pauses.
fn segment() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        9 => select(vec![SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK]),
        1 => select(vec![RST, RST | ACK]),
        1 => any::<u8>(),
    ];
    let send = (any::<bool>(), flags).prop_map(|(is_openers, flags)| {
        let packet = Packet::new(1, 9, Body::Tcp(2000, 80, flags));
        if is_openers { Step::Send("a", false, packet) } else { Step::Send("x", false, packet.reply()) }
    });
    prop_oneof![15 => send, 1 => select(vec![1, 9, 11, 31, 61, 119, 121]).prop_map(Step::Pause)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_the_model_in_every_state_of_a_tcp_connection(
        egress in any::<bool>(),
        steps in prop::collection::vec(segment(), 60),
    ) {
        let mut run = Run::new();
        let direction = if egress { "egress" } else { "ingress" };
        let rule = json!({"id": "r", "direction": direction, "ethertype": "IPv4", "protocol": 6});
        run.take(&Step::Rules("g1", Some(vec![rule])))?;
        for step in &steps {
            run.take(step)?;
        }
    }

    #[test]
    fn with_the_model_after_any_changes_of_rules_and_members(steps in prop::collection::vec(step(), 100)) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step)?;
        }
    }
}
