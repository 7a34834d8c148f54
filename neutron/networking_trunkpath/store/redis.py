"""The northbound DB on one server of redis 6 or later."""

import importlib.resources
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import redis
from oslo_utils import uuidutils

from networking_trunkpath.store import (
    HOST_PREFIX,
    PORT_UP_PREFIX,
    WRITER_KEY,
    Key,
    Snapshot,
    StoreRejected,
    StoreUnavailable,
    parse_host_reports,
    root_cause,
)
from networking_trunkpath.store.address import Address
from networking_trunkpath.store.etcd import parse_report

# Keys per SCAN and MGET.
_PAGE_KEYS = 1000

_COMMIT = importlib.resources.files(__package__).joinpath("commit.lua").read_text()


class RedisStore:
    """Client of one server; it reconnects by itself."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        (host, port), *_ = address.servers
        tls: dict[str, Any] = (
            {"ssl": True, "ssl_ca_certs": address.ca, "ssl_certfile": address.cert, "ssl_keyfile": address.key}
            if address.tls
            else {}
        )
        self._client = redis.Redis(
            host=host,
            port=port,
            db=int(address.path or 0),
            username=address.user,
            password=address.password,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            **tls,
        )

    def encode_key(self, key: Key) -> str:
        return f"{{{key.table}.{key.topic}}}{key.id}"

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        encoded_keys = [WRITER_KEY, *map(_counter_key, counters), *map(self.encode_key, keys)]
        values = self._call(lambda: self._client.mget(encoded_keys))
        return Snapshot(
            values=dict(zip(keys, values[1 + len(counters) :], strict=True)),
            counters=dict(zip(counters, values[1 : 1 + len(counters)], strict=True)),
            versions=dict(zip(encoded_keys, values, strict=True)),
        )

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        writes: dict[str, str | None] = {WRITER_KEY: uuidutils.generate_uuid()}
        writes |= {_counter_key(table): str(last) for table, last in counters.items()}
        writes |= {self.encode_key(key): text for key, text in changes.items()}
        arguments: list[bytes] = []
        for encoded, text in writes.items():
            arguments += [
                _script_argument(snapshot.versions[encoded]),
                _script_argument(None if text is None else text.encode()),
            ]
        messages = [_encode_message(key, snapshot.values[key], text) for key, text in changes.items()]
        return bool(self._call(lambda: self._client.eval(_COMMIT, len(writes), *writes, *arguments, *messages)))

    def read_table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        key_pattern = re.compile(rf"\{{{table}\.(.*?)\}}(.+)", re.DOTALL)
        cursor: int = 0
        while True:
            cursor, names = self._call(lambda at=cursor: self._client.scan(at, match=f"{{{table}.*", count=_PAGE_KEYS))
            for name, value in zip(names, self._read_values(names), strict=True):
                match = key_pattern.fullmatch(name.decode(errors="replace"))
                if match and value is not None:
                    yield Key(table, match[1], match[2]), value
            if cursor == 0:
                return

    def read_port_reports(self, ports: Collection[str]) -> dict[str, str]:
        wanted = list(ports)
        reports: dict[str, str] = {}
        for start in range(0, len(wanted), _PAGE_KEYS):
            page = wanted[start : start + _PAGE_KEYS]
            values = self._read_values([PORT_UP_PREFIX + port for port in page])
            reports |= {
                port: parse_report(value) for port, value in zip(page, values, strict=True) if value is not None
            }
        return reports

    def read_host_reports(self) -> dict[str, set[str]]:
        keys = self._call(lambda: list(self._client.scan_iter(match=f"{HOST_PREFIX}*", count=_PAGE_KEYS)))
        return parse_host_reports(key.decode(errors="replace").removeprefix(HOST_PREFIX) for key in keys)

    def close(self) -> None:
        self._client.close()

    def _read_values(self, names: Sequence[Any]) -> list[bytes | None]:
        return self._call(lambda: self._client.mget(names)) if names else []

    def _call(self, command: Any) -> Any:
        try:
            return command()
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise StoreRejected(
                f"{self._address}: {error}: see user and password in [trunkpath] nb, and the ACL of user "
                f"{self._address.user or 'default'} (ACL SETUSER ... ~{{* ~/trunkpath/* &* "
                "+@read +@connection +eval +set +del +publish)"
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if isinstance(root_cause(error), ssl.SSLError):
                raise StoreRejected(f"{self._address}: TLS: {error}: see ca, cert and key in [trunkpath] nb") from error
            raise StoreUnavailable(f"{self._address}: {error}") from error
        except redis.RedisError as error:
            raise StoreRejected(f"{self._address}: {error}") from error


def _counter_key(table: str) -> str:
    return f"{{unique_key.}}{table}"


def _script_argument(value: bytes | None) -> bytes:
    return b"-" if value is None else b"=" + value


def _encode_message(key: Key, previous: bytes | None, text: str | None) -> bytes:
    """Encodes a message for Dragonflow's controllers. Their msgpack predates 2013: no bin type, no str 8."""
    action = "delete" if text is None else "create" if previous is None else "set"
    message = {"table": key.table, "key": key.id, "action": action, "value": text, "topic": "D"}
    return msgpack.packb(message, use_bin_type=False)
