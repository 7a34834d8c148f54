"""Creates all tables from their models. Argument: the URL of the database.

neutron-db-manage does not work with SQLite, which lacks the ALTER of constraints in its migrations.
"""

import sys

import sqlalchemy
from neutron.db.migration.models import head

from networking_trunkpath import journal, leader_lease  # noqa: F401  their tables

head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
