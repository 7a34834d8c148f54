//! Tables of Dragonflow without a part in forwarding. The datapath does not read them.

use crate::nb::schema::{Field, ID, Kind, NAME, NUMBER, Schema, TOPIC, VERSION, list, may};

pub(super) const QOS_POLICY: Schema = Schema {
    fields: Some(&[ID, NAME, TOPIC, VERSION, list("rules", &Kind::Object(QOS_RULE))]),
    ..Schema::OPEN
};

const QOS_RULE: &[Field] = &[
    ID,
    may("type", Kind::OneOf(&["dscp_marking", "bandwidth_limit"])),
    may("dscp_mark", NUMBER),
    may("max_kbps", NUMBER),
    may("max_burst_kbps", NUMBER),
    may("direction", Kind::OneOf(&["egress"])),
];

pub(super) const ACTIVE_PORT: Schema = Schema {
    fields: Some(&[
        ID,
        TOPIC,
        may("ip", Kind::Ip),
        may("network", Kind::Reference),
        may("detected_mac", Kind::Mac),
        may("detected_lport", Kind::Reference),
    ]),
    ..Schema::OPEN
};

pub(super) const MIGRATION: Schema = Schema {
    fields: Some(&[
        ID,
        may("dest_chassis", Kind::Reference),
        may("lport", Kind::Reference),
        may("status", Kind::OneOf(&["dest_plug", "src_unplug", "rebound"])),
    ]),
    ..Schema::OPEN
};

pub(super) const PUBLISHER: Schema = Schema {
    fields: Some(&[ID, NAME, may("uri", Kind::Text), may("last_activity_timestamp", Kind::Time)]),
    ..Schema::OPEN
};

pub(super) const LISTENER: Schema =
    Schema { fields: Some(&[ID, may("timestamp", Kind::Time), may("ppid", NUMBER)]), ..Schema::OPEN };

pub(super) const SERVICE: Schema = Schema {
    fields: Some(&[
        ID,
        may("chassis", Kind::Reference),
        may("binary", Kind::Text),
        may("last_seen_up", Kind::Time),
        may("disabled", Kind::Flag),
        may("disabled_reason", Kind::Text),
    ]),
    ..Schema::OPEN
};
