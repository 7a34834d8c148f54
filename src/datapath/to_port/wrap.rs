//! Step 9: what the far end of the link tells the frames of ports and networks apart by.

use crate::datapath::{Context, Halt, Packet};
use crate::packet::dot1q;
use crate::tables::{Exit, Wrap};
use crate::types::{Tci, drop_reason};

/// Pushes the port's tags, each with the priority with which the frame came in; or the headers of a tunnel.
///
/// # Errors
/// The reason to drop it.
#[allow(clippy::inline_always, reason = "as a call it gets the packet by way of memory")]
#[inline(always)]
pub(in crate::datapath) fn wrap<O>(
    packet: &mut Packet,
    exit: &Exit<'_>,
    cx: &mut Context<'_, O>,
) -> Result<(), Halt> {
    let no_headroom = Halt::drop(exit.slot, drop_reason::Wrap::NoHeadroom);
    match exit.wrap() {
        Wrap::Tags(tags) => {
            for vid in tags {
                let tci = Tci::new(*vid, packet.facts.pcp);
                dot1q::push(&mut packet.frame, tci).map_err(|_| no_headroom)?;
            }
        }
        Wrap::Tunnel(header, tunnel, flow) => {
            cx.state.ipv4_id = cx.state.ipv4_id.wrapping_add(1);
            let id = cx.state.ipv4_id;
            header.push(&mut packet.frame, tunnel, flow, id).map_err(|_| no_headroom)?;
        }
    }
    Ok(())
}
