//! Reasons of drops: one enum per step, so that a step cannot use the reason of another one.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[$about:meta])+ $step:ident $prefix:literal {
        $($(#[$cause:meta])+ $reason:ident $name:literal,)+
    })+) => {
        $(
            $(#[$about])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[repr(u8)]
            pub enum $step {
                $($(#[$cause])+ $reason,)+
            }

            impl $step {
                const COUNT: usize = [$(Self::$reason,)+].len();
            }

            impl From<$step> for DropReason {
                #[inline]
                fn from(reason: $step) -> Self {
                    Self::$step(reason)
                }
            }
        )+

        /// The step that dropped a frame, and its reason. A dropped frame has exactly one, counted at one
        /// port.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $($(#[$about])+ $step($step),)+
        }

        impl DropReason {
            /// All reasons, in the order of the steps.
            pub const ALL: &[Self] = &[$($(Self::$step($step::$reason),)+)+];

            /// The name in counters and traces: the step, then the cause.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$step($step::$reason) => concat!($prefix, "_", $name),)+)+
                }
            }

            /// Its place in [`Self::ALL`].
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                let mut before = 0;
                $(
                    if let Self::$step(reason) = self {
                        return before + reason as usize;
                    }
                    before += $step::COUNT;
                )+
                before
            }
        }
    };
}

drop_reasons! {
    /// Dropped before its source port was determined, or for the port's state or tags.
    Classify "classify" {
        /// Its link no longer belongs to a port.
        NoPort "no_port",
        /// It is shorter than its Ethernet header with its outermost tag.
        Truncated "truncated",
        /// Its source port is down.
        PortDown "port_down",
        /// Its tag belongs to a segmentation whose subport cannot be used.
        SubportUnusable "subport_unusable",
        /// No segmentation has its tag, and the port does not accept such frames (`unknown_tags = drop`).
        UnknownTag "unknown_tag",
    }
    /// Dropped as a tunnel packet of another host, or for its inner source address.
    Decapsulate "decapsulate" {
        /// It is shorter than its headers say.
        Truncated "truncated",
        /// The checksum of its outer IPv4 header is wrong.
        Checksum "checksum",
        /// Its tunnel header has a version or a flag that is unknown, or it carries no Ethernet frame.
        Header "header",
        /// It has a Geneve option that a receiver must understand (RFC 8926, 3.5), or is a control message.
        CriticalOption "critical_option",
        /// Its source address is the endpoint of no chassis.
        UnknownPeer "unknown_peer",
        /// No network with a port here has its VNI or key.
        UnknownNetwork "unknown_network",
        /// It came from another host or from the wire with the source address of a port on this host: a port
        /// that has just moved here, a loop, or a spoofed frame.
        SourceIsLocal "source_is_local",
    }
    /// Dropped by port security.
    Antispoof "antispoof" {
        /// Its source port may not use, or not announce, this MAC address.
        SourceMac "source_mac",
        /// Its source port may not use, or not announce, this IP address with this MAC address.
        SourceIp "source_ip",
        /// The addresses that it uses or announces cannot be parsed.
        Unreadable "unreadable",
    }
    /// Dropped because the security groups of its source port do not let it out.
    Permit "permit" {
        /// No rule allows it, and it belongs to no connection that one allowed.
        NoRule "no_rule",
        /// It belongs to no connection and cannot begin one, or its headers cannot be parsed.
        Invalid "invalid",
        /// It is a later fragment of a packet whose first fragment was not allowed, or has not come yet.
        Fragment "fragment",
        /// Only routers send it: a router advertisement, a redirect, a query for listeners of multicasts.
        FromRouter "from_router",
        /// Only DHCP servers send it.
        FromDhcpServer "from_dhcp_server",
        /// Its port has as many connections as it may have (`quota_connections`).
        QuotaFull "quota_full",
        /// The worker has no room for another connection.
        TableFull "table_full",
    }
    /// Dropped for its destination address, or for an invalid source address.
    Locate "locate" {
        /// Its source address is a group address or zero, which no station has (IEEE Std 802-2014, 8.2).
        SourceInvalid "source_invalid",
        /// Bridges do not forward its destination address (`reserved_multicast = drop`).
        Reserved "reserved",
        /// No port of the network has its destination address.
        Unknown "unknown",
        /// Its destination is its source port.
        IsSource "is_source",
    }
    /// Dropped for a partial checksum that cannot be completed.
    Checksum "checksum" {
        /// Its innermost header is behind the first chunk of a long frame, or behind more IP headers than are
        /// parsed.
        OutOfReach "out_of_reach",
    }
    /// Dropped while it was flooded: a broadcast or multicast, or one copy of it.
    Flood "flood" {
        /// No other port of the network is up.
        NoReceiver "no_receiver",
        /// The guest has recently caused more copies than `flood_rate` allows.
        Rate "rate",
        /// No chunk was free for this copy.
        NoChunk "no_chunk",
    }
    /// Dropped because the host of its receiver cannot be reached.
    Tunnel "tunnel" {
        /// It came from another host: only the sender's host sends to others.
        SplitHorizon "split_horizon",
        /// Its network has no tunnel, as it is of another type or its segment belongs to another network.
        NoTunnel "no_tunnel",
        /// The chassis record of the host does not list the network's type.
        TypeUnsupported "type_unsupported",
        /// The endpoint of the host is not usable: the problems say why.
        BadEndpoint "bad_endpoint",
        /// The kernel has no route to the endpoint of the host.
        NoRoute "no_route",
        /// The next hop to the host does not answer to ARP or neighbour discovery.
        NoNeighbour "no_neighbour",
    }
    /// Dropped because its receiver must not receive it.
    Admit "admit" {
        /// Its tag belongs to a subport of the receiver, which is not its source port; or the receiver does
        /// not accept unknown tags.
        TagRefused "tag_refused",
        /// The receiver left the network or went down while the frame waited for the worker of the receiver's
        /// link.
        NetworkLeft "network_left",
        /// No rule of the receiver's security groups allows it, and it belongs to no connection that one
        /// allowed.
        NoRule "no_rule",
        /// It belongs to no connection and cannot begin one, or its headers cannot be parsed.
        Invalid "invalid",
        /// It is a later fragment of a packet whose first fragment was not allowed, or has not come yet.
        Fragment "fragment",
        /// The receiver has as many connections as it may have (`quota_connections`).
        QuotaFull "quota_full",
        /// The worker has no room for another connection.
        TableFull "table_full",
    }
    /// Dropped because it does not fit the receiver's link, whole or in segments.
    Fit "fit" {
        /// With its tags it is longer than the receiver's link accepts.
        TooLong "too_long",
        /// Its headers are so long that it would be cut into more segments than a regular packet of its
        /// length.
        TooManySegments "too_many_segments",
        /// Its guest has recently caused more surplus segments and copies than `flood_rate` allows.
        SegmentRate "segment_rate",
        /// No chunk was free for this segment.
        NoChunk "no_chunk",
    }
    /// Dropped while its outer headers were added.
    Wrap "wrap" {
        /// The chunk has no room before the frame for the tag or the outer headers.
        NoHeadroom "no_headroom",
    }
    /// Dropped between the datapath and the link.
    Transmit "transmit" {
        /// The queue to the worker that owns the link was full.
        HandoverFull "handover_full",
        /// The link's socket was closed before the frame was sent.
        NoSocket "no_socket",
        /// The link's TX ring was full: its receiver, or its CPU, is too slow.
        RingFull "ring_full",
    }
}

impl DropReason {
    /// The number of reasons.
    pub const COUNT: usize = Self::ALL.len();
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_place_and_a_name_of_its_own() {
        let places: Vec<_> = DropReason::ALL.iter().map(|reason| reason.index()).collect();
        assert_eq!(places, (0..DropReason::COUNT).collect::<Vec<_>>());
        let names: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::COUNT);
    }
}
