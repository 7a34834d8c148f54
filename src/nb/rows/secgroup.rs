//! Security groups with their rules. The datapath does not read them.

use crate::nb::schema::{Field, ID, Kind, NAME, NUMBER, Schema, TOPIC, UNIQUE_KEY, VERSION, list, may};

pub(super) const SCHEMA: Schema = Schema { fields: Some(FIELDS), ..Schema::OPEN };

const FIELDS: &[Field] = &[ID, NAME, TOPIC, VERSION, UNIQUE_KEY, list("rules", &Kind::Object(RULE))];

const RULE: &[Field] = &[
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
