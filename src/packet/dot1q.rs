//! Stripping and pushing a tag. Both move the 12 address bytes and the start of the frame, never the payload.

use super::ethernet::{ETHERTYPE_DOT1Q, Header};
use crate::types::Tci;
use crate::xsk::Frame;

pub use super::ethernet::TAG_LEN;

const ADDRESSES_LEN: usize = 12;

/// The first chunk has no room before the frame for one more tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no headroom left for a tag")]
pub struct NoHeadroom;

/// Removes the outermost tag of a frame whose [`Header`] has one; a frame too short for one is unchanged.
#[inline]
pub fn strip(frame: &mut Frame) {
    let bytes = frame.bytes_mut();
    if bytes.len() < Header::TAGGED_LEN {
        return;
    }
    bytes.copy_within(..ADDRESSES_LEN, TAG_LEN);
    frame.trim_front(TAG_LEN);
}

/// Inserts an 802.1Q tag after the addresses, before any other tag.
///
/// # Errors
/// [`NoHeadroom`]; the frame is unchanged.
#[inline]
pub fn push(frame: &mut Frame, tci: Tci) -> Result<(), NoHeadroom> {
    if frame.bytes().len() < Header::LEN || !frame.grow_front(TAG_LEN) {
        return Err(NoHeadroom);
    }
    let bytes = frame.bytes_mut();
    bytes.copy_within(TAG_LEN..TAG_LEN + ADDRESSES_LEN, 0);
    if let Some(tag) = bytes.get_mut(ADDRESSES_LEN..).and_then(<[u8]>::first_chunk_mut::<TAG_LEN>) {
        let [tpid_hi, tpid_lo] = ETHERTYPE_DOT1Q.to_be_bytes();
        let [tci_hi, tci_lo] = tci.to_be_bytes();
        *tag = [tpid_hi, tpid_lo, tci_hi, tci_lo];
    }
    Ok(())
}
