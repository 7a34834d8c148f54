"""Status of ports and trunks for given reports of the hosts."""

from networking_trunkpath import sync_status
from networking_trunkpath.store import StoreUnavailable
from networking_trunkpath.tests.base import TrunkpathTestCase


class TestSyncStatus(TrunkpathTestCase):
    def setUp(self):
        super().setUp()
        self.parent = self.port(self.network())
        other = self.network()
        self.a, self.b = self.port(other), self.port(other)

    def statuses(self, trunk):
        ports = [self.port_status(port) for port in (self.parent, self.a, self.b)]
        return [*ports, self.trunk_status(trunk)]

    def test_status_is_down_before_the_first_report(self):
        trunk = self.trunk(self.parent, (self.a, 100), (self.b, 200))
        self.bind(self.parent)
        self.report()
        self.assertEqual(["DOWN"] * 4, self.statuses(trunk))

    def test_status_follows_the_reports(self):
        trunk = self.trunk(self.parent, (self.a, 100), (self.b, 200))
        self.bind(self.parent)
        self.report(self.parent, self.a, self.b)
        self.assertEqual(["ACTIVE"] * 4, self.statuses(trunk))
        self.report(self.parent, self.a)
        self.assertEqual(["ACTIVE", "ACTIVE", "DOWN", "DEGRADED"], self.statuses(trunk))
        self.report()
        self.assertEqual(["DOWN"] * 4, self.statuses(trunk))
        self.report(self.parent, self.a, self.b)
        self.assertEqual(["ACTIVE"] * 4, self.statuses(trunk))

    def test_trunk_is_active_again_after_a_subport_was_added_and_removed(self):
        trunk = self.trunk(self.parent, (self.a, 100))
        self.bind(self.parent)
        self.report(self.parent, self.a)
        self.add(trunk, (self.b, 200))
        self.assertEqual("DOWN", self.trunk_status(trunk))
        self.report(self.parent, self.a, self.b)
        self.assertEqual(["ACTIVE"] * 4, self.statuses(trunk))
        self.remove(trunk, self.b)
        self.report(self.parent, self.a)
        self.assertEqual(["ACTIVE", "ACTIVE", "DOWN", "ACTIVE"], self.statuses(trunk))

    def test_subports_of_a_deleted_trunk_are_down(self):
        trunk = self.trunk(self.parent, (self.a, 100))
        self.bind(self.parent)
        self.report(self.parent, self.a)
        self.delete_trunk(trunk)
        self.report(self.parent)
        self.assertEqual(["ACTIVE", "DOWN"], [self.port_status(self.parent), self.port_status(self.a)])

    def test_all_are_down_when_the_parent_is_unbound(self):
        trunk = self.trunk(self.parent, (self.a, 100), (self.b, 200))
        self.bind(self.parent)
        self.report(self.parent, self.a, self.b)
        self.bind(self.parent, "")
        # The host has not withdrawn its reports yet.
        self.report(self.parent, self.a, self.b)
        self.assertEqual(["DOWN"] * 4, self.statuses(trunk))

    def test_reports_of_the_previous_host_are_ignored(self):
        trunk = self.trunk(self.parent, (self.a, 100), (self.b, 200))
        self.bind(self.parent)
        self.report(self.parent, self.a, self.b)
        self.bind(self.parent, "compute2")
        self.report(self.parent, self.a, self.b, host="compute1")
        self.assertEqual(["DOWN"] * 4, self.statuses(trunk))
        self.report(self.parent, self.a, self.b, host="compute2")
        self.assertEqual(["ACTIVE"] * 4, self.statuses(trunk))

    def test_status_stays_while_the_northbound_db_is_unreachable(self):
        trunk = self.trunk(self.parent, (self.a, 100), (self.b, 200))
        self.bind(self.parent)
        self.report(self.parent, self.a, self.b)
        self.store.failure = StoreUnavailable("frozen")
        self.assertRaises(StoreUnavailable, sync_status.sync, self.store)
        self.assertEqual(["ACTIVE"] * 4, self.statuses(trunk))

    def test_trunk_without_subports_has_the_status_of_its_parent(self):
        trunk = self.trunk(self.parent)
        self.bind(self.parent)
        self.report()
        self.assertEqual("DOWN", self.trunk_status(trunk))
        self.report(self.parent)
        self.assertEqual("ACTIVE", self.trunk_status(trunk))

    def test_vlan_transparency_is_rejected(self):
        driver = self.driver.mechanism_manager.mech_drivers["trunkpath"].obj
        self.assertIs(False, driver.check_vlan_transparency(None))
        self.assertIs(False, driver.check_vlan_qinq(None))
