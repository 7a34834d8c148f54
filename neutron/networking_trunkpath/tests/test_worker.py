"""What the worker does: what it says of a store that fails, who watches, and what is repaired."""

import datetime
from unittest import mock

from oslo_utils import timeutils

from networking_trunkpath import duty, reconcile, worker
from networking_trunkpath.store import Key, StoreUnavailable
from networking_trunkpath.tests.base import TrunkpathTestCase


class TestLoop(TrunkpathTestCase):
    def test_a_failure_is_logged_when_it_begins_and_ends_only(self):
        self.network()
        step = mock.Mock(side_effect=[*[StoreUnavailable("etcd is away")] * 3, None, None])
        loop = worker._Loop("drain", step, mock.Mock())
        with self.assertLogs("networking_trunkpath.worker", "INFO") as logs:
            outcomes = [loop.once(self.store) for _ in range(5)]
        self.assertEqual([False, False, False, True, True], outcomes)
        begin, end = logs.output
        self.assertIn("the northbound DB: etcd is away. Changes that wait in the journal: 1", begin)
        self.assertIn("drain works again", end)

    def test_a_record_that_cannot_be_made_does_not_keep_others(self):
        bad, good = self.network(name="bad"), self.network(name="good")
        with mock.patch("networking_trunkpath.records.lswitch", side_effect=_fail_for(bad)):
            self.drain()
            self.assertEqual({good["id"]}, set(self.store.held("lswitch")))
        self.drain()
        self.assertEqual({good["id"], bad["id"]}, set(self.store.held("lswitch")))

    def test_one_process_watches_at_a_time(self):
        context = self.admin()
        self.assertTrue(duty.is_ours(context, "watch", "a"))
        self.assertFalse(duty.is_ours(context, "watch", "b"))
        self.assertTrue(duty.is_ours(context, "watch", "a"))
        later = timeutils.utcnow() + datetime.timedelta(seconds=60)
        with mock.patch.object(timeutils, "utcnow", return_value=later):
            self.assertTrue(duty.is_ours(context, "watch", "b"))
            self.assertFalse(duty.is_ours(context, "watch", "a"))


class TestReconcile(TrunkpathTestCase):
    def test_every_difference_is_repaired(self):
        network = self.network()
        port = self.port(network)
        self.drain()
        good = dict(self.store.records)
        for key, value in good.items():
            for damage in (None, b"no JSON", value.replace(b'"version"', b'"mtu"'), value.replace(b'"name"', b'"nom"')):
                self.store.records[key] = damage
                if damage is None:
                    del self.store.records[key]
                self.assertEqual(1, reconcile.repair(self.store), damage)
                self.drain()
                self.assertEqual([], reconcile.compare(self.store).all)
        foreign = Key("lport", "x", "foreign")
        self.store.records[foreign] = b"{}"
        self.assertEqual(1, reconcile.repair(self.store))
        self.drain()
        self.assertNotIn(foreign, self.store.records)
        self.assertIn(port["id"], self.store.held("lport"))

    def test_another_clouds_records_are_left_alone(self):
        network = self.network()
        foreign = {Key("lport", "x", str(number)): b"{}" for number in range(3)}
        self.store.records |= foreign
        with self.assertLogs("networking_trunkpath.reconcile", "ERROR") as logs:
            reconcile.repair(self.store)
        self.assertIn("3 records that are not Neutron's, beside 1 that should be there", logs.output[0])
        self.drain()
        self.assertEqual({*foreign, Key("lswitch", network["project_id"], network["id"])}, set(self.store.records))


def _fail_for(network):
    from networking_trunkpath import records

    make = records.lswitch

    def lswitch(row, *arguments):
        if row.id == network["id"]:
            raise ValueError("not a network")
        return make(row, *arguments)

    return lswitch
