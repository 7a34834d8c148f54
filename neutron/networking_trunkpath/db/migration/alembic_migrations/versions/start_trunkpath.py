"""Common base of the expand and contract branches."""

revision = "start_trunkpath"
down_revision = None


def upgrade():
    pass
