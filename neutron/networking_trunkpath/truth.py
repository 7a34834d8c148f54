"""What Neutron says, as records: read from its tables, in one transaction.

The plugins' own methods give the same at many times the cost: they build the answer of an API request for each object.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from neutron.db.models import (
    allowed_address_pair,  # noqa: F401  gives ports their allowed_address_pairs
    external_net,
    segment,
)
from neutron.db.port_security import models as port_security  # noqa: F401  gives ports their port_security
from neutron.plugins.ml2 import models as ml2  # noqa: F401  gives ports their port_bindings
from neutron.services.trunk import models as trunk
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.db import api as db_api
from oslo_config import cfg

from networking_trunkpath import options, records
from networking_trunkpath.journal import Mark
from networking_trunkpath.records import Record
from networking_trunkpath.store import Key

# Rows that are asked for at once.
_PAGE = 200


def read(context: Any, marks: Collection[Mark]) -> list[tuple[Key, Record]]:
    """What Neutron has for these marks, each record with where it belongs.

    That may be another place than the mark's: a port is another trunk's subport now, and has a mark for that too.
    """
    found: list[tuple[Key, Record]] = []
    with db_api.CONTEXT_READER.using(context):
        for table in records.TABLES:
            wanted = {mark.source for mark in marks if mark.key.table == table}
            if wanted:
                found += [(key_of(table, record), record) for record in _READERS[table](context.session, wanted)]
    return found


def read_all(context: Any, table: str) -> Iterator[tuple[Mark, Record]]:
    """All records of a table with their marks, page by page: of one moment is only what is on one page."""
    with db_api.CONTEXT_READER.using(context):
        sources = sorted(context.session.scalars(sa.select(_SOURCES[table])))
    for start in range(0, len(sources), _PAGE):
        with db_api.CONTEXT_READER.using(context):
            page = list(_READERS[table](context.session, sources[start : start + _PAGE]))
        for record in page:
            source = record["port"] if table == records.SEGMENTATION else record["id"]
            yield Mark(key_of(table, record), source), record


def key_of(table: str, record: Record) -> Key:
    """Where a record is."""
    return Key(table, record["topic"], record["id"])


def _lswitches(session: Any, ids: Collection[str]) -> Iterator[Record]:
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
    for network in _rows(session, models_v2.Network, ids):
        yield records.lswitch(network, segments.get(network.id), network.id in external)


def _lsubnets(session: Any, ids: Collection[str]) -> Iterator[Record]:
    for subnet in _rows(session, models_v2.Subnet, ids):
        yield records.lsubnet(subnet)


def _lports(session: Any, ids: Collection[str]) -> Iterator[Record]:
    ports = _rows(session, models_v2.Port, ids)
    # Ports of no project, as those of floating IPs, are their network's.
    homeless = {port.network_id for port in ports if not port.project_id}
    projects = {network.id: network.project_id for network in _rows(session, models_v2.Network, homeless)}
    for port in ports:
        topic = port.project_id or projects.get(port.network_id) or ""
        binding = next((b for b in port.port_bindings if b.status == constants.ACTIVE), None)
        vnic_type = binding.vnic_type if binding else portbindings.VNIC_NORMAL
        chassis = options.chassis_of(cfg.CONF, binding.host) if binding and binding.host else None
        yield records.lport(port, topic, vnic_type, chassis)


def _segmentations(session: Any, ports: Collection[str]) -> Iterator[Record]:
    query = (
        sa.select(
            trunk.Trunk.project_id,
            trunk.Trunk.port_id,
            trunk.SubPort.port_id,
            trunk.SubPort.segmentation_type,
            trunk.SubPort.segmentation_id,
        )
        .join(trunk.Trunk, trunk.Trunk.id == trunk.SubPort.trunk_id)
        .where(trunk.SubPort.port_id.in_(ports))
    )
    for project, parent, child, kind, tag in session.execute(query):
        yield records.segmentation(project or "", parent, child, kind, tag)


def _rows(session: Any, model: Any, ids: Collection[str]) -> list[Any]:
    return list(session.scalars(sa.select(model).where(model.id.in_(ids))).unique()) if ids else []


_READERS: dict[str, Callable[[Any, Collection[str]], Iterator[Record]]] = {
    records.LSWITCH: _lswitches,
    records.LSUBNET: _lsubnets,
    records.LPORT: _lports,
    records.SEGMENTATION: _segmentations,
}

_SOURCES = {
    records.LSWITCH: models_v2.Network.id,
    records.LSUBNET: models_v2.Subnet.id,
    records.LPORT: models_v2.Port.id,
    records.SEGMENTATION: trunk.SubPort.port_id,
}
