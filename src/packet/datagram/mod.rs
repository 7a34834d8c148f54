//! An IP packet as security groups see it: its conversation, what it is in that, and what rules compare.

mod address;
mod icmp;
mod ip;
mod upper;

use bytemuck::{NoUninit, Zeroable};

use super::ip::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use super::payload::Payload;
use crate::types::Family;
pub use address::Address;

/// An IP packet. Nothing in it was compared with anything else: addresses and ports are the sender's claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// The conversation that it belongs to.
    pub talk: Talk,
    /// What it is in its conversation.
    pub part: Part,
    /// What the ports of a rule are compared with: the destination port, or type and code of an ICMP message
    /// in its high and low byte; 0 for other protocols.
    pub selector: u16,
    /// The identification of the packet, of which this is a fragment.
    pub fragment: Option<u32>,
}

/// The two ends of a conversation, from the sender's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talk {
    /// The version of IP.
    pub family: Family,
    /// The protocol behind all extension headers.
    pub protocol: u8,
    /// The sender.
    pub source: End,
    /// The receiver.
    pub destination: End,
    /// Who of the two asks: of ICMP requests and their replies.
    pub asker: Asker,
}

/// An end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// The address.
    pub address: Address,
    /// The port, host byte order; of an ICMP request the identifier at the asker and the type at the other
    /// end; 0 for other protocols.
    pub port: u16,
}

/// The end of a conversation that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Zeroable, NoUninit)]
#[repr(u8)]
pub enum Asker {
    /// The protocol knows no questions, or every packet is one.
    Either = 0,
    /// The sender of this packet.
    Source,
    /// The receiver of this packet.
    Destination,
}

/// What a packet is in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A TCP segment.
    Tcp(TcpFlags),
    /// Any other packet that may begin a conversation.
    Data,
    /// A reply, which never begins one.
    Reply,
    /// An ICMP message that is part of no conversation.
    Message,
    /// An ICMP error about another packet: see [`Datagram::quoted`].
    Error,
    /// A fragment other than the first, which has the ports.
    LaterFragment,
}

bitflags::bitflags! {
    /// The flags of a TCP segment that matter to its connection (RFC 9293, 3.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TcpFlags: u8 {
        /// The sender has sent everything.
        const FIN = 1;
        /// The sender begins.
        const SYN = 2;
        /// The sender gives up.
        const RST = 4;
        /// The segment acknowledges.
        const ACK = 16;
    }
}

/// A packet that contradicts its own headers, or whose headers are cut, too many, or not in the first chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// What a frame has: an IP packet, or none, or one that is dropped.
pub type Parsed = Result<Option<Datagram>, Unreadable>;

impl Datagram {
    /// Parses a frame of `frame_len` bytes whose first chunk is `first`. `None` for a frame without an IP
    /// packet.
    ///
    /// # Errors
    /// [`Unreadable`]
    #[inline]
    pub fn of(first: &[u8], frame_len: usize) -> Parsed {
        let Payload::Packet { ethertype, start } = Payload::of(first).ok_or(Unreadable)? else {
            return Ok(None);
        };
        let bytes = first.get(start..).ok_or(Unreadable)?;
        let len = frame_len.saturating_sub(start);
        match ethertype {
            ETHERTYPE_IPV4 => ip::ipv4(bytes, len).map(Some),
            ETHERTYPE_IPV6 => ip::ipv6(bytes, len).map(Some),
            _ => Ok(None),
        }
    }

    /// The conversation that an ICMP error in a frame is about, from the point of view of the sender of the
    /// packet that it quotes.
    ///
    /// # Errors
    /// [`Unreadable`]: also if it quotes too little, or an error.
    pub fn quoted(first: &[u8]) -> Result<Talk, Unreadable> {
        match Payload::of(first) {
            Some(Payload::Packet { ethertype: ETHERTYPE_IPV4, start }) => {
                ip::quoted_by_ipv4(first.get(start..).ok_or(Unreadable)?)
            }
            Some(Payload::Packet { ethertype: ETHERTYPE_IPV6, start }) => {
                ip::quoted_by_ipv6(first.get(start..).ok_or(Unreadable)?)
            }
            _ => Err(Unreadable),
        }
    }
}

impl Talk {
    /// The same conversation from the receiver's point of view.
    #[must_use]
    pub const fn reversed(self) -> Self {
        let asker = match self.asker {
            Asker::Either => Asker::Either,
            Asker::Source => Asker::Destination,
            Asker::Destination => Asker::Source,
        };
        Self { source: self.destination, destination: self.source, asker, ..self }
    }
}
