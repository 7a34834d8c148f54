//! Step 8, for a TCP packet that is too long for the link: segments, as a card with TSO would make them.

use std::ops::Range;

use super::fit::takes;
use crate::datapath::ration::may_cause;
use crate::datapath::{Context, Halt, Outlet, Packet};
use crate::packet::LongTcp;
use crate::tables::Exit;
use crate::types::drop_reason::Fit;
use crate::xsk::Frame;

/// The most segments that a packet is cut into: enough for 64 KiB of TCP and the smallest MTU that every host
/// supports, 576 bytes (RFC 791, 3.1). Up to twice as many as its bytes would fill, segments are what the
/// receiver's MTU takes; those beyond that are headers repeated, and count against the guest's ration.
const MAX_SEGMENTS: usize = 128;

/// Makes the segments of a packet, each of which goes on by `finish`. A packet that is no TCP goes on whole,
/// if the link takes it.
///
/// # Errors
/// The frame, and the reason to drop it; no segment has left then.
#[cold]
pub(in crate::datapath) fn cut<O: Outlet>(
    packet: Packet,
    exit: Exit<'_>,
    cx: &mut Context<'_, O>,
    finish: impl Fn(Packet, Exit<'_>, &mut Context<'_, O>),
) -> Result<(), (Frame, Halt)> {
    let Packet { frame, facts } = packet;
    let Some(tcp) = LongTcp::find(frame.bytes(), frame.len(), exit.mtu()) else {
        if !takes(frame.len(), &exit) {
            return Err((frame, Halt::drop(exit.slot, Fit::TooLong)));
        }
        finish(Packet { frame, facts }, exit, cx);
        return Ok(());
    };
    let segments = tcp.payloads().len();
    if segments > MAX_SEGMENTS {
        return Err((frame, Halt::drop(facts.origin, Fit::TooManySegments)));
    }
    let surplus = segments.saturating_sub(2 * frame.len().div_ceil(exit.mtu()));
    if surplus > 0 && !may_cause(surplus, &facts, cx) {
        return Err((frame, Halt::drop(facts.origin, Fit::SegmentRate)));
    }
    for payload in tcp.payloads() {
        match segment(&frame, &tcp, &payload, &exit, cx) {
            Ok(frame) => finish(Packet { frame, facts }, exit, cx),
            Err(reason) => cx.count_drop(exit.slot.into(), reason.into()),
        }
    }
    cx.outlet.release(frame);
    Ok(())
}

/// Makes the segment with this payload.
fn segment(
    frame: &Frame,
    tcp: &LongTcp,
    payload: &Range<usize>,
    exit: &Exit<'_>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<Frame, Fit> {
    if !takes(tcp.headers().len() + payload.len(), exit) {
        return Err(Fit::TooLong);
    }
    let mut segment = cx.outlet.allocate().ok_or(Fit::NoChunk)?;
    segment.clear();
    let is_whole = segment.extend(frame.slices(tcp.headers()), || cx.outlet.allocate())
        && segment.extend(frame.slices(payload.clone()), || cx.outlet.allocate());
    if !is_whole {
        cx.outlet.release(segment);
        return Err(Fit::NoChunk);
    }
    let (first, rest) = segment.split_mut();
    tcp.finish(payload, first, &rest);
    Ok(segment)
}
