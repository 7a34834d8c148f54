"""Which ports are bound on which host, and the live migration of a port."""

import datetime
from unittest import mock

from neutron.conf.plugins.ml2.drivers import driver_type
from neutron_lib.api.definitions import portbindings
from oslo_config import cfg
from oslo_utils import timeutils

from networking_trunkpath import binding, hosts, records
from networking_trunkpath.binding import AGENT_TYPE
from networking_trunkpath.tests.base import TrunkpathTestCase


def later(seconds):
    """Context in which the clock of Neutron's agents is ahead."""
    return mock.patch.object(timeutils, "utcnow", return_value=timeutils.utcnow() + datetime.timedelta(seconds=seconds))


_PROVIDER_FIELDS = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


class BindingTestCase(TrunkpathTestCase):
    def setUp(self):
        driver_type.register_ml2_drivers_geneve_opts()
        driver_type.register_ml2_drivers_gre_opts()
        driver_type.register_ml2_drivers_vxlan_opts()
        driver_type.register_ml2_drivers_flat_opts()
        for group, option, value in (
            ("ml2_type_geneve", "vni_ranges", ["1:1000"]),
            ("ml2_type_gre", "tunnel_id_ranges", ["1:1000"]),
            ("ml2_type_vxlan", "vni_ranges", ["1:1000"]),
            ("ml2_type_flat", "flat_networks", ["*"]),
        ):
            cfg.CONF.set_override(option, value, group=group)
        super().setUp()

    def provider_network(self, network_type, physical_network=None, segmentation_id=None):
        values = dict(zip(_PROVIDER_FIELDS, (network_type, physical_network, segmentation_id), strict=True))
        fields = {name: value for name, value in values.items() if value is not None}
        return self.network(arg_list=tuple(fields), **fields)

    def bound_type(self, network, host="compute1", **fields):
        return self.port(network, **{portbindings.HOST_ID: host}, **fields)[portbindings.VIF_TYPE]

    def assert_rejected(self, reason, network, host="compute1", **fields):
        with self.assertLogs("networking_trunkpath.mech_driver", "WARNING") as logs:
            self.assertEqual("binding_failed", self.bound_type(network, host, **fields))
        self.assertIn(reason, logs.output[0])


class TestBinding(BindingTestCase):
    def test_ports_of_all_network_types_bind_as_taps(self):
        for network in (
            self.provider_network("local"),
            self.provider_network("geneve", segmentation_id=7),
            self.provider_network("gre", segmentation_id=7),
            self.provider_network("vxlan", segmentation_id=7),
            self.provider_network("flat", "physnet1"),
            self.provider_network("vlan", "physnet1", 7),
        ):
            port = self.port(network, **{portbindings.HOST_ID: "compute1"})
            self.assertEqual("tap", port[portbindings.VIF_TYPE], network)
            self.assertEqual(
                {"port_filter": True, "connectivity": "l2", "bound_drivers": {"0": "trunkpath"}},
                port[portbindings.VIF_DETAILS],
            )

    def test_the_record_has_type_id_and_physical_network(self):
        for network_type, physical_network, segmentation_id in (
            ("local", None, None),
            ("geneve", None, 7),
            ("flat", "physnet1", None),
            ("vlan", "physnet1", 7),
        ):
            network = self.provider_network(network_type, physical_network, segmentation_id)
            self.process_journal()
            record = self.store.records_by_id(records.LSWITCH)[network["id"]]
            expected = {
                "network_type": network_type,
                "physical_network": physical_network,
                "segmentation_id": segmentation_id,
                "mtu": network["mtu"],
            }
            # A field without a value is left out.
            self.assertEqual(
                {name: value for name, value in expected.items() if value is not None},
                {name: record[name] for name in expected if name in record},
            )

    def test_other_vnic_types_are_rejected(self):
        network = self.network()
        for vnic_type, reason in (("direct", "bypasses the host's datapath"), ("virtio-forwarder", "vhost-user")):
            self.assert_rejected(reason, network, **{portbindings.VNIC_TYPE: vnic_type})

    def test_ports_of_distributed_routers_are_rejected(self):
        port = {"device_owner": "network:router_interface_distributed"}
        self.assertIn("create the router with distributed=False", binding.port_rejection(port))
        self.assertIsNone(binding.port_rejection({"device_owner": "network:router_interface"}))

    def test_hosts_without_a_switch_are_rejected(self):
        self.assert_rejected("no switch has reported from that host", self.network(), "compute9")

    def test_hosts_whose_switch_no_longer_reports_are_rejected(self):
        network = self.network()
        self.report_hosts()
        with later(cfg.CONF.agent_down_time + 1):
            self.assert_rejected("its switch has not reported since", network)
            self.report_hosts(compute1=set())
            self.assertEqual("tap", self.bound_type(network))

    def test_tunnel_types_that_the_chassis_lacks_are_rejected(self):
        self.report_hosts(tunnel_types=("gre", "vxlan"), compute1=set())
        self.assertEqual("tap", self.bound_type(self.provider_network("gre", segmentation_id=7)))
        geneve = self.provider_network("geneve", segmentation_id=7)
        self.assert_rejected("network type geneve: the host's record in table chassis has gre, vxlan", geneve)
        del self.store.chassis["compute1"]
        hosts.sync_hosts(self.store)
        self.assert_rejected("has none as tunnel_types", geneve)
        self.assertEqual("tap", self.bound_type(self.provider_network("local")))

    def test_physical_networks_without_an_uplink_are_rejected(self):
        vlan, flat = self.provider_network("vlan", "physnet1", 7), self.provider_network("flat", "physnet9")
        self.report_hosts(compute1={"physnet2", "physnet9"}, compute2={"physnet1"})
        self.assert_rejected(
            "physical network physnet1: the host has uplinks for physnet2, physnet9: start `trunkpath run` there with "
            "--uplink physnet1=LINK",
            vlan,
        )
        self.assertEqual("tap", self.bound_type(vlan, "compute2"))
        self.assertEqual("tap", self.bound_type(flat))
        self.assert_rejected("has uplinks for physnet1", flat, "compute2")

    def test_segments_other_than_the_first_are_rejected(self):
        segments = [
            {"provider:network_type": "vxlan", "provider:segmentation_id": 7},
            {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 7},
        ]
        both = self.network(arg_list=("segments",), segments=segments)
        self.assertEqual("tap", self.bound_type(both))
        # The second one could be bound there, but the record of the network has the first.
        self.report_hosts(tunnel_types=("geneve",), compute1={"physnet1"})
        self.assert_rejected("network type vxlan", both)

    def test_networks_are_scheduled_to_the_hosts_that_can_bind_their_ports(self):
        self.report_hosts(compute1={"physnet1"}, compute2=set())
        driver = self.driver.mechanism_manager.mech_drivers["trunkpath"].obj
        candidates = {"compute1", "compute2", "compute9"}

        def hosts_of(network):
            segments = [
                {field.removeprefix("provider:"): network.get(field) for field in _PROVIDER_FIELDS} | {"id": "x"}
            ]
            return driver.filter_hosts_with_segment_access(self.admin(), segments, candidates, self.plugin.get_agents)

        self.assertEqual({"compute1"}, hosts_of(self.provider_network("vlan", "physnet1", 7)))
        self.assertEqual({"compute1", "compute2"}, hosts_of(self.provider_network("vxlan", segmentation_id=7)))


class TestHosts(TrunkpathTestCase):
    def agents(self):
        agents = self.plugin.get_agents(self.admin(), filters={"agent_type": [AGENT_TYPE]})
        return {agent["host"]: agent for agent in agents}

    def test_agents_have_the_reported_state(self):
        agent = self.agents()["compute1"]
        self.assertIs(True, agent["alive"])
        expected = {
            "chassis": "compute1",
            "physical_networks": ["physnet1"],
            "tunneling_ip": "192.0.2.1",
            "tunnel_types": ["geneve", "gre", "vxlan"],
        }
        self.assertEqual(expected, agent["configurations"])
        self.report_hosts(compute1={"physnet2", "physnet1"})
        self.assertEqual(["physnet1", "physnet2"], self.agents()["compute1"]["configurations"]["physical_networks"])

    def test_hosts_have_their_name_in_neutron(self):
        cfg.CONF.set_override("chassis", {"compute7": "rack1-compute7"}, "trunkpath")
        self.report_hosts(**{"rack1-compute7": set()})
        agent = self.agents()["compute7"]
        self.assertEqual("rack1-compute7", agent["configurations"]["chassis"])

    def test_rows_are_written_when_they_differ_or_get_old(self):
        before = self.agents()["compute1"]["heartbeat_timestamp"]
        hosts.sync_hosts(self.store)
        self.assertEqual(before, self.agents()["compute1"]["heartbeat_timestamp"])
        with later(cfg.CONF.agent_down_time / 3 + 1):
            hosts.sync_hosts(self.store)
            self.assertLess(before, self.agents()["compute1"]["heartbeat_timestamp"])

    def test_invalid_chassis_records_are_hosts_without_tunnels(self):
        for value in (b"", b"[]", b"{}", b'{"ip": "192.0.2.1"}', b'{"ip": "192.0.2.1", "tunnel_types": 5}'):
            self.store.chassis["compute1"] = value
            hosts.sync_hosts(self.store)
            self.assertEqual([], self.agents()["compute1"]["configurations"]["tunnel_types"], value)


class TestLiveMigration(BindingTestCase):
    """nova makes a second binding before the migration, and activates it when the VM stops on the source."""

    def setUp(self):
        super().setUp()
        self.other = self.port(self.network())
        self.vm = self.port(self.network(), device_owner="compute:nova", **{portbindings.HOST_ID: "compute1"})
        self.trunk(self.vm, (self.other, 100))
        self.report(self.vm, self.other)
        self.process_journal()

    def chassis(self):
        self.process_journal()
        return self.store.records_by_id(records.LPORT)[self.vm["id"]]["binding"]["chassis"]

    def add_binding(self, host):
        # As the API passes it, with its defaults.
        body = {"binding": {"host": host, "vnic_type": "normal", "profile": {}}}
        return self.plugin.create_port_binding(self.admin(), self.vm["id"], body)

    def test_the_record_moves_when_the_binding_of_the_destination_is_activated(self):
        made = self.add_binding("compute2")
        self.assertEqual(("tap", "INACTIVE"), (made["vif_type"], made["status"]))
        profile = {"port": {portbindings.PROFILE: {"migrating_to": "compute2"}}}
        self.plugin.update_port(self.admin(), self.vm["id"], profile)
        self.assertEqual("compute1", self.chassis())
        self.report(self.vm, self.other)
        self.assertEqual(["ACTIVE", "ACTIVE"], [self.port_status(self.vm), self.port_status(self.other)])

        self.plugin.activate(self.admin(), "compute2", self.vm["id"])
        self.assertEqual("compute2", self.chassis())
        # Until the destination reports, also if the source still does.
        self.report(self.vm, self.other, host="compute1")
        self.assertEqual(["DOWN", "DOWN"], [self.port_status(self.vm), self.port_status(self.other)])
        self.report(self.vm, self.other, host="compute2")
        self.assertEqual(["ACTIVE", "ACTIVE"], [self.port_status(self.vm), self.port_status(self.other)])

        self.plugin.delete_port_binding(self.admin(), "compute1", self.vm["id"])
        self.assertEqual("compute2", self.chassis())

    def test_the_record_returns_when_the_migration_is_rolled_back(self):
        self.add_binding("compute2")
        self.plugin.activate(self.admin(), "compute2", self.vm["id"])
        self.assertEqual("compute2", self.chassis())
        self.plugin.activate(self.admin(), "compute1", self.vm["id"])
        self.assertEqual("compute1", self.chassis())

    def test_a_destination_without_a_switch_is_rejected_before_the_migration(self):
        self.assertRaisesRegex(Exception, "compute9", self.add_binding, "compute9")
        self.assertEqual("compute1", self.chassis())
