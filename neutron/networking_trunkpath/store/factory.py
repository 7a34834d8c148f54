"""Opens the northbound DB of option nb."""

import os

from oslo_config import cfg

from networking_trunkpath.store import Store
from networking_trunkpath.store.address import Address, AddressError, parse
from networking_trunkpath.store.etcd import EtcdStore
from networking_trunkpath.store.redis import RedisStore

_STORES = {"etcd": EtcdStore, "redis": RedisStore}


def parse_address(conf: cfg.ConfigOpts) -> Address:
    """Parses option nb. Raises AddressError, also for certificate files that cannot be read."""
    address = parse(conf.trunkpath.nb)
    for file in (address.ca, address.cert, address.key):
        if file and not os.access(file, os.R_OK):
            raise AddressError(f'file "{file}" does not exist, or user {os.geteuid()} may not read it')
    return address


def open_store(conf: cfg.ConfigOpts) -> Store:
    """Opens a store for one thread; it connects at the first operation. Raises AddressError."""
    address = parse_address(conf)
    return _STORES[address.kind](address, conf.trunkpath.timeout)
