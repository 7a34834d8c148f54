//! How long connections are remembered, and how many.

use serde::Deserialize;

use crate::types::{Phase, protocol};

/// What holds for the connections of all ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// Most connections of one port.
    pub quota: u32,
    /// The time until a connection without packets is forgotten.
    pub timeouts: Timeouts,
}

/// Seconds by phase and protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are those of Linux, for the phases of a connection")]
pub struct Timeouts {
    pub tcp_syn_sent: u32,
    pub tcp_syn_recv: u32,
    pub tcp_established: u32,
    pub tcp_fin_wait: u32,
    pub tcp_close_wait: u32,
    pub tcp_last_ack: u32,
    pub tcp_time_wait: u32,
    pub tcp_close: u32,
    pub udp: u32,
    pub udp_stream: u32,
    pub icmp: u32,
    pub sctp: u32,
    pub sctp_established: u32,
    pub gre: u32,
    pub gre_stream: u32,
    pub generic: u32,
    pub fragments: u32,
}

impl Default for Timeouts {
    /// Those of Linux (`net.netfilter.nf_conntrack_*_timeout*`); of fragments, those of `net.ipv4.ipfrag_time`.
    fn default() -> Self {
        Self {
            tcp_syn_sent: 120,
            tcp_syn_recv: 60,
            tcp_established: 432_000,
            tcp_fin_wait: 120,
            tcp_close_wait: 60,
            tcp_last_ack: 30,
            tcp_time_wait: 120,
            tcp_close: 10,
            udp: 30,
            udp_stream: 120,
            icmp: 30,
            sctp: 30,
            sctp_established: 210,
            gre: 30,
            gre_stream: 180,
            generic: 600,
            fragments: 30,
        }
    }
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        Self { quota: 131_072, timeouts: Timeouts::default() }
    }
}

impl Timeouts {
    /// The time for a connection of this IP protocol.
    #[inline]
    #[must_use]
    pub const fn seconds(&self, phase: Phase, protocol: u8) -> u32 {
        match phase {
            Phase::SynSent | Phase::SynSentByBoth => self.tcp_syn_sent,
            Phase::SynReceived => self.tcp_syn_recv,
            Phase::Established => self.tcp_established,
            Phase::FinWait => self.tcp_fin_wait,
            Phase::CloseWait => self.tcp_close_wait,
            Phase::LastAck => self.tcp_last_ack,
            Phase::TimeWait => self.tcp_time_wait,
            Phase::Close => self.tcp_close,
            Phase::Fragments => self.fragments,
            Phase::Unanswered => match protocol {
                protocol::UDP | protocol::UDP_LITE => self.udp,
                protocol::ICMP | protocol::ICMPV6 => self.icmp,
                protocol::GRE => self.gre,
                protocol::DCCP | protocol::SCTP => self.sctp,
                _ => self.generic,
            },
            Phase::Answered => match protocol {
                protocol::UDP | protocol::UDP_LITE => self.udp_stream,
                protocol::ICMP | protocol::ICMPV6 => self.icmp,
                protocol::GRE => self.gre_stream,
                protocol::DCCP | protocol::SCTP => self.sctp_established,
                _ => self.generic,
            },
        }
    }
}
