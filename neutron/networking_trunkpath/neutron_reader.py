"""Reads Neutron's tables as records of the northbound DB.

The plugins' own methods return the same at many times the cost: they build an API response for each object.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from neutron.db.models import (
    allowed_address_pair,  # noqa: F401  defines Port.allowed_address_pairs
    external_net,
    segment,
)
from neutron.db.models.address_group import AddressAssociation
from neutron.db.models.securitygroup import SecurityGroup
from neutron.db.port_security import models as port_security  # noqa: F401  defines Port.port_security
from neutron.plugins.ml2 import models as ml2  # noqa: F401  defines Port.port_bindings
from neutron.services.trunk import models as trunk
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.db import api as db_api
from oslo_config import cfg

from networking_trunkpath import options, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.records import Record
from networking_trunkpath.store import Key

# Objects per query.
_PAGE_OBJECTS = 200


def read_records(context: Any, entries: Collection[JournalEntry]) -> list[tuple[Key, Record]]:
    """Reads the records of the entries' sources, in one transaction; a record that does not exist is left out.

    The key may differ from the entry's: a port that has become a subport of another trunk has an entry for each.
    """
    found: list[tuple[Key, Record]] = []
    with db_api.CONTEXT_READER.using(context):
        for table in records.TABLES:
            sources = {entry.source for entry in entries if entry.key.table == table}
            if sources:
                found += [(record_key(table, record), record) for record in _READERS[table](context.session, sources)]
    return found


def read_table(context: Any, table: str) -> Iterator[tuple[JournalEntry, Record]]:
    """Reads all records of a table with their journal entries. Only each page of them is consistent."""
    with db_api.CONTEXT_READER.using(context):
        sources = sorted(context.session.scalars(_SOURCES[table]))
    for start in range(0, len(sources), _PAGE_OBJECTS):
        with db_api.CONTEXT_READER.using(context):
            page = list(_READERS[table](context.session, sources[start : start + _PAGE_OBJECTS]))
        for record in page:
            source = record["port"] if table == records.SEGMENTATION else record["id"]
            yield JournalEntry(record_key(table, record), source), record


def record_key(table: str, record: Record) -> Key:
    """Key of a record that records.py has made."""
    return Key(table, record["topic"], record["id"])


def _read_lswitches(session: Any, ids: Collection[str]) -> Iterator[Record]:
    segments: dict[str, Any] = {}
    query = sa.select(segment.NetworkSegment).where(
        segment.NetworkSegment.network_id.in_(ids), segment.NetworkSegment.is_dynamic.is_(False)
    )
    for found in session.scalars(query.order_by(segment.NetworkSegment.segment_index)):
        segments.setdefault(found.network_id, found)
    external = set(
        session.scalars(
            sa.select(external_net.ExternalNetwork.network_id).where(external_net.ExternalNetwork.network_id.in_(ids))
        )
    )
    for network in _read_rows(session, models_v2.Network, ids):
        yield records.lswitch(network, segments.get(network.id), network.id in external)


def _read_lsubnets(session: Any, ids: Collection[str]) -> Iterator[Record]:
    for subnet in _read_rows(session, models_v2.Subnet, ids):
        yield records.lsubnet(subnet)


def _read_lports(session: Any, ids: Collection[str]) -> Iterator[Record]:
    ports = _read_rows(session, models_v2.Port, ids)
    # Ports without a project, such as those of floating IPs, belong to the project of their network.
    network_ids = {port.network_id for port in ports if not port.project_id}
    projects = {network.id: network.project_id for network in _read_rows(session, models_v2.Network, network_ids)}
    for port in ports:
        topic = port.project_id or projects.get(port.network_id) or ""
        binding = next((b for b in port.port_bindings if b.status == constants.ACTIVE), None)
        vnic_type = binding.vnic_type if binding else portbindings.VNIC_NORMAL
        chassis = options.chassis_of(cfg.CONF, binding.host) if binding and binding.host else None
        yield records.lport(port, topic, vnic_type, chassis)


def _read_stateless_secgroups(session: Any, ids: Collection[str]) -> Iterator[Record]:
    for group in _read_rows(session, SecurityGroup, ids):
        if not group.stateful:
            yield records.stateless_secgroup(group)


def _read_secgroups(session: Any, ids: Collection[str]) -> Iterator[Record]:
    groups = _read_rows(session, SecurityGroup, ids)
    addresses: dict[str, list[str]] = {
        rule.remote_address_group_id: [] for group in groups for rule in group.rules if rule.remote_address_group_id
    }
    query = sa.select(AddressAssociation.address_group_id, AddressAssociation.address)
    for address_group, address in session.execute(query.where(AddressAssociation.address_group_id.in_(addresses))):
        addresses[address_group].append(address)
    for group in groups:
        yield records.secgroup(group, addresses)


def _read_segmentations(session: Any, subports: Collection[str]) -> Iterator[Record]:
    query = (
        sa.select(
            trunk.Trunk.project_id,
            trunk.Trunk.port_id,
            trunk.SubPort.port_id,
            trunk.SubPort.segmentation_type,
            trunk.SubPort.segmentation_id,
        )
        .join(trunk.Trunk, trunk.Trunk.id == trunk.SubPort.trunk_id)
        .where(trunk.SubPort.port_id.in_(subports))
    )
    for project, parent, subport, segmentation_type, tag in session.execute(query):
        yield records.segmentation(project or "", parent, subport, segmentation_type, tag)


def _read_rows(session: Any, model: Any, ids: Collection[str]) -> list[Any]:
    return list(session.scalars(sa.select(model).where(model.id.in_(ids))).unique()) if ids else []


_READERS: dict[str, Callable[[Any, Collection[str]], Iterator[Record]]] = {
    records.LSWITCH: _read_lswitches,
    records.LSUBNET: _read_lsubnets,
    records.STATELESS_SECGROUP: _read_stateless_secgroups,
    records.SECGROUP: _read_secgroups,
    records.LPORT: _read_lports,
    records.SEGMENTATION: _read_segmentations,
}

_SOURCES = {
    records.LSWITCH: sa.select(models_v2.Network.id),
    records.LSUBNET: sa.select(models_v2.Subnet.id),
    records.STATELESS_SECGROUP: sa.select(SecurityGroup.id).where(SecurityGroup.stateful.is_(False)),
    records.SECGROUP: sa.select(SecurityGroup.id),
    records.LPORT: sa.select(models_v2.Port.id),
    records.SEGMENTATION: sa.select(trunk.SubPort.port_id),
}
