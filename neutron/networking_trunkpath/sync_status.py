"""Sets the status of ports and trunks in Neutron from the hosts' reports in the northbound DB.

A sync has no state of its own: it compares Neutron's tables with the reports. So any process can run it, and changes
between two syncs are not missed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from neutron.db import models_v2, provisioning_blocks
from neutron.plugins.ml2 import models as ml2
from neutron.services.trunk import models as trunk
from neutron_lib import constants
from neutron_lib import context as n_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import resources
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from neutron_lib.services.trunk import constants as trunk_constants
from oslo_config import cfg
from oslo_log import log as logging

from networking_trunkpath import options
from networking_trunkpath.binding import DRIVER
from networking_trunkpath.store import Store

LOG = logging.getLogger(__name__)


class SyncedPort(NamedTuple):
    """A parent or subport whose status is synced."""

    id: str
    status: str
    host: str
    """Host of the active binding, for a subport of its parent's; empty if unbound."""


class TrunkState(NamedTuple):
    """A trunk and the statuses from which its own is derived."""

    id: str
    status: str
    parent_is_bound: bool
    parent_status: str
    subport_statuses: list[str]


def sync(store: Store) -> None:
    """Sets the status of all ports that the driver has bound, their subports and trunks. Raises StoreError.

    While the northbound DB is unreachable every status stays: hosts forward without it.
    """
    context = n_context.get_admin_context()
    parents, subports = _bound_ports(context), _subports(context)
    reports = store.read_port_reports([port.id for port in [*parents, *subports]])
    for port in parents:
        _sync_parent(context, port, _is_reported(port, reports))
    for port in subports:
        _sync_subport(context, port, _is_reported(port, reports))
    for port_id in _unbound_active_ports(context):
        _set_port_status(context, port_id, constants.PORT_STATUS_DOWN)
    sync_trunks(context)


def sync_trunks(context: Any) -> None:
    """Derives the status of each trunk from those of its parent and subports. A trunk in ERROR keeps its status."""
    for state in _trunks(context):
        parent_is_active = state.parent_is_bound and state.parent_status == constants.PORT_STATUS_ACTIVE
        desired = _derive_trunk_status(parent_is_active, state.subport_statuses)
        if state.status not in (desired, trunk_constants.TRUNK_ERROR_STATUS):
            _set_trunk_status(context, state.id, state.status, desired)


def _derive_trunk_status(parent_is_active: bool, subport_statuses: Iterable[str]) -> str:
    """ACTIVE if the parent and all subports are, DEGRADED if only some of the subports are, else DOWN."""
    states = set(subport_statuses)
    if not parent_is_active:
        return trunk_constants.TRUNK_DOWN_STATUS
    if states <= {constants.PORT_STATUS_ACTIVE}:
        return trunk_constants.TRUNK_ACTIVE_STATUS
    if constants.PORT_STATUS_ACTIVE in states:
        return trunk_constants.TRUNK_DEGRADED_STATUS
    return trunk_constants.TRUNK_DOWN_STATUS


def _is_reported(port: SyncedPort, reports: Mapping[str, str]) -> bool:
    """True if the port's own host reports that it forwards; reports of its previous host are ignored."""
    return bool(port.host) and reports.get(port.id) == options.chassis_of(cfg.CONF, port.host)


def _sync_parent(context: Any, port: SyncedPort, is_reported: bool) -> None:
    if is_reported and port.status != constants.PORT_STATUS_ACTIVE:
        # Removes the provisioning block of mech_driver. Neutron sets ACTIVE unless another one, as DHCP's, is left.
        provisioning_blocks.provisioning_complete(context, port.id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY)
    elif not is_reported and port.status == constants.PORT_STATUS_ACTIVE:
        # The next ACTIVE requires a report again.
        provisioning_blocks.add_provisioning_component(
            context, port.id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
        )
        _set_port_status(context, port.id, constants.PORT_STATUS_DOWN)


def _sync_subport(context: Any, port: SyncedPort, is_reported: bool) -> None:
    desired = constants.PORT_STATUS_ACTIVE if is_reported else constants.PORT_STATUS_DOWN
    if port.status != desired:
        _set_port_status(context, port.id, desired)


def _set_port_status(context: Any, port_id: str, status: str) -> None:
    LOG.info("port %s is %s", port_id, status)
    directory.get_plugin().update_port_status(context, port_id, status)


@db_api.retry_if_session_inactive()
def _set_trunk_status(context: Any, trunk_id: str, expected: str, status: str) -> None:
    """Sets the status if it is still the expected one; otherwise the next sync derives it from the newer state."""
    with db_api.CONTEXT_WRITER.using(context):
        row = context.session.get(trunk.Trunk, trunk_id, populate_existing=True)
        if row is not None and row.status == expected:
            LOG.info("trunk %s is %s", trunk_id, status)
            row.status = status


def _bound_by_driver() -> sa.Select[Any]:
    """Id and host of each port that this driver has bound; only the active binding of a port that migrates."""
    return (
        sa.select(ml2.PortBinding.port_id, ml2.PortBinding.host)
        .join(
            ml2.PortBindingLevel,
            sa.and_(
                ml2.PortBindingLevel.port_id == ml2.PortBinding.port_id,
                ml2.PortBindingLevel.host == ml2.PortBinding.host,
            ),
        )
        .where(ml2.PortBinding.status == constants.ACTIVE, ml2.PortBindingLevel.driver == DRIVER)
    )


def _bound_ports(context: Any) -> list[SyncedPort]:
    bound = _bound_by_driver().subquery()
    query = sa.select(models_v2.Port.id, models_v2.Port.status, bound.c.host).join(
        bound, bound.c.port_id == models_v2.Port.id
    )
    with db_api.CONTEXT_READER.using(context):
        return [SyncedPort(*row) for row in context.session.execute(query)]


def _subports(context: Any) -> list[SyncedPort]:
    """Subports of the ports that this driver has bound, and of unbound ports, whose subports are DOWN."""
    bound = _bound_by_driver().subquery()
    unbound = _unbound().subquery()
    query = (
        sa.select(models_v2.Port.id, models_v2.Port.status, sa.func.coalesce(bound.c.host, ""))
        .select_from(trunk.SubPort)
        .join(models_v2.Port, models_v2.Port.id == trunk.SubPort.port_id)
        .join(trunk.Trunk, trunk.Trunk.id == trunk.SubPort.trunk_id)
        .outerjoin(bound, bound.c.port_id == trunk.Trunk.port_id)
        .outerjoin(unbound, unbound.c.port_id == trunk.Trunk.port_id)
        .where(sa.or_(bound.c.port_id.is_not(None), unbound.c.port_id.is_not(None)))
    )
    with db_api.CONTEXT_READER.using(context):
        return [SyncedPort(*row) for row in context.session.execute(query)]


def _unbound() -> sa.Select[Any]:
    unbound_types = (portbindings.VIF_TYPE_UNBOUND, portbindings.VIF_TYPE_BINDING_FAILED)
    return sa.select(ml2.PortBinding.port_id).where(
        ml2.PortBinding.status == constants.ACTIVE, ml2.PortBinding.vif_type.in_(unbound_types)
    )


def _unbound_active_ports(context: Any) -> list[str]:
    """Former subports: unbound, but still ACTIVE, because Neutron does not reset the status of a removed subport."""
    query = (
        sa.select(models_v2.Port.id)
        .join(ml2.PortBinding, ml2.PortBinding.port_id == models_v2.Port.id)
        .outerjoin(trunk.SubPort, trunk.SubPort.port_id == models_v2.Port.id)
        .where(
            models_v2.Port.status == constants.PORT_STATUS_ACTIVE,
            ml2.PortBinding.vif_type == portbindings.VIF_TYPE_UNBOUND,
            ml2.PortBinding.host == "",
            trunk.SubPort.port_id.is_(None),
        )
    )
    with db_api.CONTEXT_READER.using(context):
        return list(context.session.scalars(query))


def _trunks(context: Any) -> list[TrunkState]:
    """All trunks whose parent is bound by this driver, or unbound."""
    bound, unbound = _bound_by_driver().subquery(), _unbound().subquery()
    parents = (
        sa.select(trunk.Trunk.id, trunk.Trunk.status, bound.c.port_id, models_v2.Port.status)
        .join(models_v2.Port, models_v2.Port.id == trunk.Trunk.port_id)
        .outerjoin(bound, bound.c.port_id == trunk.Trunk.port_id)
        .outerjoin(unbound, unbound.c.port_id == trunk.Trunk.port_id)
        .where(sa.or_(bound.c.port_id.is_not(None), unbound.c.port_id.is_not(None)))
    )
    members = sa.select(trunk.SubPort.trunk_id, models_v2.Port.status).join(
        models_v2.Port, models_v2.Port.id == trunk.SubPort.port_id
    )
    statuses: dict[str, list[str]] = {}
    with db_api.CONTEXT_READER.using(context):
        found = list(context.session.execute(parents))
        for trunk_id, status in context.session.execute(members):
            statuses.setdefault(trunk_id, []).append(status)
    return [
        TrunkState(trunk_id, status, port_id is not None, port_status, statuses.get(trunk_id, []))
        for trunk_id, status, port_id, port_status in found
    ]
