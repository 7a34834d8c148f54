"""The northbound DB in etcd 3.4 or later, by its JSON gateway, which has the same port as gRPC."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import requests
from oslo_utils import uuidutils

from networking_trunkpath.store import (
    HOST_PREFIX,
    PORT_UP_PREFIX,
    WRITER_KEY,
    Key,
    Snapshot,
    StoreRejected,
    StoreTooLarge,
    StoreUnavailable,
    parse_host_reports,
    root_cause,
)
from networking_trunkpath.store.address import Address

# Records per range request. Gateways without etcd's change 13077, of 2021, return at most 4 MiB, so the page is halved
# where its records are larger.
_PAGE_RECORDS = 500

# gRPC status codes in errors of the gateway.
_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
# DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: another server of the cluster may succeed.
_SERVER_FAILURES = {4, 13, 14}
# In errors whose status codes have other causes as well: of etcd for a request, of gRPC for request and response.
_TOO_LARGE = ("request is too large", "larger than max")


class EtcdStore:
    """Client of a cluster. It uses one server until that does not respond."""

    def __init__(self, address: Address, timeout: float) -> None:
        scheme = "https" if address.tls else "http"
        self._address = address
        self._servers = [f"{scheme}://{_bracketed(host)}:{port}" for host, port in address.servers]
        self._prefix = f"/{address.path}" if address.path else ""
        self._timeout = timeout
        self._session = requests.Session()
        # Ignores proxies and netrc of the environment.
        self._session.trust_env = False
        if address.ca:
            self._session.verify = address.ca
        if address.cert:
            self._session.cert = (address.cert, address.key)

    def encode_key(self, key: Key) -> str:
        return f"{self._prefix}/{key.table}/{key.id}"

    def read(self, keys: Collection[Key], counters: Collection[str]) -> Snapshot:
        encoded_keys = [self._writer_key(), *map(self._counter_key, counters), *map(self.encode_key, keys)]
        answer = self._post(
            "kv/txn", {"success": [{"request_range": {"key": _b64(encoded)}} for encoded in encoded_keys]}
        )
        found = [(response["response_range"].get("kvs") or [None])[0] for response in answer["responses"]]
        values = [_value(pair) for pair in found]
        return Snapshot(
            values=dict(zip(keys, values[1 + len(counters) :], strict=True)),
            counters=dict(zip(counters, values[1 : 1 + len(counters)], strict=True)),
            versions={
                encoded: pair["mod_revision"] if pair else "0"
                for encoded, pair in zip(encoded_keys, found, strict=True)
            },
        )

    def commit(self, snapshot: Snapshot, changes: Mapping[Key, str | None], counters: Mapping[str, int]) -> bool:
        writes: dict[str, str | None] = {self._writer_key(): uuidutils.generate_uuid()}
        writes |= {self._counter_key(table): str(last) for table, last in counters.items()}
        writes |= {self.encode_key(key): text for key, text in changes.items()}
        compare = [
            {"key": _b64(encoded), "target": "MOD", "result": "EQUAL", "mod_revision": snapshot.versions[encoded]}
            for encoded in writes
        ]
        success = [
            {"request_delete_range": {"key": _b64(encoded)}}
            if text is None
            else {"request_put": {"key": _b64(encoded), "value": _b64(text)}}
            for encoded, text in writes.items()
        ]
        return bool(self._post("kv/txn", {"compare": compare, "success": success}).get("succeeded"))

    def read_table(self, table: str) -> Iterator[tuple[Key, bytes]]:
        prefix = f"{self._prefix}/{table}/"
        for encoded, value in self._read_range(prefix):
            yield Key(table, "", encoded.removeprefix(prefix)), value

    def read_port_reports(self, ports: Collection[str]) -> dict[str, str]:
        prefix = self._prefix + PORT_UP_PREFIX
        wanted = set(ports)
        reports = (
            ((encoded.removeprefix(prefix), value) for encoded, value in self._read_range(prefix)) if wanted else ()
        )
        return {port: parse_report(value) for port, value in reports if port in wanted}

    def read_host_reports(self) -> dict[str, set[str]]:
        prefix = self._prefix + HOST_PREFIX
        return parse_host_reports(encoded.removeprefix(prefix) for encoded, _ in self._read_range(prefix))

    def close(self) -> None:
        self._session.close()

    def _counter_key(self, table: str) -> str:
        return f"{self._prefix}/unique_key/{table}"

    def _writer_key(self) -> str:
        return self._prefix + WRITER_KEY

    def _read_range(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Reads all keys with the prefix, and their values, at one revision."""
        # The end of the range is exclusive; '0' is the character after the prefix's last one, '/'.
        end, start, revision, limit = prefix[:-1] + "0", prefix, "0", _PAGE_RECORDS
        while True:
            request = {"key": _b64(start), "range_end": _b64(end), "limit": limit, "revision": revision}
            try:
                answer = self._post("kv/range", request)
            except StoreTooLarge:
                if limit == 1:
                    raise
                limit //= 2
                continue
            revision = answer["header"]["revision"]
            pairs = answer.get("kvs", [])
            for pair in pairs:
                start = base64.b64decode(pair["key"]).decode(errors="replace")
                yield start, _value(pair) or b""
            if not answer.get("more"):
                return
            start += "\0"

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Posts to the servers in turn, at most once to each, until one responds."""
        reasons = []
        for _ in self._servers:
            server = self._servers[0]
            try:
                return self._post_to(server, path, body)
            except StoreUnavailable as failure:
                reasons.append(str(failure))
                self._servers.append(self._servers.pop(0))
        raise StoreUnavailable("; ".join(reasons))

    def _post_to(self, server: str, path: str, body: Mapping[str, Any]) -> Any:
        if self._address.user and "Authorization" not in self._session.headers:
            self._log_in(server)
        response = self._send(server, path, body)
        if self._address.user and _grpc_code(response) == _UNAUTHENTICATED:
            # The token has expired: by default five minutes after its last use.
            self._log_in(server)
            response = self._send(server, path, body)
        return self._check_response(server, response)

    def _log_in(self, server: str) -> None:
        self._session.headers.pop("Authorization", None)
        login = {"name": self._address.user, "password": self._address.password}
        response = self._send(server, "auth/authenticate", login)
        self._session.headers["Authorization"] = self._check_response(server, response)["token"]

    def _send(self, server: str, path: str, body: Mapping[str, Any]) -> requests.Response:
        try:
            return self._session.post(f"{server}/v3/{path}", json=body, timeout=self._timeout)
        except requests.exceptions.SSLError as error:
            raise StoreRejected(f"{server}: TLS: {error}: see ca, cert and key in [trunkpath] nb") from error
        except requests.RequestException as error:
            cause = root_cause(error)
            raise StoreUnavailable(f"{server}: {str(cause) or type(cause).__name__}") from error

    def _check_response(self, server: str, response: requests.Response) -> Any:
        try:
            answer = response.json()
        except ValueError as error:
            raise StoreRejected(
                f"{server} is not etcd 3.4 or later: HTTP {response.status_code} without JSON: see [trunkpath] nb"
            ) from error
        if response.ok:
            return answer
        text = answer.get("error") or answer.get("message") or response.text
        if any(part in text for part in _TOO_LARGE):
            raise StoreTooLarge(f"{server}: {text}: see --max-request-bytes of etcd")
        if _grpc_code(response) in _SERVER_FAILURES:
            raise StoreUnavailable(f"{server}: {text}")
        if _grpc_code(response) == _PERMISSION_DENIED:
            all_keys = f"{self._prefix}/"
            raise StoreRejected(
                f"{server}: user {self._address.user} lacks a permission: "
                f"etcdctl role grant-permission --prefix=true ROLE readwrite {all_keys}"
            )
        raise StoreRejected(f"{server}: {text}: see user and password in [trunkpath] nb")


def parse_report(report: bytes) -> str:
    """Parses the chassis of a report; empty if the report is invalid."""
    try:
        return str(json.loads(report)["chassis"])
    except (ValueError, TypeError, KeyError):
        return ""


def _grpc_code(response: requests.Response) -> int:
    """Status code of gRPC: 0 for success, -1 for an error without a code."""
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
    # The gateway omits the field of an empty value.
    return None if pair is None else base64.b64decode(pair.get("value", ""))
