"""Port binding: constants, and the reasons for which a port or a segment is not bound on a host."""

from collections.abc import Mapping
from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api

# Name of the driver in setup's entry points and option mechanism_drivers, and in the binding levels that it makes.
DRIVER = "trunkpath"

# Type of the rows that `hosts` writes to Neutron's table of agents, one for each host whose switch reports.
AGENT_TYPE = "Trunkpath switch"

# nova creates a link named tap<first 11 characters of the port's id>; the datapath attaches to it by that name.
VIF_TYPE = portbindings.VIF_TYPE_TAP
VIF_DETAILS: dict[str, Any] = {
    # The switch enforces security groups.
    portbindings.CAP_PORT_FILTER: True,
    portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
}

_TUNNEL_TYPES = frozenset({constants.TYPE_GENEVE, constants.TYPE_GRE, constants.TYPE_VXLAN})
_PROVIDER_TYPES = frozenset({constants.TYPE_FLAT, constants.TYPE_VLAN})
_NETWORK_TYPES = _TUNNEL_TYPES | _PROVIDER_TYPES | {constants.TYPE_LOCAL}


def port_rejection(port: Mapping[str, Any]) -> str | None:
    """Reason why the port cannot be bound on any host; None if it can."""
    if port.get("device_owner") == constants.DEVICE_OWNER_DVR_INTERFACE:
        return "ports of distributed routers are not supported: create the router with distributed=False"
    vnic_type = port.get(portbindings.VNIC_TYPE, portbindings.VNIC_NORMAL)
    if vnic_type == portbindings.VNIC_NORMAL:
        return None
    if vnic_type == portbindings.VNIC_VIRTIO_FORWARDER:
        return (
            f"binding:vnic_type {vnic_type} requires a vhost-user socket, which the datapath does not have: use normal"
        )
    return f"binding:vnic_type {vnic_type} requires a device that bypasses the host's datapath: use normal"


def host_rejection(agent: Mapping[str, Any] | None) -> str | None:
    """Reason why no port can be bound on the host of this agent (None: there is no such row); None if ports can."""
    if agent is None:
        return (
            "no switch has reported from that host: start `trunkpath run` there, with the northbound DB of [trunkpath] "
            "nb; if its --chassis is not the host's name in Neutron, set [trunkpath] chassis"
        )
    if not agent["alive"]:
        return f"its switch has not reported since {agent['heartbeat_timestamp']}: see `trunkpath show nb` there"
    return None


def segment_rejection(segment: Mapping[str, Any], configurations: Mapping[str, Any]) -> str | None:
    """Reason why ports of the segment cannot be bound on a host with this configuration; None if they can.

    `configurations` are those of the host's row of AGENT_TYPE.
    """
    network_type, physical_network = segment[api.NETWORK_TYPE], segment[api.PHYSICAL_NETWORK]
    if network_type not in _NETWORK_TYPES:
        return f"network type {network_type}: expected {' or '.join(sorted(_NETWORK_TYPES))}"
    tunnel_types, physical_networks = configurations["tunnel_types"], configurations["physical_networks"]
    if network_type in _TUNNEL_TYPES and network_type not in tunnel_types:
        return (
            f"network type {network_type}: the host's record in table chassis has {_list(tunnel_types)} as "
            "tunnel_types: start `trunkpath run` there with --local-ip, or correct the record"
        )
    if network_type in _PROVIDER_TYPES and physical_network not in physical_networks:
        return (
            f"physical network {physical_network}: the host has uplinks for {_list(physical_networks)}: start "
            f"`trunkpath run` there with --uplink {physical_network}=LINK"
        )
    return None


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
