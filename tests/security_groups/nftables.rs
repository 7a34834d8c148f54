//! The rules of a port as a host's nftables.

use serde_json::Value;
use testkit::scenario::Scenario;

/// What every port sends and receives whatever its rules: as in `docs/behaviour.md`.
const PERMIT_ALWAYS: &str = "
    icmpv6 type { 130, 134, 137 } drop
    icmpv6 type { 131, 132, 133, 135, 136, 143 } accept
    meta nfproto ipv4 udp sport 68 udp dport 67 accept
    meta nfproto ipv6 udp sport 546 udp dport 547 accept
    meta nfproto ipv4 udp sport 67 udp dport 68 drop
    meta nfproto ipv6 udp sport 547 udp dport 546 drop
";
const ADMIT_ALWAYS: &str = "
    icmpv6 type { 130, 134, 135, 136 } accept
    meta nfproto ipv4 udp sport 67 udp dport 68 accept
    meta nfproto ipv6 udp sport 547 udp dport 546 accept
";

/// The tables of a host with this port, to replace those that it has. `zone` separates its connections from
/// those under earlier rules.
pub fn tables(scenario: &Scenario, port: &str, zone: u16) -> String {
    let groups = scenario.ports[port].groups.iter().flatten();
    let rules: Vec<&Value> = groups.flat_map(|group| &scenario.groups[group]).collect();
    let chain = |name: &str, direction: &str, always: &str| {
        let rules = rules.iter().filter(|rule| rule["direction"] == direction);
        let rules: Vec<_> = rules.filter_map(|rule| statement(scenario, rule)).collect();
        format!(
            "chain {name} {{
                {always}
                ct state established,related accept
                ct state invalid drop
                {}
            }}",
            rules.join("\n")
        )
    };
    // The family inet sees the bridge as the link, and not its ports: a mark has them.
    format!(
        "table bridge side
        delete table bridge side
        table bridge side {{
            chain prerouting {{
                type filter hook prerouting priority -300
                iifname guest meta mark set 1
                iifname wire meta mark set 2
            }}
        }}
        table inet groups
        delete table inet groups
        table inet groups {{
            chain prerouting {{
                type filter hook prerouting priority raw
                ct zone set {zone}
            }}
            {}
            {}
            chain forward {{
                type filter hook forward priority filter; policy drop
                meta mark 1 goto permit
                meta mark 2 goto admit
            }}
        }}
        ",
        chain("permit", "egress", PERMIT_ALWAYS),
        chain("admit", "ingress", ADMIT_ALWAYS)
    )
}

/// `None` for a rule that no address can match.
fn statement(scenario: &Scenario, rule: &Value) -> Option<String> {
    let is_v6 = rule["ethertype"] == "IPv6";
    let (family, ip, icmp) = if is_v6 { ("ipv6", "ip6", "icmpv6") } else { ("ipv4", "ip", "icmp") };
    let mut words = vec![format!("meta nfproto {family}")];
    let protocol = rule["protocol"].as_u64();
    words.extend(protocol.map(|protocol| format!("meta l4proto {protocol}")));
    let [min, max] = ["port_range_min", "port_range_max"].map(|field| rule[field].as_u64());
    match protocol {
        Some(1 | 58) => {
            words.extend(min.map(|kind| format!("{icmp} type {kind}")));
            words.extend(max.map(|code| format!("{icmp} code {code}")));
        }
        _ => words.extend(min.zip(max).map(|(min, max)| format!("th dport {min}-{max}"))),
    }
    let remote = if rule["direction"] == "egress" { "daddr" } else { "saddr" };
    if let Some(prefix) = rule["remote_ip_prefix"].as_str().filter(|prefix| !prefix.ends_with("/0")) {
        words.push(format!("{ip} {remote} {prefix}"));
    }
    if let Some(group) = rule["remote_group_id"].as_str() {
        let members = scenario.ports.values();
        let members = members.filter(|port| port.groups.iter().flatten().any(|id| id == group));
        let ips = members.flat_map(|port| port.security.iter().flat_map(|(ips, _)| ips));
        let ips: Vec<_> = ips.copied().filter(|ip| ip.contains(':') == is_v6).collect();
        if ips.is_empty() {
            return None;
        }
        words.push(format!("{ip} {remote} {{ {} }}", ips.join(", ")));
    }
    Some(format!("{} accept", words.join(" ")))
}
