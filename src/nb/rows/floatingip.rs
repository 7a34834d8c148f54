//! Floating IP addresses. The datapath does not read them.

use crate::nb::schema::{Field, ID, Kind, Schema, TOPIC, VERSION, may};

pub(super) const SCHEMA: Schema = Schema { fields: Some(FIELDS), ..Schema::OPEN };

const FIELDS: &[Field] = &[
    ID,
    TOPIC,
    VERSION,
    may("floating_ip_address", Kind::Ip),
    may("fixed_ip_address", Kind::Ip),
    may("lport", Kind::Reference),
    may("floating_lport", Kind::Reference),
    may("lrouter", Kind::Reference),
];
