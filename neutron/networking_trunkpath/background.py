"""Background threads of each API process: the journal worker, and the status sync of the leader."""

import threading
import time
from collections.abc import Callable

from neutron_lib import context as n_context
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import uuidutils

from networking_trunkpath import hosts, journal, journal_worker, leader_lease, reconcile, sync_status
from networking_trunkpath.store import Store, StoreError
from networking_trunkpath.store.factory import open_store

LOG = logging.getLogger(__name__)

_LEASE_NAME = "status_sync"
# Pause after a failure; it doubles from the first to the second value.
_FIRST_RETRY_S, _MAX_RETRY_S = 0.5, 8.0
# Interval of syncing the hosts, which on redis scans all keys of the server.
_HOSTS_INTERVAL_S = 10.0


class BackgroundThreads:
    """The two threads. They are daemon threads: pending work survives a process in the journal."""

    def __init__(self) -> None:
        self._journal_changed = threading.Event()
        self._lease_holder = ""
        self._hosts_synced_at: float | None = None
        self._reconciled_at: float | None = None

    def start(self) -> None:
        """Starts both threads. Called once in each process, after the fork."""
        conf = cfg.CONF.trunkpath
        # After the fork, so that no two processes have the same id.
        self._lease_holder = uuidutils.generate_uuid()
        for name, operation, pause in (
            ("journal worker", self._process_journal, lambda _: self._journal_changed.wait(conf.journal_interval)),
            ("status sync", self._sync_if_leader, lambda took_s: time.sleep(max(conf.status_interval, 3 * took_s))),
        ):
            loop = RetryLoop(name, operation, pause)
            threading.Thread(target=loop.run, name=f"trunkpath {name}", daemon=True).start()

    def wake_journal_worker(self) -> None:
        """Called after the commit of a transaction that inserted journal entries."""
        self._journal_changed.set()

    def _process_journal(self, store: Store) -> None:
        self._journal_changed.clear()
        journal_worker.process_journal(store)

    def _sync_if_leader(self, store: Store) -> None:
        if not leader_lease.acquire(n_context.get_admin_context(), _LEASE_NAME, self._lease_holder):
            return
        if _is_due(self._hosts_synced_at, _HOSTS_INTERVAL_S):
            hosts.sync_hosts(store)
            self._hosts_synced_at = time.monotonic()
        sync_status.sync(store)
        if _is_due(self._reconciled_at, cfg.CONF.trunkpath.reconcile_interval):
            if reconcile.repair(store):
                self.wake_journal_worker()
            self._reconciled_at = time.monotonic()


class RetryLoop:
    """Repeats an operation; logs the first of consecutive equal failures, and the recovery."""

    def __init__(self, name: str, operation: Callable[[Store], None], pause: Callable[[float], object]) -> None:
        """`pause` blocks until the next run; its argument is the duration of the last run in seconds."""
        self._name, self._operation, self._pause = name, operation, pause
        self._problem: str | None = None
        self._retry_s = _FIRST_RETRY_S

    def run(self) -> None:
        """Runs the operation until the process exits."""
        store = open_store(cfg.CONF)
        while True:
            began = time.monotonic()
            if self.run_once(store):
                self._pause(time.monotonic() - began)
            else:
                time.sleep(self._retry_s)
                self._retry_s = min(2 * self._retry_s, _MAX_RETRY_S)

    def run_once(self, store: Store) -> bool:
        """Runs the operation once; false if it failed."""
        try:
            self._operation(store)
        except StoreError as error:
            self._log_failure(f"the northbound DB: {error}")
        except Exception as error:
            LOG.exception("%s failed, and is retried: %s", self._name, error)
            self._log_failure(str(error))
        else:
            if self._problem:
                LOG.info("%s recovered", self._name)
            self._problem, self._retry_s = None, _FIRST_RETRY_S
            return True
        return False

    def _log_failure(self, problem: str) -> None:
        if problem != self._problem:
            LOG.warning("%s failed, and is retried: %s. Pending journal rows: %s", self._name, problem, _count_rows())
        self._problem = problem


def _is_due(last: float | None, interval_s: float) -> bool:
    return last is None or time.monotonic() - last >= interval_s


def _count_rows() -> int | str:
    try:
        return journal.count(n_context.get_admin_context())
    except Exception as error:
        return f"unknown ({error})"
