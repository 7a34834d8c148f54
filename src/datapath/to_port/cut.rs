//! Step 7, for a TCP packet that is too long for the link: segments, as a card with TSO would make them.

use crate::datapath::ration::may_cause;
use crate::datapath::{Context, Halt, Outlet, Packet};
use crate::packet::LongTcp;
use crate::tables::Exit;
use crate::types::drop_reason::Fit;

/// The most segments that a packet is cut into: enough for 64 KiB of TCP and the smallest MTU that every host supports, 576
/// bytes (RFC 791, 3.1). Up to twice as many as its bytes would fill, segments are what the receiver's MTU takes; those
/// beyond that are headers repeated, and count against the guest's ration.
const MAX_SEGMENTS: usize = 128;

/// Makes the segments of a packet, each of which goes on by `finish`.
///
/// # Errors
/// The reason to drop the packet; no segment has left then.
#[cold]
pub(in crate::datapath) fn cut<O: Outlet>(
    packet: &Packet,
    exit: &Exit<'_>,
    cx: &mut Context<'_, O>,
    finish: impl Fn(Packet, &Exit<'_>, &mut Context<'_, O>),
) -> Result<(), Halt> {
    let Packet { frame, facts } = packet;
    let tcp = LongTcp::find(frame.bytes(), frame.len(), exit.link.mtu);
    let tcp = tcp.ok_or(Halt::drop(exit.slot, Fit::TooLong))?;
    let segments = tcp.payloads().len();
    if segments > MAX_SEGMENTS {
        return Err(Halt::drop(facts.origin, Fit::TooManySegments));
    }
    let surplus = segments.saturating_sub(2 * frame.len().div_ceil(exit.link.mtu));
    if surplus > 0 && !may_cause(surplus, facts.origin, cx) {
        return Err(Halt::drop(facts.origin, Fit::SegmentRate));
    }
    for payload in tcp.payloads() {
        if tcp.headers().len() + payload.len() + exit.port.wrap.len_bytes() > exit.link.longest_frame {
            cx.count_drop(exit.slot.into(), Fit::TooLong.into());
            continue;
        }
        let Some(mut segment) = cx.outlet.allocate() else {
            cx.count_drop(exit.slot.into(), Fit::NoChunk.into());
            continue;
        };
        segment.clear();
        let is_whole = segment.extend(frame.slices(tcp.headers()), || cx.outlet.allocate())
            && segment.extend(frame.slices(payload.clone()), || cx.outlet.allocate());
        if !is_whole {
            cx.drop_frame(segment, exit.slot.into(), Fit::NoChunk.into());
            continue;
        }
        let (first, rest) = segment.split_mut();
        tcp.finish(&payload, first, &rest);
        finish(Packet { frame: segment, facts: *facts }, exit, cx);
    }
    Ok(())
}
