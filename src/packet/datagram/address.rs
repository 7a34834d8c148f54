//! Addresses of both versions of IP as one type.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytemuck::{NoUninit, Zeroable};

use crate::types::Family;

/// An IP address as a number, in words from the lowest on: one of IPv4 is the first word. Words, as a number of
/// 128 bits would be aligned to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Zeroable, NoUninit)]
#[repr(transparent)]
pub struct Address([u32; 4]);

impl Address {
    /// An address of IPv4.
    #[inline]
    #[must_use]
    pub const fn v4(bits: u32) -> Self {
        Self([bits, 0, 0, 0])
    }

    /// An address of IPv6.
    #[inline]
    #[must_use]
    pub const fn v6(bits: u128) -> Self {
        Self([bits as u32, (bits >> 32) as u32, (bits >> 64) as u32, (bits >> 96) as u32])
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u128 {
        let [a, b, c, d] = self.0;
        a as u128 | (b as u128) << 32 | (c as u128) << 64 | (d as u128) << 96
    }

    /// The words.
    #[inline]
    #[must_use]
    pub const fn words(self) -> [u32; 4] {
        self.0
    }

    /// The address of this version.
    #[must_use]
    pub const fn ip(self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from_bits(self.0[0])),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from_bits(self.number())),
        }
    }
}
