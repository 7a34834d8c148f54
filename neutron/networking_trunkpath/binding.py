"""Which ports our datapath can have, and how nova plugs them."""

from collections.abc import Mapping
from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings

# The name under which Neutron's setup knows the driver, and writes into bindings who made them.
DRIVER = "trunkpath"

# nova makes a device tap<first 11 characters of the port's id>, and the datapath takes it by that name.
VIF_TYPE = portbindings.VIF_TYPE_TAP
VIF_DETAILS: dict[str, Any] = {
    # Security groups are not enforced: nothing of ours filters by them.
    portbindings.CAP_PORT_FILTER: False,
    portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
}

# On none of them another host is reached yet, so that one is as good as another.
NETWORK_TYPES = frozenset(
    {
        constants.TYPE_FLAT,
        constants.TYPE_GENEVE,
        constants.TYPE_GRE,
        constants.TYPE_LOCAL,
        constants.TYPE_VLAN,
        constants.TYPE_VXLAN,
    }
)


def refusal(port: Mapping[str, Any]) -> str | None:
    """Why a port cannot be bound here, whatever its network; None when it can."""
    vnic_type = port.get(portbindings.VNIC_TYPE, portbindings.VNIC_NORMAL)
    if vnic_type == portbindings.VNIC_NORMAL:
        return None
    if vnic_type == portbindings.VNIC_VIRTIO_FORWARDER:
        return f"binding:vnic_type {vnic_type} wants a vhost-user socket, which the datapath does not have: use normal"
    return f"binding:vnic_type {vnic_type} wants a device that passes the host's datapath by: use normal"
