"""Opens the northbound DB that the options name."""

import os

from oslo_config import cfg

from networking_trunkpath.store import Store
from networking_trunkpath.store.address import Address, AddressError, parse
from networking_trunkpath.store.etcd import EtcdStore
from networking_trunkpath.store.redis import RedisStore

_STORES = {"etcd": EtcdStore, "redis": RedisStore}


def address(conf: cfg.ConfigOpts) -> Address:
    """Where it is. Raises AddressError, also for files that cannot be read."""
    where = parse(conf.trunkpath.nb)
    for file in (where.ca, where.cert, where.key):
        if file and not os.access(file, os.R_OK):
            raise AddressError(f'there is no file "{file}" that user {os.geteuid()} may read')
    return where


def open_store(conf: cfg.ConfigOpts) -> Store:
    """A connection for one thread; it is made when it is first used. Raises AddressError."""
    where = address(conf)
    return _STORES[where.kind](where, conf.trunkpath.timeout)
