"""Both stores on real servers, which the tests start."""

import contextlib
import json
import shutil
import socket
import subprocess
import time

import pytest
import requests
import trustme
from oslo_config import cfg

from networking_trunkpath import options
from networking_trunkpath.store import (
    MAX_TRANSACTION_RECORDS,
    Key,
    StoreRejected,
    StoreTooLarge,
    StoreUnavailable,
    factory,
)
from networking_trunkpath.store.address import AddressError, parse
from networking_trunkpath.store.etcd import EtcdStore
from networking_trunkpath.store.redis import RedisStore

PORT = Key("lport", "topic", "port")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(port, *command):
    assert shutil.which(command[0]), f"{command[0]} is not installed: run scripts/setup neutron"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline, f"{command[0]} does not listen after 20 s"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def etcd(folder, tls=()):
    client, peer = free_port(), free_port()
    urls = f"http{'s' if tls else ''}://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    options = ["--listen-client-urls", urls[0], "--advertise-client-urls", urls[0]]
    options += ["--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1]]
    options += ["--initial-cluster", f"default={urls[1]}", "--data-dir", str(folder / "etcd")]
    for option, file in zip(("--trusted-ca-file", "--cert-file", "--key-file"), tls, strict=bool(tls)):
        options += [option, file]
    options += ["--client-cert-auth"] if tls else []
    return client, running(client, "etcd", *options)


def redis(folder, tls=()):
    port = free_port()
    options = ["--save", "", "--dir", str(folder), *(("--port", "0", "--tls-port") if tls else ("--port",)), str(port)]
    for option, file in zip(("--tls-ca-cert-file", "--tls-cert-file", "--tls-key-file"), tls, strict=bool(tls)):
        options += [option, file]
    return port, running(port, "redis-server", *options)


@pytest.fixture(scope="module", params=[("etcd", etcd), ("redis", redis)], ids=["etcd", "redis"])
def server(request, tmp_path_factory):
    kind, start = request.param
    port, process = start(tmp_path_factory.mktemp(kind))
    with process:
        yield f"{kind}://127.0.0.1:{port}"


def connect(url, timeout=3):
    address = parse(url)
    return {"etcd": EtcdStore, "redis": RedisStore}[address.kind](address, timeout)


@pytest.fixture
def stores(server):
    """Two connections to the same empty DB."""
    first, second = connect(server), connect(server)
    for table in ("lport", "lswitch"):
        for key, _ in list(first.read_table(table)):
            assert write(first, {key: None})
    return first, second


def write(store, changes, counters=None):
    snapshot = store.read(list(changes), list(counters or {}))
    return store.commit(snapshot, changes, counters or {})


def test_written_records_are_read(stores):
    store, other = stores
    text = json.dumps({"topic": "topic", "name": "ä"})
    assert write(store, {PORT: text}, {"lport": 7})
    snapshot = other.read([PORT, Key("lport", "topic", "none")], ["lport"])
    assert snapshot.values == {PORT: text.encode(), Key("lport", "topic", "none"): None}
    assert snapshot.counters == {"lport": b"7"}
    assert [(other.encode_key(key), value) for key, value in other.read_table("lport")] == [
        (other.encode_key(PORT), text.encode())
    ]
    assert write(store, {PORT: None})
    assert list(other.read_table("lport")) == []


def test_of_two_overlapping_transactions_one_fails(stores):
    store, other = stores
    record = json.dumps({"topic": "topic"})
    early, late = store.read([PORT], ["lport"]), other.read([PORT], ["lport"])
    assert store.commit(early, {PORT: record}, {"lport": 1})
    assert not other.commit(late, {PORT: None}, {"lport": 2})
    # Also if the record is equal: it was deleted and created again in between.
    late = other.read([PORT], [])
    assert write(store, {PORT: None})
    assert write(store, {PORT: record})
    assert not other.commit(late, {PORT: record}, {})
    # Also after an empty commit: the other writer has read an older state of Neutron.
    late = other.read([PORT], [])
    assert write(store, {})
    assert not other.commit(late, {PORT: None}, {})
    assert store.read([PORT], ["lport"]).values == {PORT: record.encode()}


def test_a_full_transaction_and_a_table_of_several_pages(stores):
    store, _ = stores
    keys = [Key("lport", "topic", f"port{number:04}") for number in range(12 * MAX_TRANSACTION_RECORDS)]
    for start in range(0, len(keys), MAX_TRANSACTION_RECORDS):
        changes = dict.fromkeys(keys[start : start + MAX_TRANSACTION_RECORDS], '{"topic": "topic"}')
        assert write(store, changes, {"lport": start, "lswitch": start})
    assert sorted(key.id for key, _ in store.read_table("lport")) == [key.id for key in keys]


def test_a_transaction_that_is_too_large_for_etcd_is_rejected_as_such(server, stores):
    store, _ = stores
    # A group with 150 rules has 50 kB. etcd accepts 1.5 MiB in a request.
    changes = {
        Key("lport", "topic", f"port{number:03}"): json.dumps("x" * 50_000) for number in range(MAX_TRANSACTION_RECORDS)
    }
    if server.startswith("etcd"):
        with pytest.raises(StoreTooLarge, match="see --max-request-bytes of etcd"):
            write(store, changes)
    for key, text in changes.items():
        assert write(store, {key: text})
    assert sorted(key.id for key, _ in store.read_table("lport")) == [key.id for key in changes]


def test_pages_of_etcd_are_halved_until_the_response_is_small_enough(server, stores):
    if server.startswith("redis"):
        return
    store, _ = stores
    keys = [Key("lport", "topic", f"port{number:02}") for number in range(20)]
    assert write(store, dict.fromkeys(keys, "{}"))
    send = store._send

    def send_limited(server, path, body):
        if body["limit"] <= 3:
            return send(server, path, body)
        response = requests.Response()
        response.status_code = 429
        response._content = b'{"error":"grpc: received message larger than max (4778467 vs. 4194304)","code":8}'
        return response

    store._send = send_limited
    assert [key.id for key, _ in store.read_table("lport")] == [key.id for key in keys]


def test_reports_are_read(server, stores):
    store, _ = stores
    report = json.dumps({"chassis": "compute1"})
    put = {"etcd": put_etcd, "redis": put_redis}[parse(server).kind]
    for port, value in (("a", report), ("b", "garbage"), ("c", report)):
        put(server, f"/trunkpath/port_up/{port}", value)
    assert store.read_port_reports(["a", "b", "d"]) == {"a": "compute1", "b": ""}


def put_etcd(server, key, value):
    endpoint = server.removeprefix("etcd://")
    command = ["etcdctl", "--endpoints", endpoint, "put", key, value]
    subprocess.run(command, check=True, capture_output=True, env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"})


def put_redis(server, key, value):
    port = server.rpartition(":")[2]
    subprocess.run(["redis-cli", "-p", port, "set", key, value], check=True, capture_output=True)


def test_another_server_is_used_when_one_is_unreachable(server):
    if server.startswith("redis"):
        return
    dead = free_port()
    store = connect(server.replace("etcd://", f"etcd://127.0.0.1:{dead},"))
    assert write(store, {PORT: None})


@pytest.mark.parametrize("kind", ["etcd", "redis"])
def test_message_names_the_unreachable_server(kind):
    port = free_port()
    with pytest.raises(StoreUnavailable) as error:
        connect(f"{kind}://127.0.0.1:{port}").read([PORT], [])
    assert str(port) in str(error.value)
    # "ECONNREFUSED" with eventlet, which Neutron uses up to 2025.1.
    assert "refused" in str(error.value).lower()


def test_message_of_a_rejected_password_does_not_contain_it(server):
    if server.startswith("etcd"):
        # etcd without users rejects the login itself.
        with pytest.raises(StoreRejected) as error:
            connect(server.replace("//", "//user:secret@")).read([PORT], [])
        assert "authentication is not enabled" in str(error.value)
        return
    with pytest.raises(StoreRejected) as error:
        connect(server.replace("//", "//user:secret@")).read([PORT], [])
    assert "see user and password in [trunkpath] nb" in str(error.value)
    assert "secret" not in str(error.value)


def test_message_names_missing_certificate_files():
    conf = cfg.ConfigOpts()
    options.register(conf)
    conf.set_override("nb", "etcds://127.0.0.1?ca=/nonexistent/ca.pem", "trunkpath")
    with pytest.raises(AddressError) as error:
        factory.open_store(conf)
    assert 'file "/nonexistent/ca.pem" does not exist, or user' in str(error.value)


def test_messages_have_dragonflows_msgpack_encoding():
    from networking_trunkpath.store.redis import _encode_message

    expected = b"\x85\xa5table\xa5lport\xa3key\xa2p1\xa6action\xa6delete\xa5value\xc0\xa5topic\xa1D"
    assert _encode_message(Key("lport", "t", "p1"), b"{}", None) == expected


@pytest.fixture(scope="module", params=[("etcd", etcd), ("redis", redis)], ids=["etcd", "redis"])
def secure_server(request, tmp_path_factory):
    """URL of a server that requires client certificates, the files for it, and the file of another CA."""
    kind, start = request.param
    folder = tmp_path_factory.mktemp(kind)
    files = certificates(folder, "own")
    port, process = start(folder, files)
    with process:
        yield f"{kind}s://127.0.0.1:{port}", files, certificates(folder, "other")[0]


def certificates(folder, name):
    """Files of a CA, and of a certificate and its key for both server and client."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    files = [folder / f"{name}-{part}.pem" for part in ("ca", "cert", "key")]
    for file, part in zip(files, (ca.cert_pem, issued.cert_chain_pems[0], issued.private_key_pem), strict=True):
        part.write_to_path(file)
    return [str(file) for file in files]


def test_tls_with_server_and_client_certificates(secure_server):
    url, (ca, cert, key), other = secure_server
    assert write(connect(f"{url}?ca={ca}&cert={cert}&key={key}"), {PORT: None})
    for bad in (f"ca={other}&cert={cert}&key={key}", f"ca={ca}"):
        with pytest.raises(StoreRejected, match="see ca, cert and key in"):
            connect(f"{url}?{bad}").read([PORT], [])
