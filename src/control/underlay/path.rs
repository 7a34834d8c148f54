//! The paths to one tunnel endpoint.

use std::net::IpAddr;

use crate::types::{IfIndex, MacAddr};

/// Groups of outer UDP source ports. All ports of a group take one path, so the frames of a flow, which have
/// one source port, stay in order.
pub const BUCKETS: usize = 16;

/// Everything of an outer header that depends on the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The link that frames leave by.
    pub link: IfIndex,
    /// The tunnel endpoint of this host. Peers accept frames from that address only.
    pub source: IpAddr,
    /// The gateway, or the tunnel endpoint itself if it is on the link. The gateway of an IPv4 endpoint may
    /// have an IPv6 address (RFC 8950).
    pub next_hop: IpAddr,
    /// The link's own address.
    pub source_mac: MacAddr,
    /// The address of the next hop.
    pub destination_mac: MacAddr,
    /// Bytes of the longest outer IP packet: the minimum of the link's MTU, the `mtu` of the route and the
    /// path MTU that the kernel has learned (RFC 1191, RFC 8201).
    pub mtu_bytes: u32,
}

/// One path, or several of equal cost, of which each bucket of source ports takes one. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    distinct: Vec<Path>,
    /// For each bucket an index of `distinct`.
    by_bucket: [u8; BUCKETS],
}

impl Paths {
    /// Assigns each bucket to the path whose number `choice` returns. `None` without paths.
    pub(super) fn new(distinct: Vec<Path>, choice: impl Fn(usize) -> usize) -> Option<Self> {
        let last = distinct.len().checked_sub(1)?;
        let by_bucket =
            std::array::from_fn(|bucket| u8::try_from(choice(bucket).min(last)).unwrap_or_default());
        Some(Self { distinct, by_bucket })
    }

    /// Each path once, in the order of the route's next hops.
    #[must_use]
    pub fn distinct(&self) -> &[Path] {
        &self.distinct
    }

    /// The bucket of a UDP source port.
    #[must_use]
    pub const fn bucket(source_port: u16) -> usize {
        source_port as usize % BUCKETS
    }

    /// The path of the source ports of `bucket`, which is taken modulo [`BUCKETS`].
    #[must_use]
    pub fn of_bucket(&self, bucket: usize) -> &Path {
        &self.distinct[usize::from(self.by_bucket[bucket % BUCKETS])]
    }
}
