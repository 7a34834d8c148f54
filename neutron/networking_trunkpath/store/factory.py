"""Opens the northbound DB that the options name."""

from oslo_config import cfg

from networking_trunkpath.store import Store, address
from networking_trunkpath.store.etcd import EtcdStore
from networking_trunkpath.store.redis import RedisStore

_STORES = {"etcd": EtcdStore, "redis": RedisStore}


def open_store(conf: cfg.ConfigOpts) -> Store:
    """A connection for one thread; it is made when it is first used. Raises AddressError."""
    where = address.parse(conf.trunkpath.nb)
    return _STORES[where.kind](where, conf.trunkpath.timeout)
