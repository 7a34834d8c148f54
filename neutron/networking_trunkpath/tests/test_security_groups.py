"""Records of security groups: their content, and the requests that change them."""

import json
import uuid
from pathlib import Path
from unittest import mock

from neutron.db.models import securitygroup as models
from neutron_lib import constants
from neutron_lib.callbacks import events, exceptions, registry, resources
from neutron_lib.db import api as db_api
from neutron_lib.exceptions import address_group as address_group_exc

from networking_trunkpath import journal, reconcile, records
from networking_trunkpath.store import Key
from networking_trunkpath.tests.base import TrunkpathTestCase

_DRAGONFLOW_RECORDS = Path(__file__).parents[3] / "tests" / "data" / "dragonflow-security-groups.jsonl"
_PROJECT = "8f3a1f0cb1f14a8f9c9a4c1df8a51bd2"
_RULE_FIELDS = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")


class SecurityGroupTestCase(TrunkpathTestCase):
    def group(self, name="web", project=_PROJECT, **fields):
        return self.plugin.create_security_group(self.admin(), _group_body(name, project, **fields))

    def update_group(self, group, **fields):
        return self.plugin.update_security_group(self.admin(), group["id"], {"security_group": fields})

    def delete_group(self, group):
        self.plugin.delete_security_group(self.admin(), group["id"])

    def rule(self, group, **fields):
        return self.plugin.create_security_group_rule(self.admin(), _rule_body(group, **fields))

    def delete_rule(self, rule):
        self.plugin.delete_security_group_rule(self.admin(), rule["id"])

    def address_group(self, *addresses):
        body = {"name": "offices", "description": "", "addresses": list(addresses)} | _owner(_PROJECT)
        return self.plugin.create_address_group(self.admin(), {"address_group": body})

    def add_addresses(self, address_group, *addresses):
        self.plugin.add_addresses(self.admin(), address_group["id"], {"addresses": list(addresses)})

    def remove_addresses(self, address_group, *addresses):
        self.plugin.remove_addresses(self.admin(), address_group["id"], {"addresses": list(addresses)})

    def record(self, group):
        self.process_journal()
        return self.store.records_by_id(records.SECGROUP).get(group["id"])

    def rules(self, group):
        """Rules of the record that are not of Neutron's template, by id."""
        return {rule["id"]: rule for rule in self.record(group)["rules"] if rule.keys() & set(_RULE_FIELDS)}

    def prefixes(self, group):
        return sorted(rule["remote_ip_prefix"] for rule in self.rules(group).values())

    def stateless_groups(self):
        self.process_journal()
        return self.store.records_by_id(records.STATELESS_SECGROUP)

    def assert_equal_to_neutron(self):
        self.process_journal()
        self.assertEqual([], reconcile.compare(self.store).differences)


def _owner(project):
    """Neutron 2025.1 reads the old name."""
    return {"project_id": project, "tenant_id": project}


def _group_body(name, project=_PROJECT, **fields):
    return {"security_group": {"name": name, "description": ""} | _owner(project) | fields}


def _rule_body(group, project=_PROJECT, **fields):
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4"} | _owner(project)
    absent = dict.fromkeys((*_RULE_FIELDS, "remote_address_group_id"))
    return {"security_group_rule": absent | rule | fields}


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
                "topic": _PROJECT,
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


class TestGroups(SecurityGroupTestCase):
    """Requests that change groups and rules."""

    def test_a_group_is_created_updated_and_deleted(self):
        group = self.group()
        created = self.record(group)
        self.assertEqual((_PROJECT, "web"), (created["topic"], created["name"]))
        self.update_group(group, name="www")
        updated = self.record(group)
        self.assertEqual(("www", created["unique_key"]), (updated["name"], updated["unique_key"]))
        self.assertGreater(updated["version"], created["version"])
        self.delete_group(group)
        self.assertIsNone(self.record(group))

    def test_the_default_group_of_each_project_is_written(self):
        port = self.port(self.network())
        (group,) = port["security_groups"]
        record = self.record({"id": group})
        self.assertEqual(("default", port["project_id"]), (record["name"], record["topic"]))
        # With the first group of a project Neutron also creates its default group.
        self.group(project="another")
        self.process_journal()
        names = {(each["topic"], each["name"]) for each in self.store.records_by_id(records.SECGROUP).values()}
        self.assertEqual({(port["project_id"], "default"), ("another", "default"), ("another", "web")}, names)

    def test_rules_are_added_and_removed_with_growing_versions(self):
        group = self.group()
        versions = [self.record(group)["version"]]
        ssh = self.rule(group, protocol="tcp", port_range_min=22, port_range_max=22)
        versions.append(self.record(group)["version"])
        bodies = [_rule_body(group, protocol="udp", port_range_min=port, port_range_max=port) for port in (53, 123)]
        bulk = self.plugin.create_security_group_rule_bulk_native(self.admin(), {"security_group_rules": bodies})
        self.assertEqual({ssh["id"], *(rule["id"] for rule in bulk)}, set(self.rules(group)))
        versions.append(self.record(group)["version"])
        self.delete_rule(ssh)
        self.assertEqual({rule["id"] for rule in bulk}, set(self.rules(group)))
        versions.append(self.record(group)["version"])
        self.assertEqual(sorted(set(versions)), versions)
        self.assertEqual(versions[-1], self.plugin.get_security_group(self.admin(), group["id"])["revision_number"])

    def test_groups_in_one_request_are_written(self):
        bodies = {"security_groups": [_group_body(name) for name in "abc"]}
        groups = self.plugin.create_security_group_bulk(self.admin(), bodies)
        self.assertEqual(["a", "b", "c"], [self.record(group)["name"] for group in groups])

    def test_the_record_of_a_group_with_a_rule_of_another_project_stays_in_place(self):
        group = self.group()
        self.process_journal()
        self.rule(group, protocol="tcp", project="another")
        self.process_journal()
        keys = [key for key in self.store.records if key.table == records.SECGROUP and key.id == group["id"]]
        self.assertEqual([Key(records.SECGROUP, _PROJECT, group["id"])], keys)

    def test_rules_for_a_deleted_remote_group_are_removed(self):
        group, remote = self.group(), self.group("remote")
        self.rule(group, protocol="tcp", remote_group_id=remote["id"])
        kept = self.rule(group, protocol="udp")
        before = self.record(group)["version"]
        self.delete_group(remote)
        self.assertEqual({kept["id"]}, set(self.rules(group)))
        self.assertGreater(self.record(group)["version"], before)

    def test_a_rejected_deletion_keeps_the_record(self):
        group = self.group()
        self.process_journal()
        for event in (events.BEFORE_DELETE, events.PRECOMMIT_DELETE):
            veto = mock.Mock(side_effect=exceptions.CallbackFailure([Exception("still needed")]))
            veto.__qualname__ = "veto"
            registry.subscribe(veto, resources.SECURITY_GROUP, event)
            self.assertRaisesRegex(Exception, "still needed", self.delete_group, group)
            registry.unsubscribe(veto, resources.SECURITY_GROUP, event)
            self.assertEqual(0, journal.count(self.admin()))
            self.assertIsNotNone(self.record(group))

    def test_each_request_wakes_the_journal_worker(self):
        changed = self.driver.mechanism_manager.mech_drivers["trunkpath"].obj._threads._journal_changed
        addresses, group = self.address_group(), self.group()
        rule = self.rule(group, protocol="tcp")
        for request in (
            lambda: self.group("another"),
            lambda: self.update_group(group, name="www"),
            lambda: self.rule(group, protocol="udp", remote_address_group_id=addresses["id"]),
            lambda: self.add_addresses(addresses, "192.0.2.0/24"),
            lambda: self.delete_rule(rule),
            lambda: self.delete_group(group),
        ):
            changed.clear()
            request()
            self.assertTrue(changed.is_set())


class TestStatelessGroups(SecurityGroupTestCase):
    def test_the_record_exists_while_the_group_is_stateless(self):
        group = self.group(stateful=False)
        self.group("stateful")
        expected = {"id": group["id"], "topic": _PROJECT, "version": 0}
        (record,) = self.stateless_groups().values()
        self.assertEqual(expected, record | {"version": 0})
        self.update_group(group, stateful=True)
        self.assertEqual({}, self.stateless_groups())
        self.update_group(group, stateful=False)
        (again,) = self.stateless_groups().values()
        self.assertGreater(again["version"], record["version"])
        self.delete_group(group)
        self.assertEqual({}, self.stateless_groups())

    def test_rules_of_a_stateless_group_leave_no_difference(self):
        group = self.group(stateful=False)
        self.process_journal()
        self.rule(group, protocol="tcp")
        self.assert_equal_to_neutron()


class TestAddressGroups(SecurityGroupTestCase):
    def setUp(self):
        super().setUp()
        self.web = self.group()

    def test_a_rule_is_written_for_each_prefix_of_its_version(self):
        addresses = self.address_group("192.0.2.0/24", "198.51.100.7", "2001:db8::/32")
        port = {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443}
        rule = self.rule(self.web, remote_address_group_id=addresses["id"], **port)
        ids = {prefix: str(uuid.uuid5(uuid.UUID(rule["id"]), prefix)) for prefix in ("192.0.2.0/24", "198.51.100.7/32")}
        expected = {
            "topic": _PROJECT,
            "version": 0,
            "security_group_id": self.web["id"],
            "direction": "ingress",
            "ethertype": "IPv4",
        }
        self.assertEqual(
            {
                each: expected | port | {"protocol": 6, "id": each, "remote_ip_prefix": prefix}
                for prefix, each in ids.items()
            },
            self.rules(self.web),
        )
        self.rule(self.web, remote_address_group_id=addresses["id"], ethertype="IPv6")
        self.assertEqual(["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32"], self.prefixes(self.web))

    def test_changes_of_addresses_are_written_with_growing_versions(self):
        addresses, other = self.address_group(), self.group("other")
        for group in (self.web, other):
            self.rule(group, protocol="tcp", remote_address_group_id=addresses["id"])
        unrelated = self.record(self.group("unrelated"))
        versions = [self.record(self.web)["version"]]
        self.assertEqual([], self.prefixes(self.web))
        for change, expected in (
            (
                lambda: self.add_addresses(addresses, "192.0.2.0/24", "198.51.100.0/24"),
                ["192.0.2.0/24", "198.51.100.0/24"],
            ),
            (lambda: self.remove_addresses(addresses, "192.0.2.0/24"), ["198.51.100.0/24"]),
            (lambda: self.remove_addresses(addresses, "198.51.100.0/24"), []),
        ):
            change()
            self.assertEqual((expected, expected), (self.prefixes(self.web), self.prefixes(other)))
            versions.append(self.record(self.web)["version"])
        # The number in Neutron is behind now; the next rule must raise the version nevertheless.
        self.rule(self.web, protocol="udp")
        versions.append(self.record(self.web)["version"])
        self.assertEqual(sorted(set(versions)), versions)
        self.assertEqual(unrelated, self.record(unrelated))
        self.assert_equal_to_neutron()

    def test_a_missed_event_is_repaired(self):
        addresses = self.address_group("192.0.2.0/24")
        self.rule(self.web, protocol="tcp", remote_address_group_id=addresses["id"])
        before = self.record(self.web)["version"]
        with mock.patch("networking_trunkpath.journal.insert", side_effect=RuntimeError("the process ended")):
            self.add_addresses(addresses, "198.51.100.0/24")
        self.assertEqual(0, self.process_journal())
        self.assertEqual(1, reconcile.repair(self.store))
        self.assertEqual(["192.0.2.0/24", "198.51.100.0/24"], self.prefixes(self.web))
        self.assertEqual(before + 1, self.record(self.web)["version"])
        self.assertEqual(0, reconcile.repair(self.store))

    def test_an_address_group_in_use_cannot_be_deleted(self):
        """So AFTER_DELETE, which has no entries, never concerns a record."""
        addresses = self.address_group("192.0.2.0/24")
        rule = self.rule(self.web, protocol="tcp", remote_address_group_id=addresses["id"])
        delete = self.plugin.delete_address_group
        self.assertRaises(address_group_exc.AddressGroupInUse, delete, self.admin(), addresses["id"])
        self.delete_rule(rule)
        delete(self.admin(), addresses["id"])
        self.assertEqual([], self.prefixes(self.web))


class TestPorts(SecurityGroupTestCase):
    def groups_of(self, port):
        self.process_journal()
        return self.store.records_by_id(records.LPORT)[port["id"]]["security_groups"]

    def filters_of(self, port):
        self.process_journal()
        record = self.store.records_by_id(records.LPORT)[port["id"]]
        return record["security_groups"], record["port_security_enabled"]

    def test_the_record_has_the_groups_of_the_port(self):
        a, b = self.group("a"), self.group("b")
        port = self.port(self.network(), security_groups=[a["id"], b["id"]])
        self.assertEqual(sorted([a["id"], b["id"]]), self.groups_of(port))
        version = self.store.records_by_id(records.LPORT)[port["id"]]["version"]
        self.update_port(port, security_groups=[b["id"]])
        self.assertEqual([b["id"]], self.groups_of(port))
        self.assertGreater(self.store.records_by_id(records.LPORT)[port["id"]]["version"], version)
        self.update_port(port, security_groups=[])
        self.assertEqual([], self.groups_of(port))

    def test_a_port_without_port_security_has_no_groups(self):
        self.assertEqual([], self.groups_of(self.port(self.network(), port_security_enabled=False)))

    def test_a_port_with_groups_is_bound(self):
        port = self.bind(self.port(self.network(), security_groups=[self.group()["id"]]))
        self.assertEqual("tap", port["binding:vif_type"])
        self.assertIs(True, port["binding:vif_details"]["port_filter"])

    def test_ports_of_neutrons_services_are_not_filtered(self):
        network, group = self.network(), self.group()
        self.assertEqual(([], False), self.filters_of(self.port(network, device_owner="network:dhcp")))
        port = self.port(network, security_groups=[group["id"]])
        self.assertEqual(([group["id"]], True), self.filters_of(port))
        # As for `openstack router add port`.
        attached = self.update_port(port, device_owner="network:router_interface")
        self.assertEqual(([group["id"]], True), (attached["security_groups"], attached["port_security_enabled"]))
        self.assertEqual(([], False), self.filters_of(port))


class TestReconcileGroups(SecurityGroupTestCase):
    def test_every_difference_is_repaired(self):
        group = self.group(stateful=False)
        self.rule(group, protocol="tcp", port_range_min=22, port_range_max=22)
        self.process_journal()
        good = {key: value for key, value in self.store.records.items() if key.id == group["id"]}
        self.assertEqual({records.SECGROUP, records.STATELESS_SECGROUP}, {key.table for key in good})
        for key, value in good.items():
            record = json.loads(value)
            damages = [None, b"no JSON", *({**record, name: "damaged"} for name in record), {**record, "extra": 1}]
            damages += [{name: each for name, each in record.items() if name != missing} for missing in record]
            for damage in damages:
                self.store.records[key] = damage if isinstance(damage, bytes) else json.dumps(damage).encode()
                if damage is None:
                    del self.store.records[key]
                self.assertEqual(1, reconcile.repair(self.store), damage)
                self.process_journal()
                self.assertEqual(0, reconcile.repair(self.store), damage)
                repaired = json.loads(self.store.records[key])
                unchanged = {name for name in record if repaired[name] == record[name]}
                self.assertLessEqual(record.keys() - {"version", "unique_key"}, unchanged)

    def test_foreign_records_are_deleted(self):
        group = self.group()
        self.process_journal()
        foreign = [Key(records.SECGROUP, "x", "foreign"), Key(records.STATELESS_SECGROUP, _PROJECT, group["id"])]
        for key in foreign:
            self.store.records[key] = b"{}"
        self.assertEqual(2, reconcile.repair(self.store))
        self.process_journal()
        self.assertEqual(set(), self.store.records.keys() & set(foreign))
        self.assertIsNotNone(self.record(group))
