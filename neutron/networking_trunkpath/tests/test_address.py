"""URLs of northbound DBs: parsed values and messages."""

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
def test_url_is_parsed(url, expected):
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:/x", 'unknown scheme "sqlite"'),
        ("10.0.0.1:2379", 'unknown scheme ""'),
        ("etcd://", 'no host in ""'),
        ("etcd://a,", 'no host in ""'),
        ("etcd://a:0x", '"a:0x" is not HOST:PORT'),
        ("etcd://user@a", "a user requires a password"),
        ("redis://a,b", "redis must be one server"),
        ("redis://a/x", '"x" is not a database number'),
        ("etcd://a?ca=/c", "ca, cert and key require TLS"),
        ("etcds://a?cert=/c", "cert and key require each other"),
        ("etcds://a?reread=3", 'unknown option "reread"'),
        ("etcd://[::1", "not a URL"),
    ],
)
def test_message_names_the_error_of_a_url(url, problem):
    with pytest.raises(AddressError) as error:
        parse(url)
    assert problem in str(error.value)
    assert "expected etcd://" in str(error.value)


def test_messages_do_not_contain_the_password():
    assert str(parse("etcds://user:secret@a,b/p?ca=/c")) == "etcds://a:2379,b:2379/p"
    with pytest.raises(AddressError) as error:
        parse("zookeeper://user:secret@a")
    assert "secret" not in str(error.value)
