"""Environment of alembic for `neutron-db-manage --subproject networking-trunkpath`."""

from alembic import context
from neutron.db.migration.connection import DBConnection
from neutron_lib.db import model_base

from networking_trunkpath import journal, leader_lease  # noqa: F401  their tables are in the metadata

_VERSION_TABLE = "alembic_version_trunkpath"

target_metadata = model_base.BASEV2.metadata


def _run_offline(connection_url, engine):
    where = {"url": connection_url} if connection_url else {"dialect_name": engine}
    context.configure(version_table=_VERSION_TABLE, **where)
    with context.begin_transaction():
        context.run_migrations()


def _run_online(connection_url):
    given = context.config.attributes.get("connection")
    with DBConnection(connection_url, given) as connection:
        context.configure(connection=connection, target_metadata=target_metadata, version_table=_VERSION_TABLE)
        with context.begin_transaction():
            context.run_migrations()


database = context.config.neutron_config.database
if context.is_offline_mode():
    _run_offline(database.connection, database.engine)
else:
    _run_online(database.connection)
