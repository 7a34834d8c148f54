"""Constants of port binding, and the check of a port's VNIC type."""

from collections.abc import Mapping
from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings

# Name of the driver in setup's entry points and option mechanism_drivers, and in the binding levels that it makes.
DRIVER = "trunkpath"

# nova creates a link named tap<first 11 characters of the port's id>; the datapath attaches to it by that name.
VIF_TYPE = portbindings.VIF_TYPE_TAP
VIF_DETAILS: dict[str, Any] = {
    # Security groups are not enforced.
    portbindings.CAP_PORT_FILTER: False,
    portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
}

# The datapath does not reach other hosts yet, so the network type makes no difference.
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


def rejection_reason(port: Mapping[str, Any]) -> str | None:
    """Reason why the port's VNIC type cannot be bound; None if it can."""
    vnic_type = port.get(portbindings.VNIC_TYPE, portbindings.VNIC_NORMAL)
    if vnic_type == portbindings.VNIC_NORMAL:
        return None
    if vnic_type == portbindings.VNIC_VIRTIO_FORWARDER:
        return (
            f"binding:vnic_type {vnic_type} requires a vhost-user socket, which the datapath does not have: use normal"
        )
    return f"binding:vnic_type {vnic_type} requires a device that bypasses the host's datapath: use normal"
