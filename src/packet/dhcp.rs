//! UDP ports of DHCP (RFC 2131, 4.1) and `DHCPv6` (RFC 8415, 7.2).

pub const CLIENT: u16 = 68;
pub const SERVER: u16 = 67;
pub const CLIENT_V6: u16 = 546;
pub const SERVER_V6: u16 = 547;
