"""The journal: what changed in Neutron and is not known to be in the northbound DB yet.

A row says *that* something changed, not what: who writes the record reads Neutron again, and so never writes an older
state over a newer one, whatever the order of rows. Rows are written in the transaction of the change itself, so there
is a row exactly when there was a change.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from neutron_lib.db import api as db_api
from neutron_lib.db import model_base

from networking_trunkpath.store import Key


@dataclass(frozen=True)
class Mark:
    """A record that may differ from what Neutron says."""

    key: Key
    """Where the record is, or would be."""
    source: str
    """The id of what it is made from in Neutron: of the subport's port for a segmentation, else the record's own."""


class JournalRow(model_base.BASEV2):
    """A mark and when it was made."""

    __tablename__ = "trunkpath_journal"

    # SQLite counts INTEGER columns only.
    seqno = sa.Column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)
    record_table = sa.Column(sa.String(64), nullable=False)
    record_id = sa.Column(sa.String(64), nullable=False)
    topic = sa.Column(sa.String(255), nullable=False)
    source = sa.Column(sa.String(64), nullable=False)
    created_at = sa.Column(sa.DateTime, nullable=False, server_default=sa.func.now())


def mark(context: Any, marks: Iterable[Mark]) -> None:
    """Writes the marks, in the transaction that `context` is in or in one of its own."""
    rows = [
        {"record_table": m.key.table, "record_id": m.key.id, "topic": m.key.topic, "source": m.source} for m in marks
    ]
    if rows:
        with db_api.CONTEXT_WRITER.using(context):
            context.session.execute(sa.insert(JournalRow), rows)


def pending(context: Any, limit: int, passed_over: Collection[int] = ()) -> dict[Mark, list[int]]:
    """The oldest marks, each with the numbers of its rows, which are at most `limit`, without those passed over."""
    columns = (JournalRow.seqno, JournalRow.record_table, JournalRow.topic, JournalRow.record_id, JournalRow.source)
    query = sa.select(*columns).order_by(JournalRow.seqno).limit(limit)
    if passed_over:
        query = query.where(JournalRow.seqno.not_in(passed_over))
    marks: dict[Mark, list[int]] = {}
    with db_api.CONTEXT_READER.using(context):
        for seqno, table, topic, record_id, source in context.session.execute(query):
            marks.setdefault(Mark(Key(table, topic, record_id), source), []).append(seqno)
    return marks


@db_api.retry_if_session_inactive()
def done(context: Any, seqnos: Sequence[int]) -> None:
    """Deletes these rows. Not all up to the last: a row with a lower number may have been committed since."""
    with db_api.CONTEXT_WRITER.using(context):
        context.session.execute(sa.delete(JournalRow).where(JournalRow.seqno.in_(seqnos)))


def size(context: Any) -> int:
    """How many rows there are."""
    with db_api.CONTEXT_READER.using(context):
        return context.session.scalar(sa.select(sa.func.count(JournalRow.seqno)))
