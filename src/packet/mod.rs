//! Ethernet and 802.1Q headers, read and rewritten in place. Pure: bytes in, bytes out.
//!
//! Every byte here was chosen by a guest. Nothing indexes without a check, and what does not fit its own headers
//! is refused, never guessed at.

pub mod checksum;
pub mod dot1q;
mod ethernet;
mod ip;
mod layers;
mod llc;
mod sender;
mod tcp;

pub use ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q, Header, Tag, TagId, Truncated};
pub use sender::Sender;
pub use tcp::LongTcp;

/// The two bytes at `offset`, as a big-endian number.
#[inline]
pub(crate) fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}
