"""Interface driver of Neutron's agents: plugs the ports of the DHCP, L3 and metadata agents into the switch.

The agents load it by the alias in option `interface_driver`. It needs neither Neutron's DB nor the northbound DB.
"""

from neutron.agent.linux import interface, ip_lib
from neutron.privileged.agent.linux import ip_lib as privileged
from neutron_lib import constants
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

# The switch opens an AF_XDP socket for each RX queue, and requires as many as the other end has TX queues. By default
# the kernel creates one for each CPU, at both ends.
_ONE_QUEUE = {"num_rx_queues": 1, "num_tx_queues": 1}


class TrunkpathInterfaceDriver(interface.LinuxInterfaceDriver):
    """Creates a veth pair: one end in the agent's namespace, the other one on the host as the link of the port.

    The switch finds the link by its alias, the port's id, or by its name: `tap` and the first 11 characters of the id.
    A tap device cannot replace the pair: it has a carrier only while a process has it open.
    """

    # Name of the end in the namespace, unless the L3 agent gives another prefix.
    DEV_NAME_PREFIX = "ns-"

    def plug_new(
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
        mtu: int | None = None,
    ) -> None:
        """Creates the pair. If that fails half-way, nothing is left, so that the agent's next attempt succeeds."""
        if namespace:
            ip_lib.IPWrapper().ensure_namespace(namespace)
        inner = {"ifname": device_name, "address": mac_address} | _ONE_QUEUE
        inner |= {"net_ns_fd": namespace} if namespace else {}
        outer = dict(_ONE_QUEUE)
        if mtu:
            inner["mtu"] = outer["mtu"] = mtu
        else:
            LOG.warning("port %s has no MTU: its link gets the kernel's default", port_id)
        link = ip_lib.IPDevice(self._link_name(device_name, prefix))
        privileged.create_interface(link.name, None, "veth", peer=inner, **outer)
        try:
            link.link.set_alias(port_id)
            # The host has no address in the tenant's network, not even a link-local one.
            link.disable_ipv6()
            link.link.set_up()
            ip_lib.IPDevice(device_name, namespace=namespace).link.set_up()
        except Exception:
            link.link.delete()
            raise

    def unplug(
        self, device_name: str, bridge: str | None = None, namespace: str | None = None, prefix: str | None = None
    ) -> None:
        """Deletes the pair. A link that does not exist is logged, as by Neutron's own drivers."""
        try:
            ip_lib.IPDevice(device_name, namespace=namespace).link.delete()
        except (RuntimeError, privileged.NetworkInterfaceNotFound, privileged.NetworkNamespaceNotFound) as error:
            LOG.error("link %s is not unplugged from namespace %s: %s", device_name, namespace, error)
        else:
            LOG.debug("link %s was unplugged from namespace %s", device_name, namespace)

    def set_mtu(self, device_name: str, mtu: int, namespace: str | None = None, prefix: str | None = None) -> None:
        """Sets the MTU of both ends: the switch drops frames that are longer than the link's."""
        ip_lib.IPDevice(self._link_name(device_name, prefix)).link.set_mtu(mtu)
        ip_lib.IPDevice(device_name, namespace=namespace).link.set_mtu(mtu)

    def _link_name(self, device_name: str, prefix: str | None) -> str:
        return constants.TAP_DEVICE_PREFIX + device_name.removeprefix(prefix or self.DEV_NAME_PREFIX)
