"""Compares the whole northbound DB with Neutron's, and marks what differs, so that it is written anew."""

import json
from dataclasses import dataclass, field

from neutron_lib import context as n_context
from oslo_log import log as logging

from networking_trunkpath import journal, records, truth
from networking_trunkpath.drain import parse
from networking_trunkpath.journal import Mark
from networking_trunkpath.records import Record
from networking_trunkpath.store import Key, Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference:
    """A record that is not what Neutron says."""

    mark: Mark
    what: str
    """For a person: "is missing", "is not Neutron's", or the fields that differ."""

    def __str__(self) -> str:
        return f"{self.mark.key.table} {self.mark.key.id} {self.what}"


@dataclass
class Comparison:
    """In what the two differ, also by what is being written at this moment."""

    wanted: int = 0
    """How many records there should be."""
    wrong: list[Difference] = field(default_factory=list)
    """Those of Neutron's that are missing or different."""
    foreign: list[Difference] = field(default_factory=list)
    """Those that Neutron knows nothing of."""

    @property
    def all(self) -> list[Difference]:
        """All differences."""
        return self.wrong + self.foreign


def compare(store: Store) -> Comparison:
    """Reads both. Raises StoreError."""
    comparison = Comparison()
    for table in records.TABLES:
        held = {store.place(key): (key, value) for key, value in store.table(table)}
        for mark, wanted in truth.read_all(n_context.get_admin_context(), table):
            comparison.wanted += 1
            _, value = held.pop(store.place(mark.key), (None, None))
            what = _difference(table, wanted, parse(mark.key, value))
            if what:
                comparison.wrong.append(Difference(mark, what))
        for key, value in held.values():
            comparison.foreign.append(Difference(Mark(key, _source(key, parse(key, value))), "is not Neutron's"))
    return comparison


def repair(store: Store) -> int:
    """Marks all differences and says how many. Raises StoreError.

    What is not Neutron's is deleted so, but not where that is most of what there is: then this is another cloud's DB.
    """
    comparison = compare(store)
    found = comparison.all
    if len(comparison.foreign) > comparison.wanted:
        LOG.error(
            "the northbound DB has %d records that are not Neutron's, beside %d that should be there: is [trunkpath] "
            "nb another cloud's? They are left alone. `trunkpath-neutron-sync` deletes them",
            len(comparison.foreign),
            comparison.wanted,
        )
        found = comparison.wrong
    for difference in found:
        LOG.info("the northbound DB differs from Neutron, and is made the same: %s", difference)
    journal.mark(n_context.get_admin_context(), (difference.mark for difference in found))
    return len(found)


def _difference(table: str, wanted: Record, held: Record | None) -> str | None:
    if held is None:
        return "is missing"
    if table in records.NUMBERED:
        held = dict(held)
        number = held.pop("unique_key", None)
        if not isinstance(number, int) or number < 1:
            return "has no unique_key"
    fields = sorted(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))
    if not fields:
        return None
    shown = (f"{name} is {json.dumps(held.get(name))}, not {json.dumps(wanted.get(name))}" for name in fields)
    return "; ".join(shown)


def _source(key: Key, held: Record | None) -> str:
    """What a record that should not be there would be made from: drain asks Neutron once more."""
    if key.table == records.SEGMENTATION and held:
        return str(held.get("port", key.id))[:64]
    return key.id
