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
    /// No port of the network has its destination address.
    DestinationUnknown => "destination_unknown",
    /// It is addressed to the port it came from.
    DestinationIsSource => "destination_is_source",
    /// A broadcast or multicast in a network without another port that is up.
    DestinationNobody => "destination_nobody",
    /// There was no free frame for this copy of a broadcast or multicast.
    DispatchNoFrame => "dispatch_no_frame",
    /// There was no room in front of it for the tag.
    DispatchNoHeadroom => "dispatch_no_headroom",
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
