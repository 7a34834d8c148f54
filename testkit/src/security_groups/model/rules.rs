//! What rules allow, without a memory.

use serde_json::Value;

use crate::scenario::Scenario;
use crate::security_groups::packet::{Body, Packet};

/// Packets whose outcome no rule changes.
pub fn is_always(packet: &Packet, is_sent: bool) -> Option<Result<(), &'static str>> {
    if packet.fragment.is_some_and(|(_, offset, more)| offset > 0 || more) {
        return None;
    }
    match (packet.v6, &packet.body, is_sent) {
        (true, Body::Message(130 | 134 | 137, ..), true) => Some(Err("from_router")),
        (true, Body::Message(131 | 132 | 133 | 143, ..), true) => Some(Ok(())),
        (true, Body::Message(130 | 134, ..), false) => Some(Ok(())),
        (true, Body::Message(135 | 136, ..), _) => Some(Ok(())),
        (false, Body::Ports(17, 68, 67), true) | (true, Body::Ports(17, 546, 547), true) => Some(Ok(())),
        (false, Body::Ports(17, 67, 68), true) | (true, Body::Ports(17, 547, 546), true) => {
            Some(Err("from_dhcp_server"))
        }
        (false, Body::Ports(17, 67, 68), false) | (true, Body::Ports(17, 547, 546), false) => Some(Ok(())),
        _ => None,
    }
}

/// Whether a rule of a stateless, or of a stateful, group of the port allows a packet.
pub(super) fn allow(
    scenario: &Scenario,
    port: &str,
    packet: &Packet,
    is_sent: bool,
    stateless: bool,
) -> bool {
    let groups = scenario.ports[port].groups.as_ref().expect("a port with groups");
    if groups.iter().any(|group| !scenario.groups.contains_key(group)) {
        return false;
    }
    let groups = groups.iter().filter(|group| scenario.stateless.contains(*group) == stateless);
    let mut rules = groups.flat_map(|group| &scenario.groups[group]);
    rules.any(|rule| matches(scenario, rule, packet, is_sent))
}

fn matches(scenario: &Scenario, rule: &Value, packet: &Packet, is_sent: bool) -> bool {
    let is_directed = rule["direction"] == if is_sent { "egress" } else { "ingress" };
    let is_family = rule["ethertype"] == if packet.v6 { "IPv6" } else { "IPv4" };
    let is_protocol = rule["protocol"].is_null() || rule["protocol"] == packet.protocol();
    let [min, max] = ["port_range_min", "port_range_max"].map(|field| rule[field].as_u64());
    let is_selected = match packet.body {
        Body::Tcp(_, port, _) | Body::Ports(_, _, port) => {
            min.is_none_or(|min| min <= port.into()) && max.is_none_or(|max| u64::from(port) <= max)
        }
        Body::Message(kind, code, _) | Body::Error(kind, code, _) => {
            min.is_none_or(|min| min == u64::from(kind)) && max.is_none_or(|max| max == u64::from(code))
        }
        Body::Other(_) => true,
    };
    let remote = if is_sent { packet.to } else { packet.from };
    let has_remote = match (rule["remote_ip_prefix"].as_str(), rule["remote_group_id"].as_str()) {
        (Some(prefix), _) => prefix_has(prefix, remote),
        (_, Some(group)) => scenario.ports.values().any(|port| {
            let is_member = port.groups.iter().flatten().any(|id| id == group);
            let address =
                if packet.v6 { format!("2001:db8::{remote:x}") } else { format!("10.0.0.{remote}") };
            let ips = port.security.iter().flat_map(|(ips, _)| ips);
            is_member && ips.into_iter().any(|ip| *ip == address)
        }),
        (None, None) => true,
    };
    is_directed && is_family && is_protocol && is_selected && has_remote
}

/// Whether one of the prefixes that tests use has a host.
fn prefix_has(prefix: &str, host: u8) -> bool {
    match prefix {
        "0.0.0.0/0" | "::/0" | "10.0.0.0/24" | "2001:db8::/64" => true,
        "10.0.0.0/30" | "2001:db8::/126" => host < 4,
        "10.0.0.2/32" | "2001:db8::2/128" => host == 2,
        _ => panic!("{prefix}"),
    }
}
