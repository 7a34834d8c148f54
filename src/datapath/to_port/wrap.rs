//! Step 8: what the link's peer tells the port's frames apart by.

use crate::datapath::{Halt, Packet};
use crate::packet::dot1q;
use crate::tables::{Exit, Wrap};
use crate::types::{Tci, drop_reason};

/// Pushes the port's tags, each with the priority with which the frame came in.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gets the packet by way of memory")]
#[inline(always)]
pub(in crate::datapath) fn wrap(packet: &mut Packet, exit: &Exit<'_>) -> Result<(), Halt> {
    let Wrap::Tags(tags) = &exit.port.wrap;
    for vid in tags {
        let tci = Tci::new(*vid, packet.facts.pcp);
        dot1q::push(&mut packet.frame, tci)
            .map_err(|_| Halt::drop(exit.slot, drop_reason::Wrap::NoHeadroom))?;
    }
    Ok(())
}
