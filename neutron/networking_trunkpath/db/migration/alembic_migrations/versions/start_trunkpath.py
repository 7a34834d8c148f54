"""Where the expand and contract branches begin."""

revision = "start_trunkpath"
down_revision = None


def upgrade():
    pass
