//! Step 1: whose frame is it? (link, outermost 802.1Q VID) → source port, network.

use super::sighting::unknown_tag;
use super::{DropReason, Outlet};
use crate::packet::{Header, dot1q};
use crate::tables::{LINK_OWNER, LinkSlot, NetworkSlot, Port, PortSlot, Tables, TagMeaning, WorkerId};
use crate::types::Pcp;
use crate::xsk::Frame;

/// Where a frame came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The logical port: a subport if the frame's tag selected one, else the link's own.
    pub port: PortSlot,
    /// The port's network.
    pub network: NetworkSlot,
    /// The priority of the frame as it came, for tags pushed later.
    pub pcp: Pcp,
    /// Whether the port may send from its own addresses only.
    pub guarded: bool,
    /// Whether the sender may have left its checksum partial.
    pub complete_checksum: bool,
}

/// Finds the port a frame came from, and strips the tags that say so. A tag that no segmentation of the port has
/// stays as it came: the frame is the port's own.
///
/// # Errors
/// The reason to drop the frame, and the port to count it on. It may have lost tags by then.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn classify(
    frame: &mut Frame,
    link: LinkSlot,
    tables: &Tables,
    outlet: &mut impl Outlet,
) -> Result<Source, (Option<PortSlot>, DropReason)> {
    let mut slot = PortSlot { link, number: LINK_OWNER };
    let link = tables.link(link).ok_or((None, DropReason::ClassifyNoPort))?;
    let received = Received { bytes: frame.len(), worker: outlet.worker() };
    let mut priority = None;
    loop {
        let port = link.port(slot.number).ok_or((None, DropReason::ClassifyNoPort))?;
        let Ok(header) = Header::parse(frame.bytes()) else {
            return Err((Some(slot), received.rejected(port, DropReason::ClassifyTruncated)));
        };
        let pcp = *priority.get_or_insert(header.pcp());
        if let Some((table, tag)) = port.subports.as_deref().zip(header.tag) {
            match table.get(tag) {
                TagMeaning::Subport(subport) => {
                    dot1q::strip(frame);
                    slot = subport;
                    continue;
                }
                TagMeaning::Unusable => {
                    let reason = DropReason::ClassifySubportUnusable;
                    return Err((Some(slot), received.rejected(port, reason)));
                }
                TagMeaning::Unwanted => {
                    unknown_tag(tag, slot, port, outlet);
                    return Err((Some(slot), received.rejected(port, DropReason::ClassifyUnknownTag)));
                }
                TagMeaning::Parent => unknown_tag(tag, slot, port, outlet),
            }
        }
        let Some(network) = port.network else {
            return Err((Some(slot), received.rejected(port, DropReason::ClassifyPortDown)));
        };
        received.count(port);
        return Ok(Source {
            port: slot,
            network,
            pcp,
            guarded: port.allowed_sources.is_some(),
            complete_checksum: link.complete_checksums,
        });
    }
}

/// A frame as it came.
#[derive(Clone, Copy)]
struct Received {
    bytes: usize,
    worker: WorkerId,
}

impl Received {
    #[inline]
    fn count(self, port: &Port) {
        if let Some(counters) = port.counters.of(self.worker) {
            counters.received(self.bytes);
        }
    }

    /// Counts a frame that is dropped here. Returns the reason.
    #[cold]
    fn rejected(self, port: &Port, reason: DropReason) -> DropReason {
        self.count(port);
        reason
    }
}
