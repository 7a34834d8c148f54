"""Tables of the journal and of leader leases."""

import sqlalchemy as sa
from alembic import op
from neutron.db.migration import cli

revision = "5f1d0c8a7e42"
down_revision = "start_trunkpath"
branch_labels = (cli.EXPAND_BRANCH,)


def upgrade():
    op.create_table(
        "trunkpath_journal",
        sa.Column("seqno", sa.BigInteger(), primary_key=True, autoincrement=True),
        sa.Column("record_table", sa.String(64), nullable=False),
        sa.Column("record_id", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(255), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "trunkpath_leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
    )
