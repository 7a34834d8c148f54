//! What a guest sends by mistake, recorded for the operator. Rare, so it may take its time.

use super::{DropReason, Outlet, Source, Step};
use crate::packet::Header;
use crate::tables::{PortSlot, Tables, WorkerCounters};
use crate::types::MacAddr;
use crate::xsk::Frame;

/// Records the outermost tag of a frame of `port`, if there is one, which no segmentation of the port has. A priority tag
/// names no VLAN.
#[cold]
pub(super) fn unknown_tag(frame: &Frame, port: PortSlot, tables: &Tables, outlet: &mut impl Outlet) {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    let Some(tag) = tag.filter(|tag| !tag.is_priority_tag()) else { return };
    let counters = tables.counters(port).of(outlet.worker());
    if let Some(seen) = counters.and_then(WorkerCounters::unknown_tags) {
        seen.count(tag.id(), outlet.now());
    }
    outlet.observe(Step::UnknownTag(port, tag.id()));
}

/// Records a MAC address that the port may not send from. Returns the reason to drop the frame.
#[cold]
pub(super) fn refused_mac(
    mac: MacAddr,
    source: &Source,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> DropReason {
    let counters = tables.counters(source.port).of(outlet.worker());
    if let Some(seen) = counters.and_then(WorkerCounters::refused_macs) {
        seen.count(mac, outlet.now());
    }
    outlet.observe(Step::RefusedMac(source.port, mac));
    DropReason::AntispoofSourceMac
}
