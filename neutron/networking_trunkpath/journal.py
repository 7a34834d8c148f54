"""Journal of changes in Neutron that may be missing in the northbound DB.

An entry identifies a record, not its content: the journal worker reads Neutron again, so the order of entries does not
matter and an older state never replaces a newer one. Entries are inserted in the transaction of the change itself, so
an entry exists exactly if the change was committed.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from neutron_lib.db import api as db_api
from neutron_lib.db import model_base

from networking_trunkpath.store import Key


@dataclass(frozen=True)
class JournalEntry:
    """A record of the northbound DB that may differ from Neutron's state."""

    key: Key
    """Key of the record, whether or not it exists."""
    source: str
    """Id of the Neutron object behind it: of the subport's port for a segmentation, else the record's own id."""


class JournalRow(model_base.BASEV2):
    """Table row of one journal entry."""

    __tablename__ = "trunkpath_journal"

    # SQLite autoincrements INTEGER columns only.
    seqno = sa.Column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)
    record_table = sa.Column(sa.String(64), nullable=False)
    record_id = sa.Column(sa.String(64), nullable=False)
    topic = sa.Column(sa.String(255), nullable=False)
    source = sa.Column(sa.String(64), nullable=False)
    created_at = sa.Column(sa.DateTime, nullable=False, server_default=sa.func.now())


def insert(context: Any, entries: Iterable[JournalEntry]) -> None:
    """Inserts the entries in the active transaction of `context`, or in a new one."""
    rows = [
        {"record_table": e.key.table, "record_id": e.key.id, "topic": e.key.topic, "source": e.source} for e in entries
    ]
    if rows:
        with db_api.CONTEXT_WRITER.using(context):
            context.session.execute(sa.insert(JournalRow), rows)


def get_pending(context: Any, limit: int, excluded: Collection[int] = ()) -> dict[JournalEntry, list[int]]:
    """The entries of the oldest `limit` rows without the `excluded` seqnos; each entry with the seqnos of its rows."""
    columns = (JournalRow.seqno, JournalRow.record_table, JournalRow.topic, JournalRow.record_id, JournalRow.source)
    query = sa.select(*columns).order_by(JournalRow.seqno).limit(limit)
    if excluded:
        query = query.where(JournalRow.seqno.not_in(excluded))
    entries: dict[JournalEntry, list[int]] = {}
    with db_api.CONTEXT_READER.using(context):
        for seqno, table, topic, record_id, source in context.session.execute(query):
            entries.setdefault(JournalEntry(Key(table, topic, record_id), source), []).append(seqno)
    return entries


@db_api.retry_if_session_inactive()
def remove(context: Any, seqnos: Sequence[int]) -> None:
    """Deletes exactly these rows; a row with a lower seqno may have been committed after they were read."""
    with db_api.CONTEXT_WRITER.using(context):
        context.session.execute(sa.delete(JournalRow).where(JournalRow.seqno.in_(seqnos)))


def count(context: Any) -> int:
    """Number of rows, several of which may belong to one entry."""
    with db_api.CONTEXT_READER.using(context):
        return context.session.scalar(sa.select(sa.func.count(JournalRow.seqno)))
