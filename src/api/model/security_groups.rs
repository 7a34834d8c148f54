//! Security groups, and the connections that they allow.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::types::{Direction, Family, Phase};

/// A security group that ports of this host have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Id of the record in table `secgroup`.
    pub group: String,
    /// The `name` of the record.
    pub name: String,
    /// Whether there is a record. Without one its ports are closed to IP.
    pub exists: bool,
    /// Whether its rules are applied to each packet by itself.
    pub stateless: bool,
    /// The rules that are in force.
    pub rules: Vec<RuleView>,
    /// Rules that are not understood, and allow nothing.
    pub unclear: Vec<UnclearRuleView>,
    /// Ids of the ports of this host that it filters.
    pub ports: Vec<String>,
    /// Number of ports that have the group, on all hosts.
    pub members: usize,
}

/// A rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its id.
    pub rule: String,
    /// Of the packets that it allows, as their port sees it.
    pub direction: Direction,
    /// The version of IP.
    pub ethertype: Family,
    /// The IP protocol; none for all.
    pub protocol: Option<u8>,
    /// The first and the last destination port; of ICMP, type and code as the high and the low byte.
    pub selectors: (u16, u16),
    /// A prefix.
    pub remote_ip_prefix: Option<String>,
    /// Id of a group, whose ports' addresses are meant.
    pub remote_group_id: Option<String>,
}

/// A rule that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnclearRuleView {
    /// Its id.
    pub rule: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Which connections are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsRequest {
    /// Id of the port; none for all ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// Connections of this host's ports. Of two ports of this host that communicate, each has one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionsView {
    /// The number of all.
    pub total: u64,
    /// At most 1,000 of them, those with the most bytes.
    pub connections: Vec<ConnectionView>,
}

/// A connection of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// Id of the port.
    pub lport: String,
    /// The IP protocol.
    pub protocol: u8,
    /// The port's end.
    pub local: EndView,
    /// The other end.
    pub remote: EndView,
    /// The direction of the first packet.
    pub opened: Direction,
    /// How far it has come.
    pub phase: Phase,
    /// Time since the first packet.
    pub age_seconds: u32,
    /// Time until it is forgotten, if no packet comes.
    pub expires_seconds: u32,
    /// Lengths of the frames from the port, without tags.
    pub bytes_sent: u64,
    /// Lengths of the frames to the port, without tags.
    pub bytes_received: u64,
}

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndView {
    /// The IP address.
    pub address: IpAddr,
    /// The port; of ICMP requests the identifier at the end that asks, and the type at the other; 0 without
    /// ports.
    pub port: u16,
}
