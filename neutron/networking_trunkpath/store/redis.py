"""The northbound DB on redis 6 or later, one server."""

import importlib.resources
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import redis
from oslo_utils import uuidutils

from networking_trunkpath.store import (
    PORT_UP_PREFIX,
    WRITER_KEY,
    Key,
    Snapshot,
    StoreRefused,
    StoreUnavailable,
    innermost,
)
from networking_trunkpath.store.address import Address
from networking_trunkpath.store.etcd import chassis_in

# Keys that are asked for at once.
_PAGE = 1000

_COMMIT = importlib.resources.files(__package__).joinpath("commit.lua").read_text()


class RedisStore:
    """A client of one server."""

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

    def place(self, key: Key) -> str:
        """See Store."""
        return f"{{{key.table}.{key.topic}}}{key.id}"

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        """See Store."""
        places = [WRITER_KEY, *map(_counter, counters), *map(self.place, keys)]
        values = self._ask(lambda: self._client.mget(places))
        return Snapshot(
            values=dict(zip(keys, values[1 + len(counters) :], strict=True)),
            counters=dict(zip(counters, values[1 : 1 + len(counters)], strict=True)),
            marks=dict(zip(places, values, strict=True)),
        )

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        """See Store."""
        writes: dict[str, str | None] = {WRITER_KEY: uuidutils.generate_uuid()}
        writes |= {_counter(table): str(last) for table, last in counters.items()}
        writes |= {self.place(key): text for key, text in changes.items()}
        arguments: list[bytes] = []
        for place, text in writes.items():
            arguments += [_argument(snapshot.marks[place]), _argument(None if text is None else text.encode())]
        messages = [_message(key, snapshot.values[key], text) for key, text in changes.items()]
        return bool(self._ask(lambda: self._client.eval(_COMMIT, len(writes), *writes, *arguments, *messages)))

    def table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        """See Store."""
        spelled = re.compile(rf"\{{{table}\.(.*?)\}}(.+)", re.DOTALL)
        cursor: int = 0
        while True:
            cursor, names = self._ask(lambda at=cursor: self._client.scan(at, match=f"{{{table}.*", count=_PAGE))
            for name, value in zip(names, self._values(names), strict=True):
                match = spelled.fullmatch(name.decode(errors="replace"))
                if match and value is not None:
                    yield Key(table, match[1], match[2]), value
            if cursor == 0:
                return

    def ports_up(self, ports: Collection[str]) -> dict[str, str]:
        """See Store."""
        wanted = list(ports)
        reports: dict[str, str] = {}
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            values = self._values([PORT_UP_PREFIX + port for port in page])
            reports |= {port: chassis_in(value) for port, value in zip(page, values, strict=True) if value is not None}
        return reports

    def close(self) -> None:
        """See Store."""
        self._client.close()

    def _values(self, names: Sequence[Any]) -> list[bytes | None]:
        return self._ask(lambda: self._client.mget(names)) if names else []

    def _ask(self, command: Any) -> Any:
        try:
            return command()
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise StoreRefused(
                f"{self._address}: {error}: see user and password in [trunkpath] nb, and the ACL of user "
                f"{self._address.user or 'default'} (ACL SETUSER ... ~{{* ~/trunkpath/* &* "
                "+@read +@connection +eval +set +del +publish)"
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if isinstance(innermost(error), ssl.SSLError):
                raise StoreRefused(f"{self._address}: TLS: {error}: see ca, cert and key in [trunkpath] nb") from error
            raise StoreUnavailable(f"{self._address}: {error}") from error
        except redis.RedisError as error:
            raise StoreRefused(f"{self._address}: {error}") from error


def _counter(table: str) -> str:
    return f"{{unique_key.}}{table}"


def _argument(value: bytes | None) -> bytes:
    return b"-" if value is None else b"=" + value


def _message(key: Key, was: bytes | None, text: str | None) -> bytes:
    """What Dragonflow tells its controllers. Their msgpack is of before 2013: no type for bytes, no short strings."""
    action = "delete" if text is None else "create" if was is None else "set"
    message = {"table": key.table, "key": key.id, "action": action, "value": text, "topic": "D"}
    return msgpack.packb(message, use_bin_type=False)
