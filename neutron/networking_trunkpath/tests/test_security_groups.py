"""Records of security groups, and the requests that change them."""

import json
import uuid
from unittest import mock

from neutron_lib.callbacks import events, exceptions, registry, resources
from neutron_lib.exceptions import address_group as address_group_exc

from networking_trunkpath import journal, reconcile, records
from networking_trunkpath.store import Key
from networking_trunkpath.tests.security_group_case import PROJECT, SecurityGroupTestCase, group_body, rule_body


class TestGroups(SecurityGroupTestCase):
    """Requests that change groups and rules."""

    def test_a_group_is_created_updated_and_deleted(self):
        group = self.group()
        created = self.record(group)
        self.assertEqual((PROJECT, "web"), (created["topic"], created["name"]))
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
        bodies = [rule_body(group, protocol="udp", port_range_min=port, port_range_max=port) for port in (53, 123)]
        bulk = self.plugin.create_security_group_rule_bulk_native(self.admin(), {"security_group_rules": bodies})
        self.assertEqual({ssh["id"], *(rule["id"] for rule in bulk)}, set(self.rules(group)))
        versions.append(self.record(group)["version"])
        self.delete_rule(ssh)
        self.assertEqual({rule["id"] for rule in bulk}, set(self.rules(group)))
        versions.append(self.record(group)["version"])
        self.assertEqual(sorted(set(versions)), versions)
        self.assertEqual(versions[-1], self.plugin.get_security_group(self.admin(), group["id"])["revision_number"])

    def test_groups_in_one_request_are_written(self):
        bodies = {"security_groups": [group_body(name) for name in "abc"]}
        groups = self.plugin.create_security_group_bulk(self.admin(), bodies)
        self.assertEqual(["a", "b", "c"], [self.record(group)["name"] for group in groups])

    def test_the_record_of_a_group_with_a_rule_of_another_project_stays_in_place(self):
        group = self.group()
        self.process_journal()
        self.rule(group, protocol="tcp", project="another")
        self.process_journal()
        keys = [key for key in self.store.records if key.table == records.SECGROUP and key.id == group["id"]]
        self.assertEqual([Key(records.SECGROUP, PROJECT, group["id"])], keys)

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
        expected = {"id": group["id"], "topic": PROJECT, "version": 0}
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
            "topic": PROJECT,
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
        foreign = [Key(records.SECGROUP, "x", "foreign"), Key(records.STATELESS_SECGROUP, PROJECT, group["id"])]
        for key in foreign:
            self.store.records[key] = b"{}"
        self.assertEqual(2, reconcile.repair(self.store))
        self.process_journal()
        self.assertEqual(set(), self.store.records.keys() & set(foreign))
        self.assertIsNotNone(self.record(group))
