"""Parses URLs of northbound DBs, which docs/northbound.md describes."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_SCHEMES = {"etcd": ("etcd", False), "etcds": ("etcd", True), "redis": ("redis", False), "rediss": ("redis", True)}
_PORTS = {"etcd": 2379, "redis": 6379}
_EXPECTED = (
    "expected etcd://[USER:PASSWORD@]HOST[:PORT],...[/PREFIX] or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], "
    "or etcds:// or rediss:// for TLS"
)


class AddressError(ValueError):
    """[trunkpath] nb is invalid. The message does not contain the password."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"[trunkpath] nb: {problem}: {_EXPECTED}")


@dataclass(frozen=True)
class Address:
    """Servers of a northbound DB, and the credentials for them."""

    kind: str
    """Either etcd or redis, without TLS suffix."""
    servers: tuple[tuple[str, int], ...]
    tls: bool = False
    user: str | None = None
    password: str | None = None
    path: str = ""
    """Prefix of all keys in etcd, number of the database on redis; without leading and trailing slash."""
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Without user and password, for logs."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.servers)
        return f"{self.kind}{'s' if self.tls else ''}://{hosts}{'/' if self.path else ''}{self.path}"


def parse(url: str) -> Address:
    """Parses a URL. Raises AddressError if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressError(f"not a URL ({error})") from error
    if parts.scheme not in _SCHEMES:
        raise AddressError(f'unknown scheme "{parts.scheme}"')
    kind, tls = _SCHEMES[parts.scheme]
    login, _, hosts = parts.netloc.rpartition("@")
    user, password = _parse_login(login, kind)
    servers = tuple(_parse_server(host, kind) for host in hosts.split(","))
    path = unquote(parts.path.strip("/"))
    if kind == "redis":
        if len(servers) != 1:
            raise AddressError("redis must be one server; clusters are not supported")
        if path and not path.isdecimal():
            raise AddressError(f'"{path}" is not a database number')
    return Address(kind, servers, tls, user, password, path, **_parse_tls_files(parts.query, tls, kind))


def _parse_login(login: str, kind: str) -> tuple[str | None, str | None]:
    if not login:
        return None, None
    user, _, password = login.partition(":")
    # In redis the default user has no name.
    if not password or (kind == "etcd" and not user):
        raise AddressError("a user requires a password: USER:PASSWORD@")
    return unquote(user) or None, unquote(password)


def _parse_server(text: str, kind: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f'"{text}" is not HOST:PORT ({error})') from error
    if not host:
        raise AddressError(f'no host in "{text}"')
    return host, port or _PORTS[kind]


def _parse_tls_files(query: str, tls: bool, kind: str) -> dict[str, str]:
    # `reread` is an option of the hosts' URL for redis, ignored here: this driver keeps no copy of the records.
    options = {name: values[-1] for name, values in parse_qs(query).items() if (kind, name) != ("redis", "reread")}
    unknown = sorted(options.keys() - {"ca", "cert", "key"})
    if unknown:
        raise AddressError(f'unknown option "{unknown[0]}" of the URL (known: ca, cert, key)')
    if options and not tls:
        raise AddressError("ca, cert and key require TLS: etcds:// or rediss://")
    if ("cert" in options) != ("key" in options):
        raise AddressError("cert and key require each other")
    return options
