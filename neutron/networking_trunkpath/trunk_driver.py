"""The trunk driver: marks which subports come and go.

POST and DELETE of a trunk say nothing of the subports that come and go with it, so all four events are looked at.
"""

from collections.abc import Callable
from typing import Any

from neutron.services.trunk.drivers import base
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.services.trunk import constants as trunk_constants
from oslo_config import cfg

from networking_trunkpath import binding, journal, records
from networking_trunkpath.journal import Mark
from networking_trunkpath.store import Key


class TrunkpathTrunkDriver(base.DriverBase):
    """What the trunk plugin knows of us."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when something was marked and committed."""
        super().__init__(
            binding.DRIVER,
            # The second, so that the trunk of a port that could not be bound can be deleted.
            (binding.VIF_TYPE, portbindings.VIF_TYPE_BINDING_FAILED),
            (trunk_constants.SEGMENTATION_TYPE_VLAN,),
            can_trunk_bound_port=True,
        )
        self._wake = wake

    @property
    def is_loaded(self) -> bool:
        """Whether the mechanism driver is in use."""
        try:
            return binding.DRIVER in cfg.CONF.ml2.mechanism_drivers
        except cfg.NoSuchOptError:
            return False

    # Repeated: without it Neutron does not call what overrides the base's.
    @registry.receives(resources.TRUNK_PLUGIN, [events.AFTER_INIT])
    def register(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        """Makes us known to the trunk plugin, and looks at its events from now on."""
        super().register(resource, event, trigger, payload=payload)
        for receiver, when in (
            (self._mark, (events.PRECOMMIT_CREATE, events.PRECOMMIT_DELETE)),
            (self._committed, (events.AFTER_CREATE, events.AFTER_DELETE)),
        ):
            for moment in when:
                registry.subscribe(receiver, resources.TRUNK, moment)
                registry.subscribe(receiver, resources.SUBPORTS, moment)

    def _mark(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        trunk = payload.latest_state
        subports = trunk.sub_ports if resource == resources.TRUNK else payload.metadata["subports"]
        topic = trunk.project_id or ""
        journal.mark(
            payload.context,
            [
                Mark(
                    Key(records.SEGMENTATION, topic, records.segmentation_id(trunk.port_id, subport.port_id)),
                    subport.port_id,
                )
                for subport in subports
            ],
        )

    def _committed(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        self._wake()
