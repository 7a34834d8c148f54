"""Segmentations in the northbound DB after subports were added, removed and moved by each kind of request."""

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
        self.subports = [self.port(self.other) for _ in range(3)]

    def expected(self, parent, *subports):
        return {(parent["id"], subport["id"], tag) for subport, tag in subports}

    def test_subports_given_at_creation_are_written(self):
        a, b, _ = self.subports
        self.trunk(self.parent, (a, 100), (b, 200))
        self.assertEqual(self.expected(self.parent, (a, 100), (b, 200)), self.segmentations())

    def test_subports_left_at_deletion_are_deleted(self):
        a, b, _ = self.subports
        trunk = self.trunk(self.parent, (a, 100))
        self.add(trunk, (b, 200))
        self.process_journal()
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_subports_are_added_and_removed(self):
        a, b, c = self.subports
        trunk = self.trunk(self.parent)
        self.add(trunk, (a, 100), (b, 200))
        self.assertEqual(self.expected(self.parent, (a, 100), (b, 200)), self.segmentations())
        self.remove(trunk, a)
        self.add(trunk, (c, 100))
        self.assertEqual(self.expected(self.parent, (b, 200), (c, 100)), self.segmentations())

    def test_trunks_have_separate_segmentations(self):
        a, b, _ = self.subports
        other = self.port(self.lan)
        first, second = self.trunk(self.parent, (a, 100)), self.trunk(other, (b, 100))
        self.assertEqual(self.expected(self.parent, (a, 100)) | self.expected(other, (b, 100)), self.segmentations())
        self.delete_trunk(first)
        self.remove(second, b)
        self.add(second, (a, 100))
        self.assertEqual(self.expected(other, (a, 100)), self.segmentations())

    def test_subport_that_moved_before_the_journal_is_processed_is_in_its_new_trunk_only(self):
        a, *_ = self.subports
        other = self.port(self.lan)
        first, second = self.trunk(self.parent, (a, 100)), self.trunk(other)
        self.process_journal()
        self.remove(first, a)
        self.add(second, (a, 200))
        self.assertEqual(self.expected(other, (a, 200)), self.segmentations())

    def test_inherited_tag_is_the_networks(self):
        net = self.network(
            arg_list=("provider:network_type", "provider:physical_network", "provider:segmentation_id"),
            **{
                "provider:network_type": "vlan",
                "provider:physical_network": "physnet1",
                "provider:segmentation_id": 77,
            },
        )
        subport = self.port(net)
        trunk = self.trunk(self.parent, (subport, "inherit"))
        self.assertEqual(self.expected(self.parent, (subport, 77)), self.segmentations())
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_segmentations_do_not_depend_on_the_binding_of_the_parent(self):
        a, b, _ = self.subports
        trunk = self.trunk(self.parent, (a, 100))
        self.bind(self.parent)
        self.add(trunk, (b, 200))
        both = self.expected(self.parent, (a, 100), (b, 200))
        self.assertEqual(both, self.segmentations())
        self.assertEqual("compute1", self.chassis(self.parent))
        self.bind(self.parent, "compute2")
        self.assertEqual(both, self.segmentations())
        self.assertEqual("compute2", self.chassis(self.parent))
        self.bind(self.parent, "")
        self.assertEqual(both, self.segmentations())
        self.assertIsNone(self.chassis(self.parent))

    def chassis(self, port):
        return self.store.records_by_id(records.LPORT)[port["id"]].get("binding", {}).get("chassis")

    def test_trunk_of_a_bound_parent_and_then_the_parent_can_be_deleted(self):
        a, *_ = self.subports
        self.bind(self.parent)
        trunk = self.trunk(self.parent, (a, 100))
        self.process_journal()
        self.delete_trunk(trunk)
        self._delete("ports", self.parent["id"])
        self.assertEqual(set(), self.segmentations())
        self.assertNotIn(self.parent["id"], self.store.records_by_id(records.LPORT))
        self.assertIn(a["id"], self.store.records_by_id(records.LPORT))

    def test_trunk_of_a_parent_whose_binding_failed_can_be_deleted(self):
        parent = self.port(self.lan, **{"binding:vnic_type": "direct", "binding:host_id": "compute1"})
        self.assertEqual("binding_failed", parent["binding:vif_type"])
        a, *_ = self.subports
        trunk = self.trunk(parent, (a, 100))
        self.delete_trunk(trunk)
        self.assertEqual(set(), self.segmentations())

    def test_topic_is_the_trunks_project_and_the_id_is_dragonflows(self):
        a, *_ = self.subports
        trunk = self.trunk(self.parent, (a, 100))
        self.process_journal()
        (record,) = self.store.records_by_id(records.SEGMENTATION).values()
        expected = {
            "id": records.segmentation_id(self.parent["id"], a["id"]),
            "topic": trunk["project_id"],
            "parent": self.parent["id"],
            "port": a["id"],
            "segmentation_type": "vlan",
            "segmentation_id": 100,
        }
        self.assertEqual(expected, record)

    def test_invalid_tags_and_types_are_rejected(self):
        a, *_ = self.subports
        trunk = self.trunk(self.parent)
        for tag in (0, 4095, -1, "x"):
            self.assertRaises(n_exc.InvalidInput, self.add, trunk, (a, tag))
        self.process_journal()
        body = {"sub_ports": [{"port_id": a["id"], "segmentation_type": "mpls", "segmentation_id": 5}]}
        self.assertRaises(n_exc.InvalidInput, self.trunks.add_subports, self.admin(), trunk["id"], body)
        self.add(trunk, (a, 100))
        _, b, _ = self.subports
        self.assertRaises(trunk_exc.DuplicateSubPort, self.add, trunk, (b, 100))
        self.assertEqual(self.expected(self.parent, (a, 100)), self.segmentations())

    def test_a_rolled_back_request_leaves_no_journal_entry(self):
        a, *_ = self.subports
        trunk = self.trunk(self.parent)
        self.process_journal()
        self.assertRaises(trunk_exc.SubPortNotFound, self.remove, trunk, a)
        self.assertEqual(0, journal.count(self.admin()))

    def test_entries_stay_while_the_northbound_db_is_unreachable(self):
        a, b, _ = self.subports
        trunk = self.trunk(self.parent, (a, 100))
        self.store.failure = StoreUnavailable("frozen")
        self.assertRaises(StoreUnavailable, self.process_journal)
        self.add(trunk, (b, 200))
        self.assertRaises(StoreUnavailable, self.process_journal)
        self.store.failure = None
        self.assertEqual(self.expected(self.parent, (a, 100), (b, 200)), self.segmentations())
        self.assertEqual(0, journal.count(self.admin()))

    def test_many_subports_are_written_in_transactions_of_a_hundred(self):
        subports = self._make_many(self.other, 250)
        trunk = self.trunk(self.parent)
        self.process_journal()
        before = self.store.commits
        self.add(trunk, *((subport, tag) for tag, subport in enumerate(subports, start=1)))
        self.assertEqual(250, len(self.segmentations()))
        self.assertEqual(3, self.store.commits - before)

    def test_the_driver_adds_one_statement_to_a_request_with_many_subports(self):
        first, second = self.trunk(self.parent), self.trunk(self.port(self.lan))
        subports = self._make_many(self.other, 40)
        tagged = [(subport, tag) for tag, subport in enumerate(subports, start=1)]
        with mock.patch("networking_trunkpath.journal.insert"):
            without = self._statements(lambda: self.add(first, *tagged[:20]))
        self.assertEqual(without + 1, self._statements(lambda: self.add(second, *tagged[20:])))

    def _statements(self, call):
        """Number of SQL statements that the call executes."""
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
