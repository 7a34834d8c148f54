"""Trunk driver: inserts a journal entry for each added and removed subport.

POST and DELETE of a trunk send no SUBPORTS event for the subports in it, so the driver subscribes to TRUNK as well.
"""

from collections.abc import Callable
from typing import Any

from neutron.services.trunk.drivers import base
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.services.trunk import constants as trunk_constants
from oslo_config import cfg

from networking_trunkpath import binding, journal, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.store import Key


class TrunkpathTrunkDriver(base.DriverBase):
    """Driver that registers itself with the trunk plugin."""

    def __init__(self, wake_journal_worker: Callable[[], None]) -> None:
        """`wake_journal_worker` is called after each commit with journal entries."""
        super().__init__(
            binding.DRIVER,
            # binding_failed as well, so that the trunk of a port whose binding failed can be deleted.
            (binding.VIF_TYPE, portbindings.VIF_TYPE_BINDING_FAILED),
            (trunk_constants.SEGMENTATION_TYPE_VLAN,),
            can_trunk_bound_port=True,
        )
        self._wake_journal_worker = wake_journal_worker

    @property
    def is_loaded(self) -> bool:
        """True if ML2 has loaded the mechanism driver."""
        try:
            return binding.DRIVER in cfg.CONF.ml2.mechanism_drivers
        except cfg.NoSuchOptError:
            return False

    # The decorator is repeated: Neutron does not call an override without it.
    @registry.receives(resources.TRUNK_PLUGIN, [events.AFTER_INIT])
    def register(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        """Registers the driver with the trunk plugin and subscribes to its events."""
        super().register(resource, event, trigger, payload=payload)
        for receiver, moments in (
            (self._insert_journal_entries, (events.PRECOMMIT_CREATE, events.PRECOMMIT_DELETE)),
            (self._wake, (events.AFTER_CREATE, events.AFTER_DELETE)),
        ):
            for moment in moments:
                registry.subscribe(receiver, resources.TRUNK, moment)
                registry.subscribe(receiver, resources.SUBPORTS, moment)

    def _insert_journal_entries(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        trunk = payload.latest_state
        subports = trunk.sub_ports if resource == resources.TRUNK else payload.metadata["subports"]
        topic = trunk.project_id or ""
        journal.insert(
            payload.context,
            [
                JournalEntry(
                    Key(records.SEGMENTATION, topic, records.segmentation_id(trunk.port_id, subport.port_id)),
                    subport.port_id,
                )
                for subport in subports
            ],
        )

    def _wake(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        self._wake_journal_worker()
