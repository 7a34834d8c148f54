"""Neutron's DHCP agent and dnsmasq on a host that runs the switch, plugged by the interface driver."""

import contextlib
import re
import subprocess

import pytest

import dhcp_client
from servers import Daemon, Etcd, MariaDb, Neutron, RabbitMq
from waiting import wait_until
from wire import Guest, Vm


@pytest.fixture
def cloud(tmp_path):
    """A client of the API of a Neutron whose DHCP agent runs on compute1, beside the switch."""
    with contextlib.ExitStack() as started:

        def started_with(server, stop):
            started.callback(stop, server)
            return server

        etcd = started_with(Etcd(tmp_path), lambda etcd: etcd.process.kill())
        rabbit = started_with(RabbitMq(tmp_path), RabbitMq.stop)
        # Several processes write to it, which SQLite does not support.
        database = started_with(MariaDb(tmp_path), lambda database: database.process.kill())
        neutron = started_with(Neutron(tmp_path, etcd.url, database.url, transport=rabbit.url), Neutron.stop)
        started_with(Daemon(tmp_path, etcd.url), lambda daemon: daemon.process.kill())
        neutron.start_rpc_server()
        api = neutron.start()
        api.wait_for_switch("compute1")
        neutron.start_dhcp_agent("compute1")
        api.wait_for_agent("DHCP agent", "compute1")
        yield api


def network_with_dhcp(api, number):
    network = api.create("network", name=f"net{number}", **{"provider:network_type": ("vxlan", "geneve")[number]})
    api.create("subnet", network_id=network["id"], ip_version=4, cidr=f"10.{number}.0.0/24")
    return network


def dhcp_port(api, network):
    """The port that the agent creates for the network's first client."""

    def find():
        ports = api.request_json("GET", f"ports?network_id={network['id']}&device_owner=network:dhcp")["ports"]
        return ports and ports[0]["status"] == "ACTIVE" and ports[0]

    return wait_until(f"the DHCP port of {network['name']} is ACTIVE", find)


def test_clients_on_a_plain_port_and_on_a_subport_get_their_addresses(cloud):
    api = cloud
    lan, other = network_with_dhcp(api, 0), network_with_dhcp(api, 1)
    bound = {"binding:host_id": "compute1"}
    client, parent = api.port(lan, **bound), api.port(lan, **bound)
    subport = api.port(other)
    trunk = api.trunk(parent, (subport, 100))
    servers = [dhcp_port(api, network) for network in (lan, other)]
    assert [(port["binding:host_id"], port["binding:vif_type"]) for port in servers] == [("compute1", "tap")] * 2

    vm, guest = Vm(parent), Guest(client)
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
    guest.ping(servers[0]["fixed_ips"][0]["ip_address"])

    # The agent unplugs its port with the network; the switch forgets it.
    vm.unplug()
    guest.unplug()
    api.delete("trunk", trunk)
    for port in (client, parent, subport):
        api.delete("port", port)
    for network, server in ((lan, servers[0]), (other, servers[1])):
        api.delete("network", network)
        wait_until("the link of the DHCP port is deleted", lambda server=server: not has_link(server))


def has_link(port):
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
    return re.search(rf"\btap{port['id'][:11]}\b", links) is not None
