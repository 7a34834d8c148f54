//! What security groups allow, written down naively: every packet is judged by all rules, and a connection is
//! what both directions of its packets have in common.

#![expect(
    clippy::match_same_arms,
    clippy::wildcard_enum_match_arm,
    reason = "written as what they are taken from, line by line"
)]

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::scenario::Scenario;

use super::packet::{ACK, Body, FIN, Packet, RST, SYN};

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

/// States in the order of Linux's table of TCP; the last two are those of other protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    No,
    SynSent,
    SynRecv,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    SynSent2,
    Unanswered,
    Answered,
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

#[derive(Debug, PartialEq)]
enum Kind {
    Begins,
    Reply,
    Alone,
}

fn kind_of(packet: &Packet) -> Kind {
    match (packet.v6, &packet.body) {
        (false, Body::Message(8 | 13 | 15 | 17, ..)) | (true, Body::Message(128, ..)) => Kind::Begins,
        (false, Body::Message(0 | 14 | 16 | 18, ..)) | (true, Body::Message(129, ..)) => Kind::Reply,
        (_, Body::Message(..)) => Kind::Alone,
        _ => Kind::Begins,
    }
}

/// What both directions of a conversation have in common, as text.
fn key(packet: &Packet, is_sent: bool) -> String {
    let (own, other) = if is_sent { (packet.from, packet.to) } else { (packet.to, packet.from) };
    let family = packet.v6;
    match packet.body {
        Body::Tcp(source, destination, _) | Body::Ports(_, source, destination) => {
            let ports = if is_sent { (source, destination) } else { (destination, source) };
            format!("{family} {} {own} {other} {ports:?}", packet.protocol())
        }
        Body::Message(kind, _, id) => {
            let is_reply = kind_of(packet) == Kind::Reply;
            let request = match kind {
                0 => 8,
                129 => 128,
                kind if is_reply => kind - 1,
                kind => kind,
            };
            format!("{family} icmp {own} {other} {request} {id} own question: {}", is_sent != is_reply)
        }
        Body::Error(..) => unreachable!("an error has no conversation"),
        Body::Other(protocol) => format!("{family} {protocol} {own} {other}"),
    }
}

fn fragments(packet: &Packet, is_sent: bool, id: u16) -> String {
    format!("{} {} {} {is_sent} {id}", packet.v6, packet.from, packet.to)
}

/// Packets whose outcome no rule changes.
pub fn is_always(packet: &Packet, is_sent: bool) -> Option<Result<(), &'static str>> {
    if packet.fragment.is_some_and(|(_, offset, more)| offset > 0 || more) {
        return None;
    }
    match (packet.v6, &packet.body, is_sent) {
        (true, Body::Message(130 | 134 | 137, ..), true) => Some(Err("from_router")),
        (true, Body::Message(131 | 132 | 133 | 143, ..), true) => Some(Ok(())),
        (true, Body::Message(130 | 134, ..), false) => Some(Ok(())),
        (true, Body::Message(135 | 136, ..), _) => Some(Ok(())),
        (false, Body::Ports(17, 68, 67), true) | (true, Body::Ports(17, 546, 547), true) => Some(Ok(())),
        (false, Body::Ports(17, 67, 68), true) | (true, Body::Ports(17, 547, 546), true) => {
            Some(Err("from_dhcp_server"))
        }
        (false, Body::Ports(17, 67, 68), false) | (true, Body::Ports(17, 547, 546), false) => Some(Ok(())),
        _ => None,
    }
}

/// Whether a rule of a stateless, or of a stateful, group of the port allows a packet.
fn allow(scenario: &Scenario, port: &str, packet: &Packet, is_sent: bool, stateless: bool) -> bool {
    let groups = scenario.ports[port].groups.as_ref().expect("a port with groups");
    if groups.iter().any(|group| !scenario.groups.contains_key(group)) {
        return false;
    }
    let groups = groups.iter().filter(|group| scenario.stateless.contains(*group) == stateless);
    let mut rules = groups.flat_map(|group| &scenario.groups[group]);
    rules.any(|rule| matches(scenario, rule, packet, is_sent))
}

fn matches(scenario: &Scenario, rule: &Value, packet: &Packet, is_sent: bool) -> bool {
    let is_directed = rule["direction"] == if is_sent { "egress" } else { "ingress" };
    let is_family = rule["ethertype"] == if packet.v6 { "IPv6" } else { "IPv4" };
    let is_protocol = rule["protocol"].is_null() || rule["protocol"] == packet.protocol();
    let [min, max] = ["port_range_min", "port_range_max"].map(|field| rule[field].as_u64());
    let is_selected = match packet.body {
        Body::Tcp(_, port, _) | Body::Ports(_, _, port) => {
            min.is_none_or(|min| min <= port.into()) && max.is_none_or(|max| u64::from(port) <= max)
        }
        Body::Message(kind, code, _) | Body::Error(kind, code, _) => {
            min.is_none_or(|min| min == u64::from(kind)) && max.is_none_or(|max| max == u64::from(code))
        }
        Body::Other(_) => true,
    };
    let remote = if is_sent { packet.to } else { packet.from };
    let has_remote = match (rule["remote_ip_prefix"].as_str(), rule["remote_group_id"].as_str()) {
        (Some(prefix), _) => prefix_has(prefix, remote),
        (_, Some(group)) => scenario.ports.values().any(|port| {
            let is_member = port.groups.iter().flatten().any(|id| id == group);
            let address =
                if packet.v6 { format!("2001:db8::{remote:x}") } else { format!("10.0.0.{remote}") };
            let ips = port.security.iter().flat_map(|(ips, _)| ips);
            is_member && ips.into_iter().any(|ip| *ip == address)
        }),
        (None, None) => true,
    };
    is_directed && is_family && is_protocol && is_selected && has_remote
}

/// Whether one of the prefixes that tests use has a host.
fn prefix_has(prefix: &str, host: u8) -> bool {
    match prefix {
        "0.0.0.0/0" | "::/0" | "10.0.0.0/24" | "2001:db8::/64" => true,
        "10.0.0.0/30" | "2001:db8::/126" => host < 4,
        "10.0.0.2/32" | "2001:db8::2/128" => host == 2,
        _ => panic!("{prefix}"),
    }
}

enum Next {
    State(State),
    Ignore,
    Reopen,
    Invalid,
}

/// Linux's table: for the opener and for the other end, by kind of segment, then by state.
fn tcp(state: State, flags: u8, is_openers: bool) -> Next {
    const TABLE: [[&str; 5]; 2] = [
        [
            // NO SS SR ES FW CW LA TW CL S2
            "SS SS IG IG IG IG IG RE RE S2",
            "IV IV SR IV IV IV IV IV IV SR",
            "IV IV FW FW LA LA LA TW CL IV",
            "ES IV ES ES CW CW TW TW CL IV",
            "IV CL CL CL CL CL CL CL CL CL",
        ],
        [
            "IV S2 IV IV IV IV IV RE IV S2",
            "IV SR IG IG IG IG IG IG IG SR",
            "IV IV FW FW LA LA LA TW CL IV",
            "IV IG SR ES CW CW TW TW CL IG",
            "IV CL CL CL CL CL CL CL CL CL",
        ],
    ];
    let kind = match flags & (SYN | FIN | RST | ACK) {
        SYN => 0,
        flags if flags == SYN | ACK => 1,
        flags if flags == FIN | ACK => 2,
        ACK => 3,
        RST => 4,
        flags if flags == RST | ACK => 4,
        _ => return Next::Invalid,
    };
    let row = TABLE[usize::from(!is_openers)][kind];
    match row.split(' ').nth(state as usize).unwrap() {
        "SS" => Next::State(State::SynSent),
        "SR" => Next::State(State::SynRecv),
        "ES" => Next::State(State::Established),
        "FW" => Next::State(State::FinWait),
        "CW" => Next::State(State::CloseWait),
        "LA" => Next::State(State::LastAck),
        "TW" => Next::State(State::TimeWait),
        "CL" => Next::State(State::Close),
        "S2" => Next::State(State::SynSent2),
        "IG" => Next::Ignore,
        "RE" => Next::Reopen,
        _ => Next::Invalid,
    }
}

fn seconds(state: State, packet: &Packet) -> u64 {
    match (state, packet.protocol()) {
        (State::No, _) => 0,
        (State::SynSent | State::SynSent2 | State::FinWait | State::TimeWait, _) => 120,
        (State::SynRecv | State::CloseWait, _) => 60,
        (State::Established, _) => 5 * 24 * 3600,
        (State::LastAck, _) => 30,
        (State::Close, _) => 10,
        (State::Unanswered, 17 | 136 | 33 | 132 | 47 | 1 | 58) | (State::Answered, 1 | 58) => 30,
        (State::Answered, 17 | 136) => 120,
        (State::Answered, 33 | 132) => 210,
        (State::Answered, 47) => 180,
        (State::Unanswered | State::Answered, _) => 600,
    }
}
