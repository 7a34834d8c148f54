//! MAC addresses, in text and in wire order.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shorten::shorten;

/// An IEEE 802 MAC address, in the order of its bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// A text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a MAC address: expected six octets of two hexadecimal digits as in fa:16:3e:00:01:66", shorten(.0))]
pub struct MacAddrError(pub String);

impl MacAddr {
    /// The broadcast address, ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The address with these bytes, in wire order.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The bytes in wire order.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The link-local IPv6 address that is derived from it (modified EUI-64: RFC 4291, appendix A).
    #[must_use]
    pub const fn link_local(self) -> Ipv6Addr {
        let [first, second, third, rest @ ..] = self.0;
        let [x, y, z] = rest;
        Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, first ^ 2, second, third, 0xff, 0xfe, x, y, z])
    }

    /// True for the addresses that bridges do not forward: 01:80:c2:00:00:00 to 0f (IEEE Std 802.1Q-2022,
    /// table 8-1).
    #[must_use]
    pub const fn is_bridge_reserved(self) -> bool {
        matches!(self.0, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f])
    }

    /// True for group addresses: multicast and broadcast (the I/G bit, IEEE Std 802-2014, 8.2.2).
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }
}

/// Hashes one number, in a few instructions; the derived code for an array is a loop.
impl Hash for MacAddr {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0; 8];
        bytes[..self.0.len()].copy_from_slice(&self.0);
        state.write_u64(u64::from_le_bytes(bytes));
    }
}

impl FromStr for MacAddr {
    type Err = MacAddrError;

    /// Accepts `:` or `-` between the octets and either case. Each octet must have two digits, so that a
    /// missing digit does not yield another address, as in netaddr (Dragonflow's parser).
    fn from_str(text: &str) -> Result<Self, MacAddrError> {
        let bad = || MacAddrError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(bad)?;
            if !part.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacAddrError;

    fn try_from(text: String) -> Result<Self, MacAddrError> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_are_parsed_and_printed_in_lower_case() {
        for text in ["fa:16:3e:00:01:66", "FA-16-3E-00-01-66"] {
            assert_eq!(text.parse::<MacAddr>().unwrap().to_string(), "fa:16:3e:00:01:66");
        }
        for text in [
            "",
            "fa:16:3e:00:01",
            "fa:16:3e:00:01:66:77",
            "fa:16:3e:00:01:+6",
            "fa:16:3e:00:01:666",
            "fa:16:3e:00:01:7",
            "fa:16:3e:0:1:66",
        ] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }
}
