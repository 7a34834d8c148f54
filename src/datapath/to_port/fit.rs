//! Step 7: whether the packet fits the receiver's link.

use crate::datapath::{Halt, Packet};
use crate::packet::{Header, LongTcp};
use crate::tables::Exit;
use crate::types::drop_reason;

/// How a packet leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::datapath) enum Fit {
    /// As it is.
    Whole,
    /// Cut, as TCP that is too long for the link.
    Segments,
}

/// Compares the packet's length with what the link takes.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn fit(packet: &Packet, exit: &Exit<'_>) -> Result<Fit, Halt> {
    let frame_bytes = packet.frame.len();
    // With tags of its own it may be shorter than it looks; that is for the cold path to find out.
    if frame_bytes > exit.link.mtu + Header::LEN && is_long_tcp(packet, exit) {
        return Ok(Fit::Segments);
    }
    if frame_bytes + exit.port.wrap.len_bytes() > exit.link.longest_frame {
        return Err(Halt::drop(exit.slot, drop_reason::Fit::TooLong));
    }
    Ok(Fit::Whole)
}

#[cold]
fn is_long_tcp(packet: &Packet, exit: &Exit<'_>) -> bool {
    LongTcp::find(packet.frame.bytes(), packet.frame.len(), exit.link.mtu).is_some()
}
