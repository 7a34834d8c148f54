"""Dragonflow's records, made from Neutron's rows. Pure.

Fields and their meaning are those of Dragonflow's model classes (df/db/models). Its readers are strict: a field that
they do not know makes them fail, so nothing may be added. A record is a dict; `unique_key` is given when it is written.
"""

import uuid
from typing import Any

LSWITCH = "lswitch"
LSUBNET = "lsubnet"
LPORT = "lport"
SEGMENTATION = "child_port_segmentation"

# The tables that are ours, referenced before those that refer to them: what Dragonflow reads in this order it can use.
TABLES = (LSWITCH, LSUBNET, LPORT, SEGMENTATION)

# Those whose records have a number from the table's counter.
NUMBERED = frozenset({LSWITCH, LPORT})

Record = dict[str, Any]

# Dragonflow's own namespace: everybody must come to the same id.
_SEGMENTATION_IDS = uuid.UUID("a11fee2a-d833-4e22-be31-f915b55f1f77")


def segmentation_id(parent: str, child: str) -> str:
    """The id of the segmentation that makes port `child` a subport of port `parent`."""
    return str(uuid.uuid5(_SEGMENTATION_IDS, f"{parent}/{child}"))


def lswitch(network: Any, segment: Any | None, is_external: bool) -> Record:
    """A network, with the first of its segments: Dragonflow has one."""
    record = {
        "id": network.id,
        "topic": network.project_id or "",
        "name": network.name or "",
        "version": network.revision_number,
        "is_external": is_external,
        "mtu": network.mtu,
    }
    if segment is not None:
        record["network_type"] = segment.network_type
        record |= _given(physical_network=segment.physical_network, segmentation_id=segment.segmentation_id)
    return record


def lsubnet(subnet: Any) -> Record:
    """A subnet."""
    return {
        "id": subnet.id,
        "topic": subnet.project_id or "",
        "name": subnet.name or "",
        "version": subnet.revision_number,
        "lswitch": subnet.network_id,
        "cidr": str(subnet.cidr),
        "enable_dhcp": bool(subnet.enable_dhcp),
        "dns_nameservers": [server.address for server in subnet.dns_nameservers],
        "host_routes": [{"destination": route.destination, "nexthop": route.nexthop} for route in subnet.routes],
    } | _given(gateway_ip=subnet.gateway_ip)


def lport(port: Any, topic: str, vnic_type: str, chassis: str | None) -> Record:
    """A port, bound to `chassis` or to none. Security groups and DHCP options are not written: they are empty."""
    fixed_ips = sorted(port.fixed_ips, key=lambda fixed: (fixed.subnet_id, fixed.ip_address))
    # Neutron keeps a single address also as 10.0.0.1/32. Ranges are refused before they come here.
    pairs = sorted(
        (str(pair.ip_address).partition("/")[0], str(pair.mac_address).lower()) for pair in port.allowed_address_pairs
    )
    # A network without the extension leaves its ports unguarded, as Neutron itself does.
    security = port.port_security
    record = {
        "id": port.id,
        "topic": topic,
        "name": port.name or "",
        "version": port.revision_number,
        "lswitch": port.network_id,
        "macs": [str(port.mac_address).lower()],
        "ips": [str(fixed.ip_address) for fixed in fixed_ips],
        "subnets": [fixed.subnet_id for fixed in fixed_ips],
        "enabled": bool(port.admin_state_up),
        "device_owner": port.device_owner or "",
        "device_id": port.device_id or "",
        "binding_vnic_type": vnic_type,
        "port_security_enabled": bool(security and security.port_security_enabled),
        "allowed_address_pairs": [{"ip_address": ip, "mac_address": mac} for ip, mac in pairs],
        "security_groups": [],
        "dhcp_params": {"opts": {}},
    }
    if chassis:
        record["binding"] = {"type": "chassis", "chassis": chassis}
    return record


def segmentation(topic: str, parent: str, child: str, kind: str, tag: int) -> Record:
    """A subport: frames of `parent` with this tag are those of `child`. The topic is the trunk's project."""
    return {
        "id": segmentation_id(parent, child),
        "topic": topic,
        "parent": parent,
        "port": child,
        "segmentation_type": kind,
        "segmentation_id": tag,
    }


def _given(**fields: Any) -> Record:
    """Those that have a value: Dragonflow leaves others out."""
    return {name: value for name, value in fields.items() if value is not None}
