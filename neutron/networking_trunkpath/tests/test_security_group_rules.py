"""Rules in the records of security groups."""

import json
from pathlib import Path

from neutron.db.models import securitygroup as models
from neutron_lib import constants
from neutron_lib.db import api as db_api

from networking_trunkpath import reconcile, records
from networking_trunkpath.tests.security_group_case import PROJECT, SecurityGroupTestCase

_DRAGONFLOW_RECORDS = Path(__file__).parents[3] / "tests" / "data" / "dragonflow-security-groups.jsonl"


class TestRules(SecurityGroupTestCase):
    """Content of the rules in a record."""

    def test_records_are_those_of_dragonflow(self):
        examples = [json.loads(line)["record"] for line in _DRAGONFLOW_RECORDS.read_text().splitlines()]
        with db_api.CONTEXT_WRITER.using(context := self.admin()):
            for example in examples:
                context.session.add(_group_row(example))
            context.session.flush()
            context.session.add_all(_rule_row(rule) for example in examples for rule in example["rules"])
        reconcile.repair(self.store)
        for example in examples:
            self.assertEqual(_without_numbers(example), _without_numbers(self.record(example)))
        self.assertEqual([1, 2, 3, 4], sorted(self.record(example)["unique_key"] for example in examples))

    def test_every_protocol_of_neutron_is_a_number(self):
        group = self.group()
        for name, number in constants.IP_PROTOCOL_MAP.items():
            is_ipv6 = name.startswith(("ipv6", "icmpv6"))
            rule = self.rule(group, protocol=name, ethertype="IPv6" if is_ipv6 else "IPv4")
            self.assertEqual(number, self.rules(group)[rule["id"]]["protocol"], name)
            self.delete_rule(rule)

    def test_protocols_by_number(self):
        group = self.group()
        for protocol in ("0", "1", "6", "112", "255"):
            rule = self.rule(group, protocol=protocol)
            self.assertEqual(int(protocol), self.rules(group)[rule["id"]]["protocol"])

    def test_protocols_in_rows_of_old_releases(self):
        for protocol, ethertype, number in (
            (None, "IPv4", None),
            ("any", "IPv4", None),
            ("-1", "IPv6", None),
            ("icmp", "IPv4", 1),
            ("icmp", "IPv6", 58),
            ("1", "IPv6", 58),
            ("icmpv6", "IPv6", 58),
            ("ipv6-icmp", "IPv6", 58),
        ):
            self.assertEqual(number, records._protocol_number(protocol, ethertype), protocol)

    def test_icmp_of_ipv6_is_58(self):
        group = self.group()
        for protocol in ("icmp", "icmpv6", "1"):
            rule = self.rule(group, protocol=protocol, ethertype="IPv6", port_range_min=128)
            self.assertEqual(58, self.rules(group)[rule["id"]]["protocol"])
            self.delete_rule(rule)

    def test_icmp_type_and_code_0_are_values(self):
        group = self.group()
        for given in (
            {"port_range_min": 0, "port_range_max": 0},
            {"port_range_min": 8, "port_range_max": 0},
            {"port_range_min": 0},
            {"port_range_min": 3, "port_range_max": 4},
            {},
        ):
            rule = self.rule(group, protocol="icmp", **given)
            record = self.rules(group)[rule["id"]]
            self.assertEqual(given, {name: record[name] for name in record if name.startswith("port_range")})

    def test_a_rule_has_the_fields_of_dragonflow_only(self):
        group, other = self.group(), self.group("other")
        for given in (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 443, "remote_ip_prefix": "0.0.0.0/0"},
            {"protocol": "udp", "remote_group_id": other["id"]},
            {"protocol": "sctp", "port_range_min": 5000, "port_range_max": 5010},
        ):
            rule = self.rule(group, **given)
            expected = {
                "id": rule["id"],
                "topic": PROJECT,
                "version": 0,
                "security_group_id": group["id"],
                "direction": "ingress",
                "ethertype": "IPv4",
            }
            number = {"protocol": constants.IP_PROTOCOL_MAP[given["protocol"]]}
            self.assertEqual(expected | given | number, self.rules(group)[rule["id"]])

    def test_a_prefix_has_no_bits_of_a_host(self):
        group = self.group()
        self.rule(group, remote_ip_prefix="192.0.2.77/24")
        self.rule(group, remote_ip_prefix="192.0.2.78")
        self.assertEqual(["192.0.2.0/24", "192.0.2.78/32"], self.prefixes(group))


def _group_row(record):
    return models.SecurityGroup(id=record["id"], project_id=record["topic"], name=record["name"])


def _rule_row(rule):
    """Row of Neutron with the name of the protocol, if it has one."""
    number = rule.get("protocol")
    name = None if number is None else constants.IP_PROTOCOL_NUM_TO_NAME_MAP.get(str(number), str(number))
    columns = {name: value for name, value in rule.items() if name not in ("topic", "version", "protocol")}
    return models.SecurityGroupRule(project_id=rule["topic"], protocol=name, **columns)


def _without_numbers(record):
    """The number of changes in Dragonflow's example, and the order of the keys, are not the test's."""
    return {name: value for name, value in record.items() if name not in ("version", "unique_key")}
