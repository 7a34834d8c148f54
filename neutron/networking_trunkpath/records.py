"""Builds Dragonflow's records from Neutron's rows, without I/O.

The fields are those of Dragonflow's model classes (df/db/models). Its readers fail at an unknown field, so none may be
added; what has no field there is in a table of its own, which they do not read. A record is a dict; record_writer adds
`unique_key`.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import netaddr
from neutron_lib import constants

LSWITCH = "lswitch"
LSUBNET = "lsubnet"
SECGROUP = "secgroup"
LPORT = "lport"
SEGMENTATION = "child_port_segmentation"

# Not a table of Dragonflow. A group with a record here is stateless.
STATELESS_SECGROUP = "stateless_secgroup"

# The tables that Neutron owns. A table comes after those that its records refer to, so that a reader that receives
# records in this order can resolve each reference. STATELESS_SECGROUP comes before SECGROUP, so that a reader never has
# a stateless group as a stateful one.
TABLES = (LSWITCH, LSUBNET, STATELESS_SECGROUP, SECGROUP, LPORT, SEGMENTATION)

# Tables whose records have a `unique_key`, allocated from the table's counter.
NUMBERED = frozenset({LSWITCH, SECGROUP, LPORT})

Record = dict[str, Any]

# Neutron stores "any protocol" as no value. Rows of old releases may have these.
_ANY_PROTOCOL = frozenset({None, "any", "-1"})

# Dragonflow's own namespace, so that all writers derive the same id.
_SEGMENTATION_IDS = uuid.UUID("a11fee2a-d833-4e22-be31-f915b55f1f77")


def segmentation_id(parent: str, subport: str) -> str:
    """Id of the segmentation record that joins the two ports: a UUID of version 5, as Dragonflow derives it."""
    return str(uuid.uuid5(_SEGMENTATION_IDS, f"{parent}/{subport}"))


def lswitch(network: Any, segment: Any | None, is_external: bool) -> Record:
    """Record of a network with at most one segment, as Dragonflow has it; the caller passes the first."""
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
        record |= _without_none(physical_network=segment.physical_network, segmentation_id=segment.segmentation_id)
    return record


def lsubnet(subnet: Any) -> Record:
    """Record of a subnet; `gateway_ip` is left out if there is none."""
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
    } | _without_none(gateway_ip=subnet.gateway_ip)


def lport(port: Any, topic: str, vnic_type: str, chassis: str | None) -> Record:
    """Record of a port; unbound if `chassis` is None. DHCP options are always empty."""
    fixed_ips = sorted(port.fixed_ips, key=lambda fixed: (fixed.subnet_id, fixed.ip_address))
    # Neutron also stores a single address as 10.0.0.1/32. mech_driver has rejected ranges.
    pairs = sorted(
        (str(pair.ip_address).partition("/")[0], str(pair.mac_address).lower()) for pair in port.allowed_address_pairs
    )
    # Without the extension port_security the row is None: Neutron then has no port security, and so has the record.
    security = port.port_security
    # Ports of Neutron's own services are not filtered. A port that is attached to a router keeps its port security and
    # its groups in Neutron, which does not pass them to its agents.
    is_trusted = (port.device_owner or "").startswith(constants.DEVICE_OWNER_NETWORK_PREFIX)
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
        "port_security_enabled": bool(security and security.port_security_enabled and not is_trusted),
        "allowed_address_pairs": [{"ip_address": ip, "mac_address": mac} for ip, mac in pairs],
        "security_groups": [] if is_trusted else sorted(group.security_group_id for group in port.security_groups),
        "dhcp_params": {"opts": {}},
    }
    if chassis:
        record["binding"] = {"type": "chassis", "chassis": chassis}
    return record


def secgroup(group: Any, addresses: Mapping[str, Collection[str]]) -> Record:
    """Record of a security group. `addresses` has the prefixes of each address group that its rules refer to."""
    rules = sorted(group.rules, key=lambda rule: rule.id)
    return {
        "id": group.id,
        "topic": group.project_id or "",
        "name": group.name or "",
        "version": group.revision_number,
        "rules": [record for rule in rules for record in _rules(rule, addresses)],
    }


def stateless_secgroup(group: Any) -> Record:
    """Record that marks a security group as stateless."""
    return {"id": group.id, "topic": group.project_id or "", "version": group.revision_number}


def _rules(rule: Any, addresses: Mapping[str, Collection[str]]) -> Iterator[Record]:
    """The rule, or one for each prefix of its address group: Dragonflow's rules have no address groups."""
    if rule.remote_address_group_id is None:
        prefix = str(netaddr.IPNetwork(rule.remote_ip_prefix).cidr) if rule.remote_ip_prefix else None
        yield _rule(rule, rule.id, prefix)
        return
    for prefix in sorted({netaddr.IPNetwork(address).cidr for address in addresses[rule.remote_address_group_id]}):
        # An address group may have both versions, a rule has one.
        if f"IPv{prefix.version}" == rule.ethertype:
            yield _rule(rule, str(uuid.uuid5(uuid.UUID(rule.id), str(prefix))), str(prefix))


def _rule(rule: Any, rule_id: str, prefix: str | None) -> Record:
    """For ICMP, `port_range_min` is the type and `port_range_max` the code; 0 is a value of each."""
    return {
        "id": rule_id,
        "topic": rule.project_id or "",
        "version": rule.revision_number,
        "security_group_id": rule.security_group_id,
        "direction": rule.direction,
        "ethertype": rule.ethertype,
    } | _without_none(
        protocol=_protocol_number(rule.protocol, rule.ethertype),
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=prefix,
        remote_group_id=rule.remote_group_id,
    )


def _protocol_number(protocol: str | None, ethertype: str) -> int | None:
    """None for any protocol."""
    if protocol in _ANY_PROTOCOL:
        return None
    number = int(constants.IP_PROTOCOL_MAP.get(protocol, protocol))
    # Neutron stores ICMP of IPv6 as 58. Rows of old releases may have 1.
    is_icmpv6 = ethertype == constants.IPv6 and number == constants.PROTO_NUM_ICMP
    return constants.PROTO_NUM_IPV6_ICMP if is_icmpv6 else number


def segmentation(topic: str, parent: str, subport: str, segmentation_type: str, tag: int) -> Record:
    """Record that joins parent, tag and subport. The topic is the project of Neutron's trunk."""
    return {
        "id": segmentation_id(parent, subport),
        "topic": topic,
        "parent": parent,
        "port": subport,
        "segmentation_type": segmentation_type,
        "segmentation_id": tag,
    }


def _without_none(**fields: Any) -> Record:
    """Removes fields without a value: Dragonflow leaves them out."""
    return {name: value for name, value in fields.items() if value is not None}
