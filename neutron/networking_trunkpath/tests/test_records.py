"""Content of the records, compared with records that Dragonflow's own code wrote."""

import json
from pathlib import Path

from neutron_lib import exceptions as n_exc
from neutron_lib.api.definitions import portbindings
from oslo_config import cfg

from networking_trunkpath import mech_driver, records
from networking_trunkpath.store import Key
from networking_trunkpath.tests.base import TrunkpathTestCase

_DRAGONFLOW_RECORDS = Path(__file__).parents[3] / "tests" / "data" / "dragonflow-nb-records.jsonl"


def dragonflow_records(table):
    lines = map(json.loads, _DRAGONFLOW_RECORDS.read_text().splitlines())
    return [line["record"] for line in lines if line["table"] == table]


class TestRecords(TrunkpathTestCase):
    def record(self, table, resource):
        self.process_journal()
        return self.store.records_by_id(table)[resource["id"]]

    def assert_same_shape(self, record, table):
        """Dragonflow's readers fail at an unknown field, and at one of another type."""
        types = {}
        for example in dragonflow_records(table):
            types |= {name: type(value) for name, value in example.items()}
        self.assertEqual({}, {name: value for name, value in record.items() if type(value) is not types.get(name)})

    def test_segmentation_id_is_dragonflows(self):
        for example in dragonflow_records(records.SEGMENTATION):
            self.assertEqual(example["id"], records.segmentation_id(example["parent"], example["port"]))

    def test_network(self):
        network = self.network(name="lan")
        record = self.record(records.LSWITCH, network)
        self.assert_same_shape(record, records.LSWITCH)
        expected = {
            "id": network["id"],
            "topic": network["project_id"],
            "name": "lan",
            "version": network["revision_number"],
            "unique_key": 1,
            "is_external": False,
            "mtu": network["mtu"],
            "network_type": network["provider:network_type"],
        }
        self.assertEqual(expected, {name: record[name] for name in expected})
        self.update_network(network, name="wan")
        record = self.record(records.LSWITCH, network)
        self.assertEqual(("wan", 1), (record["name"], record["unique_key"]))
        self.assertGreater(record["version"], expected["version"])

    def update_network(self, network, **fields):
        self._update("networks", network["id"], {"network": fields}, as_admin=True)

    def test_subnet_is_written_with_the_new_version_of_its_network(self):
        network = self.network()
        with self.subnet(
            network={"network": network},
            cidr="10.10.0.0/24",
            gateway_ip="10.10.0.1",
            dns_nameservers=["8.8.8.8"],
            host_routes=[{"destination": "10.99.0.0/16", "nexthop": "10.10.0.254"}],
        ) as made:
            subnet = made["subnet"]
        (example,) = dragonflow_records(records.LSUBNET)
        own = {name: subnet[name] for name in ("id", "name")} | {
            "topic": subnet["project_id"],
            "lswitch": network["id"],
            "version": subnet["revision_number"],
        }
        self.assertEqual(example | own, self.record(records.LSUBNET, subnet))
        shown = self._show("networks", network["id"], as_admin=True)["network"]
        self.assertEqual(shown["revision_number"], self.record(records.LSWITCH, network)["version"])
        self._delete("subnets", subnet["id"])
        self.process_journal()
        self.assertEqual({}, self.store.records_by_id(records.LSUBNET))

    def test_port_has_the_fields_and_types_of_dragonflow(self):
        network = self.network()
        with self.subnet(network={"network": network}, cidr="10.10.0.0/24") as made:
            subnet = made["subnet"]
        pairs = [{"ip_address": "10.10.0.50", "mac_address": "FA:16:3E:00:01:66"}]
        port = self.port(
            network,
            name="parent0",
            fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "10.10.0.10"}],
            allowed_address_pairs=pairs,
            device_owner="compute:nova",
            device_id="f6b2f6ea-77a5-4b0a-9f1b-3f9f1f3f2f11",
            **{portbindings.HOST_ID: "compute1"},
        )
        record = self.record(records.LPORT, port)
        self.assert_same_shape(record, records.LPORT)
        example = dragonflow_records(records.LPORT)[0]
        own = {name: port[name] for name in ("id",)} | {
            "topic": port["project_id"],
            "lswitch": network["id"],
            "subnets": [subnet["id"]],
            "macs": [port["mac_address"]],
            "version": self._show("ports", port["id"])["port"]["revision_number"],
            "unique_key": 1,
            "security_groups": port["security_groups"],
            # Not written yet.
            "dhcp_params": {"opts": {}},
        }
        self.assertEqual(example | own, record)

    def test_unbound_port_without_port_security(self):
        port = self.port(self.network(), port_security_enabled=False, admin_state_up=False)
        record = self.record(records.LPORT, port)
        self.assertNotIn("binding", record)
        self.assertEqual((False, False), (record["port_security_enabled"], record["enabled"]))

    def test_binding_has_the_chassis_name_of_the_host(self):
        cfg.CONF.set_override("chassis", {"compute1": "rack1-compute1"}, "trunkpath")
        port = self.bind(self.port(self.network()))
        self.assertEqual({"type": "chassis", "chassis": "rack1-compute1"}, self.record(records.LPORT, port)["binding"])

    def test_port_without_a_project_has_the_topic_of_its_network(self):
        network = self.network()
        port = self.port(network, project_id="", tenant_id="", arg_list=())
        self.plugin.update_port(self.admin(), port["id"], {"port": {"name": "fip"}})
        topics = {key.topic for key in self.store.records if key.id == port["id"]}
        self.process_journal()
        topics = {key.topic for key in self.store.records if key.id == port["id"]}
        self.assertEqual({self.record(records.LPORT, port)["topic"]}, topics)

    def test_address_ranges_are_rejected(self):
        network = self.network()
        self.process_journal()
        body = {"network_id": network["id"], "project_id": network["project_id"]}
        pairs = [{"ip_address": "10.10.0.0/24"}]
        request = self.new_create_request("ports", {"port": body | {"allowed_address_pairs": pairs}}, as_admin=True)
        response = request.get_response(self.api)
        self.assertEqual(400, response.status_int)
        self.assertIn("10.10.0.0/24 is a range of addresses; give single addresses", response.text)
        self.assertEqual(0, self.process_journal())

    def test_an_octet_of_one_digit_is_rejected(self):
        good = "fa:16:3e:00:01:07"
        for field, port in (
            ("mac_address", {"mac_address": "fa:16:3e:00:01:7"}),
            (
                "allowed_address_pairs",
                {
                    "mac_address": good,
                    "allowed_address_pairs": [{"ip_address": "10.10.0.1", "mac_address": "fa:16:3e:00:01:7"}],
                },
            ),
        ):
            with self.assertRaisesRegex(n_exc.BadRequest, f"{field}: fa:16:3e:00:01:7 is not .* two digits an octet"):
                mech_driver._check_addresses(port)
        mech_driver._check_addresses({"mac_address": good})

    def test_unique_keys_are_not_reused(self):
        network = self.network()
        first = self.record(records.LPORT, self.port(network))
        self._delete("ports", first["id"])
        second = self.record(records.LPORT, self.port(network))
        self.assertEqual([1, 2], [first["unique_key"], second["unique_key"]])
        # Without the counter the highest key in the table counts.
        self.store.counters.clear()
        third = self.record(records.LPORT, self.port(network))
        self.assertEqual(3, third["unique_key"])

    def test_invalid_records_are_replaced(self):
        network = self.network()
        key = Key(records.LSWITCH, network["project_id"], network["id"])
        for garbage in (b"", b"no JSON", b"[1]", b'{"unique_key": "x"}', b"\xff"):
            self.store.records[key] = garbage
            self.update_network(network, name=repr(garbage))
            record = self.record(records.LSWITCH, network)
            self.assertEqual(repr(garbage), record["name"])
            self.assertIsInstance(record["unique_key"], int)
