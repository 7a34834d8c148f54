"""Makes records of the northbound DB equal to Neutron's state, in optimistic transactions.

A transaction reads the northbound DB first and Neutron second, and commits only if the northbound DB has not changed
since. A process that was stopped in between, or is slower than another, therefore never restores an older state.
"""

import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from neutron_lib import context as n_context
from oslo_log import log as logging

from networking_trunkpath import neutron_reader, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.records import Record
from networking_trunkpath.store import Key, Snapshot, Store, StoreUnavailable, parse_counter

LOG = logging.getLogger(__name__)

# Conflicts before a transaction is given up. Each one is a commit of another process, so progress is made.
_MAX_ATTEMPTS = 100
# The pause after a conflict is random, up to a limit that doubles from the first to the second value.
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.001, 0.1


def write_records(store: Store, entries: Sequence[JournalEntry]) -> int:
    """Makes the records of at most MAX_TRANSACTION_RECORDS entries equal to Neutron's state.

    Returns the number of changed records. Raises StoreError.
    """
    keys = {store.encode_key(entry.key): entry.key for entry in entries}
    used_tables = {key.table for key in keys.values()}
    numbered = [table for table in records.TABLES if table in records.NUMBERED and table in used_tables]
    pause_s = _FIRST_PAUSE_S
    for _ in range(_MAX_ATTEMPTS):
        snapshot = store.read(list(keys.values()), numbered)
        # After the northbound DB, and in a transaction of its own, so that it is no older.
        found = neutron_reader.read_records(n_context.get_admin_context(), entries)
        desired = {keys[encoded]: record for key, record in found if (encoded := store.encode_key(key)) in keys}
        changes, counters = plan_changes(snapshot, desired, store)
        # An empty commit as well: it makes the commits of processes fail that have read an older state of Neutron.
        if store.commit(snapshot, changes, counters):
            return len(changes)
        time.sleep(random.uniform(0, pause_s))
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)
    raise StoreUnavailable(f"commits of other writers conflicted {_MAX_ATTEMPTS} times; the transaction is retried")


def plan_changes(
    snapshot: Snapshot, desired: Mapping[Key, Record], store: Store
) -> tuple[dict[Key, str | None], dict[str, int]]:
    """Records (None deletes) and counters to write so that the snapshot's records equal the desired ones."""
    changes: dict[Key, str | None] = {}
    counters: dict[str, int] = {}
    for key, value in snapshot.values.items():
        record, actual = desired.get(key), parse_record(key, value)
        if record is None:
            if value is not None:
                changes[key] = None
            continue
        if key.table in records.NUMBERED:
            number = actual.get("unique_key") if actual else None
            if not isinstance(number, int) or number < 1:
                number = counters[key.table] = _next_number(key.table, snapshot, counters, store)
            record = record | {"unique_key": number}
        record = with_grown_version(record, actual)
        if record != actual:
            changes[key] = json.dumps(record, sort_keys=True)
    return changes, counters


def with_grown_version(desired: Record, actual: Record | None) -> Record:
    """Replaces the version, Neutron's revision number, by a greater one where that is needed.

    Readers ignore a change unless the version has grown. Not every change of content raises the revision number: that
    of a security group stays when the addresses of an address group change.
    """
    stored = actual.get("version") if actual else None
    if "version" not in desired or not isinstance(stored, int):
        return desired
    is_same = actual == desired | {"version": stored}
    return desired | {"version": max(desired["version"], stored if is_same else stored + 1)}


def parse_record(key: Key, value: bytes | None) -> Record | None:
    """Parses the value of a key; None if it does not exist or is invalid, in which case it is replaced."""
    if value is None:
        return None
    try:
        parsed: Any = json.loads(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        LOG.warning("the value of %s in the northbound DB is not a JSON object, and is replaced: %.200r", key, value)
        return None
    return parsed


def _next_number(table: str, snapshot: Snapshot, allocated: Mapping[str, int], store: Store) -> int:
    last = allocated.get(table)
    if last is None:
        last = parse_counter(snapshot.counters[table])
    if last is None:
        # The counter does not exist, or is invalid: the highest number in use replaces it.
        parsed = (parse_record(key, value) for key, value in store.read_table(table))
        numbers = (record.get("unique_key") for record in parsed if record)
        last = max((number for number in numbers if isinstance(number, int)), default=0)
    return last + 1
