"""Writes the records of pending journal entries to the northbound DB."""

from collections.abc import Sequence

from neutron_lib import context as n_context
from oslo_db import exception as db_exc
from oslo_log import log as logging

from networking_trunkpath import journal, record_writer, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.store import MAX_TRANSACTION_RECORDS, Store, StoreError, StoreTooLarge

LOG = logging.getLogger(__name__)

# Journal rows per query.
_PAGE_ROWS = 1000

# Referenced tables are written first, so that readers seldom find a dangling reference.
_TABLE_RANK = {table: rank for rank, table in enumerate(records.TABLES)}


def process_journal(store: Store) -> int:
    """Processes all pending entries and returns their number. Raises StoreError; unprocessed entries remain."""
    count = 0
    failed_seqnos: set[int] = set()
    while True:
        pending = journal.get_pending(n_context.get_admin_context(), _PAGE_ROWS, failed_seqnos)
        if not pending:
            return count
        ordered = sorted(pending, key=lambda entry: _TABLE_RANK[entry.key.table])
        for start in range(0, len(ordered), MAX_TRANSACTION_RECORDS):
            entries = ordered[start : start + MAX_TRANSACTION_RECORDS]
            failed = _write_or_split(store, entries)
            failed_seqnos.update(seqno for entry in failed for seqno in pending[entry])
            written = [seqno for entry in entries if entry not in failed for seqno in pending[entry]]
            journal.remove(n_context.get_admin_context(), written)
            count += len(entries) - len(failed)


def _write_or_split(store: Store, entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """Writes the entries in one transaction, or each half if that fails. Returns the entries that fail alone."""
    try:
        record_writer.write_records(store, entries)
    except Exception as error:
        if _concerns_all_entries(error):
            raise
        if len(entries) > 1:
            half = len(entries) // 2
            return [*_write_or_split(store, entries[:half]), *_write_or_split(store, entries[half:])]
        LOG.exception("%s is not written, and stays in the journal: %s", entries[0].key, error)
        return entries
    return []


def _concerns_all_entries(error: Exception) -> bool:
    """True for a failure of a database, not of an entry."""
    return isinstance(error, (StoreError, db_exc.DBError)) and not isinstance(error, StoreTooLarge)
