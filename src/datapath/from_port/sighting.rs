//! What a guest sends by mistake, recorded for the operator. Rare, so off the plain path.

use crate::datapath::{Context, Event, Outlet};
use crate::packet::Header;
use crate::tables::{PortSlot, WorkerCounters};
use crate::types::MacAddr;
use crate::xsk::Frame;

/// Records the outermost tag of a frame of `port`, if there is one, which no segmentation of the port has. A
/// priority tag names no VLAN.
#[cold]
pub(in crate::datapath) fn unknown_tag(frame: &Frame, port: PortSlot, cx: &mut Context<'_, impl Outlet>) {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    let Some(tag) = tag.filter(|tag| !tag.is_priority_tag()) else { return };
    let counters = cx.tables.counters(port).of(cx.outlet.worker());
    if let Some(seen) = counters.and_then(WorkerCounters::unknown_tags) {
        seen.count(tag.id(), cx.outlet.now_ns());
    }
    cx.outlet.observe(Event::UnknownTag(port, tag.id()));
}

/// Records a MAC address that `port` may not send from.
#[cold]
pub(super) fn refused_mac(mac: MacAddr, port: PortSlot, cx: &mut Context<'_, impl Outlet>) {
    let counters = cx.tables.counters(port).of(cx.outlet.worker());
    if let Some(seen) = counters.and_then(WorkerCounters::refused_macs) {
        seen.count(mac, cx.outlet.now_ns());
    }
    cx.outlet.observe(Event::RefusedMac(port, mac));
}
