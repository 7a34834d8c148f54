"""Background threads: retries and their log, isolation of failing entries, the leader lease, reconciliation."""

import datetime
import json
from unittest import mock

from oslo_utils import timeutils

from networking_trunkpath import background, journal, leader_lease, reconcile
from networking_trunkpath.store import Key, StoreUnavailable
from networking_trunkpath.tests.base import TrunkpathTestCase


class TestBackgroundThreads(TrunkpathTestCase):
    def test_first_failure_and_recovery_are_logged_once(self):
        # The first network of a project also creates its default security group.
        self.network()
        self.process_journal()
        self.network()
        operation = mock.Mock(side_effect=[*[StoreUnavailable("etcd is down")] * 3, None, None])
        loop = background.RetryLoop("journal worker", operation, mock.Mock())
        with self.assertLogs("networking_trunkpath.background", "INFO") as logs:
            outcomes = [loop.run_once(self.store) for _ in range(5)]
        self.assertEqual([False, False, False, True, True], outcomes)
        begin, end = logs.output
        self.assertIn("the northbound DB: etcd is down. Pending journal rows: 1", begin)
        self.assertIn("journal worker recovered", end)

    def test_a_failing_entry_does_not_block_others(self):
        bad, good = self.network(name="bad"), self.network(name="good")
        with mock.patch("networking_trunkpath.records.lswitch", side_effect=_fail_for(bad)):
            self.process_journal()
            self.assertEqual({good["id"]}, set(self.store.records_by_id("lswitch")))
        self.process_journal()
        self.assertEqual({good["id"], bad["id"]}, set(self.store.records_by_id("lswitch")))

    def test_transactions_that_are_too_large_are_split(self):
        networks = [self.network(name=f"{number}") for number in range(7)]
        self.store.max_records = 2
        self.process_journal()
        self.assertEqual({network["id"] for network in networks}, set(self.store.records_by_id("lswitch")))
        self.store.max_records = 0
        self.network()
        self.process_journal()
        self.assertEqual(1, journal.count(self.admin()))

    def test_one_process_holds_the_lease_at_a_time(self):
        context = self.admin()
        self.assertTrue(leader_lease.acquire(context, "status_sync", "a"))
        self.assertFalse(leader_lease.acquire(context, "status_sync", "b"))
        self.assertTrue(leader_lease.acquire(context, "status_sync", "a"))
        later = timeutils.utcnow() + datetime.timedelta(seconds=60)
        with mock.patch.object(timeutils, "utcnow", return_value=later):
            self.assertTrue(leader_lease.acquire(context, "status_sync", "b"))
            self.assertFalse(leader_lease.acquire(context, "status_sync", "a"))


class TestReconcile(TrunkpathTestCase):
    def test_every_difference_is_repaired(self):
        network = self.network()
        port = self.port(network)
        self.process_journal()
        good = dict(self.store.records)
        for key, value in good.items():
            for damage in (None, b"no JSON", value.replace(b'"version"', b'"mtu"'), value.replace(b'"name"', b'"nom"')):
                self.store.records[key] = damage
                if damage is None:
                    del self.store.records[key]
                self.assertEqual(1, reconcile.repair(self.store), damage)
                self.process_journal()
                self.assertEqual([], reconcile.compare(self.store).differences)
        foreign = Key("lport", "x", "foreign")
        self.store.records[foreign] = b"{}"
        self.assertEqual(1, reconcile.repair(self.store))
        self.process_journal()
        self.assertNotIn(foreign, self.store.records)
        self.assertIn(port["id"], self.store.records_by_id("lport"))

    def test_versions_grow_with_each_change_of_content(self):
        network = self.network()
        self.process_journal()
        key = Key("lswitch", network["project_id"], network["id"])
        record = json.loads(self.store.records[key])
        for stored, written in (
            # Neutron's revision number is greater.
            ({"version": -1}, record["version"]),
            ({"version": -1, "name": "old"}, record["version"]),
            # It is not, and the content differs.
            ({"name": "old"}, record["version"] + 1),
            ({"version": 70, "name": "old"}, 71),
            ({"version": 70, "mtu": None}, 71),
            # Equal content stays.
            ({"version": 70}, 70),
        ):
            self.store.records[key] = json.dumps(record | stored).encode()
            self.assertEqual(0 if written == 70 else 1, reconcile.repair(self.store), stored)
            self.process_journal()
            self.assertEqual(record | {"version": written}, json.loads(self.store.records[key]))
            self.assertEqual([], reconcile.compare(self.store).differences)

    def test_records_of_another_cloud_are_kept(self):
        network = self.network()
        foreign = {Key("lport", "x", str(number)): b"{}" for number in range(3)}
        self.store.records |= foreign
        with self.assertLogs("networking_trunkpath.reconcile", "ERROR") as logs:
            reconcile.repair(self.store)
        # The network, and the default security group of its project.
        self.assertIn("3 records that are not Neutron's, beside 2 that Neutron requires", logs.output[0])
        self.process_journal()
        self.assertLessEqual(foreign.keys(), self.store.records.keys())
        self.assertEqual({network["id"]}, set(self.store.records_by_id("lswitch")))


def _fail_for(network):
    from networking_trunkpath import records

    make = records.lswitch

    def lswitch(row, *arguments):
        if row.id == network["id"]:
            raise ValueError("not a network")
        return make(row, *arguments)

    return lswitch
