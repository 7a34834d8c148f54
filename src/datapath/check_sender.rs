//! The list of the steps that depend on rules for the sender: port security, security groups.

use super::from_port::{antispoof, permit};
use super::{Context, Facts, Halt, Outlet};
use crate::packet::datagram::Parsed;
use crate::types::Wants;
use crate::types::drop_reason::Classify;
use crate::xsk::Frame;

/// Takes a classified frame through the steps that frames of a port without rules do not need. `parsed` is the
/// frame if it was parsed before.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(super) fn check_sender(
    frame: &Frame,
    facts: &Facts,
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    if facts.wants.contains(Wants::ANTISPOOF) { check_by_rules(frame, facts, parsed, cx) } else { Ok(()) }
}

#[inline(never)]
fn check_by_rules(
    frame: &Frame,
    facts: &Facts,
    parsed: Option<&Parsed>,
    cx: &mut Context<'_, impl Outlet>,
) -> Result<(), Halt> {
    let Some(slot) = facts.origin.port() else { return Ok(()) };
    let port = cx.tables.port(slot).ok_or_else(|| Halt::drop(slot, Classify::NoPort))?;
    antispoof(frame, facts, port, cx)?;
    permit(frame, facts, port, parsed, cx)
}
