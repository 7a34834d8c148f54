//! Packets that end with a difference, of two guests whose rules allow everything.

use testkit::security_groups::packet::{ACK, Body, FIN, Packet, RST, SYN, URG};

use super::difference::{Difference, Form};

/// An example of each difference that takes no change of rules.
pub fn examples() -> Vec<(Difference, Vec<(Packet, Form)>)> {
    use Difference::{
        AlwaysTracked, ChallengeAckIgnored, DccpWithoutPorts, FragmentedAlways, FragmentsHeldBack,
        FragmentsReordered, MessageInvalid, NodeInformationTracked, ReplyHasCode, ResetForgets,
        ResetKeepsClosed, SctpStates, ShortMessageInvalid, ShortQuoteRead, SimultaneousOpenTracked,
        UdpLengthInvalid, UrgentInvalid,
    };
    let (udp, dhcp) = (ports(17, 2000, 80), ports(17, 68, 67));
    vec![
        (FragmentedAlways, vec![(ports(17, 547, 546).v6(), Form::Ascending)]),
        (FragmentsHeldBack, vec![(udp.clone(), Form::Incomplete)]),
        (FragmentsReordered, vec![(udp.clone(), Form::Descending)]),
        (UdpLengthInvalid, vec![(udp.clone(), Form::Cut(8))]),
        (UrgentInvalid, tcp(&[(1, SYN), (2, RST | URG)])),
        (ChallengeAckIgnored, tcp(&[(1, ACK), (2, FIN | ACK), (1, FIN | ACK), (1, SYN), (2, ACK), (2, SYN)])),
        (SimultaneousOpenTracked, tcp(&[(1, SYN), (2, SYN), (2, SYN | ACK), (2, ACK), (1, SYN | ACK)])),
        (ResetForgets, tcp(&[(1, SYN), (2, RST | ACK), (2, FIN | ACK)])),
        (ResetKeepsClosed, tcp(&[(1, ACK), (2, ACK), (2, RST), (1, SYN), (1, ACK)])),
        (MessageInvalid, vec![(message(9, 0), Form::Whole)]),
        (ShortMessageInvalid, vec![(message(143, 0).v6(), Form::Cut(4))]),
        (NodeInformationTracked, vec![(message(140, 0).v6(), Form::Whole)]),
        (ReplyHasCode, vec![(message(8, 0), Form::Whole), (message(0, 1).reply(), Form::Whole)]),
        (ShortQuoteRead, vec![(udp.clone(), Form::Whole), (unreachable(&udp), Form::Quote(4))]),
        (AlwaysTracked, vec![(dhcp.clone(), Form::Whole), (unreachable(&dhcp), Form::Quote(8))]),
        (DccpWithoutPorts, vec![(ports(33, 2000, 80), Form::Cut(8))]),
        (SctpStates, vec![(ports(132, 2000, 80), Form::Whole)]),
    ]
}

fn ports(protocol: u8, source: u16, destination: u16) -> Packet {
    Packet::new(1, 2, Body::Ports(protocol, source, destination))
}

fn message(kind: u8, code: u8) -> Packet {
    Packet::new(1, 2, Body::Message(kind, code, 5))
}

fn unreachable(about: &Packet) -> Packet {
    Packet::new(2, 1, Body::Error(3, 1, Box::new(about.clone())))
}

/// Segments from guest 1 or 2.
fn tcp(segments: &[(u8, u8)]) -> Vec<(Packet, Form)> {
    let segment = |(from, flags): &(u8, u8)| {
        let packet = Packet::new(1, 2, Body::Tcp(2000, 80, *flags));
        (if *from == 1 { packet } else { packet.reply() }, Form::Whole)
    };
    segments.iter().map(segment).collect()
}
