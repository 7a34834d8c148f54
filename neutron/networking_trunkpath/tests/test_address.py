"""URLs of northbound DBs."""

import pytest

from networking_trunkpath.store.address import Address, AddressError, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("etcd://10.0.0.1,h2:4001", Address("etcd", (("10.0.0.1", 2379), ("h2", 4001)))),
        ("etcd://u:p%40ss@h/cloud", Address("etcd", (("h", 2379),), False, "u", "p@ss", "cloud")),
        ("etcds://[fd00::1]?ca=/c", Address("etcd", (("fd00::1", 2379),), True, ca="/c")),
        ("redis://:x@h:1/3?reread=30", Address("redis", (("h", 1),), False, None, "x", "3")),
        ("rediss://h?cert=/a&key=/b", Address("redis", (("h", 6379),), True, cert="/a", key="/b")),
    ],
)
def test_url_is_read(url, expected):
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:/x", 'the scheme "sqlite" is not known'),
        ("10.0.0.1:2379", 'the scheme "" is not known'),
        ("etcd://", 'there is no host in ""'),
        ("etcd://a,", 'there is no host in ""'),
        ("etcd://a:0x", '"a:0x" is no HOST:PORT'),
        ("etcd://user@a", "a user comes with a password"),
        ("redis://a,b", "redis is one server here"),
        ("redis://a/x", '"x" is no number of a database'),
        ("etcd://a?ca=/c", "ca, cert and key are for TLS"),
        ("etcds://a?cert=/c", "cert and key come together"),
        ("etcds://a?reread=3", '"reread" is no option'),
        ("etcd://[::1", "this is no URL"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url, problem):
    with pytest.raises(AddressError) as error:
        parse(url)
    assert problem in str(error.value)
    assert "expected etcd://" in str(error.value)


def test_password_is_never_shown():
    assert str(parse("etcds://user:secret@a,b/p?ca=/c")) == "etcds://a:2379,b:2379/p"
    with pytest.raises(AddressError) as error:
        parse("zookeeper://user:secret@a")
    assert "secret" not in str(error.value)
