//! The list of differences between the switch and Linux's connection tracking. `docs/behaviour.md` has the
//! same rows with the reasons.

use testkit::security_groups::model::is_always;
use testkit::security_groups::packet::{ACK, Body, FIN, Packet, RST, SYN, URG};

/// In what form a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    /// An error that quotes so many bytes behind the IP header.
    Quote(usize),
    /// Only so many bytes behind the IP header, of which that has the length.
    Cut(usize),
    /// In fragments.
    Ascending,
    Descending,
    /// In ascending order, without the last one.
    Incomplete,
}

impl Form {
    pub const fn is_fragments(self) -> bool {
        matches!(self, Self::Ascending | Self::Descending | Self::Incomplete)
    }
}

/// A packet that was sent, and whether the rules of each guest in the switch allowed it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub packet: Packet,
    pub form: Form,
    pub allowed: [bool; 2],
}

/// A packet of which more frames passed in one of both.
#[derive(Debug)]
pub struct Disagreement<'a> {
    pub sent: &'a Sent,
    /// What was sent before it, from the first packet on.
    pub past: &'a [Sent],
    /// Frames of it that passed.
    pub switch: usize,
    pub bridges: usize,
}

impl Disagreement<'_> {
    /// Whether earlier segments of the same TCP connection are as `are` tests, as one of the guests' rules saw
    /// them: with those that they allowed.
    fn has_segments(&self, are: fn(&[Segment]) -> bool) -> bool {
        let conversation = conversation_of(&self.sent.packet);
        [0, 1].into_iter().any(|guest: usize| {
            let past = self.past.iter().filter(|sent| sent.allowed[guest]);
            let past = past.filter(|sent| conversation_of(&sent.packet) == conversation);
            let segments = past.filter_map(|Sent { packet, .. }| {
                let Body::Tcp(_, _, flags) = packet.body else { return None };
                Some((packet.from, flags & !(URG | OTHER_FLAGS)))
            });
            are(&segments.collect::<Vec<_>>())
        })
    }
}

/// Sender and flags of a TCP segment.
type Segment = (u8, u8);

/// A deviation of Linux from the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    FragmentedAlways,
    FragmentsHeldBack,
    FragmentsReordered,
    UdpLengthInvalid,
    UrgentInvalid,
    ChallengeAckIgnored,
    SimultaneousOpenTracked,
    ResetForgets,
    ResetKeepsClosed,
    MessageInvalid,
    ShortMessageInvalid,
    NodeInformationTracked,
    ReplyHasCode,
    ShortQuoteRead,
    AlwaysTracked,
    DccpWithoutPorts,
    SctpStates,
    RemovedRuleHolds,
}

impl Difference {
    pub const ALL: [Self; 18] = [
        Self::FragmentedAlways,
        Self::FragmentsHeldBack,
        Self::FragmentsReordered,
        Self::UdpLengthInvalid,
        Self::UrgentInvalid,
        Self::ChallengeAckIgnored,
        Self::SimultaneousOpenTracked,
        Self::ResetForgets,
        Self::ResetKeepsClosed,
        Self::MessageInvalid,
        Self::ShortMessageInvalid,
        Self::NodeInformationTracked,
        Self::ReplyHasCode,
        Self::ShortQuoteRead,
        Self::AlwaysTracked,
        Self::DccpWithoutPorts,
        Self::SctpStates,
        Self::RemovedRuleHolds,
    ];

    /// The first one that explains a disagreement.
    pub fn of(disagreement: &Disagreement<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|difference| difference.explains(disagreement))
    }

    fn explains(self, case: &Disagreement<'_>) -> bool {
        let Sent { packet, form, .. } = case.sent;
        let is_more = case.switch > case.bridges;
        match self {
            Self::FragmentedAlways => form.is_fragments() && is_decided_before_rules(packet),
            Self::FragmentsHeldBack => *form == Form::Incomplete && case.bridges == 0,
            // The first one comes last and passes.
            Self::FragmentsReordered => *form == Form::Descending && case.switch == 1 && !is_more,
            Self::UdpLengthInvalid => {
                is_more && UDP.contains(&packet.protocol()) && matches!(form, Form::Cut(8..))
            }
            Self::UrgentInvalid => {
                let Body::Tcp(_, _, flags) = packet.body else { return false };
                is_more
                    && flags & URG != 0
                    && [SYN | ACK, RST, RST | ACK].contains(&(flags & !(URG | OTHER_FLAGS)))
            }
            Self::ChallengeAckIgnored => case.has_segments(is_challenged),
            Self::SimultaneousOpenTracked => case.has_segments(is_simultaneous),
            Self::ResetForgets => case.has_segments(is_forgotten),
            Self::ResetKeepsClosed => case.has_segments(is_kept_closed),
            Self::MessageInvalid => {
                let is_alone = |kind| !matches!(kind, 0 | 8 | 13..=18);
                is_more && !packet.v6 && matches!(packet.body, Body::Message(kind, ..) if is_alone(kind))
            }
            Self::ShortMessageInvalid => {
                is_more && matches!((&packet.body, form), (Body::Message(..), Form::Cut(4..8)))
            }
            Self::NodeInformationTracked => {
                packet.v6 && matches!(subject(packet).body, Body::Message(139 | 140, ..))
            }
            Self::ReplyHasCode => {
                let Body::Message(0 | 14 | 129, code, id) = packet.body else { return false };
                let mut past = case.past.iter().map(|sent| &sent.packet);
                let has_other_code =
                    |other: &Body| matches!(other, Body::Message(_, c, i) if *i == id && *c != code);
                is_more && past.any(|other| other.v6 == packet.v6 && has_other_code(&other.body))
            }
            Self::ShortQuoteRead => matches!(form, Form::Quote(4..8)) && !is_more,
            Self::AlwaysTracked => {
                matches!(&packet.body, Body::Error(_, _, about) if is_decided_before_rules(about)) && !is_more
            }
            Self::DccpWithoutPorts => {
                let subject = subject(packet);
                let is_earlier = |sent: &Sent| sent.packet.protocol() == DCCP && sent.packet.v6 == packet.v6;
                let is_connected = case.past.iter().any(is_earlier);
                !is_more && subject.protocol() == DCCP && (is_connected || matches!(form, Form::Cut(..12)))
            }
            Self::SctpStates => is_more && subject(packet).protocol() == SCTP,
            // It takes a change of rules.
            Self::RemovedRuleHolds => false,
        }
    }
}

/// UDP and UDP-Lite.
const UDP: [u8; 2] = [17, 136];
const DCCP: u8 = 33;
const SCTP: u8 = 132;

/// PSH and those of ECN, which neither of both looks at.
const OTHER_FLAGS: u8 = 0xc8;

/// Whether no rule decides on the packet as a whole.
pub fn is_decided_before_rules(packet: &Packet) -> bool {
    let whole = Packet { fragment: None, ..packet.clone() };
    [true, false].into_iter().any(|is_sent| is_always(&whole, is_sent).is_some())
}

/// The packet itself, or the one that an error is about.
fn subject(packet: &Packet) -> &Packet {
    if let Body::Error(_, _, about) = &packet.body { about } else { packet }
}

/// What all packets of a conversation have in common; each message without a reply is one of its own.
pub fn conversation_of(packet: &Packet) -> String {
    let (v6, protocol) = (packet.v6, packet.protocol());
    match &packet.body {
        Body::Tcp(source, destination, _) | Body::Ports(_, source, destination) => {
            let mut ends = [(packet.from, source), (packet.to, destination)];
            ends.sort_unstable();
            format!("{v6} {protocol} {ends:?}")
        }
        Body::Message(0 | 8 | 13..=18 | 128 | 129 | 139 | 140, _, id) => format!("{v6} query {id}"),
        body @ Body::Message(..) => format!("{v6} {body:?}"),
        Body::Error(_, _, about) => conversation_of(about),
        Body::Other(_) => format!("{v6} {protocol}"),
    }
}

/// Whether a SYN after two FINs was answered by an ACK, to which Linux gives no meaning (RFC 5961, 4.2).
fn is_challenged(segments: &[Segment]) -> bool {
    let mut fins = 0;
    segments.windows(2).any(|pair| {
        let [(opener, flags), (other, next)] = *pair else { return false };
        fins += u32::from(flags == FIN | ACK);
        fins >= 2 && flags == SYN && other != opener && next == ACK
    })
}

/// Whether a SYN of each end was followed by an ACK of the end that sent its SYN later.
fn is_simultaneous(segments: &[Segment]) -> bool {
    let mut syns = segments.iter().enumerate().filter(|(_, (_, flags))| *flags == SYN);
    let mut opener = None;
    syns.any(|(at, (end, _))| {
        let is_later = opener.replace(*end).is_some_and(|opener| opener != *end);
        is_later && segments[at..].contains(&(*end, ACK))
    })
}

/// Whether a reset followed segments of one end only, since the beginning or since that end's last SYN.
fn is_forgotten(segments: &[Segment]) -> bool {
    (0..segments.len()).filter(|at| segments[*at].1 & RST != 0).any(|at| {
        let before = &segments[..at];
        let begin = before.iter().rposition(|(_, flags)| *flags == SYN).unwrap_or(0);
        before[begin..].iter().all(|(from, _)| *from == before[begin].0)
    })
}

/// Whether a SYN followed a reset, with other segments between them, or from the other end.
fn is_kept_closed(segments: &[Segment]) -> bool {
    let mut is_reset = false;
    segments.windows(2).any(|pair| {
        let [(end, flags), (opener, next)] = *pair else { return false };
        is_reset |= flags & RST != 0;
        is_reset && next == SYN && (flags & RST == 0 || end != opener)
    })
}
