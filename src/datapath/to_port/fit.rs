//! Step 8: whether the packet fits the receiver's link.

use crate::datapath::{Halt, Packet};
use crate::packet::Header;
use crate::tables::Exit;
use crate::types::drop_reason;

/// How a packet leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::datapath) enum Fit {
    /// As it is, in one frame.
    Whole,
    /// Cut, if it is TCP, or not at all: it looks too long for the link.
    Cut,
}

/// Compares the packet's length with what the link takes.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn fit(packet: &Packet, exit: &Exit<'_>) -> Result<Fit, Halt> {
    let frame_bytes = packet.frame.len();
    // With tags of its own it may be shorter than it looks: `cut` finds out.
    if frame_bytes > exit.mtu() + Header::LEN {
        return Ok(Fit::Cut);
    }
    if takes(frame_bytes, exit) {
        Ok(Fit::Whole)
    } else {
        Err(Halt::drop(exit.slot, drop_reason::Fit::TooLong))
    }
}

/// Compares the length of a packet that is not cut, for it goes to a group, with what the link takes.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn fit_whole(packet: &Packet, exit: &Exit<'_>) -> Result<(), Halt> {
    let is_taken = takes(packet.frame.len(), exit);
    if is_taken { Ok(()) } else { Err(Halt::drop(exit.slot, drop_reason::Fit::TooLong)) }
}

/// Whether a frame of `frame_bytes` bytes is taken, with the headers that it leaves in.
#[inline]
pub(super) fn takes(frame_bytes: usize, exit: &Exit<'_>) -> bool {
    frame_bytes <= exit.longest_frame()
}
