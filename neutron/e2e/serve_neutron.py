"""Serves the real Neutron API with waitress. Arguments: PORT THREADS [DELAY].

DELAY makes the worker slow, for tests of races: it sleeps up to that many seconds before and after it reads Neutron.
"""

import os
import random
import sys
import time

import sqlalchemy
import waitress
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import event
from sqlalchemy.orm import Session


def prepare_sqlite() -> None:
    """Makes transactions that will write wait for each other from their beginning, and none wait for a reader.

    By default two that have both read cannot both write in SQLite: one fails at once. Neutron is not made for that; it
    runs on servers with row locks.
    """
    create = enginefacade._TransactionFactory._create_session

    def create_session(self, mode, bind=None):
        session = create(self, mode, bind)
        session.info["writes"] = mode is enginefacade._WRITER
        return session

    enginefacade._TransactionFactory._create_session = create_session

    @event.listens_for(sqlalchemy.Engine, "connect")
    def connected(connection, _record):
        if type(connection).__module__.startswith("sqlite3"):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA busy_timeout = 60000")

    @event.listens_for(Session, "after_begin")
    def begun(session, _transaction, connection):
        if session.info.get("writes") and connection.dialect.name == "sqlite":
            # Changes nothing, and takes the lock.
            connection.exec_driver_sql("UPDATE trunkpath_duties SET name = name WHERE name IS NULL")


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
