"""Tests of the whole chain, from a REST request to a frame."""

import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from servers import Daemon, Etcd, Neutron, Redis
from waiting import wait_until
from wire import Vm, ip

BROADCAST = "ff:ff:ff:ff:ff:ff"


class Testbed:
    """Two networks: parent and lan_peer on one, subport and other_peer on the other."""

    __test__ = False

    def __init__(self, api):
        self.api = api
        # Ports are bound only where a switch has reported.
        api.wait_for_switch("compute1")
        self.lan, self.other = api.create("network", name="lan"), api.create("network", name="other")
        for number, network in enumerate((self.lan, self.other)):
            api.create("subnet", network_id=network["id"], ip_version=4, cidr=f"10.{number}.0.0/24")
        self.parent, self.subport = api.port(self.lan), api.port(self.other)
        self.lan_peer, self.other_peer = (
            api.port(network, **{"binding:host_id": "compute1"}) for network in (self.lan, self.other)
        )
        self.vms = {}

    def boot(self, *ports):
        """Creates the links of the ports, as nova does before it waits for ACTIVE."""
        for port in ports:
            self.vms[port["id"]] = Vm(port)

    def wait_active(self, *ports):
        for port in ports:
            wait_until(f"port {port['id']} is ACTIVE", lambda port=port: self.api.status("port", port) == "ACTIVE")

    def vm(self, port):
        return self.vms[port["id"]]

    def close(self):
        for vm in self.vms.values():
            vm.unplug()


@pytest.fixture(scope="module")
def region(request, tmp_path_factory):
    """A northbound DB and a Neutron on it, shared by the module: their start takes longer than the tests."""
    folder = tmp_path_factory.mktemp("region")
    store = request.param(folder)
    neutron = Neutron(folder, store.url)
    yield folder, store, neutron.start()
    neutron.stop()
    store.process.kill()


@pytest.fixture
def testbed(region):
    """A Testbed with a running datapath."""
    folder, store, api = region
    daemon = Daemon(folder, store.url)
    testbed = Testbed(api)
    testbed.store, testbed.daemon = store, daemon
    yield testbed
    testbed.close()
    daemon.process.kill()


on_both = pytest.mark.parametrize("region", [Etcd, Redis], ids=["etcd", "redis"], indirect=True)
on_etcd = pytest.mark.parametrize("region", [Etcd], ids=["etcd"], indirect=True)


@on_both
def test_frames_of_a_subport_are_forwarded_while_it_is_active(testbed):
    api, parent, subport = testbed.api, testbed.parent, testbed.subport
    trunk = api.trunk(parent, (subport, 100))
    assert api.status("trunk", trunk) == "DOWN"
    bound = api.update("port", parent, **{"binding:host_id": "compute1"})
    assert (bound["binding:vif_type"], bound["status"]) == ("tap", "DOWN")
    testbed.boot(parent, testbed.lan_peer, testbed.other_peer)
    testbed.wait_active(parent, subport, testbed.lan_peer, testbed.other_peer)
    wait_until("the trunk is ACTIVE", lambda: api.status("trunk", trunk) == "ACTIVE")

    vm, lan_peer, other_peer = map(testbed.vm, (parent, testbed.lan_peer, testbed.other_peer))
    # One frame each, without a retry: an ACTIVE port forwards.
    vm.send(subport["mac_address"], other_peer.mac, b"tagged to other", tag=100)
    assert other_peer.receive(b"tagged to other") is None
    other_peer.send(other_peer.mac, subport["mac_address"], b"and back")
    assert vm.receive(b"and back") == 100
    vm.send(vm.mac, lan_peer.mac, b"untagged to lan")
    assert lan_peer.receive(b"untagged to lan") is None
    vm.send(subport["mac_address"], BROADCAST, b"tagged to all", tag=100)
    assert other_peer.receive(b"tagged to all") is None
    assert lan_peer.receive(b"tagged to all", 0.5) is False

    api.remove(trunk, subport)
    wait_until("the subport is DOWN", lambda: api.status("port", subport) == "DOWN")
    vm.send(subport["mac_address"], other_peer.mac, b"after removal", tag=100)
    # The arrival of a later frame shows that the first one was dropped, not delayed.
    vm.send(vm.mac, lan_peer.mac, b"and nothing else")
    assert lan_peer.receive(b"and nothing else") is None
    assert other_peer.receive(b"after removal", 0.5) is False
    wait_until("the trunk is ACTIVE without it", lambda: api.status("trunk", trunk) == "ACTIVE")

    api.add(trunk, (subport, 200))
    testbed.wait_active(subport)
    vm.send(subport["mac_address"], other_peer.mac, b"another tag", tag=200)
    assert other_peer.receive(b"another tag") is None

    api.delete("trunk", trunk)
    wait_until("no segmentation is left", lambda: testbed.store.keys("child_port_segmentation") == [])
    wait_until("the subport is DOWN", lambda: api.status("port", subport) == "DOWN")
    vm.send(subport["mac_address"], other_peer.mac, b"after deletion", tag=200)
    assert other_peer.receive(b"after deletion", 0.5) is False
    assert api.status("port", parent) == "ACTIVE"

    for port in (parent, subport, testbed.lan_peer, testbed.other_peer):
        api.delete("port", port)
    for network in (testbed.lan, testbed.other):
        api.delete("network", network)
    for table in ("lport", "lsubnet", "lswitch"):
        wait_until(f"{table} is empty", lambda table=table: testbed.store.keys(table) == [])


@on_etcd
def test_status_follows_the_link_and_the_daemon(testbed):
    api, parent, subport = testbed.api, testbed.parent, testbed.subport
    api.update("port", parent, **{"binding:host_id": "compute1"})
    testbed.boot(parent)
    testbed.wait_active(parent)
    # The subport is added after the parent was bound.
    trunk = api.trunk(parent)
    api.add(trunk, (subport, 100))
    testbed.wait_active(subport)
    wait_until("the trunk is ACTIVE", lambda: api.status("trunk", trunk) == "ACTIVE")

    def all_down():
        statuses = [api.status("port", parent), api.status("port", subport), api.status("trunk", trunk)]
        return statuses == ["DOWN"] * 3

    def all_active():
        statuses = [api.status("port", parent), api.status("port", subport), api.status("trunk", trunk)]
        return statuses == ["ACTIVE"] * 3

    disabled = api.port(testbed.other, admin_state_up=False)
    api.add(trunk, (disabled, 300))
    wait_until("one subport does not forward", lambda: api.status("trunk", trunk) == "DEGRADED")
    api.remove(trunk, disabled)
    wait_until("all subports forward", all_active)

    testbed.vms.pop(parent["id"]).unplug()
    wait_until("all are DOWN without the link", all_down)
    testbed.boot(parent)
    wait_until("all are ACTIVE with it", all_active)

    testbed.daemon.stop()
    wait_until("all are DOWN without the daemon", all_down)

    # No switch runs there.
    api.update("port", parent, **{"binding:host_id": "compute2"})
    assert api.show("port", parent)["binding:vif_type"] == "binding_failed"
    api.update("port", parent, **{"binding:host_id": ""})
    assert all_down()


@on_both
def test_provider_networks_are_bound_where_they_have_an_uplink(region):
    folder, store, api = region
    vlan = api.create(
        "network", **{"provider:network_type": "vlan", "provider:physical_network": "physnet1", "shared": True}
    )
    ip("link", "add", "up0", "type", "veth", "peer", "name", "wire0")
    daemon = Daemon(folder, store.url, "compute3")
    try:
        api.wait_for_switch("compute3")
        port = api.port(vlan, **{"binding:host_id": "compute3"})
        assert port["binding:vif_type"] == "binding_failed"
        assert "physical network physnet1: the host has uplinks for none" in api.process.log.read_text()
        daemon.stop()
        daemon = Daemon(folder, store.url, "compute3", ["physnet1=up0"])

        def is_bound():
            # Neutron tries again to bind a port with a failed binding when the port is updated.
            bound = api.update("port", port, **{"binding:host_id": "compute3"})
            return bound["binding:vif_type"] == "tap"

        wait_until("the switch has reported its uplink", is_bound)
    finally:
        daemon.process.kill()
        ip("link", "del", "up0")
        api.delete("port", port)
        api.delete("network", vlan)


def wait_rules(store, group, *expected):
    """Waits until the record of the group has exactly these rules; compares only the fields that are given."""

    def are_written():
        rules = (store.record("secgroup", group["id"]) or {"rules": []})["rules"]
        return len(rules) == len(expected) and all(
            any(one.items() <= rule.items() for rule in rules) for one in expected
        )

    wait_until(f"the rules are {expected}", are_written)


@on_both
def test_security_groups_are_written(region):
    _, store, api = region
    web, backend = (api.create("security_group", name=name) for name in ("web", "backend"))
    https = {"protocol": 6, "port_range_min": 443, "port_range_max": 443, "remote_ip_prefix": "192.0.2.0/24"}
    removed = api.rule(web, **(https | {"protocol": "tcp"}))
    wait_rules(store, web, https | {"id": removed["id"], "direction": "ingress", "ethertype": "IPv4"})
    api.rule(web, protocol="icmp", ethertype="IPv6", port_range_min=128, port_range_max=0)
    echo = {"protocol": 58, "port_range_min": 128, "port_range_max": 0, "ethertype": "IPv6"}
    wait_rules(store, web, https, echo)
    api.delete("security_group_rule", removed)
    wait_rules(store, web, echo)

    api.rule(web, remote_group_id=backend["id"])
    wait_rules(store, web, echo, {"remote_group_id": backend["id"]})
    api.delete("security_group", backend)
    wait_rules(store, web, echo)
    assert store.record("secgroup", backend["id"]) is None

    offices = api.create("address_group", name="offices", addresses=["198.51.100.0/24", "2001:db8::/32"])
    api.rule(web, remote_address_group_id=offices["id"])
    wait_rules(store, web, echo, {"remote_ip_prefix": "198.51.100.0/24"})
    version = store.record("secgroup", web["id"])["version"]
    api.add_addresses(offices, "203.0.113.7")
    wait_rules(store, web, echo, *({"remote_ip_prefix": each} for each in ("198.51.100.0/24", "203.0.113.7/32")))
    assert store.record("secgroup", web["id"])["version"] > version
    api.remove_addresses(offices, "198.51.100.0/24", "203.0.113.7")
    wait_rules(store, web, echo)

    assert store.record("stateless_secgroup", web["id"]) is None
    api.update("security_group", web, stateful=False)
    wait_until("the group is stateless", lambda: store.record("stateless_secgroup", web["id"]))

    network = api.create("network")
    port = api.port(network, security_groups=[web["id"]])
    wait_until("the port is written", lambda: store.record("lport", port["id"]))
    assert store.record("lport", port["id"])["security_groups"] == [web["id"]]
    api.delete("port", port)
    api.delete("network", network)
    api.delete("security_group", web)
    for table in ("secgroup", "stateless_secgroup"):
        wait_until(f"{table} has no such record", lambda table=table: store.record(table, web["id"]) is None)


def udp(sender, receiver, payload):
    """A datagram of one port to another, to port 53, as bytes."""
    addresses = [port["fixed_ips"][0]["ip_address"] for port in (sender, receiver)]
    frame = Ether(src=sender["mac_address"], dst=receiver["mac_address"]) / IP(src=addresses[0], dst=addresses[1])
    return bytes(frame / UDP(sport=4053, dport=53) / payload)


@on_etcd
def test_rules_and_members_decide_which_frames_reach_a_subport(testbed):
    api, parent, subport = testbed.api, testbed.parent, testbed.subport
    web, senders, clients = (api.create("security_group", name=name) for name in ("web", "senders", "clients"))
    api.rule(senders, direction="egress")
    api.update("port", subport, security_groups=[web["id"]])
    api.update("port", testbed.other_peer, security_groups=[senders["id"]])
    trunk = api.trunk(parent, (subport, 100))
    api.update("port", parent, **{"binding:host_id": "compute1"})
    peer = testbed.other_peer
    testbed.boot(parent, peer)
    testbed.wait_active(parent, subport, peer)
    vm, numbers = testbed.vm(parent), iter(range(10**6))

    def passes(sender):
        """Whether a datagram of its own reaches the subport; one frame that needs no rule follows it."""
        payload = b"datagram %06d" % next(numbers)
        testbed.vm(sender).send_bytes(udp(sender, subport, payload))
        testbed.vm(sender).send(sender["mac_address"], subport["mac_address"], b"behind " + payload)
        for frame, tag in vm.frames():
            if payload in frame:
                assert tag == 100
                return b"behind" not in frame
        raise AssertionError("a frame without IP was dropped")

    assert not passes(peer), "the group has no rule for it"
    rule = api.rule(web, protocol="udp", port_range_min=53, port_range_max=53)
    wait_until("the rule lets datagrams pass", lambda: passes(peer))
    api.delete("security_group_rule", rule)
    # Also those of the connection that it had allowed.
    wait_until("datagrams stop without the rule", lambda: not passes(peer))

    api.rule(web, protocol="udp", remote_group_id=clients["id"])
    wait_rules(testbed.store, web, {"remote_group_id": clients["id"]})
    groups = [senders["id"], clients["id"]]
    member = api.port(testbed.other, security_groups=groups, **{"binding:host_id": "compute1"})
    testbed.boot(member)
    testbed.wait_active(member)
    wait_until("datagrams of the new member pass", lambda: passes(member))
    assert not passes(peer), "it is no member"
    api.update("port", member, security_groups=[senders["id"]])
    wait_until("the port is a member no longer", lambda: not passes(member))
    api.delete("trunk", trunk)
    for port in (parent, subport, member):
        api.delete("port", port)


@on_etcd
def test_the_record_of_a_port_moves_at_once_when_nova_activates_its_second_binding(testbed):
    api, store = testbed.api, testbed.store
    # A host that reports, without a daemon.
    store.ctl("put", "/trunkpath/chassis/compute2", text='{"chassis": "compute2"}')
    store.put("chassis", "compute2", '{"id": "compute2", "ip": "192.0.2.2", "tunnel_types": ["vxlan"]}')
    api.wait_for_switch("compute2")
    vm = api.port(testbed.lan, device_owner="compute:nova", **{"binding:host_id": "compute1"})

    def chassis():
        return store.records()[f"/lport/{vm['id']}"]["binding"]["chassis"]

    made = api.request_json("POST", f"ports/{vm['id']}/bindings", {"binding": {"host": "compute2"}})["binding"]
    assert (made["vif_type"], made["status"]) == ("tap", "INACTIVE")
    rejected = api.request("POST", f"ports/{vm['id']}/bindings", {"binding": {"host": "compute9"}})
    assert not rejected.ok
    wait_until("the port is written", lambda: f"/lport/{vm['id']}" in store.records())
    assert chassis() == "compute1"
    api.request_json("PUT", f"ports/{vm['id']}/bindings/compute2/activate")
    began = time.monotonic()
    wait_until("the record has moved", lambda: chassis() == "compute2")
    print(f"the record moved {1000 * (time.monotonic() - began):.0f} ms after the activation")
    assert time.monotonic() - began < 5
    api.delete("port", vm)
