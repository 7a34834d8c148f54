//! What happens to a frame between two sockets: classify and guard, destination, dispatch. Frames and tables in, frames for
//! links out; no socket anywhere, so all of it runs in a test without a NIC.

mod announce;
mod antispoof;
mod classify;
mod contested;
mod destination;
mod dispatch;
mod drops;
mod flood;
mod prepared;
mod ration;
mod sighting;

pub use antispoof::antispoof;
pub use classify::{Source, classify};
pub use destination::{Destination, destination};
pub use dispatch::dispatch;
pub use drops::DropReason;
pub use prepared::Prepared;

use arrayvec::ArrayVec;

use crate::packet::TagId;
use crate::packet::checksum::{self, Completion};
use crate::tables::{Egress, LinkSlot, PortSlot, Tables, WorkerId};
use crate::types::MacAddr;
use crate::xsk::{BURST_FRAMES, Frame};
use contested::dispatch_to_holder;
use flood::flood;
use sighting::unknown_tag;

/// Where frames go that the datapath is done with. A worker's outlet leads to TX rings; a test's to a list.
pub trait Outlet {
    /// The worker that counts.
    fn worker(&self) -> WorkerId;

    /// A free frame for a copy.
    fn take(&mut self) -> Option<Frame>;

    /// A clock for rates: nanoseconds from some point in the past on.
    fn now(&mut self) -> u64;

    /// Sends `frame`, which is from `source` and was prepared for the wire by `tables`, out of the link of `to`.
    fn transmit(&mut self, frame: Frame, source: &Source, to: Egress<'_>, tables: &Tables);

    /// Takes back a frame that ends here.
    fn release(&mut self, frame: Frame);

    /// Sees each step as it is taken. Workers do not look; a trace does.
    #[inline]
    fn observe(&mut self, _step: Step<'_>) {}
}

/// A step of the route, for who wants to watch.
#[derive(Debug)]
pub enum Step<'a> {
    /// The frame's source is known, its tag stripped if it selected a subport.
    Classified(&'a Source),
    /// The frame has a tag that no segmentation of this port has.
    UnknownTag(PortSlot, TagId),
    /// The frame is from, or announces, a MAC address that this port may not send from.
    RefusedMac(PortSlot, MacAddr),
    /// Its partial checksum was completed.
    ChecksumCompleted,
    /// Where it goes is known.
    Destined(&'a Destination<'a>),
    /// It ends here, on account of this port, if any.
    Dropped(Option<PortSlot>, DropReason),
}

/// Takes frames that came in from `link` all the way, in their order.
///
/// Each step is taken for a whole burst before the next one. A step waits for memory: for the port's entry and its
/// counters, for the network's table; when frame follows upon frame the CPU has many of these waits going at once.
#[inline]
pub fn forward<F>(frames: F, link: LinkSlot, tables: &Tables, outlet: &mut impl Outlet)
where
    F: IntoIterator<Item = Frame, IntoIter: ExactSizeIterator>,
{
    let mut frames = frames.into_iter();
    while frames.len() > 0 {
        let mut classified = ArrayVec::<_, BURST_FRAMES>::new();
        for mut frame in frames.by_ref().take(BURST_FRAMES) {
            let source = classify(&mut frame, link, tables, outlet.worker());
            let guarded = source.and_then(|source| match antispoof(&frame, &source, tables, outlet) {
                Ok(()) => Ok(source),
                Err(reason) => Err((Some(source.port), reason)),
            });
            match guarded {
                Ok(source) => {
                    outlet.observe(Step::Classified(&source));
                    classified.push((frame, source));
                }
                Err((port, reason)) => drop_early(frame, port, reason, tables, outlet),
            }
        }
        let mut destined = ArrayVec::<_, BURST_FRAMES>::new();
        for (frame, source) in classified {
            match destination(&frame, &source, tables) {
                Ok(destination) => {
                    outlet.observe(Step::Destined(&destination));
                    destined.push((frame, source, destination));
                }
                Err(reason) => drop_early(frame, Some(source.port), reason, tables, outlet),
            }
        }
        for (mut frame, source, destination) in destined {
            if source.complete_checksum {
                let (first, rest) = frame.split_mut();
                match checksum::complete(first, rest) {
                    Completion::NotPartial => {}
                    Completion::Completed => outlet.observe(Step::ChecksumCompleted),
                    Completion::OutOfReach => {
                        drop_early(frame, Some(source.port), DropReason::ChecksumOutOfReach, tables, outlet);
                        continue;
                    }
                }
            }
            match destination {
                Destination::Port(place) if place.is_contested() => {
                    dispatch_to_holder(frame, &source, place, tables, outlet);
                }
                Destination::Port(port) => dispatch(frame, &source, port, tables, outlet),
                Destination::Flood(ports) => flood(frame, &source, ports, tables, outlet),
            }
        }
    }
}

/// Drops a frame before it is dispatched.
#[cold]
fn drop_early(
    frame: Frame,
    port: Option<PortSlot>,
    reason: DropReason,
    tables: &Tables,
    outlet: &mut impl Outlet,
) {
    if let (DropReason::ClassifyUnknownTag, Some(port)) = (reason, port) {
        unknown_tag(&frame, port, tables, outlet);
    }
    end(frame, port, reason, tables, outlet);
}

/// Ends a frame, on account of `port`.
fn end(frame: Frame, port: Option<PortSlot>, reason: DropReason, tables: &Tables, outlet: &mut impl Outlet) {
    count_drop(port, reason, tables, outlet);
    outlet.release(frame);
}

fn count_drop(port: Option<PortSlot>, reason: DropReason, tables: &Tables, outlet: &mut impl Outlet) {
    let counters = port.map_or(&tables.no_port, |port| tables.counters(port));
    if let Some(counters) = counters.of(outlet.worker()) {
        counters.dropped(reason);
    }
    outlet.observe(Step::Dropped(port, reason));
}
