"""The interface driver on real links. Each test runs in namespaces of its own, which requires root."""

import os
import subprocess
import sys
import unittest

_PORT = "c0a80101-1111-4aaa-8bbb-000000000166"
_MAC = "fa:16:3e:00:01:66"

# Runs in a process in the new namespaces: a thread cannot move the process's privileged helpers with it.
_PRELUDE = f"""
import json, subprocess
from oslo_config import cfg
from oslo_privsep import priv_context
from neutron.agent.common import utils
from neutron.conf.agent import common as config
config.register_interface_driver_opts_helper(cfg.CONF)
cfg.CONF([], project="test")
cfg.CONF.set_override("interface_driver", "trunkpath")
from neutron import privileged
privileged.default.set_client_mode(False)
privileged.link_cmd.set_client_mode(False)
privileged.namespace_cmd.set_client_mode(False)
driver = utils.load_interface_driver(cfg.CONF)
port, mac = "{_PORT}", "{_MAC}"

def link(name, namespace=None):
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(["ip", *where, "-d", "-j", "link", "show", name], capture_output=True, text=True)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None
"""


@unittest.skipUnless(os.geteuid() == 0, "namespaces require root")
class TestInterfaceDriver(unittest.TestCase):
    def run_isolated(self, script):
        command = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "-"]
        command += [sys.executable, "-W", "ignore", "-c", _PRELUDE + script]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr[-3000:])

    def test_port_of_the_dhcp_agent(self):
        self.run_isolated("""
class Port:
    id = port
name = driver.get_device_name(Port)
assert name == "ns-c0a80101-11", name
driver.plug("net", port, name, mac, namespace="qdhcp-x", mtu=1450)
inner, outer = link(name, "qdhcp-x"), link("tapc0a80101-11")
assert (inner["address"], inner["mtu"], outer["mtu"], outer["ifalias"]) == (mac, 1450, 1450, port), (inner, outer)
assert (inner["operstate"], outer["operstate"]) == ("UP", "UP"), (inner, outer)
for end in (inner, outer):
    assert (end["num_tx_queues"], end["num_rx_queues"]) == (1, 1), end
addresses = subprocess.check_output(["ip", "-6", "-o", "addr", "show", "dev", "tapc0a80101-11"])
assert not addresses, addresses

# The agent plugs again after its restart, and after the MTU of the network has changed.
driver.plug("net", port, name, mac, namespace="qdhcp-x", mtu=1400)
assert (link(name, "qdhcp-x")["mtu"], link("tapc0a80101-11")["mtu"]) == (1400, 1400)
assert link(name, "qdhcp-x")["ifindex"] == inner["ifindex"]

driver.unplug(name, namespace="qdhcp-x")
assert link(name, "qdhcp-x") is None and link("tapc0a80101-11") is None
# A second time is no failure.
driver.unplug(name, namespace="qdhcp-x")
driver.unplug(name, namespace="qdhcp-y")
""")

    def test_port_of_the_l3_agent(self):
        self.run_isolated("""
name = "qr-c0a80101-11"
driver.plug("net", port, name, mac, namespace="qrouter-x", prefix="qr-", mtu=1450)
assert link(name, "qrouter-x")["address"] == mac and link("tapc0a80101-11")["ifalias"] == port
driver.set_mtu(name, 1400, namespace="qrouter-x", prefix="qr-")
assert (link(name, "qrouter-x")["mtu"], link("tapc0a80101-11")["mtu"]) == (1400, 1400)
driver.unplug(name, namespace="qrouter-x", prefix="qr-")
assert link("tapc0a80101-11") is None
""")

    def test_nothing_is_left_of_a_failed_attempt(self):
        self.run_isolated("""
from unittest import mock
from neutron.agent.linux import ip_lib
name = "ns-c0a80101-11"
with mock.patch.object(ip_lib.IpLinkCommand, "set_alias", side_effect=RuntimeError("injected")):
    try:
        driver.plug("net", port, name, mac, namespace="qdhcp-x", mtu=1450)
        raise AssertionError("plug has succeeded")
    except RuntimeError:
        pass
assert link("tapc0a80101-11") is None and link(name, "qdhcp-x") is None
driver.plug("net", port, name, mac, namespace="qdhcp-x", mtu=1450)
assert link("tapc0a80101-11")["ifalias"] == port
""")
