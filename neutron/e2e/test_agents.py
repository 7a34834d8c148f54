"""Neutron's DHCP agent with dnsmasq, and its L3 agent, plugged into the switch of their host by the interface driver.

The agents run on compute1, in the namespace of the test. compute2 is another namespace, at the other end of a veth pair
that both hosts use as underlay and for their own traffic, here that of etcd.
"""

import contextlib
import re
import subprocess
from typing import NamedTuple

import pytest

import dhcp_client
from api import Api
from servers import Daemon, Etcd, MariaDb, Neutron, RabbitMq
from waiting import wait_until
from wire import Guest, HostLink, Vm, ip


class Host(NamedTuple):
    """A compute host."""

    name: str
    address: str
    """Of its tunnel endpoint."""
    namespace: str | None
    """None for the namespace of the test."""


_HOSTS = (Host("compute1", "10.99.0.2", None), Host("compute2", "10.99.0.3", "host2"))


@contextlib.contextmanager
def underlay():
    """The link between the two hosts."""
    _, other = _HOSTS
    ip("netns", "add", other.namespace)
    uplink = HostLink("underlay0")
    uplink.add("underlay0", "netns", other.namespace)
    for host in _HOSTS:
        where = ("-n", host.namespace) if host.namespace else ()
        ip(*where, "addr", "add", f"{host.address}/24", "dev", "underlay0")
        for link in ("lo", "underlay0"):
            ip(*where, "link", "set", link, "up")
    try:
        yield
    finally:
        uplink.delete()
        ip("netns", "del", other.namespace)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A client of the API of a Neutron with both hosts, and the agents on compute1."""
    folder = tmp_path_factory.mktemp("cloud")
    with contextlib.ExitStack() as started:

        def started_with(server, stop):
            started.callback(stop, server)
            return server

        started.enter_context(underlay())
        etcd = started_with(Etcd(folder), lambda etcd: etcd.process.kill())
        rabbit = started_with(RabbitMq(folder), RabbitMq.stop)
        # Several processes write to it, which SQLite does not support.
        database = started_with(MariaDb(folder), lambda database: database.process.kill())
        options = "[DEFAULT]\nservice_plugins = trunk,router\n"
        neutron = Neutron(folder, etcd.url, database.url, options, transport=rabbit.url)
        started_with(neutron, Neutron.stop)
        for host in _HOSTS:
            nb = f"etcd://{_HOSTS[0].address}:{etcd.port}"
            where = {"local_ip": host.address, "namespace": host.namespace}
            daemon = Daemon(folder, nb, host.name, ["physnet1=underlay0"], **where)
            started_with(daemon, Daemon.stop)
        neutron.start_rpc_server()
        client = neutron.start()
        for host in _HOSTS:
            client.wait_for_switch(host.name)
        for name, agent_type in (("dhcp", "DHCP agent"), ("l3", "L3 agent")):
            neutron.start_agent(name, "compute1")
            client.wait_for_agent(agent_type, "compute1")
        yield client


@pytest.fixture
def networks(api, request):
    """Two networks of the given types, with a subnet each."""
    made = []
    for number, network_type in enumerate(request.param):
        fields = {"provider:network_type": network_type}
        if network_type == "vlan":
            # Neutron rejects a subport whose network has a larger MTU than its parent's.
            fields |= {"provider:physical_network": "physnet1", "mtu": 1400}
        network = api.create("network", name=network_type, **fields)
        cidr = f"10.{number}.0.0/24"
        subnet = api.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr)
        made.append(network | {"subnet": subnet})
    return made


def dhcp_port(api, network):
    """The port that the agent creates for the network's first client."""

    def find():
        ports = api.request_json("GET", f"ports?network_id={network['id']}&device_owner=network:dhcp")["ports"]
        return ports and ports[0]["status"] == "ACTIVE" and ports[0]

    return wait_until(f"the DHCP port of {network['name']} is ACTIVE", find)


_OWN, _OTHER = _HOSTS


@pytest.mark.parametrize(
    ("networks", "host"),
    [(("vxlan", "geneve"), _OWN), (("vxlan", "geneve"), _OTHER), (("gre", "vlan"), _OTHER)],
    indirect=["networks"],
    ids=["same host", "by VXLAN and Geneve", "by GRE and VLAN"],
)
def test_clients_on_a_plain_port_and_on_a_subport_get_their_addresses(api: Api, networks, host: Host):
    lan, other = networks
    bound = {"binding:host_id": host.name}
    client, parent = api.port(lan, **bound), api.port(lan, **bound)
    subport = api.port(other)
    trunk = api.trunk(parent, (subport, 100))
    servers = [dhcp_port(api, network) for network in (lan, other)]
    assert [(port["binding:host_id"], port["binding:vif_type"]) for port in servers] == [("compute1", "tap")] * 2

    vm, guest = Vm(parent, host.namespace), Guest(client, host.namespace)
    for port in (client, parent, subport):
        wait_until(f"port {port['id']} is ACTIVE", lambda port=port: api.status("port", port) == "ACTIVE")
    wait_until("the trunk is ACTIVE", lambda: api.status("trunk", trunk) == "ACTIVE")

    for port, network, server, tag in ((parent, lan, servers[0], None), (subport, other, servers[1], 100)):
        address, options = dhcp_client.lease(vm, port["mac_address"], tag)
        assert address == port["fixed_ips"][0]["ip_address"]
        assert options["server_id"] == server["fixed_ips"][0]["ip_address"]
        assert options["interface-mtu"] == network["mtu"]

    # The kernel of a client, with its own checks, and unicast to the agent's namespace.
    log = guest.run_dhcp_client()
    assert guest.addresses() == {client["fixed_ips"][0]["ip_address"]}, log
    guest.ping(servers[0]["fixed_ips"][0]["ip_address"], lan["mtu"])

    # The agent unplugs its port with the network; the switch detaches it.
    vm.unplug()
    guest.unplug()
    api.delete("trunk", trunk)
    for port in (client, parent, subport):
        api.delete("port", port)
    delete_networks(api, networks, servers)


@pytest.mark.parametrize("networks", [("vxlan", "geneve")], indirect=True)
def test_a_router_of_the_l3_agent_connects_two_networks(api: Api, networks):
    router = api.create("router")
    for network in networks:
        body = {"subnet_id": network["subnet"]["id"]}
        api.request_json("PUT", f"routers/{router['id']}/add_router_interface", body)
    ports = [api.port(network, **{"binding:host_id": _OTHER.name}) for network in networks]
    servers = [dhcp_port(api, network) for network in networks]
    guests = [Guest(port, _OTHER.namespace) for port in ports]
    for guest, port in zip(guests, ports, strict=True):
        wait_until("the client's port is ACTIVE", lambda port=port: api.status("port", port) == "ACTIVE")
        guest.run_dhcp_client()
    owner = f"device_owner=network:router_interface&device_id={router['id']}"
    router_ports = api.request_json("GET", f"ports?{owner}")["ports"]
    for port in router_ports:
        wait_until("the router's port is ACTIVE", lambda port=port: api.status("port", port) == "ACTIVE")
        assert has_link(port)

    # From a guest on compute2 to the router on compute1, and back to the other guest on compute2.
    guests[0].ping(ports[1]["fixed_ips"][0]["ip_address"], networks[1]["mtu"])

    for guest in guests:
        guest.unplug()
    for network in networks:
        body = {"subnet_id": network["subnet"]["id"]}
        api.request_json("PUT", f"routers/{router['id']}/remove_router_interface", body)
    api.delete("router", router)
    for port in router_ports:
        wait_until("the link of the router's port is deleted", lambda port=port: not has_link(port))
    for port in ports:
        api.delete("port", port)
    delete_networks(api, networks, servers)


def delete_networks(api, networks, servers):
    """Deletes the networks; the agent then unplugs its ports there."""
    for network, server in zip(networks, servers, strict=True):
        api.delete("network", network)
        wait_until("the link of the DHCP port is deleted", lambda server=server: not has_link(server))


def has_link(port):
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
    return re.search(rf"\btap{port['id'][:11]}\b", links) is not None
