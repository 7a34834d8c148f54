//! `ICMPv6`: neighbour discovery (RFC 4861) and its relatives, and what a host without an address may send.

use std::net::Ipv6Addr;

use super::Sender;
use crate::packet::icmpv6::{
    CERTIFICATION_PATH_ADVERTISEMENT, CERTIFICATION_PATH_SOLICITATION, INVERSE_ADVERTISEMENT,
    INVERSE_SOLICITATION, LISTENER_DONE, LISTENER_REPORT, LISTENER_REPORT_V2, NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION, REDIRECT, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION,
};
use crate::types::MacAddr;

const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

impl Sender {
    /// `message` is the visible part of the message of a packet from `ip`; `is_whole` if no part is hidden or
    /// in another fragment. Neighbour discovery is never fragmented (RFC 6980). `None` for inverse discovery:
    /// its messages claim lists of addresses.
    pub(super) fn of_icmpv6(mut self, ip: Ipv6Addr, message: &[u8], is_whole: bool) -> Option<Self> {
        let Some(&kind) = message.first() else {
            self.ips.push(ip.into());
            return is_whole.then_some(self);
        };
        if !(ip.is_unspecified() && is_sent_without_address(kind)) {
            self.ips.push(ip.into());
        }
        if is_inverse_discovery(kind) || is_discovery(kind) && !is_whole {
            return None;
        }
        let Some((options, link_layer_address)) = options_of(kind) else { return Some(self) };
        if claims_target(kind, ip) {
            self.ips.push(Ipv6Addr::from_octets(*message.get(8..)?.first_chunk()?).into());
        }
        for option in Options(message.get(options..)?) {
            let (kind, value) = option?;
            if kind != link_layer_address {
                continue;
            }
            let mac = MacAddr::new(*value.first_chunk()?);
            // Receivers differ in which of two they use.
            if self.announced.replace(mac).is_some_and(|before| before != mac) {
                return None;
            }
        }
        Some(self)
    }
}

/// Whether a message can be from a host that checks whether its address is free, or joins the groups for that
/// (RFC 4862, 5.4; RFC 3590; RFC 3971, 6.4.1).
const fn is_sent_without_address(kind: u8) -> bool {
    matches!(
        kind,
        LISTENER_REPORT
            | LISTENER_DONE
            | LISTENER_REPORT_V2
            | ROUTER_SOLICITATION
            | NEIGHBOUR_SOLICITATION
            | CERTIFICATION_PATH_SOLICITATION
    )
}

const fn is_inverse_discovery(kind: u8) -> bool {
    matches!(kind, INVERSE_SOLICITATION | INVERSE_ADVERTISEMENT)
}

/// Whether RFC 6980 forbids to fragment the message.
const fn is_discovery(kind: u8) -> bool {
    matches!(
        kind,
        ROUTER_SOLICITATION..=REDIRECT | CERTIFICATION_PATH_SOLICITATION | CERTIFICATION_PATH_ADVERTISEMENT
    )
}

/// Whether the sender claims the target address: advertisements do, redirects to it, and a solicitation from
/// `::`, for which a host that has the address gives it up (RFC 4862, 5.4.3).
fn claims_target(kind: u8, ip: Ipv6Addr) -> bool {
    match kind {
        NEIGHBOUR_ADVERTISEMENT | REDIRECT => true,
        NEIGHBOUR_SOLICITATION => ip.is_unspecified(),
        _ => false,
    }
}

/// Offset of the options of a neighbour discovery message, and the type of the option with the link-layer
/// address that the receiver stores.
const fn options_of(kind: u8) -> Option<(usize, u8)> {
    match kind {
        ROUTER_SOLICITATION => Some((8, SOURCE_LINK_LAYER_ADDRESS)),
        ROUTER_ADVERTISEMENT => Some((16, SOURCE_LINK_LAYER_ADDRESS)),
        NEIGHBOUR_SOLICITATION => Some((24, SOURCE_LINK_LAYER_ADDRESS)),
        NEIGHBOUR_ADVERTISEMENT => Some((24, TARGET_LINK_LAYER_ADDRESS)),
        REDIRECT => Some((40, TARGET_LINK_LAYER_ADDRESS)),
        _ => None,
    }
}

/// The options of a neighbour discovery message, type and value (RFC 4861, 4.6). An item is `None`, and the
/// last, when the option is cut.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let [kind, units, ..] = *self.0 else {
            self.0 = &[];
            return Some(None);
        };
        let whole = self.0.split_at_checked(usize::from(units) * 8).filter(|_| units > 0);
        self.0 = whole.map_or(&[], |(_, rest)| rest);
        Some(whole.map(|(option, _)| (kind, option.get(2..).unwrap_or_default())))
    }
}
