"""The ML2 mechanism driver: marks what changes, binds ports as taps, and waits for their reports."""

import re
from typing import Any

import netaddr
from neutron.db import provisioning_blocks
from neutron_lib import constants
from neutron_lib import exceptions as n_exc
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_log import log as logging

from networking_trunkpath import binding, journal, options, records
from networking_trunkpath.journal import Mark
from networking_trunkpath.store import Key, factory
from networking_trunkpath.trunk_driver import TrunkpathTrunkDriver
from networking_trunkpath.worker import Worker

LOG = logging.getLogger(__name__)


class TrunkpathMechanismDriver(api.MechanismDriver):
    """What ML2 calls: *_precommit in the transaction of the change, *_postcommit behind it."""

    def initialize(self) -> None:
        """Called once, before processes are forked. Raises AddressError, so that Neutron does not start."""
        options.register(cfg.CONF)
        self._where = factory.address(cfg.CONF)
        self._worker = Worker()
        self._trunk_driver = TrunkpathTrunkDriver(self._worker.wake)
        registry.subscribe(self._start_worker, resources.PROCESS, events.AFTER_INIT)

    def _start_worker(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        LOG.info("the northbound DB is %s", self._where)
        self._worker.start()

    @property
    def connectivity(self) -> str:
        """Ports without an IP address are bound too."""
        return portbindings.CONNECTIVITY_L2

    def check_vlan_transparency(self, context: Any) -> bool:
        """False: a host may be set to drop unknown tags, and those of a trunk's subports are never the network's."""
        return False

    def check_vlan_qinq(self, context: Any) -> bool:
        """False, for the same reasons."""
        return False

    # --- binding ------------------------------------------------------------------------------------------------

    def bind_port(self, context: Any) -> None:
        """Binds by the first segment, without ACTIVE: that comes when the host reports that the port forwards."""
        port = context.current
        problem = binding.refusal(port)
        if problem:
            LOG.warning("port %s is not bound to %s: %s", port["id"], context.host, problem)
            return
        for segment in context.segments_to_bind:
            if segment[api.NETWORK_TYPE] in binding.NETWORK_TYPES:
                context.set_binding(segment[api.ID], binding.VIF_TYPE, binding.VIF_DETAILS, status=None)
                return
        LOG.warning(
            "port %s is not bound to %s: no segment of network %s is %s",
            port["id"],
            context.host,
            port["network_id"],
            " or ".join(sorted(binding.NETWORK_TYPES)),
        )

    def _wait_for_report(self, context: Any) -> None:
        port = context.current
        if not context.host or port["status"] == constants.PORT_STATUS_ACTIVE or binding.refusal(port):
            return
        provisioning_blocks.add_provisioning_component(
            context.plugin_context, port["id"], resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
        )

    # --- networks -----------------------------------------------------------------------------------------------

    def create_network_precommit(self, context: Any) -> None:
        """See MechanismDriver."""
        self._mark_own(context, records.LSWITCH)

    update_network_precommit = create_network_precommit
    delete_network_precommit = create_network_precommit

    # --- subnets ------------------------------------------------------------------------------------------------

    def create_subnet_precommit(self, context: Any) -> None:
        """The network gets a new revision number with each of its subnets."""
        self._mark_own(context, records.LSUBNET)
        network = context.network.current
        journal.mark(context.plugin_context, [_mark(records.LSWITCH, network["project_id"], network["id"])])

    update_subnet_precommit = create_subnet_precommit
    delete_subnet_precommit = create_subnet_precommit

    # --- ports --------------------------------------------------------------------------------------------------

    def create_port_precommit(self, context: Any) -> None:
        """Raises BadRequest for what a record cannot hold."""
        _check_addresses(context.current)
        self._mark_port(context)
        self._wait_for_report(context)

    def update_port_precommit(self, context: Any) -> None:
        """Raises BadRequest for what a record cannot hold."""
        _check_addresses(context.current)
        self._mark_port(context)
        if context.host != context.original_host:
            self._wait_for_report(context)

    def delete_port_precommit(self, context: Any) -> None:
        """See MechanismDriver."""
        self._mark_port(context)

    # --- behind each of them --------------------------------------------------------------------------------------

    def create_network_postcommit(self, context: Any) -> None:
        """See MechanismDriver."""
        self._worker.wake()

    update_network_postcommit = create_network_postcommit
    delete_network_postcommit = create_network_postcommit
    create_subnet_postcommit = create_network_postcommit
    update_subnet_postcommit = create_network_postcommit
    delete_subnet_postcommit = create_network_postcommit
    create_port_postcommit = create_network_postcommit
    update_port_postcommit = create_network_postcommit
    delete_port_postcommit = create_network_postcommit

    # --- marks --------------------------------------------------------------------------------------------------

    def _mark_own(self, context: Any, table: str) -> None:
        current = context.current
        journal.mark(context.plugin_context, [_mark(table, current["project_id"], current["id"])])

    def _mark_port(self, context: Any) -> None:
        port = context.current
        # Ports of no project, as those of floating IPs, are their network's.
        project = port["project_id"] or context.network.current["project_id"]
        journal.mark(context.plugin_context, [_mark(records.LPORT, project, port["id"])])


def _mark(table: str, project: str | None, source: str) -> Mark:
    return Mark(Key(table, project or "", source), source)


# As the switch reads it. netaddr takes one digit an octet as well.
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)


def _check_mac(field: str, mac: str) -> None:
    if not _MAC.fullmatch(mac):
        raise n_exc.BadRequest(
            resource="port",
            msg=f"{field}: {mac[:100]} is not a MAC address; give two digits an octet as in fa:16:3e:00:01:66",
        )


def _check_addresses(port: dict[str, Any]) -> None:
    """Dragonflow's records have addresses in the pairs, and its readers fail at a prefix."""
    _check_mac("mac_address", str(port["mac_address"]))
    for pair in port.get("allowed_address_pairs") or []:
        if pair.get("mac_address"):
            _check_mac("allowed_address_pairs", str(pair["mac_address"]))
        network = netaddr.IPNetwork(pair["ip_address"])
        if network.size != 1:
            raise n_exc.BadRequest(
                resource="port",
                msg=f"allowed_address_pairs: {pair['ip_address']} is a range of addresses; give single addresses",
            )
