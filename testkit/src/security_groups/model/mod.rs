//! What security groups allow, written down naively: every packet is judged by all rules, and a connection is
//! what both directions of its packets have in common.

#![expect(
    clippy::match_same_arms,
    clippy::wildcard_enum_match_arm,
    reason = "written as what they are taken from, line by line"
)]

mod conversation;
mod rules;

use std::collections::BTreeMap;

use crate::scenario::Scenario;

use super::packet::{Body, Packet};
use conversation::{Kind, Next, State, fragments, key, kind_of, seconds, tcp};
use rules::allow;

pub use rules::is_always;

/// The memory of all ports.
#[derive(Debug, Default)]
pub struct Model {
    pub now: u64,
    talks: BTreeMap<(String, String), Talk>,
    /// By port and fragments: the time until which later ones pass, and whether that is known: it is not
    /// after a change.
    fragments: BTreeMap<(String, String), (u64, bool)>,
}

#[derive(Debug, Clone)]
struct Talk {
    /// The first packet, and whether the port sent it.
    first: Packet,
    is_sent: bool,
    state: State,
    until: u64,
}

/// The verdict on a packet at one port: the reason without the name of the step, or `None` for a packet that
/// may pass or not.
pub type Verdict = Option<Result<(), &'static str>>;

impl Model {
    /// Judges a packet that a port sends, or receives.
    pub fn judge(&mut self, scenario: &Scenario, port: &str, packet: &Packet, is_sent: bool) -> Verdict {
        let judged = self.verdict(scenario, port, packet, is_sent)?;
        if judged.is_ok()
            && is_always(packet, is_sent).is_none_or(|always| always.is_err())
            && let Some((id, 0, true)) = packet.fragment
        {
            self.fragments.insert((port.to_owned(), fragments(packet, is_sent, id)), (self.now + 30, true));
        }
        Some(judged)
    }

    /// After a change of records it is not known which fragments still pass.
    pub fn forget_fragments(&mut self) {
        self.fragments.values_mut().for_each(|(_, is_known)| *is_known = false);
    }

    fn verdict(&mut self, scenario: &Scenario, port: &str, packet: &Packet, is_sent: bool) -> Verdict {
        if let Some(always) = is_always(packet, is_sent) {
            return Some(always);
        }
        if let Some((id, 1.., _)) = packet.fragment {
            let known = self.fragments.get(&(port.to_owned(), fragments(packet, is_sent, id)));
            return match known {
                Some((until, _)) if *until <= self.now => Some(Err("fragment")),
                Some((_, true)) => Some(Ok(())),
                Some((_, false)) => None,
                None => Some(Err("fragment")),
            };
        }
        if let Body::Error(_, _, about) = &packet.body {
            return Some(self.judge_error(scenario, port, (packet, about), is_sent));
        }
        Some(self.judge_talk(scenario, port, packet, is_sent))
    }

    fn judge_error(
        &mut self,
        scenario: &Scenario,
        port: &str,
        (error, about): (&Packet, &Packet),
        is_sent: bool,
    ) -> Result<(), &'static str> {
        let is_whole = about.fragment.is_none_or(|(_, offset, _)| offset == 0);
        let is_talk = !matches!(about.body, Body::Error(..)) && kind_of(about) != Kind::Alone;
        if !(is_whole && is_talk && error.v6 == about.v6) {
            return Err("invalid");
        }
        if error.to == about.from && self.living(scenario, port, &key(about, !is_sent)).is_some() {
            return Ok(());
        }
        if allow(scenario, port, error, is_sent, true) { Ok(()) } else { Err("invalid") }
    }

    /// A conversation that is not over, and that the present rules would let begin.
    fn living(&mut self, scenario: &Scenario, port: &str, key: &str) -> Option<&mut Talk> {
        let key = (port.to_owned(), key.to_owned());
        let talk = self.talks.get(&key)?.clone();
        if talk.until <= self.now || !allow(scenario, port, &talk.first, talk.is_sent, false) {
            self.talks.remove(&key);
            return None;
        }
        self.talks.get_mut(&key)
    }

    fn judge_talk(
        &mut self,
        scenario: &Scenario,
        port: &str,
        packet: &Packet,
        is_sent: bool,
    ) -> Result<(), &'static str> {
        let kind = kind_of(packet);
        let stateless = allow(scenario, port, packet, is_sent, true);
        let ruled = allow(scenario, port, packet, is_sent, false);
        if kind == Kind::Alone {
            return if ruled || stateless { Ok(()) } else { Err("no_rule") };
        }
        let (now, key) = (self.now, key(packet, is_sent));
        let mut may_begin = kind != Kind::Reply;
        if let Some(talk) = self.living(scenario, port, &key) {
            let is_first = talk.is_sent == is_sent;
            let next = match packet.body {
                Body::Tcp(_, _, flags) => match tcp(talk.state, flags, is_first) {
                    Next::State(state) => state,
                    Next::Ignore => return Ok(()),
                    Next::Invalid => return Err("invalid"),
                    Next::Reopen => State::No,
                },
                _ if is_first => talk.state,
                _ => State::Answered,
            };
            if next != State::No {
                talk.state = next;
                talk.until = now + seconds(next, packet);
                return Ok(());
            }
            self.talks.remove(&(port.to_owned(), key.clone()));
        }
        let state = match packet.body {
            Body::Tcp(_, _, flags) => {
                if let Next::State(state) = tcp(State::No, flags, true) {
                    state
                } else {
                    may_begin = false;
                    State::No
                }
            }
            _ => State::Unanswered,
        };
        match (may_begin, ruled, stateless) {
            (true, true, _) => {
                let until = now + seconds(state, packet);
                let talk = Talk { first: packet.clone(), is_sent, state, until };
                self.talks.insert((port.to_owned(), key), talk);
                Ok(())
            }
            (_, _, true) => Ok(()),
            (true, false, false) => Err("no_rule"),
            (false, _, false) => Err("invalid"),
        }
    }
}
