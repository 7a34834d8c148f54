"""The northbound DB in etcd 3.4 or later, through its JSON gateway, which is on the same port as gRPC."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import requests
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

# Records of a table that are asked for at once: far below the 4 MiB that an answer may have.
_PAGE = 500

# gRPC's numbers in the gateway's errors.
_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
# Another server may do better: deadline exceeded, internal, unavailable.
_OF_THIS_SERVER = {4, 13, 14}


class EtcdStore:
    """A client of all servers of one cluster: it stays with one until that does not answer."""

    def __init__(self, address: Address, timeout: float) -> None:
        scheme = "https" if address.tls else "http"
        self._address = address
        self._servers = [f"{scheme}://{_bracketed(host)}:{port}" for host, port in address.servers]
        self._prefix = f"/{address.path}" if address.path else ""
        self._timeout = timeout
        self._session = requests.Session()
        # Proxies and netrc of the environment are not for us.
        self._session.trust_env = False
        if address.ca:
            self._session.verify = address.ca
        if address.cert:
            self._session.cert = (address.cert, address.key)

    def place(self, key: Key) -> str:
        """See Store."""
        return f"{self._prefix}/{key.table}/{key.id}"

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        """See Store."""
        places = [self._writer(), *map(self._counter, counters), *map(self.place, keys)]
        answer = self._post("kv/txn", {"success": [{"request_range": {"key": _b64(place)}} for place in places]})
        found = [(response["response_range"].get("kvs") or [None])[0] for response in answer["responses"]]
        values = [_value(pair) for pair in found]
        return Snapshot(
            values=dict(zip(keys, values[1 + len(counters) :], strict=True)),
            counters=dict(zip(counters, values[1 : 1 + len(counters)], strict=True)),
            marks={place: pair["mod_revision"] if pair else "0" for place, pair in zip(places, found, strict=True)},
        )

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        """See Store."""
        writes: dict[str, str | None] = {self._writer(): uuidutils.generate_uuid()}
        writes |= {self._counter(table): str(last) for table, last in counters.items()}
        writes |= {self.place(key): text for key, text in changes.items()}
        compare = [
            {"key": _b64(place), "target": "MOD", "result": "EQUAL", "mod_revision": snapshot.marks[place]}
            for place in writes
        ]
        success = [
            {"request_delete_range": {"key": _b64(place)}}
            if text is None
            else {"request_put": {"key": _b64(place), "value": _b64(text)}}
            for place, text in writes.items()
        ]
        return bool(self._post("kv/txn", {"compare": compare, "success": success}).get("succeeded"))

    def table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        """See Store."""
        prefix = f"{self._prefix}/{table}/"
        for place, value in self._all(prefix):
            yield Key(table, "", place.removeprefix(prefix)), value

    def ports_up(self, ports: Collection[str]) -> dict[str, str]:
        """See Store."""
        prefix = self._prefix + PORT_UP_PREFIX
        wanted = set(ports)
        reports = ((place.removeprefix(prefix), value) for place, value in self._all(prefix)) if wanted else ()
        return {port: chassis_in(value) for port, value in reports if port in wanted}

    def close(self) -> None:
        """See Store."""
        self._session.close()

    def _counter(self, table: str) -> str:
        return f"{self._prefix}/unique_key/{table}"

    def _writer(self) -> str:
        return self._prefix + WRITER_KEY

    def _all(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """All keys that begin so, with their values, of one moment."""
        # The first key behind them: '0' comes after '/'.
        end, start, revision = prefix[:-1] + "0", prefix, "0"
        while True:
            request = {"key": _b64(start), "range_end": _b64(end), "limit": _PAGE, "revision": revision}
            answer = self._post("kv/range", request)
            revision = answer["header"]["revision"]
            pairs = answer.get("kvs", [])
            for pair in pairs:
                start = base64.b64decode(pair["key"]).decode(errors="replace")
                yield start, _value(pair) or b""
            if not answer.get("more"):
                return
            start += "\0"

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Asks the servers, each once, until one answers."""
        reasons = []
        for _ in self._servers:
            server = self._servers[0]
            try:
                return self._ask(server, path, body)
            except StoreUnavailable as failure:
                reasons.append(str(failure))
                self._servers.append(self._servers.pop(0))
        raise StoreUnavailable("; ".join(reasons))

    def _ask(self, server: str, path: str, body: Mapping[str, Any]) -> Any:
        if self._address.user and "Authorization" not in self._session.headers:
            self._log_in(server)
        response = self._send(server, path, body)
        if self._address.user and _code(response) == _UNAUTHENTICATED:
            # A token holds for five minutes after its last use.
            self._log_in(server)
            response = self._send(server, path, body)
        return self._judge(server, response)

    def _log_in(self, server: str) -> None:
        self._session.headers.pop("Authorization", None)
        login = {"name": self._address.user, "password": self._address.password}
        response = self._send(server, "auth/authenticate", login)
        self._session.headers["Authorization"] = self._judge(server, response)["token"]

    def _send(self, server: str, path: str, body: Mapping[str, Any]) -> requests.Response:
        try:
            return self._session.post(f"{server}/v3/{path}", json=body, timeout=self._timeout)
        except requests.exceptions.SSLError as error:
            raise StoreRefused(f"{server}: TLS: {error}: see ca, cert and key in [trunkpath] nb") from error
        except requests.RequestException as error:
            cause = innermost(error)
            raise StoreUnavailable(f"{server}: {str(cause) or type(cause).__name__}") from error

    def _judge(self, server: str, response: requests.Response) -> Any:
        try:
            answer = response.json()
        except ValueError as error:
            raise StoreRefused(
                f"{server} is no etcd 3.4: it answers {response.status_code}: see [trunkpath] nb"
            ) from error
        if response.ok:
            return answer
        text = answer.get("error") or answer.get("message") or response.text
        if _code(response) in _OF_THIS_SERVER:
            raise StoreUnavailable(f"{server}: {text}")
        if _code(response) == _PERMISSION_DENIED:
            everything = f"{self._prefix}/"
            raise StoreRefused(
                f"{server}: user {self._address.user} may not do this: "
                f"etcdctl role grant-permission --prefix=true ROLE readwrite {everything}"
            )
        raise StoreRefused(f"{server}: {text}: see user and password in [trunkpath] nb")


def chassis_in(report: bytes) -> str:
    """The chassis that a report is of; empty when it cannot be read."""
    try:
        return str(json.loads(report)["chassis"])
    except (ValueError, TypeError, KeyError):
        return ""


def _code(response: requests.Response) -> int:
    """gRPC's number of an error; 0 when it is none."""
    if response.ok:
        return 0
    try:
        return int(response.json()["code"])
    except (ValueError, TypeError, KeyError):
        return -1


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _value(pair: Mapping[str, str] | None) -> bytes | None:
    # The gateway leaves an empty value out.
    return None if pair is None else base64.b64decode(pair.get("value", ""))
