//! What a guest sends by mistake, recorded for the operator. Rare, so it may take its time.

use super::{DropReason, Outlet, Source, Step};
use crate::packet::Tag;
use crate::tables::{Port, PortSlot, WorkerCounters};
use crate::types::MacAddr;

/// Records a tag that no segmentation of `port` has, unless it names no VLAN.
#[cold]
pub(super) fn unknown_tag(tag: Tag, slot: PortSlot, port: &Port, outlet: &mut impl Outlet) {
    if tag.is_priority_tag() {
        return;
    }
    if let Some(seen) = port.counters.of(outlet.worker()).and_then(WorkerCounters::unknown_tags) {
        seen.count(tag.id(), outlet.now());
    }
    outlet.observe(Step::UnknownTag(slot, tag.id()));
}

/// Records a MAC address that the port may not send from. Returns the reason to drop the frame.
#[cold]
pub(super) fn refused_mac(
    mac: MacAddr,
    source: &Source,
    port: &Port,
    outlet: &mut impl Outlet,
) -> DropReason {
    if let Some(seen) = port.counters.of(outlet.worker()).and_then(WorkerCounters::refused_macs) {
        seen.count(mac, outlet.now());
    }
    outlet.observe(Step::RefusedMac(source.port, mac));
    DropReason::GuardSourceMac
}
