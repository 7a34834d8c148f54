"""Serves the real Neutron API with waitress. Arguments: PORT THREADS [DELAY].

DELAY provokes races: the driver sleeps a random time of up to DELAY seconds before and after it reads Neutron's tables.
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
    """Serializes writing transactions from their beginning; readers do not block them.

    By default SQLite fails the second of two transactions that have both read and then write. Neutron expects the row
    locks of a database server instead.
    """
    create = enginefacade._TransactionFactory._create_session

    def create_session(self, mode, bind=None):
        session = create(self, mode, bind)
        session.info["writes"] = mode is enginefacade._WRITER
        return session

    enginefacade._TransactionFactory._create_session = create_session

    @event.listens_for(sqlalchemy.Engine, "connect")
    def set_pragmas(connection, _record):
        if type(connection).__module__.startswith("sqlite3"):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA busy_timeout = 60000")

    @event.listens_for(Session, "after_begin")
    def acquire_write_lock(session, _transaction, connection):
        if session.info.get("writes") and connection.dialect.name == "sqlite":
            # Changes no row, and acquires the write lock.
            connection.exec_driver_sql("UPDATE trunkpath_leases SET name = name WHERE name IS NULL")


def slow_down(delay: float) -> None:
    """Delays the driver's reads of Neutron, so that other processes commit in between."""
    from networking_trunkpath import neutron_reader

    read_records = neutron_reader.read_records

    def slow_read_records(*arguments):
        time.sleep(random.uniform(0, delay))
        found = read_records(*arguments)
        time.sleep(random.uniform(0, delay))
        return found

    neutron_reader.read_records = slow_read_records


def main() -> None:
    port, threads, *delay = sys.argv[1:]
    # Neutron parses the remaining arguments.
    del sys.argv[1:]
    prepare_sqlite()
    if delay:
        slow_down(float(delay[0]))
    os.environ.setdefault("OS_NEUTRON_CONFIG_FILES", "neutron.conf;ml2_conf.ini")
    from neutron.wsgi.api import application

    waitress.serve(application, listen=f"127.0.0.1:{port}", threads=int(threads))


if __name__ == "__main__":
    main()
