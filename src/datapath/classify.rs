//! Step 1: whose frame is it? (link, outermost 802.1Q VID) → source port, network.

use super::DropReason;
use crate::packet::{Header, dot1q};
use crate::tables::{LINK_OWNER, LinkSlot, NetworkSlot, PortSlot, Tables, TagMeaning, WorkerId};
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
    /// Whether [`guard`](super::antispoof()) has to look at the frame: its port has [rules](crate::types::SourceRules) for the
    /// addresses that it sends from; or it has segmentations, and the frame a tag that is none of them.
    pub is_guarded: bool,
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
    worker: WorkerId,
) -> Result<Source, (Option<PortSlot>, DropReason)> {
    let mut slot = PortSlot { link, number: LINK_OWNER };
    let link = tables.link(link).ok_or((None, DropReason::ClassifyNoPort))?;
    let received_bytes = frame.len();
    let mut priority = None;
    loop {
        let port = link.port(slot.number).ok_or((None, DropReason::ClassifyNoPort))?;
        let verdict = match Header::parse(frame.bytes()) {
            Err(_) => Err(DropReason::ClassifyTruncated),
            Ok(header) => {
                let pcp = *priority.get_or_insert(header.pcp());
                let tag = port.subports.as_deref().zip(header.tag);
                match (tag.map(|(table, tag)| table.get(tag)), port.network) {
                    (Some(TagMeaning::Subport(subport)), _) => {
                        dot1q::strip(frame);
                        slot = subport;
                        continue;
                    }
                    (Some(TagMeaning::Unusable), _) => Err(DropReason::ClassifySubportUnusable),
                    (Some(TagMeaning::Unwanted), _) => Err(DropReason::ClassifyUnknownTag),
                    (Some(TagMeaning::Parent) | None, None) => Err(DropReason::ClassifyPortDown),
                    (Some(TagMeaning::Parent) | None, Some(network)) => Ok(Source {
                        port: slot,
                        network,
                        pcp,
                        is_guarded: port.source_rules.is_some() | tag.is_some(),
                        complete_checksum: link.complete_checksums,
                    }),
                }
            }
        };
        if let Some(counters) = port.counters.of(worker) {
            counters.received(received_bytes);
        }
        return verdict.map_err(|reason| (Some(slot), reason));
    }
}
