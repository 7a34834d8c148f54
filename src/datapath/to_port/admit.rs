//! Step 7: whether the receiver may get the packet.

use crate::datapath::judge::{Always, Guarded, Refusal, judge, parse};
use crate::datapath::{Context, Event, Ground, Halt, Outlet, Packet};
use crate::packet::Header;
use crate::packet::datagram::{Parsed, Unreadable};
use crate::tables::{Exit, Identity, PortFilter, PortSlot, TagMeaning, VlanTable};
use crate::types::Direction;
use crate::types::drop_reason::Admit;
use crate::xsk::Frame;

/// Checks that the receiver takes the frame for what it is: a frame of the receiver's own network, with a tag
/// that no segmentation has. With the tag of a subport it would count as one from the subport's network. Then
/// checks that the receiver's security groups allow it.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn admit(
    packet: &Packet,
    exit: &Exit<'_>,
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    let Some(port) = exit.port() else { return Ok(()) };
    if port.subports.as_deref().is_some_and(|table| !is_parents(&packet.frame, table)) {
        return Err(Halt::drop(exit.slot, Admit::TagRefused));
    }
    match port.filter {
        None => Ok(()),
        Some(filter) => judge_by(exit.slot, (port.identity, filter), &packet.frame, parsed, cx)
            .map_err(|reason| Halt::drop(exit.slot, reason)),
    }
}

#[inline(never)]
fn judge_by(
    slot: PortSlot,
    (port, filter): (Identity, PortFilter),
    frame: &Frame,
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Admit> {
    let datagram = match parsed.map_or_else(|| parse(frame), |parsed| *parsed) {
        Ok(Some(datagram)) => datagram,
        Ok(None) => return Ok(()),
        Err(Unreadable) => return Err(Admit::Invalid),
    };
    let guarded = Guarded::of(port, filter, cx.tables);
    let verdict = match Always::of(&datagram, Direction::Ingress) {
        Always::Allowed => Ok(Ground::Always),
        Always::FromRouter | Always::FromDhcpServer | Always::Judged => {
            judge(frame, &datagram, Direction::Ingress, &guarded, &mut cx.state.connections)
        }
    };
    let ground = verdict.map_err(reason_of)?;
    cx.outlet.observe(Event::Allowed(slot, Direction::Ingress, ground));
    Ok(())
}

const fn reason_of(refusal: Refusal) -> Admit {
    match refusal {
        Refusal::NoRule => Admit::NoRule,
        Refusal::Invalid => Admit::Invalid,
        Refusal::Fragment => Admit::Fragment,
        Refusal::Quota => Admit::QuotaFull,
        Refusal::Table => Admit::TableFull,
    }
}

fn is_parents(frame: &Frame, table: &VlanTable) -> bool {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    tag.is_none_or(|tag| table.get(tag) == TagMeaning::Parent)
}
