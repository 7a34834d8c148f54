//! Tunnels between hosts: outer headers, written before a frame and parsed in front of one.

mod flow;
mod outer;
mod parse;
#[cfg(feature = "daemon")]
mod received;

pub use flow::Flow;
pub use outer::{Endpoints, OuterHeader};
pub use parse::{Malformed, Outer, parse};
#[cfg(feature = "daemon")]
pub use received::headers_of_datagram;

/// Bytes of a UDP header, of a VXLAN header, of a Geneve header without options, of a GRE header with a key.
const HEADER_LEN: usize = 8;
/// The flag of a GRE header that has a key (RFC 2890, 2).
const GRE_KEY: u16 = 0x2000;
/// The flag of a VXLAN header that has a VNI (RFC 7348, 5).
const VXLAN_HAS_VNI: u8 = 0x08;
