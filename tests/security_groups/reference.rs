//! Random rules and packets of two guests: the switch passes what nftables with the kernel's connection
//! tracking passes on two bridges, but for the differences on a list.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};
use testkit::installed::is_installed;
use testkit::root::{is_root, skip};
use testkit::security_groups::packet::{ACK, Body, FIN, PSH, Packet, RST, SYN};
use testkit::security_groups::steps::{packet, rule};

use super::both::{Both, MACS};
use super::bridge::Bridges;
use super::difference::{Difference, Form};
use super::examples::examples;
use crate::handbook::last_column;

/// Sets of rules with their packets, of each test.
const CASES: u32 = 60;

/// A host that is not there.
const STRANGER: u8 = 9;

#[derive(Debug, Clone)]
enum Step {
    Send(Packet, Form),
    /// The packet sent before, from the same end; TCP with these flags.
    Again(u8),
    /// The same from the other end; a reply to a query with another code if the number is odd.
    Answer(u8),
    /// An error about it: type, code, and how much it quotes.
    Error(Ends, u8, u8, Form),
}

/// Who sends an error.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// The receiver of the packet.
    Receiver,
    /// Its sender.
    Sender,
    /// Its receiver, to an address that the sender does not have.
    ReceiverToStranger,
}

fn sent() -> impl Strategy<Value = Packet> {
    select(vec![1, 2]).prop_flat_map(packet).prop_map(|packet| {
        // A packet in a single fragment is a whole one.
        let fragment = packet.fragment.filter(|(_, offset, more)| *offset == 0 && !more);
        Packet { to: 3 - packet.from, fragment, ..packet }
    })
}

fn flags() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => select(vec![SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK]),
        1 => any::<u8>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let fragments = select(vec![Form::Ascending, Form::Ascending, Form::Descending, Form::Incomplete]);
    let ends = prop_oneof![
        4 => Just(Ends::Receiver),
        1 => Just(Ends::Sender),
        1 => Just(Ends::ReceiverToStranger),
    ];
    let quote = select(vec![4, 8, 64]).prop_map(Form::Quote);
    prop_oneof![
        10 => sent().prop_map(|packet| Step::Send(packet, Form::Whole)),
        1 => (sent(), select(vec![0, 4, 8, 12, 16, 20])).prop_map(|(packet, len)| Step::Send(packet, Form::Cut(len))),
        2 => (sent(), fragments).prop_map(|(packet, form)| Step::Send(packet, form)),
        3 => flags().prop_map(Step::Again),
        8 => flags().prop_map(Step::Answer),
        4 => (ends, select(vec![1, 2, 3, 4, 5, 11, 12]), 0..2_u8, quote)
            .prop_map(|(ends, kind, code, quote)| Step::Error(ends, kind, code, quote)),
    ]
}

/// Segments of one TCP connection, from both of its ends. Half of the connections are without resets, behind
/// which differences are expected.
fn segments() -> impl Strategy<Value = Vec<Step>> {
    let segments = prop::collection::vec((any::<bool>(), flags()), 30);
    (any::<bool>(), any::<bool>(), segments).prop_map(|(v6, has_resets, segments)| {
        let step = |(is_openers, flags)| {
            let flags = if has_resets { flags } else { flags & !RST };
            let packet = Packet { v6, ..Packet::new(1, 2, Body::Tcp(2000, 80, flags)) };
            Step::Send(if is_openers { packet } else { packet.reply() }, Form::Whole)
        };
        segments.into_iter().map(step).collect()
    })
}

fn all_of(direction: &str) -> Vec<Value> {
    let rule = |family| json!({"id": "r", "direction": direction, "ethertype": family});
    ["IPv4", "IPv6"].map(rule).to_vec()
}

/// Those of a guest: half of them allow everything, so that packets come to the rules of the other guest.
fn rules() -> impl Strategy<Value = Vec<Value>> {
    let all = Just([all_of("egress"), all_of("ingress")].concat());
    prop_oneof![all, prop::collection::vec(rule(), 3..12)]
}

fn take(both: &mut Both<'_>, step: &Step) -> Result<(), TestCaseError> {
    // A stranger does not answer.
    let last = both.last().filter(|last| last.to != STRANGER);
    match (step, last) {
        (Step::Send(packet, form), _) => both.send(packet.clone(), *form),
        (Step::Again(flags), Some(mut packet)) => {
            if let Body::Tcp(_, _, old) = &mut packet.body {
                *old = *flags;
            }
            both.send(packet, Form::Whole)
        }
        (Step::Answer(flags), Some(last)) => both.send(answer(&last, *flags), Form::Whole),
        (Step::Error(ends, kind, code, quote), Some(about)) => {
            let v6 = about.v6;
            let (from, to) = match ends {
                Ends::Receiver => (about.to, about.from),
                Ends::Sender => (about.from, about.to),
                Ends::ReceiverToStranger => (about.to, STRANGER),
            };
            let is_of_family = if v6 { *kind <= 4 } else { *kind >= 3 };
            if matches!(about.body, Body::Error(..)) || !is_of_family {
                return Ok(());
            }
            let body = Body::Error(*kind, *code, Box::new(about));
            both.send(Packet { v6, from, to, body, fragment: None }, *quote)
        }
        (Step::Again(_) | Step::Answer(_) | Step::Error(..), None) => Ok(()),
    }
}

fn answer(packet: &Packet, flags: u8) -> Packet {
    let mut answer = packet.reply();
    match (packet.v6, &mut answer.body) {
        (_, Body::Tcp(_, _, old)) => *old = flags,
        (false, Body::Message(kind @ (8 | 13), code, _)) => {
            *kind = if *kind == 8 { 0 } else { 14 };
            *code ^= flags & 1;
        }
        (true, Body::Message(kind @ (128 | 139), code, _)) => {
            *kind += 1;
            *code ^= flags & 1;
        }
        _ => {}
    }
    answer
}

/// The bridges of a test, and the last zone whose rules they had. `None` if the test is skipped.
fn bridges(test: &str) -> Option<(Bridges, u16)> {
    if !is_root(test) || !is_installed(test, "nft") {
        return None;
    }
    if !Bridges::are_filtered() {
        skip(test, "it needs br_netfilter in the kernel (modprobe br_netfilter)");
        return None;
    }
    Some((Bridges::new(MACS), 0))
}

/// Sends random packets under random rules through both.
fn compare(test: &str, input: impl Strategy<Value = ([Vec<Value>; 2], Vec<Step>)>) {
    let Some(bridges) = bridges(test) else { return };
    let config = Config {
        cases: CASES,
        rng_seed: RngSeed::Fixed(u64::from(CASES)),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let state = RefCell::new((bridges, [0; 2]));
    let result = TestRunner::new(config).run(&input, |(rules, steps)| {
        let ((bridges, zone), counts) = &mut *state.borrow_mut();
        *zone += 1;
        let mut both = Both::new(bridges, &rules, *zone);
        for step in &steps {
            take(&mut both, step)?;
        }
        *counts = [counts[0] + both.counts[0], counts[1] + both.counts[1]];
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (_, [sent, passed]) = state.into_inner();
    assert!(passed * 5 > sent, "of {sent} frames only {passed} passed: too few to compare connections");
}

#[test]
fn packets_pass_as_by_nftables_on_a_bridge_but_for_listed_differences() {
    compare("packets and nftables", ([rules(), rules()], prop::collection::vec(step(), 60)));
}

#[test]
fn tcp_connections_pass_as_by_nftables_on_a_bridge_but_for_listed_differences() {
    let input = (any::<bool>(), segments()).prop_map(|(is_wide, steps)| {
        let one_way = [all_of("egress"), all_of("ingress")];
        (if is_wide { [one_way.concat(), one_way.concat()] } else { one_way }, steps)
    });
    compare("TCP and nftables", input);
}

#[test]
fn each_listed_difference_from_nftables_occurs() {
    let Some((mut bridges, mut zone)) = bridges("differences from nftables") else { return };
    let all = [all_of("egress"), all_of("ingress")].concat();
    let mut met = vec![];
    for (difference, packets) in examples() {
        zone += 1;
        let mut both = Both::new(&mut bridges, &[all.clone(), all.clone()], zone);
        for (packet, form) in packets {
            assert_eq!(both.met, [], "{difference:?} before {packet:?}");
            both.send(packet, form).unwrap_or_else(|error| panic!("{difference:?}: {error}"));
        }
        assert_eq!(both.met, [difference]);
        met.push(difference);
    }
    met.push(difference_after_removal(&mut bridges, zone + 1));
    assert_eq!(met, Difference::ALL);
}

/// Rules are removed from a guest that has a connection by them.
fn difference_after_removal(bridges: &mut Bridges, zone: u16) -> Difference {
    let rules = [all_of("egress"), all_of("ingress")];
    let mut both = Both::new(bridges, &rules, zone);
    let packet = Packet::new(1, 2, Body::Ports(17, 2000, 80));
    let passes = |both: &mut Both<'_>, packet: &Packet| {
        let frame = both.frame(packet, Form::Whole);
        both.pass(packet.clone(), Form::Whole, &[frame]).map(|(_, passed)| passed)
    };
    assert_eq!(passes(&mut both, &packet), Some([1, 1]));
    assert_eq!(passes(&mut both, &packet.reply()), Some([1, 1]));
    both.follow(&[rules[0].clone(), vec![]]);
    assert_eq!(passes(&mut both, &packet), Some([0, 1]));
    Difference::RemovedRuleHolds
}

/// The rows of the table in the handbook end with the names of the differences.
#[test]
fn behaviour_md_has_the_list() {
    let names = last_column("### Differences from Linux's conntrack");
    assert_eq!(names, Difference::ALL.map(|difference| format!("`{difference:?}`")));
}
