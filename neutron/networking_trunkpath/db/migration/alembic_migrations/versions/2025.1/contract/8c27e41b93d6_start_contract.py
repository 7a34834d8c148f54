"""Start of the contract branch."""

from neutron.db.migration import cli

revision = "8c27e41b93d6"
down_revision = "start_trunkpath"
branch_labels = (cli.CONTRACT_BRANCH,)


def upgrade():
    pass
