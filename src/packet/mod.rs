//! Ethernet and 802.1Q headers, read and rewritten in place. Pure: bytes in, bytes out.
//!
//! Every byte here was chosen by a guest. No function indexes without a check, and a packet that contradicts
//! its own headers is rejected.

mod bytes;
pub mod checksum;
pub mod datagram;
pub(crate) mod dhcp;
pub mod dot1q;
mod ethernet;
mod extension_headers;
pub(crate) mod icmpv6;
mod internet_sum;
mod ip;
mod layers;
mod llc;
mod payload;
mod sender;
mod tcp;
pub mod tunnel;

pub use ethernet::{ETHERTYPE_DOT1AD, ETHERTYPE_DOT1Q, Header, Tag, TagId, Truncated};
pub use sender::Sender;
pub use tcp::LongTcp;
