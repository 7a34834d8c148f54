"""Tells Neutron which ports forward, from what the hosts report to the northbound DB.

Nothing is remembered between two looks: what Neutron says is compared with the reports, and corrected. So it does not
matter which process looks, or what happened while none did.
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


class Port(NamedTuple):
    """A port that a host of ours has, or should have."""

    id: str
    status: str
    host: str
    """Its own, or for a subport its parent's."""


def follow(store: Store) -> None:
    """One look: makes the status of all our ports and trunks what the hosts report. Raises StoreError.

    Without an answer of the northbound DB every status stays: silence of the DB says nothing about frames.
    """
    context = n_context.get_admin_context()
    parents, subports = _bound_ports(context), _subports(context)
    reports = store.ports_up([port.id for port in [*parents, *subports]])
    for port in parents:
        _follow_parent(context, port, _is_up(port, reports))
    for port in subports:
        _follow_subport(context, port, _is_up(port, reports))
    for port_id in _left_over(context):
        _set(context, port_id, constants.PORT_STATUS_DOWN)
    follow_trunks(context)


def follow_trunks(context: Any) -> None:
    """Makes the status of each of our trunks what its ports' status says."""
    for trunk_id, status, parent_bound, parent_status, subports in _trunks(context):
        truth = trunk_status(parent_bound and parent_status == constants.PORT_STATUS_ACTIVE, subports)
        if status not in (truth, trunk_constants.TRUNK_ERROR_STATUS):
            _set_trunk(context, trunk_id, status, truth)


def trunk_status(parent_is_up: bool, subports: Iterable[str]) -> str:
    """ACTIVE when the parent and all subports forward, DEGRADED when only some of the subports do, else DOWN."""
    states = set(subports)
    if not parent_is_up:
        return trunk_constants.TRUNK_DOWN_STATUS
    if states <= {constants.PORT_STATUS_ACTIVE}:
        return trunk_constants.TRUNK_ACTIVE_STATUS
    if constants.PORT_STATUS_ACTIVE in states:
        return trunk_constants.TRUNK_DEGRADED_STATUS
    return trunk_constants.TRUNK_DOWN_STATUS


def _is_up(port: Port, reports: Mapping[str, str]) -> bool:
    """A report of the host that the port has left does not count."""
    return bool(port.host) and reports.get(port.id) == options.chassis_of(cfg.CONF, port.host)


def _follow_parent(context: Any, port: Port, is_up: bool) -> None:
    if is_up and port.status != constants.PORT_STATUS_ACTIVE:
        # Takes away what mech_driver put in the way. Neutron sets ACTIVE if nothing else, as DHCP, is in it.
        provisioning_blocks.provisioning_complete(context, port.id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY)
    elif not is_up and port.status == constants.PORT_STATUS_ACTIVE:
        # So that it waits for a report again.
        provisioning_blocks.add_provisioning_component(
            context, port.id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
        )
        _set(context, port.id, constants.PORT_STATUS_DOWN)


def _follow_subport(context: Any, port: Port, is_up: bool) -> None:
    truth = constants.PORT_STATUS_ACTIVE if is_up else constants.PORT_STATUS_DOWN
    if port.status != truth:
        _set(context, port.id, truth)


def _set(context: Any, port_id: str, status: str) -> None:
    LOG.info("port %s is %s", port_id, status)
    directory.get_plugin().update_port_status(context, port_id, status)


@db_api.retry_if_session_inactive()
def _set_trunk(context: Any, trunk_id: str, was: str, status: str) -> None:
    """Unless somebody else has changed it since: then the next look decides."""
    with db_api.CONTEXT_WRITER.using(context):
        row = context.session.get(trunk.Trunk, trunk_id, populate_existing=True)
        if row is not None and row.status == was:
            LOG.info("trunk %s is %s", trunk_id, status)
            row.status = status


def _bound_here() -> sa.Select[Any]:
    """The id and host of each port that our driver has bound. One that migrates has two bindings: the active one."""
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


def _bound_ports(context: Any) -> list[Port]:
    bound = _bound_here().subquery()
    query = sa.select(models_v2.Port.id, models_v2.Port.status, bound.c.host).join(
        bound, bound.c.port_id == models_v2.Port.id
    )
    with db_api.CONTEXT_READER.using(context):
        return [Port(*row) for row in context.session.execute(query)]


def _subports(context: Any) -> list[Port]:
    """The subports of those, and of ports that are bound to nothing, which forward nowhere."""
    bound = _bound_here().subquery()
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
        return [Port(*row) for row in context.session.execute(query)]


def _unbound() -> sa.Select[Any]:
    nowhere = (portbindings.VIF_TYPE_UNBOUND, portbindings.VIF_TYPE_BINDING_FAILED)
    return sa.select(ml2.PortBinding.port_id).where(
        ml2.PortBinding.status == constants.ACTIVE, ml2.PortBinding.vif_type.in_(nowhere)
    )


def _left_over(context: Any) -> list[str]:
    """Ports that are ACTIVE and bound to nothing: those that were subports. Neutron itself leaves them so."""
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


def _trunks(context: Any) -> list[tuple[str, str, bool, str, list[str]]]:
    """Of each trunk of ours or of an unbound port: id, status, is the parent bound, status of parent and subports."""
    bound, unbound = _bound_here().subquery(), _unbound().subquery()
    parents = (
        sa.select(trunk.Trunk.id, trunk.Trunk.status, bound.c.port_id, models_v2.Port.status)
        .join(models_v2.Port, models_v2.Port.id == trunk.Trunk.port_id)
        .outerjoin(bound, bound.c.port_id == trunk.Trunk.port_id)
        .outerjoin(unbound, unbound.c.port_id == trunk.Trunk.port_id)
        .where(sa.or_(bound.c.port_id.is_not(None), unbound.c.port_id.is_not(None)))
    )
    children = sa.select(trunk.SubPort.trunk_id, models_v2.Port.status).join(
        models_v2.Port, models_v2.Port.id == trunk.SubPort.port_id
    )
    subports: dict[str, list[str]] = {}
    with db_api.CONTEXT_READER.using(context):
        found = list(context.session.execute(parents))
        for trunk_id, status in context.session.execute(children):
            subports.setdefault(trunk_id, []).append(status)
    return [
        (trunk_id, status, port_id is not None, port_status, subports.get(trunk_id, []))
        for trunk_id, status, port_id, port_status in found
    ]
