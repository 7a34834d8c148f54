"""Base of the tests on the real ML2 and trunk plugins, with SQLite in memory and without sockets."""

import json
from unittest import mock

from neutron.tests.unit.plugins.ml2 import test_plugin
from neutron_lib import context
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from oslo_config import cfg

from networking_trunkpath import hosts, journal_worker, options, records, sync_status
from networking_trunkpath.tests.memory import MemoryStore


class _NoNestedRead:
    """Replaces the core plugin where the trunk plugin reads the MAC addresses of subports.

    The trunk plugin reads them within another transaction, in a session of its own. SQLite in memory has one
    connection, so the end of that session would roll back the outer transaction.
    """

    @staticmethod
    def get_plugin():
        return _NoNestedRead

    @staticmethod
    def get_ports(_context, filters):
        return [{"id": port, "mac_address": None} for port in filters["id"]]


class TrunkpathTestCase(test_plugin.Ml2PluginV2TestCase):
    """Neutron with this driver, without its threads: process_journal() and report() do their work."""

    _mechanism_drivers = ("trunkpath",)

    def get_additional_service_plugins(self):
        return super().get_additional_service_plugins() | {"trunk": "trunk", "revisions": "revisions"}

    def setUp(self):
        options.register(cfg.CONF)
        cfg.CONF.set_override("nb", "etcd://127.0.0.1:1", "trunkpath")
        for patch in (
            mock.patch("networking_trunkpath.background.BackgroundThreads.start"),
            mock.patch("neutron.services.trunk.plugin.directory", _NoNestedRead),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        cfg.CONF.set_override("extension_drivers", ["port_security"], group="ml2")
        super().setUp()
        self.store = self.make_store()
        self.report_hosts(compute1={"physnet1"}, compute2={"physnet1"})
        self.trunks = directory.get_plugin("trunk")

    def make_store(self):
        return MemoryStore()

    # --- API requests ---

    def network(self, **fields):
        return super()._make_network(self.fmt, fields.pop("name", "net"), True, as_admin=True, **fields)["network"]

    def port(self, network, **fields):
        fields.setdefault("as_admin", True)
        fields.setdefault("arg_list", tuple(fields))
        return self._make_port(self.fmt, network["id"], **fields)["port"]

    def update_port(self, port, **fields):
        return self._update("ports", port["id"], {"port": fields}, as_admin=True)["port"]

    def bind(self, port, host="compute1"):
        return self.update_port(port, **{portbindings.HOST_ID: host})

    def trunk(self, parent, *subports):
        body = {"port_id": parent["id"], "project_id": parent["project_id"], "sub_ports": list(map(subport, subports))}
        return self.trunks.create_trunk(self.admin(), {"trunk": body})

    def add(self, trunk, *subports):
        return self.trunks.add_subports(self.admin(), trunk["id"], {"sub_ports": list(map(subport, subports))})

    def remove(self, trunk, *ports):
        body = {"sub_ports": [{"port_id": port["id"]} for port in ports]}
        return self.trunks.remove_subports(self.admin(), trunk["id"], body)

    def delete_trunk(self, trunk):
        self.trunks.delete_trunk(self.admin(), trunk["id"])

    # --- work of the background threads, and results ---

    def process_journal(self):
        return journal_worker.process_journal(self.store)

    def report_hosts(self, *, tunnel_types=("geneve", "gre", "vxlan"), **physical_networks):
        """Replaces the reports of alive hosts by these, with tunnel types as given, and syncs Neutron's agents."""
        self.store.host_reports = physical_networks
        for number, chassis in enumerate(physical_networks, start=1):
            record = {"id": chassis, "ip": f"192.0.2.{number}", "tunnel_types": list(tunnel_types)}
            self.store.chassis[chassis] = json.dumps(record).encode()
        hosts.sync_hosts(self.store)

    def report(self, *ports, host="compute1"):
        """Replaces the reports of all hosts by those of these ports, and syncs the status."""
        self.store.reports = {port["id"]: host for port in ports}
        sync_status.sync(self.store)

    def port_status(self, port):
        return self._show("ports", port["id"])["port"]["status"]

    def trunk_status(self, trunk):
        return self.trunks.get_trunk(self.admin(), trunk["id"])["status"]

    def segmentations(self):
        """Processes the journal and returns (parent, subport, tag) of each segmentation in the northbound DB."""
        self.process_journal()
        segmentations = self.store.records_by_id(records.SEGMENTATION).values()
        return {(record["parent"], record["port"], record["segmentation_id"]) for record in segmentations}

    @staticmethod
    def admin():
        return context.get_admin_context()


def subport(port_and_tag):
    port, tag = port_and_tag
    if tag == "inherit":
        return {"port_id": port["id"], "segmentation_type": "inherit"}
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}
