//! Step 1: (link, outermost 802.1Q VID) → the frame's port and network.

use crate::datapath::{Blame, Context, Entry, Event, Facts, Halt, Origin, Outlet};
use crate::packet::{Header, dot1q};
use crate::tables::{LINK_OWNER, LinkEntry, PortSlot, Tables, TagMeaning};
use crate::types::Wants;
use crate::types::drop_reason::Classify;
use crate::xsk::Frame;

/// The socket that a burst came in by, with its link, which is looked up once for all frames.
#[derive(Debug, Clone, Copy)]
pub struct Ingress<'t> {
    entry: Entry,
    link: Option<&'t LinkEntry>,
}

impl<'t> Ingress<'t> {
    /// Looks up the link.
    #[inline]
    #[must_use]
    pub fn of(entry: Entry, tables: &'t Tables) -> Self {
        Self { entry, link: tables.link(entry.link) }
    }

    /// Whether the frames come from other hosts, by an uplink.
    #[inline]
    pub(in crate::datapath) fn is_outside(&self) -> bool {
        self.link.is_some_and(|link| link.wants.contains(Wants::OUTSIDE))
    }

    /// Whether most of the frames that security groups judge come in by such a link: one of filtered ports, or
    /// of other hosts, whose frames are for such ports.
    #[inline]
    pub(in crate::datapath) fn is_judged(&self, tables: &Tables) -> bool {
        tables.has_filters
            && self.link.is_some_and(|link| link.wants.intersects(Wants::PERMIT | Wants::OUTSIDE))
    }

    pub(super) const fn entry(&self) -> Entry {
        self.entry
    }
}

/// Finds the port a frame came from, and strips the tags that select it. A tag that no segmentation of the
/// port has stays as it came, and the frame belongs to the port itself.
///
/// # Errors
/// The reason to drop the frame, which may have lost tags by then.
#[allow(clippy::inline_always, reason = "as a call it gives its result back by way of memory")]
#[inline(always)]
pub fn classify(
    frame: &mut Frame,
    ingress: Ingress<'_>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<Facts, Halt> {
    let Ingress { entry, link } = ingress;
    let no_port = Halt::drop(Blame::NO_PORT, Classify::NoPort);
    let link = link.ok_or(no_port)?;
    let mut slot = PortSlot { link: entry.link, number: LINK_OWNER };
    let received_bytes = frame.len();
    let mut priority = None;
    loop {
        let port = link.port(slot.number).ok_or(no_port)?;
        let outcome = match Header::parse(frame.bytes()) {
            Err(_) => Err(Classify::Truncated),
            Ok(header) => {
                let pcp = *priority.get_or_insert(header.pcp());
                let tag = port.subports.as_deref().zip(header.tag);
                match (tag.map(|(table, tag)| table.get(tag)), port.network) {
                    (Some(TagMeaning::Subport(subport)), _) => {
                        dot1q::strip(frame);
                        slot = subport;
                        continue;
                    }
                    (Some(TagMeaning::Unusable), _) => Err(Classify::SubportUnusable),
                    (Some(TagMeaning::Unwanted), _) => Err(Classify::UnknownTag),
                    (Some(TagMeaning::Parent) | None, None) => Err(Classify::PortDown),
                    (Some(TagMeaning::Parent) | None, Some(network)) => {
                        let mut wants = link.wants;
                        wants.set(Wants::ANTISPOOF, port.source_rules.is_some() | tag.is_some());
                        Ok(Facts { origin: Origin::new(slot), network, queue: entry.queue, pcp, wants })
                    }
                }
            }
        };
        if let Some(counters) = port.counters.of(cx.outlet.worker()) {
            counters.received(received_bytes);
        }
        return match outcome {
            Ok(facts) => {
                cx.outlet.observe(Event::Classified(&facts));
                Ok(facts)
            }
            Err(reason) => Err(Halt::drop(slot, reason)),
        };
    }
}
