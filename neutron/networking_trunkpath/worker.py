"""What runs beside the API in each of its processes: a thread that drains, one that watches hosts and reconciles."""

import threading
import time
from collections.abc import Callable

from neutron_lib import context as n_context
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import uuidutils

from networking_trunkpath import drain, duty, journal, reconcile, status
from networking_trunkpath.store import Store, StoreError
from networking_trunkpath.store.factory import open_store

LOG = logging.getLogger(__name__)

_DUTY = "watch"
# Seconds between two attempts at a store that failed: the first, and the most.
_FIRST_RETRY, _LAST_RETRY = 0.5, 8.0


class Worker:
    """The two threads. They end with the process: what they have not done is in the journal."""

    def __init__(self) -> None:
        self._marked = threading.Event()
        self._holder = ""
        self._reconciled_at: float | None = None

    def start(self) -> None:
        """Starts them. Called once in each process, after it was forked."""
        conf = cfg.CONF.trunkpath
        # Not before: processes that are forked must not have the same.
        self._holder = uuidutils.generate_uuid()
        for name, step, pause in (
            ("drain", self._drain, lambda _: self._marked.wait(conf.drain_interval)),
            ("watch", self._watch, lambda took: time.sleep(max(conf.status_interval, 3 * took))),
        ):
            target = _Loop(name, step, pause)
            threading.Thread(target=target.run, name=f"trunkpath-{name}", daemon=True).start()

    def wake(self) -> None:
        """Something was marked and committed."""
        self._marked.set()

    def _drain(self, store: Store) -> None:
        self._marked.clear()
        drain.drain(store)

    def _watch(self, store: Store) -> None:
        if not duty.is_ours(n_context.get_admin_context(), _DUTY, self._holder):
            return
        status.follow(store)
        now = time.monotonic()
        if self._reconciled_at is None or now - self._reconciled_at >= cfg.CONF.trunkpath.reconcile_interval:
            if reconcile.repair(store):
                self.wake()
            self._reconciled_at = now


class _Loop:
    """Does one thing again and again, and says in the log when that begins and ends to fail, not each time."""

    def __init__(self, name: str, step: Callable[[Store], None], pause: Callable[[float], object]) -> None:
        self._name, self._step, self._pause = name, step, pause
        self._problem: str | None = None
        self._retry = _FIRST_RETRY

    def run(self) -> None:
        """Never returns."""
        store = open_store(cfg.CONF)
        while True:
            began = time.monotonic()
            if self.once(store):
                self._pause(time.monotonic() - began)
            else:
                time.sleep(self._retry)
                self._retry = min(2 * self._retry, _LAST_RETRY)

    def once(self, store: Store) -> bool:
        """One step; false when it failed."""
        try:
            self._step(store)
        except StoreError as error:
            self._failed(f"the northbound DB: {error}")
        except Exception as error:
            LOG.exception("%s failed, and is tried again: %s", self._name, error)
            self._failed(str(error))
        else:
            if self._problem:
                LOG.info("%s works again", self._name)
            self._problem, self._retry = None, _FIRST_RETRY
            return True
        return False

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            waiting = _waiting()
            LOG.warning(
                "%s waits, and is tried again: %s. Changes that wait in the journal: %s", self._name, problem, waiting
            )
        self._problem = problem


def _waiting() -> int | str:
    try:
        return journal.size(n_context.get_admin_context())
    except Exception as error:
        return f"unknown ({error})"
