//! Subnets. The datapath does not read them.

use crate::nb::schema::{Field, HOST_ROUTE, ID, Kind, NAME, Schema, TOPIC, VERSION, list, may, must};

pub(super) const SCHEMA: Schema = Schema { fields: Some(FIELDS), ..Schema::OPEN };

const FIELDS: &[Field] = &[
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
