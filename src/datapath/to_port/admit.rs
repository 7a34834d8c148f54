//! Step 6: whether the receiver may get the packet.

use crate::datapath::{Halt, Packet};
use crate::packet::Header;
use crate::tables::{Exit, TagMeaning, VlanTable};
use crate::types::drop_reason::Admit;
use crate::xsk::Frame;

/// Checks that the receiver takes the frame for what it is: a frame of the receiver's own network, with a tag
/// that no segmentation has. With the tag of a subport it would count as one from the subport's network.
///
/// # Errors
/// The reason to drop it.
#[inline]
pub(in crate::datapath) fn admit(packet: &Packet, exit: &Exit<'_>) -> Result<(), Halt> {
    if exit.subports().is_some_and(|table| !is_parents(&packet.frame, table)) {
        return Err(Halt::drop(exit.slot, Admit::TagRefused));
    }
    Ok(())
}

fn is_parents(frame: &Frame, table: &VlanTable) -> bool {
    let tag = Header::parse(frame.bytes()).ok().and_then(|header| header.tag);
    tag.is_none_or(|tag| table.get(tag) == TagMeaning::Parent)
}
