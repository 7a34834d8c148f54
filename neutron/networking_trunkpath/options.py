"""Options of group [trunkpath] in neutron.conf or ml2_conf.ini."""

from collections.abc import Iterable

from oslo_config import cfg

GROUP = "trunkpath"

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "nb",
        default="etcd://127.0.0.1:2379",
        secret=True,
        help=(
            "URL of the northbound DB, equal to --nb of `trunkpath run` on the hosts: "
            "etcd://[USER:PASSWORD@]HOST[:PORT],...[/PREFIX] or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]. "
            "etcds:// and rediss:// use TLS; ?ca=FILE has the CAs of the server's certificate (default: those of the "
            "system), &cert=FILE&key=FILE a client certificate and its key. User and password are percent-encoded: "
            "%40 is @, %3A is :, %2F is /."
        ),
    ),
    cfg.FloatOpt(
        "timeout",
        default=3,
        min=0.1,
        max=60,
        help="Timeout in seconds for a response from one server of the northbound DB. API requests do not depend on "
        "it: background threads access the northbound DB.",
    ),
    cfg.DictOpt(
        "chassis",
        default={},
        help="Chassis names (trunkpath run --chassis) of hosts where they differ from the host name in "
        "binding:host_id: HOST:CHASSIS, separated by commas.",
    ),
    cfg.FloatOpt(
        "status_interval",
        default=1,
        min=0.1,
        max=60,
        help="Pause in seconds between two reads of the hosts' reports, and so the delay of ACTIVE and DOWN. If a "
        "read takes more than a third of it, the pause is three times the duration of the read.",
    ),
    cfg.FloatOpt(
        "journal_interval",
        deprecated_name="drain_interval",
        default=2,
        min=0.1,
        max=60,
        help="Seconds after which a process also writes pending changes of other processes, such as those that died. "
        "It writes its own changes immediately.",
    ),
    cfg.FloatOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two comparisons of the whole northbound DB with Neutron's, which repair every "
        "difference. One API process at a time compares them.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Registers the options, so that conf.trunkpath has them."""
    conf.register_opts(OPTIONS, GROUP)


def list_opts() -> Iterable[tuple[str, list[cfg.Opt]]]:
    """Entry point of oslo-config-generator (oslo.config.opts)."""
    return [(GROUP, OPTIONS)]


def chassis_of(conf: cfg.ConfigOpts, host: str) -> str:
    """Chassis name of the host with this name in Neutron."""
    return conf.trunkpath.chassis.get(host, host)


def host_of(conf: cfg.ConfigOpts, chassis: str) -> str:
    """Name in Neutron of the host with this chassis name."""
    return next((host for host, name in conf.trunkpath.chassis.items() if name == chassis), chassis)
