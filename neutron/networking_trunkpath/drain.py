"""Makes records of the northbound DB what Neutron says now.

What is marked is read in both DBs, first in the northbound one, and written only if nothing changed there since. So a
process that was stopped in between, or is slower than another one, does not bring an older state back.
"""

import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from neutron_lib import context as n_context
from oslo_db import exception as db_exc
from oslo_log import log as logging

from networking_trunkpath import journal, records, truth
from networking_trunkpath.journal import Mark
from networking_trunkpath.records import Record
from networking_trunkpath.store import BATCH, Key, Snapshot, Store, StoreError, StoreUnavailable, counter_of

LOG = logging.getLogger(__name__)

# Rows of the journal that are read at once.
_PAGE = 1000
# How often others may be faster: with each of them the DB comes nearer to what it should be.
_ATTEMPTS = 100
# Seconds to wait for others at the most.
_LONGEST_PAUSE = 0.1

# What others refer to is written first, so that readers seldom find a reference to nothing.
_RANK = {table: rank for rank, table in enumerate(records.TABLES)}


def drain(store: Store) -> int:
    """Writes all that is marked in the journal and says how many marks. Raises StoreError; the marks stay then."""
    count = 0
    poisoned: set[int] = set()
    while True:
        marks = journal.pending(n_context.get_admin_context(), _PAGE, poisoned)
        if not marks:
            return count
        ordered = sorted(marks, key=lambda mark: _RANK[mark.key.table])
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            bad = _settle_each(store, batch)
            poisoned.update(seqno for mark in bad for seqno in marks[mark])
            settled = [seqno for mark in batch if mark not in bad for seqno in marks[mark]]
            journal.done(n_context.get_admin_context(), settled)
            count += len(batch) - len(bad)


def _settle_each(store: Store, marks: Sequence[Mark]) -> Sequence[Mark]:
    """Settles them together, or, when one of them makes that fail, each alone. Returns those that fail."""
    try:
        settle(store, marks)
    except (StoreError, db_exc.DBError):
        # Nothing of the marks' own.
        raise
    except Exception as error:
        if len(marks) > 1:
            return [bad for mark in marks for bad in _settle_each(store, [mark])]
        LOG.exception("%s is not written, and stays in the journal: %s", marks[0].key, error)
        return marks
    return []


def settle(store: Store, marks: Sequence[Mark]) -> int:
    """Makes the marked records, at most BATCH, what Neutron says, and says how many were not. Raises StoreError."""
    keys = {store.place(mark.key): mark.key for mark in marks}
    counted = [
        table for table in records.TABLES if table in records.NUMBERED and any(k.table == table for k in keys.values())
    ]
    pause = 0.001
    for _ in range(_ATTEMPTS):
        snapshot = store.read(list(keys.values()), counted)
        # After the northbound DB, and in a transaction of its own, so that it is no older.
        found = truth.read(n_context.get_admin_context(), marks)
        wanted = {keys[place]: record for key, record in found if (place := store.place(key)) in keys}
        changes, counters = plan(snapshot, wanted, store)
        # Also when there is nothing to change: it stops who read Neutron before us and has not written yet.
        if store.commit(snapshot, changes, counters):
            return len(changes)
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE)
    raise StoreUnavailable(f"other writers came first {_ATTEMPTS} times: it is tried again")


def plan(
    snapshot: Snapshot, wanted: Mapping[Key, Record], store: Store
) -> tuple[dict[Key, str | None], dict[str, int]]:
    """What to write so that the snapshot's records become the wanted ones: records (None deletes) and counters."""
    changes: dict[Key, str | None] = {}
    counters: dict[str, int] = {}
    for key, value in snapshot.values.items():
        record, held = wanted.get(key), parse(key, value)
        if record is None:
            if value is not None:
                changes[key] = None
            continue
        if key.table in records.NUMBERED:
            number = held.get("unique_key") if held else None
            if not isinstance(number, int) or number < 1:
                number = counters[key.table] = _next_number(key.table, snapshot, counters, store)
            record = record | {"unique_key": number}
        if record != held:
            changes[key] = json.dumps(record, sort_keys=True)
    return changes, counters


def parse(key: Key, value: bytes | None) -> Record | None:
    """The record that a value holds. None when there is none, or nothing that can be a record: it is replaced."""
    if value is None:
        return None
    try:
        held: Any = json.loads(value)
    except ValueError:
        held = None
    if not isinstance(held, dict):
        LOG.warning("what the northbound DB holds as %s is no record, and is replaced: %.200r", key, value)
        return None
    return held


def _next_number(table: str, snapshot: Snapshot, given: Mapping[str, int], store: Store) -> int:
    last = given.get(table)
    if last is None:
        last = counter_of(snapshot.counters[table])
    if last is None:
        # Lost, or never there: the table says which numbers are taken.
        held = (parse(key, value) for key, value in store.table(table))
        numbers = (record.get("unique_key") for record in held if record)
        last = max((number for number in numbers if isinstance(number, int)), default=0)
    return last + 1
