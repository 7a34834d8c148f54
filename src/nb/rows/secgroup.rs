//! Security groups with their rules, table `secgroup`; and which of them are stateless, in a table of our own,
//! which Dragonflow does not read.

use std::convert::Infallible;

use ipnet::IpNet;
use serde_json::Value;

use super::Row;
use crate::nb::fields::Fields;
use crate::nb::schema::{
    Field, ID, Kind, NAME, NUMBER, Object, Schema, TOPIC, UNIQUE_KEY, VERSION, list, may,
};
use crate::nb::texts::Texts;
use crate::nb::{Record, RecordError};
use crate::types::{Direction, Family, GroupRule, Id, Remote, protocol};

pub(super) const SCHEMA: Schema = Schema {
    fields: Some(FIELDS),
    columns: &["id", "name", "topic"],
    check: Some(check_rules),
    ..Schema::OPEN
};

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

pub(super) const STATELESS_SCHEMA: Schema = Schema { fields: Some(&[ID, TOPIC, VERSION]), ..Schema::OPEN };

/// Writers may write only rules that are understood.
fn check_rules(object: &Object) -> Result<(), RecordError> {
    let rules = Fields::of_object(object).objects("rules", "rules.")?;
    rules.into_iter().try_for_each(|rule| parse_rule(rule).map(drop))
}

/// A security group: what its rules allow the ports that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// The id, which is also in the key of the record.
    pub id: Id,
    /// The name; may be empty, and need not be unique.
    pub name: Box<str>,
    /// The rules, in the order of the record.
    pub rules: Box<[GroupRule]>,
    /// Rules that cannot be understood, each with its id and the reason. They allow nothing.
    pub unclear: Box<[(Id, RecordError)]>,
}

impl SecurityGroup {
    /// The name with the id, or the id alone.
    #[must_use]
    pub fn label(&self) -> String {
        if self.name.is_empty() { self.id.to_string() } else { format!("{} ({})", self.name, self.id) }
    }
}

impl Row for SecurityGroup {
    type Key = Infallible;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = Fields::with_id(record)?;
        let (mut rules, mut unclear) = (Vec::new(), Vec::new());
        for rule in fields.objects("rules", "rules.")? {
            match parse_rule(rule) {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    let id = rule.text("id").ok().flatten().unwrap_or("without an id");
                    unclear.push((id.into(), error));
                }
            }
        }
        let name = fields.text("name")?.unwrap_or_default().into();
        Ok(Self { id, name, rules: rules.into(), unclear: unclear.into() })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.id);
    }
}

/// A security group whose rules are applied to each packet by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessGroup {
    /// The id of the group.
    pub id: Id,
}

impl Row for StatelessGroup {
    type Key = Infallible;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (_, id) = Fields::with_id(record)?;
        Ok(Self { id })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.id);
    }
}

/// Protocols with ports.
const WITH_PORTS: [u8; 5] =
    [protocol::TCP, protocol::UDP, protocol::DCCP, protocol::SCTP, protocol::UDP_LITE];

fn parse_rule(rule: Fields<'_>) -> Result<GroupRule, RecordError> {
    let bad = |field: &str, value: Value, expected: &str| {
        RecordError::bad(format!("rules.{field}"), &value, expected)
    };
    let direction = match rule.required_text("direction")?.as_str() {
        "egress" => Direction::Egress,
        "ingress" => Direction::Ingress,
        other => return Err(bad("direction", other.into(), "\"egress\" or \"ingress\"")),
    };
    let family = match rule.required_text("ethertype")?.as_str() {
        "IPv4" => Family::Ipv4,
        "IPv6" => Family::Ipv6,
        other => return Err(bad("ethertype", other.into(), "\"IPv4\" or \"IPv6\"")),
    };
    let protocol = rule.number("protocol")?;
    let protocol = protocol
        .map(|number| u8::try_from(number).map_err(|_| bad("protocol", number.into(), "0 to 255")))
        .transpose()?;
    if let Some(group) = rule.text("remote_address_group_id")? {
        return Err(bad("remote_address_group_id", group.into(), "one rule for each of its prefixes"));
    }
    let prefix: Option<IpNet> = rule.parsed("remote_ip_prefix", "a network as in 10.10.0.0/24")?;
    let remote = match (prefix, rule.text("remote_group_id")?) {
        (None, None) => Remote::Anyone,
        (None, Some(group)) => Remote::Group(group.into()),
        (Some(prefix), None) if Family::of(prefix.addr()) == family => Remote::Prefix(prefix),
        (Some(prefix), None) => {
            let expected = format!("a network of {family}, the rule's ethertype");
            return Err(bad("remote_ip_prefix", prefix.to_string().into(), &expected));
        }
        (Some(_), Some(group)) => {
            return Err(bad("remote_group_id", group.into(), "nothing beside remote_ip_prefix"));
        }
    };
    Ok(GroupRule {
        id: rule.required_text("id")?.into(),
        direction,
        family,
        protocol,
        selectors: selectors(rule, family, protocol)?,
        remote,
    })
}

/// The ports of a rule, or the types and codes of ICMP: the type is the first of the two numbers, the code the
/// second.
fn selectors(rule: Fields<'_>, family: Family, protocol: Option<u8>) -> Result<(u16, u16), RecordError> {
    let (min, max) = (rule.number("port_range_min")?, rule.number("port_range_max")?);
    let bad = |field: &str, value: Option<u64>, expected: &str| {
        RecordError::bad(format!("rules.{field}"), &value.map_or(Value::Null, Value::from), expected)
    };
    let number = |field: &str, value: u64, most: u16| {
        let checked = u16::try_from(value).ok().filter(|value| *value <= most);
        checked.ok_or_else(|| bad(field, Some(value), &format!("0 to {most}")))
    };
    let icmp = match family {
        Family::Ipv4 => protocol::ICMP,
        Family::Ipv6 => protocol::ICMPV6,
    };
    let is_icmp = protocol == Some(icmp);
    match (min, max) {
        (None, None) => Ok((0, u16::MAX)),
        (Some(kind), code) if is_icmp => {
            let kind = number("port_range_min", kind, u8::MAX.into())? << 8;
            match code {
                None => Ok((kind, kind | 0xff)),
                Some(code) => {
                    let code = number("port_range_max", code, u8::MAX.into())?;
                    Ok((kind | code, kind | code))
                }
            }
        }
        (None, Some(_)) if is_icmp => {
            Err(bad("port_range_min", None, "the ICMP type of the code in port_range_max"))
        }
        _ if !protocol.is_some_and(|protocol| WITH_PORTS.contains(&protocol)) => {
            let (field, value) =
                if min.is_some() { ("port_range_min", min) } else { ("port_range_max", max) };
            Err(bad(
                field,
                value,
                "no ports with this protocol: those of 6, 17, 33, 132, and 136 have them, and ICMP of the rule's ethertype",
            ))
        }
        (Some(min), Some(max)) => {
            let range = (number("port_range_min", min, u16::MAX)?, number("port_range_max", max, u16::MAX)?);
            if range.0 <= range.1 {
                Ok(range)
            } else {
                Err(bad("port_range_max", Some(max), "no less than port_range_min"))
            }
        }
        (Some(_), None) => Err(bad("port_range_max", None, "the last port, as there is a first one")),
        (None, Some(_)) => Err(bad("port_range_min", None, "the first port, as there is a last one")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nb::Table;

    fn group(rules: &Value) -> SecurityGroup {
        let json = json!({"id": "g", "topic": "t", "rules": rules});
        SecurityGroup::parse(&Record { table: Table::SecurityGroup, id: "g".to_owned(), json }).unwrap()
    }

    #[test]
    fn zero_is_a_type_and_a_code_and_a_protocol() {
        let rule = |more: Value| {
            let mut rule = json!({"id": "r", "direction": "ingress", "ethertype": "IPv4"});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let group = group(&json!([
            rule(json!({"protocol": 1, "port_range_min": 0})),
            rule(json!({"protocol": 1, "port_range_min": 8, "port_range_max": 0})),
            rule(json!({"protocol": 1, "port_range_min": 0, "port_range_max": 0})),
            rule(json!({"protocol": 0})),
            rule(json!({"protocol": 6, "port_range_min": 0, "port_range_max": 0})),
            rule(json!({})),
        ]));
        let parsed: Vec<_> = group.rules.iter().map(|rule| (rule.protocol, rule.selectors)).collect();
        let all = (0, 0xffff);
        let expected = [
            (Some(1), (0, 255)),
            (Some(1), (0x800, 0x800)),
            (Some(1), (0, 0)),
            (Some(0), all),
            (Some(6), (0, 0)),
            (None, all),
        ];
        assert_eq!(parsed, expected);
        assert_eq!(group.unclear.len(), 0);
    }

    #[test]
    fn a_rule_that_is_not_understood_is_named_and_the_others_hold() {
        let unclear = [
            (json!({}), "rules.direction"),
            (json!({"direction": "both", "ethertype": "IPv4"}), "rules.direction"),
            (json!({"direction": "egress", "ethertype": "ARP"}), "rules.ethertype"),
            (json!({"direction": "egress", "ethertype": "IPv4", "protocol": "tcp"}), "rules.protocol"),
            (json!({"direction": "egress", "ethertype": "IPv4", "protocol": 256}), "rules.protocol"),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "port_range_min": 1, "port_range_max": 2}),
                "rules.port_range_min",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv6", "protocol": 1, "port_range_min": 8}),
                "rules.port_range_min",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 47, "port_range_max": 8}),
                "rules.port_range_max",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 1, "port_range_max": 0}),
                "rules.port_range_min",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 1, "port_range_min": 256}),
                "rules.port_range_min",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 6, "port_range_min": 9, "port_range_max": 8}),
                "rules.port_range_max",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 6, "port_range_min": 9}),
                "rules.port_range_max",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "protocol": 17, "port_range_min": 9, "port_range_max": 65536}),
                "rules.port_range_max",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "remote_ip_prefix": "::/0"}),
                "rules.remote_ip_prefix",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "remote_ip_prefix": "10.0.0.300/32"}),
                "rules.remote_ip_prefix",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "g"}),
                "rules.remote_group_id",
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv4", "remote_address_group_id": "a"}),
                "rules.remote_address_group_id",
            ),
        ];
        for (mut rule, field) in unclear {
            rule["id"] = "odd".into();
            let good =
                json!({"id": "good", "direction": "egress", "ethertype": "IPv6", "remote_group_id": "g"});
            let group = group(&json!([rule, good]));
            assert_eq!(group.rules.len(), 1, "{rule}");
            let [(id, error)] = &*group.unclear else { panic!("{rule}: {:?}", group.unclear) };
            assert!(**id == *"odd" && error.to_string().contains(field), "{rule}: {error}");
        }
    }
}
