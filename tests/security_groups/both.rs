//! The same rules in the switch and on two bridges, and frames through both.

use std::collections::BTreeSet;

use proptest::test_runner::TestCaseError;
use serde_json::Value;
use testkit::frames::ones_complement_sum;
use testkit::scenario::{Mac, Scenario};
use testkit::security_groups::packet::{Body, Packet};
use testkit::switch::Switch;

use super::bridge::Bridges;
use super::difference::{Difference, Disagreement, Form, Sent, conversation_of, is_decided_before_rules};
use super::nftables;

pub const MACS: [Mac; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
const PORTS: [&str; 2] = ["a", "b"];

/// Length of the headers of a frame without tags.
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const FRAGMENT: usize = 8;

/// Chunks of SCTP (RFC 9260, 3.2): DATA, INIT, INIT ACK, ABORT, SHUTDOWN, COOKIE ECHO, COOKIE ACK.
const CHUNKS: [u8; 7] = [0, 1, 2, 6, 7, 10, 11];

#[derive(Debug)]
pub struct Both<'b> {
    bridges: &'b mut Bridges,
    switch: Switch,
    zone: u16,
    past: Vec<Sent>,
    /// Conversations with a difference, of which nothing more is sent: the two may remember them differently.
    differing: BTreeSet<String>,
    /// The differences, in order.
    pub met: Vec<Difference>,
    /// Frames sent, and those that passed in both.
    pub counts: [usize; 2],
}

impl<'b> Both<'b> {
    /// Guests 1 and 2 with the rules of their groups. `zone` was in no use before.
    pub fn new(bridges: &'b mut Bridges, rules: &[Vec<Value>; 2], zone: u16) -> Self {
        let scenario = scenario(rules);
        let switch = Switch::new(&scenario);
        let mut both = Self {
            bridges,
            switch,
            zone,
            past: vec![],
            differing: BTreeSet::new(),
            met: vec![],
            counts: [0; 2],
        };
        both.follow(rules);
        both
    }

    /// Replaces the rules; connections stay.
    pub fn follow(&mut self, rules: &[Vec<Value>; 2]) {
        let scenario = scenario(rules);
        self.switch.follow(&scenario);
        self.bridges.filter(&PORTS.map(|port| nftables::tables(&scenario, port, self.zone)));
    }

    pub fn last(&self) -> Option<Packet> {
        self.past.last().map(|sent| sent.packet.clone())
    }

    /// Sends a packet, and fails if the two disagree on it in a way that is on no list.
    pub fn send(&mut self, packet: Packet, form: Form) -> Result<(), TestCaseError> {
        let frames =
            if form.is_fragments() { self.fragments(&packet, form) } else { vec![self.frame(&packet, form)] };
        let conversation = conversation_of(&packet);
        if self.differing.contains(&conversation) {
            return Ok(());
        }
        let is_error = matches!(packet.body, Body::Error(..));
        let Some((sent, [switch, bridges])) = self.pass(packet, form, &frames) else {
            self.differing.insert(conversation);
            return Ok(());
        };
        let disagreement = Disagreement { sent: &sent, past: &self.past, switch, bridges };
        if switch != bridges {
            let Some(difference) = Difference::of(&disagreement) else {
                let past = self.past.iter().filter(|sent| conversation_of(&sent.packet) == conversation);
                let past: Vec<_> = past.map(|sent| format!("\n{sent:?}")).collect();
                let message = format!("{switch} frames pass the switch, {bridges} the bridges: {sent:?}");
                return Err(TestCaseError::fail(format!("{message} after{}", past.concat())));
            };
            self.met.push(difference);
            if !is_error {
                self.differing.insert(conversation.clone());
            }
        }
        let is_decided = form.is_fragments() && is_decided_before_rules(&sent.packet);
        if is_decided || matches!(form, Form::Incomplete | Form::Descending | Form::Cut(_)) {
            // The same verdict, but one of both may have begun a connection at the sender.
            self.differing.insert(conversation);
        }
        self.past.push(sent);
        Ok(())
    }

    /// Sends frames through both. Returns also how many passed each; `None` if port security drops one, which is
    /// no matter of groups.
    pub fn pass(&mut self, packet: Packet, form: Form, frames: &[Vec<u8>]) -> Option<(Sent, [usize; 2])> {
        let (from, to) = ends(&packet);
        let before = ["antispoof_", "permit_"].map(|step| self.drops(step));
        let switch: usize = frames.iter().map(|frame| self.switch.send(PORTS[from], frame).len()).sum();
        let [spoofed, refused] = ["antispoof_", "permit_"].map(|step| self.drops(step));
        if spoofed > before[0] {
            return None;
        }
        let permitted = frames.len() as u64 > refused - before[1];
        let received = self.bridges.send(from, frames);
        // Bridges cut a packet into fragments of their own, and remove the header of a single one.
        if !form.is_fragments() && packet.fragment.is_none() {
            assert!(received.iter().all(|frame| frames.contains(frame)), "{received:02x?} of {packet:?}");
        }
        let bridges = received.len();
        let mut allowed = [false; 2];
        (allowed[from], allowed[to]) = (permitted, switch > 0);
        self.counts[0] += frames.len();
        self.counts[1] += switch.min(bridges);
        Some((Sent { packet, form, allowed }, [switch, bridges]))
    }

    /// Drops of all steps with this prefix.
    fn drops(&self, step: &str) -> u64 {
        let drops = self.switch.drops();
        drops.iter().filter(|((_, reason), _)| reason.name().starts_with(step)).map(|(_, count)| *count).sum()
    }

    /// The packet as one frame.
    pub fn frame(&self, packet: &Packet, form: Form) -> Vec<u8> {
        let (from, to) = ends(packet);
        let (from, to) = (MACS[from], MACS[to]);
        let mut bytes = packet.frame(to, from, &[]);
        let header = if packet.v6 { IPV6 } else { IPV4 };
        match (&packet.body, form) {
            (Body::Error(_, _, about), Form::Quote(quoted)) => {
                bytes.truncate(ETHERNET + header + 8);
                let extension = if packet.v6 && about.fragment.is_some() { FRAGMENT } else { 0 };
                let about = &about.frame(from, to, &[])[ETHERNET..];
                bytes.extend(&about[..about.len().min(header + extension + quoted)]);
                set_len(&mut bytes, packet.v6);
            }
            (_, Form::Cut(len)) => {
                let extension = if packet.v6 && packet.fragment.is_some() { FRAGMENT } else { 0 };
                bytes.truncate(ETHERNET + header + extension + len);
                set_len(&mut bytes, packet.v6);
            }
            (Body::Ports(132, ..), _) => {
                let extension = if packet.v6 && packet.fragment.is_some() { FRAGMENT } else { 0 };
                bytes[ETHERNET + header + extension + 12] = CHUNKS[self.past.len() % CHUNKS.len()];
            }
            _ => {}
        }
        bytes
    }

    /// The packet as three fragments, in the order of `form`.
    fn fragments(&self, packet: &Packet, form: Form) -> Vec<Vec<u8>> {
        // Unique among all packets of a run, as hosts remember fragments for 30 s.
        let identification = self.zone << 7 | self.past.len() as u16 & 0x7f;
        let first = packet.clone().fragment(identification, 0, true);
        let frame = self.frame(&first, Form::Whole);
        let header = ETHERNET + if packet.v6 { IPV6 + FRAGMENT } else { IPV4 };
        let offset = ((frame.len() - header) / 8) as u16;
        let mut frames = vec![frame];
        for (offset, has_more) in [(offset, true), (offset + 2, false)] {
            let later = packet.clone().fragment(identification, offset, has_more);
            let (from, to) = ends(packet);
            frames.push(later.frame(MACS[to], MACS[from], &[]));
        }
        match form {
            Form::Descending => frames.reverse(),
            Form::Incomplete => drop(frames.pop()),
            Form::Ascending | Form::Whole | Form::Quote(_) | Form::Cut(_) => {}
        }
        frames
    }
}

/// The guest that sends a packet, and the other one, which gets it whatever its destination.
fn ends(packet: &Packet) -> (usize, usize) {
    let from = usize::from(packet.from) - 1;
    (from, 1 - from)
}

fn scenario(rules: &[Vec<Value>; 2]) -> Scenario {
    Scenario::default()
        .network("n", 1)
        .port("a", 1, "n", MACS[0])
        .port("b", 2, "n", MACS[1])
        .guarded("a", &["10.0.0.1", "2001:db8::1"], &["g1"])
        .guarded("b", &["10.0.0.2", "2001:db8::2"], &["g2"])
        .group("g1", &rules[0])
        .group("g2", &rules[1])
        .group("g3", &[])
        .link("a")
        .link("b")
}

/// Writes the length of an IP packet, and with it the checksum of its header.
fn set_len(frame: &mut [u8], v6: bool) {
    let packet = &mut frame[ETHERNET..];
    let len = packet.len() as u16;
    if v6 {
        packet[4..6].copy_from_slice(&(len - IPV6 as u16).to_be_bytes());
        return;
    }
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let sum = !ones_complement_sum(&packet[..IPV4]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
