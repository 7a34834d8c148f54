//! Security groups and connections as tables.

use std::net::SocketAddr;

use crate::api::model::{ConnectionView, ConnectionsView, EndView, GroupView, RuleView};
use crate::cli::output::table;
use crate::types::{Direction, printable, protocol};

pub(super) fn groups(groups: &[GroupView]) -> String {
    if groups.is_empty() {
        return "no security groups: no port here with port security has one\n".to_owned();
    }
    groups.iter().map(group).collect()
}

fn group(group: &GroupView) -> String {
    let (name, id) = (printable(&group.name), printable(&group.group));
    let label = if name.is_empty() { id.into_owned() } else { format!("{name} ({id})") };
    let kind = match (group.exists, group.stateless) {
        (false, _) => "has no record: its ports are closed to IP until it comes",
        (true, true) => "stateless",
        (true, false) => "stateful",
    };
    let ports: Vec<_> = group.ports.iter().map(|port| printable(port)).collect();
    let unclear = group.unclear.iter().map(|rule| {
        format!("  rule {} allows nothing: {}\n", printable(&rule.rule), printable(&rule.reason))
    });
    let unclear: String = unclear.collect();
    let rules = match group.rules.len() {
        0 => "  no rules\n".to_owned(),
        _ => table(
            ["  DIRECTION", "ETHERTYPE", "PROTOCOL", "PORTS", "REMOTE", "RULE"],
            group.rules.iter().map(row),
        ),
    };
    format!(
        "{label}: {kind}\n  ports here: {}; on all hosts: {}\n{rules}{unclear}",
        ports.join(", "),
        group.members
    )
}

fn row(rule: &RuleView) -> [String; 6] {
    let remote = match (&rule.remote_ip_prefix, &rule.remote_group_id) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(group)) => format!("group {group}"),
        (None, None) => "any".to_owned(),
    };
    [
        format!("  {}", rule.direction),
        rule.ethertype.to_string(),
        rule.protocol.map_or_else(|| "any".to_owned(), |protocol| protocol::name(protocol).into_owned()),
        selectors(rule),
        remote,
        rule.rule.clone(),
    ]
}

/// The ports, or type and code of ICMP.
fn selectors(rule: &RuleView) -> String {
    let (first, last) = rule.selectors;
    let is_icmp = matches!(rule.protocol, Some(protocol::ICMP | protocol::ICMPV6));
    match (first, last) {
        (0, u16::MAX) => "any".to_owned(),
        _ if is_icmp && first == last => format!("type {} code {}", first >> 8, first & 0xff),
        _ if is_icmp => format!("type {}", first >> 8),
        _ if first == last => first.to_string(),
        _ => format!("{first}-{last}"),
    }
}

pub(super) fn connections(view: &ConnectionsView) -> String {
    if view.connections.is_empty() {
        return "no connections\n".to_owned();
    }
    let header =
        ["LPORT", "PROTOCOL", "LOCAL", "OPENED", "REMOTE", "STATE", ">AGE", ">EXPIRES", ">SENT", ">RECEIVED"];
    let shown = table(header, view.connections.iter().map(connection));
    let more = view.total.saturating_sub(view.connections.len() as u64);
    let note = format!("and {more} more, with fewer bytes: name a port to see its own\n");
    if more > 0 { shown + &note } else { shown }
}

fn connection(connection: &ConnectionView) -> [String; 10] {
    let opened = match connection.opened {
        Direction::Egress => "->",
        Direction::Ingress => "<-",
    };
    [
        connection.lport.clone(),
        protocol::name(connection.protocol).into_owned(),
        end(connection.local),
        opened.to_owned(),
        end(connection.remote),
        connection.phase.to_string(),
        format!("{} s", connection.age_seconds),
        format!("{} s", connection.expires_seconds),
        connection.bytes_sent.to_string(),
        connection.bytes_received.to_string(),
    ]
}

fn end(EndView { address, port }: EndView) -> String {
    if port == 0 { address.to_string() } else { SocketAddr::new(address, port).to_string() }
}
