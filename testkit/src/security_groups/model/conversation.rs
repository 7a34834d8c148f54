//! What packets of one conversation have in common, and the states of one.

use crate::security_groups::packet::{ACK, Body, FIN, Packet, RST, SYN};

/// States in the order of Linux's table of TCP; the last two are those of other protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
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

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Begins,
    Reply,
    Alone,
}

pub(super) fn kind_of(packet: &Packet) -> Kind {
    match (packet.v6, &packet.body) {
        (false, Body::Message(8 | 13 | 15 | 17, ..)) | (true, Body::Message(128, ..)) => Kind::Begins,
        (false, Body::Message(0 | 14 | 16 | 18, ..)) | (true, Body::Message(129, ..)) => Kind::Reply,
        (_, Body::Message(..)) => Kind::Alone,
        _ => Kind::Begins,
    }
}

/// What both directions of a conversation have in common, as text.
pub(super) fn key(packet: &Packet, is_sent: bool) -> String {
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

pub(super) fn fragments(packet: &Packet, is_sent: bool, id: u16) -> String {
    format!("{} {} {} {is_sent} {id}", packet.v6, packet.from, packet.to)
}

pub(super) enum Next {
    State(State),
    Ignore,
    Reopen,
    Invalid,
}

/// Linux's table: for the opener and for the other end, by kind of segment, then by state.
pub(super) fn tcp(state: State, flags: u8, is_openers: bool) -> Next {
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

pub(super) fn seconds(state: State, packet: &Packet) -> u64 {
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
