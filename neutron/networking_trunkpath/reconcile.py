"""Compares the whole northbound DB with Neutron's, and inserts a journal entry for each difference."""

import json
from dataclasses import dataclass, field

from neutron_lib import context as n_context
from oslo_log import log as logging

from networking_trunkpath import journal, neutron_reader, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.record_writer import parse_record, with_grown_version
from networking_trunkpath.records import Record
from networking_trunkpath.store import Key, Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference:
    """A record that differs from Neutron's state."""

    entry: JournalEntry
    description: str
    """For the log: "is missing", "is not Neutron's", or the fields that differ."""

    def __str__(self) -> str:
        return f"{self.entry.key.table} {self.entry.key.id} {self.description}"


@dataclass
class Comparison:
    """Differences between the two DBs, including changes that are being written."""

    desired_count: int = 0
    """Number of records that Neutron's state requires."""
    mismatched: list[Difference] = field(default_factory=list)
    """Neutron's records that are missing or different."""
    foreign: list[Difference] = field(default_factory=list)
    """Records without an object in Neutron."""

    @property
    def differences(self) -> list[Difference]:
        """Mismatched records first, foreign ones second."""
        return self.mismatched + self.foreign


def compare(store: Store) -> Comparison:
    """Reads both DBs table by table. Raises StoreError."""
    comparison = Comparison()
    for table in records.TABLES:
        actual = {store.encode_key(key): (key, value) for key, value in store.read_table(table)}
        for entry, desired in neutron_reader.read_table(n_context.get_admin_context(), table):
            comparison.desired_count += 1
            _, value = actual.pop(store.encode_key(entry.key), (None, None))
            description = _describe_mismatch(table, desired, parse_record(entry.key, value))
            if description:
                comparison.mismatched.append(Difference(entry, description))
        for key, value in actual.values():
            entry = JournalEntry(key, _source_of_foreign(key, parse_record(key, value)))
            comparison.foreign.append(Difference(entry, "is not Neutron's"))
    return comparison


def repair(store: Store) -> int:
    """Inserts journal entries for all differences and returns their number. Raises StoreError.

    The journal worker then deletes foreign records. If they outnumber Neutron's, they are kept: the DB is probably
    another cloud's.
    """
    comparison = compare(store)
    differences = comparison.differences
    if len(comparison.foreign) > comparison.desired_count:
        LOG.error(
            "the northbound DB has %d records that are not Neutron's, beside %d that Neutron requires; they are kept. "
            "Check that [trunkpath] nb is not another cloud's DB; if it is not, `trunkpath-neutron-sync` deletes them",
            len(comparison.foreign),
            comparison.desired_count,
        )
        differences = comparison.mismatched
    for difference in differences:
        LOG.info("the northbound DB differs from Neutron, and is repaired: %s", difference)
    journal.insert(n_context.get_admin_context(), (difference.entry for difference in differences))
    return len(differences)


def _describe_mismatch(table: str, desired: Record, actual: Record | None) -> str | None:
    """None if the records are equal."""
    if actual is None:
        return "is missing"
    if table in records.NUMBERED:
        actual = dict(actual)
        number = actual.pop("unique_key", None)
        if not isinstance(number, int) or number < 1:
            return "has no unique_key"
    desired = with_grown_version(desired, actual)
    fields = sorted(name for name in desired.keys() | actual.keys() if desired.get(name) != actual.get(name))
    if not fields:
        return None
    # The version differs with the content.
    shown = [name for name in fields if name != "version"] or fields
    return "; ".join(f"{name} is {json.dumps(actual.get(name))}, not {json.dumps(desired.get(name))}" for name in shown)


def _source_of_foreign(key: Key, actual: Record | None) -> str:
    """Id of the object that Neutron would have for this record; the journal worker reads it before the deletion."""
    if key.table == records.SEGMENTATION and actual:
        return str(actual.get("port", key.id))[:64]
    return key.id
