//! Step 3: what the security groups of the sender let out.

use crate::datapath::judge::{Always, Guarded, Refusal, judge, parse};
use crate::datapath::{Context, Event, Facts, Ground, Halt, Outlet};
use crate::packet::datagram::{Parsed, Unreadable};
use crate::tables::{Identity, Port, PortFilter};
use crate::types::Direction;
use crate::types::drop_reason::Permit;
use crate::xsk::Frame;

/// Checks that the groups of `port`, which a frame is from, allow its packet. Frames without IP are none of their
/// business.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn permit(
    frame: &Frame,
    facts: &Facts,
    port: &Port,
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    match port.filter {
        Some(filter) => check(frame, facts, (port.identity, filter), parsed, cx),
        None => Ok(()),
    }
}

fn check(
    frame: &Frame,
    facts: &Facts,
    (port, filter): (Identity, PortFilter),
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    let halt = |reason: Permit| Halt::drop(facts.origin, reason);
    let datagram = match parsed.map_or_else(|| parse(frame), |parsed| *parsed) {
        Ok(Some(datagram)) => datagram,
        Ok(None) => return Ok(()),
        Err(Unreadable) => return Err(halt(Permit::Invalid)),
    };
    let guarded = Guarded::of(port, filter, cx.tables);
    let verdict = match Always::of(&datagram, Direction::Egress) {
        Always::Allowed => Ok(Ground::Always),
        Always::FromRouter => return Err(halt(Permit::FromRouter)),
        Always::FromDhcpServer => return Err(halt(Permit::FromDhcpServer)),
        Always::Judged => judge(frame, &datagram, Direction::Egress, &guarded, &mut cx.state.connections),
    };
    let ground = verdict.map_err(|refusal| halt(reason_of(refusal)))?;
    if let Some(slot) = facts.origin.port() {
        cx.outlet.observe(Event::Allowed(slot, Direction::Egress, ground));
    }
    Ok(())
}

const fn reason_of(refusal: Refusal) -> Permit {
    match refusal {
        Refusal::NoRule => Permit::NoRule,
        Refusal::Invalid => Permit::Invalid,
        Refusal::Fragment => Permit::Fragment,
        Refusal::Quota => Permit::QuotaFull,
        Refusal::Table => Permit::TableFull,
    }
}
