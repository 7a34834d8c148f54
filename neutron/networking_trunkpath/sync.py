"""trunkpath-neutron-sync: makes the northbound DB what Neutron says, now, or says in what it is not."""

import sys

from neutron.common import config
from neutron_lib import context as n_context
from oslo_config import cfg
from oslo_log import log as logging

from networking_trunkpath import drain, journal, options, reconcile
from networking_trunkpath.store import StoreError
from networking_trunkpath.store.address import AddressError
from networking_trunkpath.store.factory import open_store

LOG = logging.getLogger(__name__)

_CLI_OPTIONS = [
    cfg.BoolOpt(
        "dry-run",
        default=False,
        help="Only say in what the northbound DB differs from Neutron; the exit status is 1 if it does.",
    )
]


def main() -> int:
    """The command. Exit status 0: they are the same now; 1: they differ (--dry-run); 2: it could not be done."""
    config.register_common_config_options()
    options.register(cfg.CONF)
    cfg.CONF.register_cli_opts(_CLI_OPTIONS)
    config.init(sys.argv[1:])
    config.setup_logging()
    try:
        store = open_store(cfg.CONF)
        found = reconcile.compare(store).all
        for difference in found:
            print(difference)
        if cfg.CONF.dry_run:
            return 1 if found else 0
        context = n_context.get_admin_context()
        journal.mark(context, (difference.mark for difference in found))
        drain.drain(store)
        left = journal.size(context)
    except (StoreError, AddressError) as error:
        print(f"trunkpath-neutron-sync: {error}", file=sys.stderr)
        return 2
    print(f"{len(found)} records were made what Neutron says")
    if left:
        print(f"{left} changes wait: see the log", file=sys.stderr)
    return 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())
