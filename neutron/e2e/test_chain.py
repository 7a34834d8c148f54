"""From a REST call to a frame."""

import pytest

from servers import Daemon, Etcd, Neutron, Redis, until
from wire import Vm

BROADCAST = "ff:ff:ff:ff:ff:ff"


class Site:
    """A VM on a LAN with a spare port on another network, and a neighbour on each of the two."""

    def __init__(self, api):
        self.api = api
        self.lan, self.other = api.create("network", name="lan"), api.create("network", name="other")
        for number, network in enumerate((self.lan, self.other)):
            api.create("subnet", network_id=network["id"], ip_version=4, cidr=f"10.{number}.0.0/24")
        self.parent, self.child = api.port(self.lan), api.port(self.other)
        self.lan_peer, self.other_peer = (
            api.port(network, **{"binding:host_id": "compute1"}) for network in (self.lan, self.other)
        )
        self.vms = {}

    def boot(self, *ports):
        """What nova does: the device first, then it waits for ACTIVE."""
        for port in ports:
            self.vms[port["id"]] = Vm(port)

    def wait_active(self, *ports):
        for port in ports:
            until(f"port {port['id']} is ACTIVE", lambda port=port: self.api.status("port", port) == "ACTIVE")

    def vm(self, port):
        return self.vms[port["id"]]

    def end(self):
        for vm in self.vms.values():
            vm.unplug()


@pytest.fixture(scope="module")
def region(request, tmp_path_factory):
    """A northbound DB, a Neutron on it and a host: to start them takes longer than the tests."""
    folder = tmp_path_factory.mktemp("region")
    store = request.param(folder)
    neutron = Neutron(folder, store.url)
    yield folder, store, neutron.start()
    neutron.end()
    store.process.kill()


@pytest.fixture
def cloud(region):
    """A site, and the datapath that serves it."""
    folder, store, api = region
    daemon = Daemon(folder, store.url)
    site = Site(api)
    site.store, site.daemon = store, daemon
    yield site
    site.end()
    daemon.process.kill()


on_both = pytest.mark.parametrize("region", [Etcd, Redis], ids=["etcd", "redis"], indirect=True)
on_etcd = pytest.mark.parametrize("region", [Etcd], ids=["etcd"], indirect=True)


@on_both
def test_a_tag_works_while_it_is_a_subports_and_active_means_that_frames_flow(cloud):
    api, parent, child = cloud.api, cloud.parent, cloud.child
    trunk = api.trunk(parent, (child, 100))
    assert api.status("trunk", trunk) == "DOWN"
    bound = api.update("port", parent, **{"binding:host_id": "compute1"})
    assert (bound["binding:vif_type"], bound["status"]) == ("tap", "DOWN")
    cloud.boot(parent, cloud.lan_peer, cloud.other_peer)
    cloud.wait_active(parent, child, cloud.lan_peer, cloud.other_peer)
    until("the trunk is ACTIVE", lambda: api.status("trunk", trunk) == "ACTIVE")

    vm, lan_peer, other_peer = map(cloud.vm, (parent, cloud.lan_peer, cloud.other_peer))
    # One frame each: ACTIVE has said that it will arrive.
    vm.send(child["mac_address"], other_peer.mac, b"tagged to other", tag=100)
    assert other_peer.receive(b"tagged to other") is None
    other_peer.send(other_peer.mac, child["mac_address"], b"and back")
    assert vm.receive(b"and back") == 100
    vm.send(vm.mac, lan_peer.mac, b"untagged to lan")
    assert lan_peer.receive(b"untagged to lan") is None
    vm.send(child["mac_address"], BROADCAST, b"tagged to all", tag=100)
    assert other_peer.receive(b"tagged to all") is None
    assert lan_peer.receive(b"tagged to all", 0.5) is False

    api.remove(trunk, child)
    until("the subport is DOWN", lambda: api.status("port", child) == "DOWN")
    vm.send(child["mac_address"], other_peer.mac, b"after removal", tag=100)
    # What comes after it shows that it is not only late.
    vm.send(vm.mac, lan_peer.mac, b"and nothing else")
    assert lan_peer.receive(b"and nothing else") is None
    assert other_peer.receive(b"after removal", 0.5) is False
    until("the trunk is ACTIVE without it", lambda: api.status("trunk", trunk) == "ACTIVE")

    api.add(trunk, (child, 200))
    cloud.wait_active(child)
    vm.send(child["mac_address"], other_peer.mac, b"another tag", tag=200)
    assert other_peer.receive(b"another tag") is None

    api.delete("trunk", trunk)
    until("no segmentation is left", lambda: cloud.store.keys("child_port_segmentation") == [])
    until("the subport is DOWN", lambda: api.status("port", child) == "DOWN")
    vm.send(child["mac_address"], other_peer.mac, b"after deletion", tag=200)
    assert other_peer.receive(b"after deletion", 0.5) is False
    assert api.status("port", parent) == "ACTIVE"

    for port in (parent, child, cloud.lan_peer, cloud.other_peer):
        api.delete("port", port)
    for network in (cloud.lan, cloud.other):
        api.delete("network", network)
    for table in ("lport", "lsubnet", "lswitch"):
        until(f"{table} is empty", lambda table=table: cloud.store.keys(table) == [])


@on_etcd
def test_status_follows_the_device_and_the_host(cloud):
    api, parent, child = cloud.api, cloud.parent, cloud.child
    api.update("port", parent, **{"binding:host_id": "compute1"})
    cloud.boot(parent)
    cloud.wait_active(parent)
    # A subport that is added after the parent is bound.
    trunk = api.trunk(parent)
    api.add(trunk, (child, 100))
    cloud.wait_active(child)
    until("the trunk is ACTIVE", lambda: api.status("trunk", trunk) == "ACTIVE")

    def all_down():
        statuses = [api.status("port", parent), api.status("port", child), api.status("trunk", trunk)]
        return statuses == ["DOWN"] * 3

    def all_active():
        statuses = [api.status("port", parent), api.status("port", child), api.status("trunk", trunk)]
        return statuses == ["ACTIVE"] * 3

    disabled = api.port(cloud.other, admin_state_up=False)
    api.add(trunk, (disabled, 300))
    until("one subport does not forward", lambda: api.status("trunk", trunk) == "DEGRADED")
    api.remove(trunk, disabled)
    until("all subports forward", all_active)

    cloud.vms.pop(parent["id"]).unplug()
    until("all are DOWN without the device", all_down)
    cloud.boot(parent)
    until("all are ACTIVE with it", all_active)

    cloud.daemon.stop()
    until("all are DOWN without the daemon", all_down)

    api.update("port", parent, **{"binding:host_id": "compute2"})
    assert api.show("port", parent)["binding:vif_type"] == "tap"
    api.update("port", parent, **{"binding:host_id": ""})
    assert all_down()
