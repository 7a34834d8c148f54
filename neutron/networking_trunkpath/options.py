"""The options in group [trunkpath] of neutron.conf or ml2_conf.ini."""

from collections.abc import Iterable

from oslo_config import cfg

GROUP = "trunkpath"

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "nb",
        default="etcd://127.0.0.1:2379",
        secret=True,
        help=(
            "URL of the northbound DB, the same that the hosts have (trunkpath run --nb): "
            "etcd://[USER:PASSWORD@]HOST[:PORT],...[/PREFIX] or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]. "
            "etcds:// and rediss:// speak TLS, with ?ca=FILE for the CAs that may have signed the server's certificate "
            "(the system's when left out) and &cert=FILE&key=FILE for a certificate of our own. In user and password "
            "%40 stands for @, %3A for :, %2F for /."
        ),
    ),
    cfg.FloatOpt(
        "timeout",
        default=3,
        min=0.1,
        max=60,
        help="Seconds that one server of the northbound DB may take to answer before it counts as away. "
        "No API request waits for it.",
    ),
    cfg.DictOpt(
        "chassis",
        default={},
        help="Names of compute hosts under which their datapath runs (trunkpath run --chassis), where that is not the "
        "host name that nova binds ports to: HOST:CHASSIS, separated by commas.",
    ),
    cfg.FloatOpt(
        "status_interval",
        default=1,
        min=0.1,
        max=60,
        help="Seconds between two looks at what the hosts report, so how late ACTIVE and DOWN may be. With so many "
        "ports that a look takes long, the pause is three times what it took.",
    ),
    cfg.FloatOpt(
        "drain_interval",
        default=2,
        min=0.1,
        max=60,
        help="Seconds after which a process also writes what others have marked and not written, as those that died. "
        "What it has marked itself it writes at once.",
    ),
    cfg.FloatOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two comparisons of the whole northbound DB with Neutron's, which repair every "
        "difference. One API process at a time does them.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Makes conf.trunkpath known."""
    conf.register_opts(OPTIONS, GROUP)


def list_opts() -> Iterable[tuple[str, list[cfg.Opt]]]:
    """What oslo-config-generator writes for us."""
    return [(GROUP, OPTIONS)]


def chassis_of(conf: cfg.ConfigOpts, host: str) -> str:
    """The name in the northbound DB of the host with this name in Neutron."""
    return conf.trunkpath.chassis.get(host, host)
