"""Which subports reach the northbound DB, whatever way they came and went."""

from unittest import mock

import sqlalchemy
from neutron.services.trunk import exceptions as trunk_exc
from neutron_lib import exceptions as n_exc

from networking_trunkpath import journal, records
from networking_trunkpath.store import StoreUnavailable
from networking_trunkpath.tests.base import TrunkpathTestCase


class TestTrunks(TrunkpathTestCase):
    def setUp(self):
        super().setUp()
        self.lan, self.other = self.network(), self.network()
        self.parent = self.port(self.lan)
        self.children = [self.port(self.other) for _ in range(3)]

    def of(self, parent, *children):
        return {(parent["id"], child["id"], tag) for child, tag in children}

    def test_subports_given_at_creation_are_written(self):
        a, b, _ = self.children
        self.trunk(self.parent, (a, 100), (b, 200))
        self.assertEqual(self.of(self.parent, (a, 100), (b, 200)), self.segmentations())

    def test_subports_left_at_deletion_are_deleted(self):
        a, b, _ = self.children
        trunk = self.trunk(self.parent, (a, 100))
        self.add(trunk, (b, 200))
        self.drain()
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_subports_come_and_go(self):
        a, b, c = self.children
        trunk = self.trunk(self.parent)
        self.add(trunk, (a, 100), (b, 200))
        self.assertEqual(self.of(self.parent, (a, 100), (b, 200)), self.segmentations())
        self.remove(trunk, a)
        self.add(trunk, (c, 100))
        self.assertEqual(self.of(self.parent, (b, 200), (c, 100)), self.segmentations())

    def test_each_trunk_has_its_own(self):
        a, b, _ = self.children
        other = self.port(self.lan)
        first, second = self.trunk(self.parent, (a, 100)), self.trunk(other, (b, 100))
        self.assertEqual(self.of(self.parent, (a, 100)) | self.of(other, (b, 100)), self.segmentations())
        self.delete_trunk(first)
        self.remove(second, b)
        self.add(second, (a, 100))
        self.assertEqual(self.of(other, (a, 100)), self.segmentations())

    def test_subport_that_moved_before_the_drain_is_in_its_new_trunk_only(self):
        a, *_ = self.children
        other = self.port(self.lan)
        first, second = self.trunk(self.parent, (a, 100)), self.trunk(other)
        self.drain()
        self.remove(first, a)
        self.add(second, (a, 200))
        self.assertEqual(self.of(other, (a, 200)), self.segmentations())

    def test_inherited_tag_is_that_of_the_network(self):
        net = self.network(
            arg_list=("provider:network_type", "provider:physical_network", "provider:segmentation_id"),
            **{
                "provider:network_type": "vlan",
                "provider:physical_network": "physnet1",
                "provider:segmentation_id": 77,
            },
        )
        child = self.port(net)
        trunk = self.trunk(self.parent, (child, "inherit"))
        self.assertEqual(self.of(self.parent, (child, 77)), self.segmentations())
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_subport_is_the_same_before_and_after_the_parent_is_bound_moved_and_unbound(self):
        a, b, _ = self.children
        trunk = self.trunk(self.parent, (a, 100))
        self.bind(self.parent)
        self.add(trunk, (b, 200))
        both = self.of(self.parent, (a, 100), (b, 200))
        self.assertEqual(both, self.segmentations())
        self.assertEqual("compute1", self.chassis(self.parent))
        self.bind(self.parent, "compute2")
        self.assertEqual(both, self.segmentations())
        self.assertEqual("compute2", self.chassis(self.parent))
        self.bind(self.parent, "")
        self.assertEqual(both, self.segmentations())
        self.assertIsNone(self.chassis(self.parent))

    def chassis(self, port):
        return self.store.held(records.LPORT)[port["id"]].get("binding", {}).get("chassis")

    def test_trunk_of_a_bound_parent_can_be_deleted_and_then_the_parent(self):
        a, *_ = self.children
        self.bind(self.parent)
        trunk = self.trunk(self.parent, (a, 100))
        self.drain()
        self.delete_trunk(trunk)
        self._delete("ports", self.parent["id"])
        self.assertEqual(set(), self.segmentations())
        self.assertNotIn(self.parent["id"], self.store.held(records.LPORT))
        self.assertIn(a["id"], self.store.held(records.LPORT))

    def test_trunk_of_a_parent_that_could_not_be_bound_can_be_deleted(self):
        parent = self.port(self.lan, **{"binding:vnic_type": "direct", "binding:host_id": "compute1"})
        self.assertEqual("binding_failed", parent["binding:vif_type"])
        a, *_ = self.children
        trunk = self.trunk(parent, (a, 100))
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_topic_is_the_trunks_project_and_the_id_is_dragonflows(self):
        a, *_ = self.children
        trunk = self.trunk(self.parent, (a, 100))
        self.drain()
        (record,) = self.store.held(records.SEGMENTATION).values()
        expected = {
            "id": records.segmentation_id(self.parent["id"], a["id"]),
            "topic": trunk["project_id"],
            "parent": self.parent["id"],
            "port": a["id"],
            "segmentation_type": "vlan",
            "segmentation_id": 100,
        }
        self.assertEqual(expected, record)

    def test_bad_tags_and_types_are_refused_and_nothing_is_written(self):
        a, *_ = self.children
        trunk = self.trunk(self.parent)
        for tag in (0, 4095, -1, "x"):
            self.assertRaises(n_exc.InvalidInput, self.add, trunk, (a, tag))
        self.drain()
        body = {"sub_ports": [{"port_id": a["id"], "segmentation_type": "mpls", "segmentation_id": 5}]}
        self.assertRaises(n_exc.InvalidInput, self.trunks.add_subports, self.admin(), trunk["id"], body)
        self.add(trunk, (a, 100))
        _, b, _ = self.children
        self.assertRaises(trunk_exc.DuplicateSubPort, self.add, trunk, (b, 100))
        self.assertEqual(self.of(self.parent, (a, 100)), self.segmentations())

    def test_nothing_is_marked_by_what_was_rolled_back(self):
        a, *_ = self.children
        trunk = self.trunk(self.parent)
        self.drain()
        self.assertRaises(trunk_exc.SubPortNotFound, self.remove, trunk, a)
        self.assertEqual(0, journal.size(self.admin()))

    def test_marks_wait_while_the_northbound_db_is_away(self):
        a, b, _ = self.children
        trunk = self.trunk(self.parent, (a, 100))
        self.store.failure = StoreUnavailable("frozen")
        self.assertRaises(StoreUnavailable, self.drain)
        self.add(trunk, (b, 200))
        self.assertRaises(StoreUnavailable, self.drain)
        self.store.failure = None
        self.assertEqual(self.of(self.parent, (a, 100), (b, 200)), self.segmentations())
        self.assertEqual(0, journal.size(self.admin()))

    def test_many_subports_take_one_transaction_for_each_hundred(self):
        children = self._make_many(self.other, 250)
        trunk = self.trunk(self.parent)
        self.drain()
        before = self.store.commits
        self.add(trunk, *((child, tag) for tag, child in enumerate(children, start=1)))
        self.assertEqual(250, len(self.segmentations()))
        self.assertEqual(3, self.store.commits - before)

    def test_the_driver_costs_a_call_one_statement_however_many_subports(self):
        first, second = self.trunk(self.parent), self.trunk(self.port(self.lan))
        children = self._make_many(self.other, 40)
        tagged = [(child, tag) for tag, child in enumerate(children, start=1)]
        with mock.patch("networking_trunkpath.journal.mark"):
            without = self._statements(lambda: self.add(first, *tagged[:20]))
        self.assertEqual(without + 1, self._statements(lambda: self.add(second, *tagged[20:])))

    def _statements(self, call):
        """How many statements a call sends to the database."""
        count = mock.Mock()

        def executed(*_):
            count()

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", executed)
        try:
            call()
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", executed)
        return count.call_count

    def _make_many(self, network, count):
        body = {
            "ports": [
                {"network_id": network["id"], "project_id": network["project_id"], "admin_state_up": True}
                for _ in range(count)
            ]
        }
        request = self.new_create_request("ports", body, as_admin=True)
        return self.deserialize(self.fmt, request.get_response(self.api))["ports"]
