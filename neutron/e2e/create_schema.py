"""Makes all tables from their models. Argument: the URL of the database.

neutron-db-manage cannot: its migrations alter constraints, which SQLite does not do.
"""

import sys

import sqlalchemy
from neutron.db.migration.models import head

from networking_trunkpath import duty, journal  # noqa: F401  their tables

head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
