//! The switch and the model side by side.

use std::collections::BTreeMap;

use proptest::prelude::*;
use trunkpath::types::DropReason;
use trunkpath::xsk::Arena;

use super::model::{Model, Verdict};
use super::packet::{Body, Packet};
use super::steps::Step;
use crate::frames::BROADCAST;
use crate::scenario::{Mac, Scenario};
use crate::switch::Switch;

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

/// The switch, the model, and the last packet.
#[derive(Debug)]
pub struct Run {
    scenario: Scenario,
    switch: Switch,
    model: Model,
    last: Option<Packet>,
}

impl Run {
    /// `arena` is free, and so it is after the run.
    pub fn new(arena: &'static Arena) -> Self {
        let scenario = scenario();
        let switch = Switch::with_arena(&scenario, arena);
        Self { scenario, switch, model: Model::default(), last: None }
    }

    /// Takes each step with both.
    ///
    /// # Errors
    ///
    /// The first packet on which the switch and the model disagree.
    pub fn take_all(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        steps.iter().try_for_each(|step| self.take(step))
    }

    fn change(&mut self, change: impl FnOnce(&mut Scenario)) {
        change(&mut self.scenario);
        self.model.forget_fragments();
        self.switch.follow(&self.scenario);
    }

    /// Takes a step with both.
    ///
    /// # Errors
    ///
    /// See [`Self::take_all`].
    pub fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
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
        let before: Vec<u64> = dropped.iter().map(|(port, reason)| self.drops(port, reason)).collect();
        let sent = self.switch.send(port, &packet.frame(destination, mac_at(port), &[]));
        let mut received: Vec<_> = sent.into_iter().map(|(link, _)| link).collect();
        received.sort();
        prop_assert_eq!(&received, &expected, "{:?} from {}", packet, port);
        for ((receiver, reason), before) in dropped.iter().zip(before) {
            let count = self.drops(receiver, reason);
            prop_assert_eq!(count, before + 1, "{} at {}: {:?}", reason, receiver, packet);
        }
        self.last = Some(packet);
        Ok(())
    }

    /// Drops of a port for one reason.
    fn drops(&self, port: &str, reason: &str) -> u64 {
        let drops = self.switch.drops();
        let is_of =
            |at: &Option<String>, found: DropReason| at.as_deref() == Some(port) && found.name() == reason;
        drops.iter().find(|((at, found), _)| is_of(at, *found)).map_or(0, |(_, count)| *count)
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
                let before = self.drops(port, &reason);
                let sent = self.switch.send(port, &frame);
                let outcome = (sent, self.drops(port, &reason));
                prop_assert_eq!(outcome, (vec![], before + 1), "{} of {:?}", reason, packet);
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

/// Port security drops these, as their sender is in several fragments.
fn is_unreadable(packet: &Packet) -> bool {
    let announces = match (packet.v6, &packet.body) {
        (true, Body::Message(kind, ..)) => (133..=137).contains(kind),
        (false, Body::Ports(17, _, 67)) => true,
        _ => false,
    };
    announces && packet.fragment.is_some()
}
