//! The states of a TCP connection, as somebody between its ends sees them: those of Linux
//! (`nf_conntrack_proto_tcp.c`), without windows, and with connections that are found in the middle.

use crate::packet::datagram::TcpFlags;
use crate::types::Phase;

/// What a segment does to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It leads to this state.
    To(Phase),
    /// It passes, and changes nothing: the receiver decides.
    Ignore,
    /// It begins a new connection between the same ends.
    Reopen,
    /// No connection has such a segment now.
    Invalid,
}

/// The kind of a segment: the flag that matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
}

/// `None` for flags that no segment has: none at all, FIN without ACK, and SYN with FIN or RST.
fn kind_of(flags: TcpFlags) -> Option<Kind> {
    let (syn, fin, rst, ack) = (TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::ACK);
    match flags {
        _ if flags == syn => Some(Kind::Syn),
        _ if flags == syn | ack => Some(Kind::SynAck),
        _ if flags == rst || flags == rst | ack => Some(Kind::Rst),
        _ if flags == fin | ack => Some(Kind::Fin),
        _ if flags == ack => Some(Kind::Ack),
        _ => None,
    }
}

/// The state of a connection that this segment begins; `None` if none does.
pub(super) fn open(flags: TcpFlags) -> Option<Phase> {
    match kind_of(flags)? {
        Kind::Syn => Some(Phase::SynSent),
        // A connection that was open before the switch, or before its port came to this host.
        Kind::Ack => Some(Phase::Established),
        Kind::SynAck | Kind::Fin | Kind::Rst => None,
    }
}

/// What a segment of the opener, or of the other end, does.
#[expect(clippy::match_same_arms, reason = "in the order of the kinds of segments")]
pub(super) fn step(state: Phase, flags: TcpFlags, is_openers: bool) -> Step {
    use Phase::{
        Close, CloseWait, Established, FinWait, LastAck, SynReceived, SynSent, SynSentByBoth, TimeWait,
    };
    let Some(kind) = kind_of(flags) else { return Step::Invalid };
    match (kind, state, is_openers) {
        // A reset before the opener was answered can only be the answer's.
        (Kind::Rst, ..) => Step::To(Close),
        (Kind::Syn, SynSent | SynSentByBoth, true) => Step::To(state),
        (Kind::Syn, SynSent, false) => Step::To(SynSentByBoth),
        (Kind::Syn, SynSentByBoth, false) => Step::To(state),
        (Kind::Syn, TimeWait | Close, true) | (Kind::Syn, TimeWait, false) => Step::Reopen,
        // The other end answers what it does not expect (RFC 9293, 3.10.7.4).
        (Kind::Syn, _, true) => Step::Ignore,
        (Kind::Syn, _, false) => Step::Invalid,

        (Kind::SynAck, SynReceived | SynSentByBoth, true) => Step::To(SynReceived),
        (Kind::SynAck, _, true) => Step::Invalid,
        (Kind::SynAck, SynSent | SynSentByBoth, false) => Step::To(SynReceived),
        (Kind::SynAck, _, false) => Step::Ignore,

        (Kind::Fin, SynSent | SynSentByBoth, _) => Step::Invalid,
        (Kind::Fin, SynReceived | Established, _) => Step::To(FinWait),
        (Kind::Fin, FinWait | CloseWait | LastAck, _) => Step::To(LastAck),
        (Kind::Fin, TimeWait | Close, _) => Step::To(state),

        (Kind::Ack, SynSent | SynSentByBoth, true) => Step::Invalid,
        (Kind::Ack, SynSent | SynSentByBoth, false) => Step::Ignore,
        (Kind::Ack, SynReceived, true) => Step::To(Established),
        (Kind::Ack, SynReceived, false) => Step::To(SynReceived),
        (Kind::Ack, Established, _) => Step::To(Established),
        (Kind::Ack, FinWait | CloseWait, _) => Step::To(CloseWait),
        (Kind::Ack, LastAck | TimeWait, _) => Step::To(TimeWait),
        (Kind::Ack, Close, _) => Step::To(Close),
        // Of other protocols.
        (_, Phase::Unanswered | Phase::Answered | Phase::Fragments, _) => Step::Invalid,
    }
}
