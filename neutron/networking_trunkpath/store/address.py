"""URLs of northbound DBs, as docs/northbound.md of trunkpath has them. Pure."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_SCHEMES = {"etcd": ("etcd", False), "etcds": ("etcd", True), "redis": ("redis", False), "rediss": ("redis", True)}
_PORTS = {"etcd": 2379, "redis": 6379}
_EXPECTED = (
    "expected etcd://[USER:PASSWORD@]HOST[:PORT],...[/PREFIX] or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], "
    "or etcds:// or rediss:// for TLS"
)


class AddressError(ValueError):
    """What is wrong with [trunkpath] nb, without the password."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"[trunkpath] nb: {problem}: {_EXPECTED}")


@dataclass(frozen=True)
class Address:
    """Where a northbound DB is, and who we are there."""

    kind: str
    """etcd or redis"""
    servers: tuple[tuple[str, int], ...]
    tls: bool = False
    user: str | None = None
    password: str | None = None
    path: str = ""
    """What all keys begin with in etcd, the number of the database on redis; without a slash at its ends."""
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Fit for logs: no user, no password."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.servers)
        return f"{self.kind}{'s' if self.tls else ''}://{hosts}{'/' if self.path else ''}{self.path}"


def parse(url: str) -> Address:
    """Reads a URL. Raises AddressError."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressError(f"this is no URL ({error})") from error
    if parts.scheme not in _SCHEMES:
        raise AddressError(f'the scheme "{parts.scheme}" is not known')
    kind, tls = _SCHEMES[parts.scheme]
    login, _, hosts = parts.netloc.rpartition("@")
    user, password = _login(login, kind)
    servers = tuple(_server(host, kind) for host in hosts.split(","))
    path = unquote(parts.path.strip("/"))
    if kind == "redis":
        if len(servers) != 1:
            raise AddressError("redis is one server here, no cluster")
        if path and not path.isdecimal():
            raise AddressError(f'"{path}" is no number of a database')
    return Address(kind, servers, tls, user, password, path, **_files(parts.query, tls, kind))


def _login(login: str, kind: str) -> tuple[str | None, str | None]:
    if not login:
        return None, None
    user, _, password = login.partition(":")
    # Redis has a user without a name.
    if not password or (kind == "etcd" and not user):
        raise AddressError("a user comes with a password, as USER:PASSWORD@")
    return unquote(user) or None, unquote(password)


def _server(text: str, kind: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f'"{text}" is no HOST:PORT ({error})') from error
    if not host:
        raise AddressError(f'there is no host in "{text}"')
    return host, port or _PORTS[kind]


def _files(query: str, tls: bool, kind: str) -> dict[str, str]:
    # The hosts' setting for redis; here nothing is kept between two looks.
    options = {name: values[-1] for name, values in parse_qs(query).items() if (kind, name) != ("redis", "reread")}
    unknown = sorted(options.keys() - {"ca", "cert", "key"})
    if unknown:
        raise AddressError(f'"{unknown[0]}" is no option of the URL (there are ca, cert and key)')
    if options and not tls:
        raise AddressError("ca, cert and key are for TLS, so for etcds:// and rediss://")
    if ("cert" in options) != ("key" in options):
        raise AddressError("cert and key come together")
    return options
