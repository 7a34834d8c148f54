//! What Dragonflow's strict readers accept, table by table: the rules for writers, as data.
//!
//! The fields are those of the model classes in Dragonflow's `db/models`. Tables of features that have nothing
//! to do with ports (BGP, service chaining) are open: any field goes.

use super::Table;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// The id of another record: a text that is not empty. Whether the record exists is not looked at here.
    Reference,
    /// true or false.
    Flag,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// Seconds since 1970, with a fraction.
    Time,
    /// A MAC address; written in lower case.
    Mac,
    /// An IP address; written in its short form.
    Ip,
    /// An IP address with a prefix length, host bits kept.
    Network,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of such values.
    List(&'static Kind),
    /// An object with these fields.
    Object(&'static [Field]),
    /// An object with any fields that hold texts.
    TextMap,
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It may be left out.
    Optional,
    /// It must be given.
    Required,
    /// It is given an empty list when left out: Dragonflow always writes its lists.
    Listed,
}

/// A field of a record or of an object in one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Optional }
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Required }
}

const fn list(name: &'static str, kind: &'static Kind) -> Field {
    Field { name, kind: Kind::List(kind), need: Need::Listed }
}

const NUMBER: Kind = Kind::Number(0, i64::MAX as u64);
const ID: Field = must("id", Kind::Reference);
const NAME: Field = may("name", Kind::Text);
const TOPIC: Field = must("topic", Kind::Text);
/// Set when left out, like the unique key, and so not required.
const VERSION: Field = may("version", NUMBER);
const UNIQUE_KEY: Field = may("unique_key", Kind::Number(1, i32::MAX as u64));

const LSWITCH: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    may("is_external", Kind::Flag),
    may("mtu", NUMBER),
    may("segmentation_id", NUMBER),
    may("network_type", Kind::Text),
    may("physical_network", Kind::Text),
    may("qos_policy", Kind::Reference),
];

const HOST_ROUTE: &[Field] = &[must("destination", Kind::Network), must("nexthop", Kind::Ip)];

const LSUBNET: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    may("enable_dhcp", Kind::Flag),
    may("dhcp_ip", Kind::Ip),
    may("cidr", Kind::Network),
    may("gateway_ip", Kind::Ip),
    list("dns_nameservers", &Kind::Ip),
    list("host_routes", &Kind::Object(HOST_ROUTE)),
    must("lswitch", Kind::Reference),
];

const LPORT: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    must("lswitch", Kind::Reference),
    list("macs", &Kind::Mac),
    list("ips", &Kind::Ip),
    list("subnets", &Kind::Reference),
    may("enabled", Kind::Flag),
    may("binding", Kind::Object(BINDING)),
    list("security_groups", &Kind::Reference),
    list("allowed_address_pairs", &Kind::Object(ADDRESS_PAIR)),
    may("port_security_enabled", Kind::Flag),
    may("device_owner", Kind::Text),
    may("device_id", Kind::Text),
    may("qos_policy", Kind::Reference),
    may("dhcp_params", Kind::Object(&[may("opts", Kind::TextMap), may("siaddr", Kind::Ip)])),
    may("binding_vnic_type", Kind::Text),
];

const BINDING: &[Field] = &[
    must("type", Kind::OneOf(&["chassis", "vtep"])),
    may("chassis", Kind::Reference),
    may("vtep_address", Kind::Ip),
];

const ADDRESS_PAIR: &[Field] = &[must("ip_address", Kind::Ip), must("mac_address", Kind::Mac)];

const CHILD_PORT_SEGMENTATION: &[Field] = &[
    ID,
    TOPIC,
    must("parent", Kind::Reference),
    must("port", Kind::Reference),
    must("segmentation_type", Kind::OneOf(&["vlan", "macvlan", "ipvlan"])),
    may("segmentation_id", NUMBER),
];

const CHASSIS: &[Field] = &[
    ID,
    must("ip", Kind::Ip),
    may("external_host_ip", Kind::Ip),
    must("tunnel_types", Kind::List(&Kind::OneOf(&["geneve", "vxlan", "gre"]))),
];

const ROUTER_PORT: &[Field] = &[
    ID,
    TOPIC,
    must("unique_key", UNIQUE_KEY.kind),
    may("mac", Kind::Mac),
    may("lswitch", Kind::Reference),
    may("network", Kind::Network),
];

const LOGICAL_ROUTER: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    list("ports", &Kind::Object(ROUTER_PORT)),
    list("routes", &Kind::Object(HOST_ROUTE)),
];

const FLOATING_IP: &[Field] = &[
    ID,
    TOPIC,
    VERSION,
    may("floating_ip_address", Kind::Ip),
    may("fixed_ip_address", Kind::Ip),
    may("lport", Kind::Reference),
    may("floating_lport", Kind::Reference),
    may("lrouter", Kind::Reference),
];

const SECURITY_GROUP_RULE: &[Field] = &[
    ID,
    TOPIC,
    VERSION,
    may("direction", Kind::OneOf(&["ingress", "egress"])),
    may("ethertype", Kind::OneOf(&["IPv4", "IPv6"])),
    may("protocol", Kind::Number(0, 255)),
    may("port_range_min", NUMBER),
    may("port_range_max", NUMBER),
    may("remote_group_id", Kind::Text),
    may("remote_ip_prefix", Kind::Network),
    may("security_group_id", Kind::Text),
];

const SECURITY_GROUP: &[Field] =
    &[ID, NAME, TOPIC, VERSION, UNIQUE_KEY, list("rules", &Kind::Object(SECURITY_GROUP_RULE))];

const QOS_RULE: &[Field] = &[
    ID,
    may("type", Kind::OneOf(&["dscp_marking", "bandwidth_limit"])),
    may("dscp_mark", NUMBER),
    may("max_kbps", NUMBER),
    may("max_burst_kbps", NUMBER),
    may("direction", Kind::OneOf(&["egress"])),
];

const QOS_POLICY: &[Field] = &[ID, NAME, TOPIC, VERSION, list("rules", &Kind::Object(QOS_RULE))];

const ACTIVE_PORT: &[Field] = &[
    ID,
    TOPIC,
    may("ip", Kind::Ip),
    may("network", Kind::Reference),
    may("detected_mac", Kind::Mac),
    may("detected_lport", Kind::Reference),
];

const MIGRATION: &[Field] = &[
    ID,
    may("dest_chassis", Kind::Reference),
    may("lport", Kind::Reference),
    may("status", Kind::OneOf(&["dest_plug", "src_unplug", "rebound"])),
];

const PUBLISHER: &[Field] = &[ID, NAME, may("uri", Kind::Text), may("last_activity_timestamp", Kind::Time)];

const LISTENER: &[Field] = &[ID, may("timestamp", Kind::Time), may("ppid", NUMBER)];

const SERVICE: &[Field] = &[
    ID,
    may("chassis", Kind::Reference),
    may("binary", Kind::Text),
    may("last_seen_up", Kind::Time),
    may("disabled", Kind::Flag),
    may("disabled_reason", Kind::Text),
];

impl Table {
    /// The fields that a record of this table may have; `None` for an open table.
    pub(super) const fn fields(self) -> Option<&'static [Field]> {
        match self {
            Self::Lswitch => Some(LSWITCH),
            Self::Lsubnet => Some(LSUBNET),
            Self::Lport => Some(LPORT),
            Self::ChildPortSegmentation => Some(CHILD_PORT_SEGMENTATION),
            Self::Chassis => Some(CHASSIS),
            Self::LogicalRouter => Some(LOGICAL_ROUTER),
            Self::FloatingIp => Some(FLOATING_IP),
            Self::SecurityGroup => Some(SECURITY_GROUP),
            Self::QosPolicy => Some(QOS_POLICY),
            Self::ActivePort => Some(ACTIVE_PORT),
            Self::Migration => Some(MIGRATION),
            Self::Publisher => Some(PUBLISHER),
            Self::Listener => Some(LISTENER),
            Self::Service => Some(SERVICE),
            Self::BgpPeer
            | Self::BgpSpeaker
            | Self::SfcPortPair
            | Self::SfcFlowClassifier
            | Self::SfcPortPairGroup
            | Self::SfcPortChain => None,
        }
    }

    fn has(self, field: &str) -> bool {
        self.fields().is_some_and(|fields| fields.iter().any(|known| known.name == field))
    }

    /// True when a record of this table is given a `unique_key` at creation.
    pub(super) fn is_keyed(self) -> bool {
        self.has(UNIQUE_KEY.name)
    }

    /// True when a record of this table carries a `version` that rises with every change.
    pub(super) fn is_versioned(self) -> bool {
        self.has(VERSION.name)
    }
}
