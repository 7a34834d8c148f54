//! Description of a frame on one line: addresses, tags, ARP and IP.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::types::MacAddr;

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// TPIDs of C-tags and S-tags (IEEE Std 802.1Q-2022, table 9-1).
const TPIDS: [u16; 2] = [0x8100, 0x88a8];

/// Describes a frame without FCS; a part that is cut off is left out.
pub(super) fn describe(frame: &[u8]) -> String {
    let mut line = format!("{} bytes", frame.len());
    let (Some(dst), Some(src)) = (frame.first_chunk(), frame.get(6..).and_then(<[u8]>::first_chunk)) else {
        return line;
    };
    append(&mut line, &format!(", {} > {}", MacAddr::new(*src), MacAddr::new(*dst)));
    let mut rest = frame.get(12..).unwrap_or_default();
    while let Some((tpid, after)) = split_u16(rest)
        && TPIDS.contains(&tpid)
        && let Some((tci, after)) = split_u16(after)
    {
        append(&mut line, &format!(", VLAN {} (priority {})", tci & 0x0fff, tci >> 13));
        rest = after;
    }
    if let Some((ethertype, payload)) = split_u16(rest) {
        let described = match ethertype {
            ARP => arp(payload),
            IPV4 => ipv4(payload),
            IPV6 => ipv6(payload),
            _ => None,
        };
        let described = described.unwrap_or_else(|| format!("EtherType {ethertype:#06x}"));
        append(&mut line, &format!(", {described}"));
    }
    line
}

/// Writing to a text never fails.
fn append(line: &mut String, text: &str) {
    write!(line, "{text}").unwrap_or_default();
}

fn split_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (first, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*first), rest))
}

/// ARP for IPv4 over Ethernet (RFC 826).
fn arp(packet: &[u8]) -> Option<String> {
    let (operation, _) = split_u16(packet.get(6..)?)?;
    let sender = Ipv4Addr::from(*packet.get(14..)?.first_chunk::<4>()?);
    let target = Ipv4Addr::from(*packet.get(24..)?.first_chunk::<4>()?);
    match operation {
        1 => Some(format!("ARP who-has {target} tell {sender}")),
        2 => Some(format!("ARP reply {sender}")),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<String> {
    let protocol = *packet.get(9)?;
    let src = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
    let dst = Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?);
    Some(format!("IPv4 {src} > {dst} {}", protocol_name(protocol)))
}

fn ipv6(packet: &[u8]) -> Option<String> {
    let next_header = *packet.get(6)?;
    let src = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?);
    let dst = Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?);
    Some(format!("IPv6 {src} > {dst} {}", protocol_name(next_header)))
}

/// Names of the IANA registry of protocol numbers.
fn protocol_name(protocol: u8) -> String {
    match protocol {
        1 => "ICMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        58 => "ICMPv6".to_owned(),
        132 => "SCTP".to_owned(),
        other => format!("protocol {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_arp_and_ip_are_named_and_short_frames_are_no_error() {
        let head = [vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x60, 100], vec![8, 6]].concat();
        let arp =
            [&head[..], &[0, 1, 8, 0, 6, 4, 0, 1], &[0; 6], &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 2]].concat();
        assert_eq!(
            describe(&arp),
            "46 bytes, 02:00:00:00:00:01 > 02:00:00:00:00:02, VLAN 100 (priority 3), ARP who-has 10.0.0.2 tell 10.0.0.1"
        );
        let mut ip = vec![0; 20];
        ip[9] = 17;
        ip[15] = 1;
        assert_eq!(ipv4(&ip).unwrap(), "IPv4 0.0.0.1 > 0.0.0.0 UDP");
        for length in 0..arp.len() {
            assert!(describe(&arp[..length]).starts_with(&format!("{length} bytes")));
        }
    }
}
