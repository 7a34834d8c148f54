//! How far a connection has come.

use std::fmt;

use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

/// The phase of a connection, as somebody between its ends sees it. Those of TCP are between two ends that
/// acknowledge each other's segments (RFC 9293, 3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Zeroable, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// Packets of the opener only.
    Unanswered = 0,
    /// Packets of both ends.
    Answered,
    /// No connection: the fragments of a packet whose first one was allowed.
    Fragments,
    /// TCP: SYN of the opener.
    SynSent,
    /// TCP: SYN of both, a simultaneous open.
    SynSentByBoth,
    /// TCP: SYN, and SYN with ACK.
    SynReceived,
    /// TCP: both have acknowledged, or it was found in the middle.
    Established,
    /// TCP: FIN of one end.
    FinWait,
    /// TCP: FIN of one end, acknowledged.
    CloseWait,
    /// TCP: FIN of both.
    LastAck,
    /// TCP: FIN of both, the last acknowledged.
    TimeWait,
    /// TCP: RST.
    Close,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unanswered => "unanswered",
            Self::Answered => "answered",
            Self::Fragments => "fragments",
            Self::SynSent | Self::SynSentByBoth => "SYN sent",
            Self::SynReceived => "SYN received",
            Self::Established => "established",
            Self::FinWait => "FIN wait",
            Self::CloseWait => "close wait",
            Self::LastAck => "last ACK",
            Self::TimeWait => "time wait",
            Self::Close => "closed",
        })
    }
}
