//! IPv6 (RFC 8200).

use std::net::Ipv6Addr;

use super::{Sender, Visible};
use crate::packet::extension_headers::{Upper, end_of, upper};
use crate::types::protocol;

impl Sender {
    pub(super) fn of_ipv6(mut self, packet: Visible<'_>) -> Option<Self> {
        let end = end_of(packet.bytes, packet.len)?;
        let ip = Ipv6Addr::from_octets(*packet.bytes.get(8..)?.first_chunk()?);
        if let Upper::Header { protocol: protocol::ICMPV6, start, fragment } = upper(packet.bytes, end)? {
            let is_whole = fragment.is_none() && end <= packet.bytes.len();
            let message = packet.bytes.get(start..end.min(packet.bytes.len()))?;
            return self.of_icmpv6(ip, message, is_whole);
        }
        self.ips.push(ip.into());
        Some(self)
    }
}
