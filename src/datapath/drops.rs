//! Why a frame ended here.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident => $name:literal,)+) => {
        /// Why a frame ended in the switch: the step and the cause. Every lost frame has exactly one, counted per
        /// port.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl DropReason {
            /// All of them, in the order of the route.
            pub const ALL: &[Self] = &[$(Self::$reason,)+];

            /// The name that counters and traces show.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// It came from a link that is no longer a port's.
    ClassifyNoPort => "classify_no_port",
    /// It ends inside its Ethernet header or its outermost tag.
    ClassifyTruncated => "classify_truncated",
    /// The port it came from is down.
    ClassifyPortDown => "classify_port_down",
    /// Its tag belongs to a segmentation whose subport cannot be used.
    ClassifySubportUnusable => "classify_subport_unusable",
    /// Its tag is no segmentation's, and the port takes no such frames (`unknown_tags = drop`).
    ClassifyUnknownTag => "classify_unknown_tag",
    /// Its port may not send from this MAC address, or not announce it.
    AntispoofSourceMac => "antispoof_source_mac",
    /// Its port may not send from this IP address with this MAC address, or not announce it.
    AntispoofSourceIp => "antispoof_source_ip",
    /// It cannot be told which addresses it says it is from.
    AntispoofUnreadable => "antispoof_unreadable",
    /// Its source address is a group address or zero, which no station has (IEEE Std 802-2014, 8.2).
    DestinationSourceInvalid => "destination_source_invalid",
    /// Its destination address is one that bridges do not forward (`reserved_multicast = drop`).
    DestinationReserved => "destination_reserved",
    /// No port of the network has its destination address.
    DestinationUnknown => "destination_unknown",
    /// It is addressed to the port it came from.
    DestinationIsSource => "destination_is_source",
    /// A broadcast or multicast in a network without another port that is up.
    DestinationNobody => "destination_nobody",
    /// A checksum of it may be partial and cannot be completed: its innermost header is behind the first chunk of a long
    /// frame, or behind more IP headers than are looked through.
    ChecksumOutOfReach => "checksum_out_of_reach",
    /// Its guest has lately caused more frames beyond those it sent than `flood_rate` allows.
    FloodRate => "flood_rate",
    /// There was no free frame for this copy of a broadcast or multicast.
    DispatchNoFrame => "dispatch_no_frame",
    /// It carries a tag that means a subport to this receiver, whose port it is not from; or one that the receiver takes
    /// none of.
    DispatchTagRefused => "dispatch_tag_refused",
    /// Its headers are so long that it would leave in more segments than any honest sender causes.
    DispatchTooManySegments => "dispatch_too_many_segments",
    /// Its receiver left the network or went down while the frame waited for the worker of the receiver's link.
    DispatchNetworkLeft => "dispatch_network_left",
    /// There was no room in front of it for the tag.
    DispatchNoHeadroom => "dispatch_no_headroom",
    /// With its tags it is longer than the receiver's link takes.
    DispatchTooLong => "dispatch_too_long",
    /// The queue to the worker that owns the link was full.
    TransmitHandoverFull => "transmit_handover_full",
    /// The link went away before it was sent.
    TransmitNoSocket => "transmit_no_socket",
    /// The link's TX ring was full: its receiver, or its CPU, is too slow.
    TransmitRingFull => "transmit_ring_full",
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
