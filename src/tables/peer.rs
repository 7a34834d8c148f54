//! Other hosts: their tunnel endpoints, and the paths to them.

use std::iter;
use std::net::IpAddr;
use std::num::NonZeroU32;

use super::{LinkSlot, PortCounters};
use crate::packet::tunnel::{Flow, OuterHeader};
use crate::types::drop_reason::Tunnel as TunnelDrop;
use crate::types::{MacAddr, TunnelType};

/// Another host with a tunnel endpoint.
#[derive(Debug)]
pub struct Peer {
    /// Tells it from a later one in its place.
    pub number: NonZeroU32,
    /// Address of the endpoint.
    pub address: IpAddr,
    /// The paths to it; or why there is none.
    pub paths: Result<Paths, TunnelDrop>,
    /// Counters by worker, shared with later tables.
    pub counters: PortCounters,
}

/// The paths to a host by flow: one, or several of equal cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    first: Path,
    others: Box<[Path]>,
}

/// The way of packets to a host by one next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The uplink that packets leave by.
    pub link: LinkSlot,
    /// Bytes of the longest packet of the underlay.
    pub mtu: usize,
    /// Address of the next hop, for views.
    pub next_hop_mac: MacAddr,
    /// The outer headers by tunnel type; `None` for a type that the host cannot receive.
    headers: [Option<OuterHeader>; TunnelType::ALL.len()],
}

impl Paths {
    /// The paths by bucket of flows; `None` without any.
    pub(super) fn new(paths: impl IntoIterator<Item = Path>) -> Option<Self> {
        let mut paths = paths.into_iter();
        Some(Self { first: paths.next()?, others: paths.collect() })
    }

    /// The path of a flow, by its source port.
    #[inline]
    #[must_use]
    pub fn of(&self, flow: Flow) -> &Path {
        if self.others.is_empty() {
            return &self.first;
        }
        let bucket = usize::from(flow.source_port()) % (1 + self.others.len());
        bucket.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    /// All paths, by bucket.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        iter::once(&self.first).chain(&self.others)
    }
}

impl Path {
    pub(super) fn new(
        link: LinkSlot,
        mtu: usize,
        next_hop_mac: MacAddr,
        header: impl Fn(TunnelType) -> Option<OuterHeader>,
    ) -> Self {
        Self { link, mtu, next_hop_mac, headers: TunnelType::ALL.map(header) }
    }

    /// The outer headers of packets of this type.
    #[inline]
    #[must_use]
    pub fn header(&self, kind: TunnelType) -> Option<&OuterHeader> {
        self.headers.get(kind as usize)?.as_ref()
    }
}
