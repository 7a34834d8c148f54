//! Types of `ICMPv6` messages.

// Listeners of multicasts (RFC 2710, RFC 3810).
pub const LISTENER_QUERY: u8 = 130;
pub const LISTENER_REPORT: u8 = 131;
pub const LISTENER_DONE: u8 = 132;
pub const LISTENER_REPORT_V2: u8 = 143;
// Neighbour discovery (RFC 4861).
pub const ROUTER_SOLICITATION: u8 = 133;
pub const ROUTER_ADVERTISEMENT: u8 = 134;
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
pub const REDIRECT: u8 = 137;
// Inverse neighbour discovery (RFC 3122), which Ethernet has no use for.
pub const INVERSE_SOLICITATION: u8 = 141;
pub const INVERSE_ADVERTISEMENT: u8 = 142;
// Secure neighbour discovery (RFC 3971, 6.4).
pub const CERTIFICATION_PATH_SOLICITATION: u8 = 148;
pub const CERTIFICATION_PATH_ADVERTISEMENT: u8 = 149;
