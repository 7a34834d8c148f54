"""Serves the real Neutron API with waitress. Arguments: PORT THREADS [DELAY].

DELAY makes the worker slow, for tests of races: it sleeps up to that many seconds before and after it reads Neutron.
"""

import os
import random
import sys
import time

import sqlalchemy
import waitress
from oslo_db import exception
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy import event


def prepare_sqlite() -> None:
    """Makes SQLite fail as Neutron expects of a database.

    Of two transactions that have both read, only one can write there; the other fails at once, with an error of
    SQLite's own. Neutron does such a one again when it is told that it was a deadlock.
    """

    @event.listens_for(sqlalchemy.Engine, "connect")
    def connected(connection, _record):
        if type(connection).__module__.startswith("sqlite3"):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")

    @exc_filters.filters("sqlite", sqlalchemy.exc.OperationalError, r".*database is locked")
    def locked(error, _match, _engine, _is_disconnect):
        raise exception.DBDeadlock(error)


def slow_down(delay: float) -> None:
    """Opens the window in which another process may be faster."""
    from networking_trunkpath import truth

    read = truth.read

    def slow_read(*arguments):
        time.sleep(random.uniform(0, delay))
        found = read(*arguments)
        time.sleep(random.uniform(0, delay))
        return found

    truth.read = slow_read


def main() -> None:
    port, threads, *delay = sys.argv[1:]
    # Neutron reads the arguments too.
    del sys.argv[1:]
    prepare_sqlite()
    if delay:
        slow_down(float(delay[0]))
    os.environ.setdefault("OS_NEUTRON_CONFIG_FILES", "neutron.conf;ml2_conf.ini")
    from neutron.wsgi.api import application

    waitress.serve(application, listen=f"127.0.0.1:{port}", threads=int(threads))


if __name__ == "__main__":
    main()
