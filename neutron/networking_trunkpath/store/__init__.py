"""The northbound DB: one interface for etcd and redis.

Every transaction of this driver and of `trunkpath nb` compares and changes the key /trunkpath/writer. So one of two
that overlap fails and reads again. As that key is read before Neutron is, an older state of Neutron never replaces a
newer one. Dragonflow does not compare keys: its writes between the read and the commit are detected by the version of
the record itself.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

# etcd accepts 128 operations in a transaction; up to three counters and the writer's key come with the records.
MAX_TRANSACTION_RECORDS = 100

WRITER_KEY = "/trunkpath/writer"
PORT_UP_PREFIX = "/trunkpath/port_up/"
# A key for each host, and one behind it for each physical network of the host: HOST, HOST/PHYSICAL_NETWORK.
HOST_PREFIX = "/trunkpath/chassis/"


class StoreError(Exception):
    """An operation failed; it may be retried. The message has the cause and the remedy."""


class StoreUnavailable(StoreError):
    """No server of the northbound DB responds."""


class StoreRejected(StoreError):
    """A server rejected the operation: wrong password, missing permission, invalid request."""


class StoreTooLarge(StoreRejected):
    """The request or its response exceeds a limit of the server; with fewer records it may not."""


class Key(NamedTuple):
    """Identifies a record. etcd ignores the topic: see Store.encode_key."""

    table: str
    topic: str
    id: str


@dataclass(frozen=True)
class Snapshot:
    """Consistent state of some records and counters."""

    values: Mapping[Key, bytes | None]
    """JSON of each record; None if it does not exist."""
    counters: Mapping[str, bytes | None]
    """Last allocated unique key of each table, in decimal; None if there is none."""
    versions: Mapping[str, Any] = field(default_factory=dict)
    """By encoded key, the value with which the commit compares: a mod revision in etcd, the value itself on redis."""


class Store(Protocol):
    """Connection for one thread. Every method but `encode_key` and `close` may raise StoreError."""

    def encode_key(self, key: Key) -> str:
        """Encodes the key as the store has it. Keys with the same encoding identify the same record."""

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        """Reads at most MAX_TRANSACTION_RECORDS records and three counters (by table) consistently."""

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        """Writes records (None deletes) and counters of the snapshot atomically.

        False, and nothing is written, if one of them has changed since the snapshot, or if another transaction that
        compares /trunkpath/writer was committed since. The caller then reads again.
        """

    def read_table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        """Reads all records of a table. On redis the result is not consistent: a record may be missing or repeated."""

    def read_port_reports(self, ports: Collection[str]) -> dict[str, str]:
        """Reads which of these ports are reported to forward, each with the chassis that reports it."""

    def read_host_reports(self) -> dict[str, set[str]]:
        """Reads the chassis that report to be alive, each with the physical networks that have an uplink there."""

    def close(self) -> None: ...


def parse_host_reports(names: Iterable[str]) -> dict[str, set[str]]:
    """Parses the keys behind HOST_PREFIX: physical networks by chassis."""
    reports: dict[str, set[str]] = {}
    for name in names:
        chassis, separator, physical_network = name.partition("/")
        physical_networks = reports.setdefault(chassis, set())
        if separator:
            physical_networks.add(physical_network)
    return reports


def parse_counter(value: bytes | None) -> int | None:
    """Parses a counter; None if it does not exist or is not a decimal number."""
    return int(value) if value is not None and value.isdigit() else None


def root_cause(error: BaseException) -> BaseException:
    """First exception of the chain: libraries wrap it up to three times, with memory addresses in the messages."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return error
