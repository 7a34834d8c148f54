"""The northbound DB: the same operations on etcd and on redis.

Every transaction of ours compares and changes one key, /trunkpath/writer, as `trunkpath nb` does. So of two that
overlap one fails and is done again on what it then reads; and as it is read before Neutron is, an older state of its
is never written over a newer one. Dragonflow compares nothing: what it writes between our reading and our writing
is noticed by the record's own revision.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

# How many records may be in one transaction. etcd takes 128 operations: two counters and the writer's key come too.
BATCH = 100

WRITER_KEY = "/trunkpath/writer"
PORT_UP_PREFIX = "/trunkpath/port_up/"


class StoreError(Exception):
    """The northbound DB did not do it. The text says who must do what; what was asked may be asked again."""


class StoreUnavailable(StoreError):
    """It does not answer."""


class StoreRefused(StoreError):
    """It answers, and refuses: a wrong password, a missing right, a request that it cannot take."""


class Key(NamedTuple):
    """Where a record is. In etcd the topic does not count: see Store.place."""

    table: str
    topic: str
    id: str


@dataclass(frozen=True)
class Snapshot:
    """Records as they were at one moment."""

    values: Mapping[Key, bytes | None]
    """Each record's JSON, None where there is none."""
    counters: Mapping[str, bytes | None]
    """The last unique key of each table that has them, a decimal number."""
    marks: Mapping[str, Any] = field(default_factory=dict)
    """The store's own: what each key is compared with at the commit."""


class Store(Protocol):
    """A connection, for one thread. Every method but `place` may raise StoreError."""

    def place(self, key: Key) -> str:
        """The store's own key: what has the same one is one record."""

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        """Reads records and counters of tables, at most BATCH and two, as of one moment."""

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        """Writes these records (None deletes) and counters, all or nothing. Each must be in the snapshot.

        False when somebody changed one of them since, or when any other of our transactions was done since: read again.
        """

    def table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        """All records of a table. Not of one moment; on redis one that moves may come twice or not at all."""

    def ports_up(self, ports: Collection[str]) -> dict[str, str]:
        """Which of these ports forward, each with the name of its chassis, as the hosts report."""

    def close(self) -> None:
        """Closes the connection."""


def counter_of(value: bytes | None) -> int | None:
    """A counter as a number; None when there is none, or when it is not one."""
    return int(value) if value is not None and value.isdigit() else None


def innermost(error: BaseException) -> BaseException:
    """The reason behind all others: libraries wrap it, some three times, each with its address in memory."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return error
