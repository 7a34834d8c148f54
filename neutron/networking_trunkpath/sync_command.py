"""trunkpath-neutron-sync: makes the northbound DB equal to Neutron's now, or lists the differences."""

import sys

from neutron.common import config
from neutron_lib import context as n_context
from oslo_config import cfg

from networking_trunkpath import journal, journal_worker, options, reconcile
from networking_trunkpath.store import StoreError
from networking_trunkpath.store.address import AddressError
from networking_trunkpath.store.factory import open_store

_CLI_OPTIONS = [
    cfg.BoolOpt(
        "dry-run",
        default=False,
        help="Only list the differences between the northbound DB and Neutron; exit status 1 if there are any.",
    )
]


def main() -> int:
    """Returns the exit status: 0 if both are equal (now), 1 if they differ (--dry-run), 2 if the sync failed."""
    config.register_common_config_options()
    options.register(cfg.CONF)
    cfg.CONF.register_cli_opts(_CLI_OPTIONS)
    config.init(sys.argv[1:])
    config.setup_logging()
    try:
        store = open_store(cfg.CONF)
        differences = reconcile.compare(store).differences
        for difference in differences:
            print(difference)
        if cfg.CONF.dry_run:
            return 1 if differences else 0
        context = n_context.get_admin_context()
        journal.insert(context, (difference.entry for difference in differences))
        journal_worker.process_journal(store)
        pending = journal.count(context)
    except (StoreError, AddressError) as error:
        print(f"trunkpath-neutron-sync: {error}", file=sys.stderr)
        return 2
    print(f"{len(differences)} records were made equal to Neutron's")
    if pending:
        print(f"{pending} changes are pending: see the log", file=sys.stderr)
    return 2 if pending else 0


if __name__ == "__main__":
    sys.exit(main())
