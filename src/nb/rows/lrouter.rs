//! Logical routers with their ports. The datapath does not read them.

use crate::nb::schema::{
    Field, HOST_ROUTE, ID, Kind, NAME, Schema, TOPIC, UNIQUE_KEY, VERSION, list, may, must,
};

pub(super) const SCHEMA: Schema = Schema { fields: Some(FIELDS), ..Schema::OPEN };

const FIELDS: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    list("ports", &Kind::Object(PORT)),
    list("routes", &Kind::Object(HOST_ROUTE)),
];

const PORT: &[Field] = &[
    ID,
    TOPIC,
    must("unique_key", UNIQUE_KEY.kind),
    may("mac", Kind::Mac),
    may("lswitch", Kind::Reference),
    may("network", Kind::Network),
];
