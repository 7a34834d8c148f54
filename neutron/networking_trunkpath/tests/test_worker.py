"""What the log says of a store that fails, and who watches."""

from unittest import mock

from networking_trunkpath import duty, worker
from networking_trunkpath.store import StoreUnavailable
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
        with mock.patch.object(duty, "_TERM", -1):
            self.assertTrue(duty.is_ours(context, "watch", "a"))
        self.assertTrue(duty.is_ours(context, "watch", "b"))
        self.assertFalse(duty.is_ours(context, "watch", "a"))


def _fail_for(network):
    from networking_trunkpath import records

    make = records.lswitch

    def lswitch(row, *arguments):
        if row.id == network["id"]:
            raise ValueError("not a network")
        return make(row, *arguments)

    return lswitch
