"""ML2 mechanism driver: inserts journal entries, binds ports as taps, and keeps them DOWN until a host reports them."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
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
from networking_trunkpath.background import BackgroundThreads
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.security_groups import SecurityGroupSubscriber
from networking_trunkpath.store import Key, factory
from networking_trunkpath.trunk_driver import TrunkpathTrunkDriver

LOG = logging.getLogger(__name__)


class TrunkpathMechanismDriver(api.MechanismDriver):
    """ML2 calls *_precommit in the transaction of the change, and *_postcommit after its commit."""

    def initialize(self) -> None:
        """Called once, before API processes are forked. An AddressError prevents the start of Neutron."""
        options.register(cfg.CONF)
        self._nb_address = factory.parse_address(cfg.CONF)
        self._threads = BackgroundThreads()
        self._trunk_driver = TrunkpathTrunkDriver(self._threads.wake_journal_worker)
        SecurityGroupSubscriber(self._threads.wake_journal_worker).subscribe()
        registry.subscribe(self._start_threads, resources.PROCESS, events.AFTER_INIT)

    def _start_threads(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        LOG.info("northbound DB: %s", self._nb_address)
        self._threads.start()

    @property
    def connectivity(self) -> str:
        """Layer 2: ports without an IP address are bound as well."""
        return portbindings.CONNECTIVITY_L2

    def check_vlan_transparency(self, context: Any) -> bool:
        """False: unknown_tags may be set to drop, and the tags of a parent's subports do not reach its network."""
        return False

    def check_vlan_qinq(self, context: Any) -> bool:
        """False, for the reasons of check_vlan_transparency."""
        return False

    # --- binding ------------------------------------------------------------------------------------------------

    def bind_port(self, context: Any) -> None:
        """Binds to the network's first segment, which its record has. The status stays DOWN until the host reports."""
        reason = binding.port_rejection(context.current)
        if reason is None:
            agent = next(iter(context.host_agents(binding.AGENT_TYPE)), None)
            reason = binding.host_rejection(agent) or self._bind_first_segment(context, agent["configurations"])
        if reason:
            LOG.warning("port %s is not bound to %s: %s", context.current["id"], context.host, reason)

    def _bind_first_segment(self, context: Any, configurations: Mapping[str, Any]) -> str | None:
        """Returns the reason if the port cannot be bound."""
        first = next(iter(context.network.network_segments), None)
        segment = next((one for one in context.segments_to_bind if first and one[api.ID] == first[api.ID]), None)
        if segment is None:
            return f"network {context.current['network_id']}: only its first segment is in the northbound DB"
        reason = binding.segment_rejection(segment, configurations)
        if reason is None:
            context.set_binding(segment[api.ID], binding.VIF_TYPE, binding.VIF_DETAILS, status=None)
        return reason

    def check_segment_for_agent(self, segment: Mapping[str, Any], agent: Mapping[str, Any]) -> bool:
        """True if the host of the agent can bind ports of the segment. Called for the agents of other drivers too."""
        if agent["agent_type"] != binding.AGENT_TYPE:
            return False
        return binding.segment_rejection(segment, agent["configurations"]) is None

    def filter_hosts_with_segment_access(
        self, context: Any, segments: Sequence[Any], candidate_hosts: Collection[str], agent_getter: Callable[..., Any]
    ) -> set[str]:
        """Hosts that can bind ports of the first segment: Neutron schedules DHCP agents of the network to them."""
        agents = agent_getter(context, filters={"host": list(candidate_hosts), "agent_type": [binding.AGENT_TYPE]})
        return {
            agent["host"]
            for agent in agents
            if any(self.check_segment_for_agent(segment, agent) for segment in segments[:1])
        }

    def _require_report(self, context: Any) -> None:
        port = context.current
        if not context.host or port["status"] == constants.PORT_STATUS_ACTIVE or binding.port_rejection(port):
            return
        provisioning_blocks.add_provisioning_component(
            context.plugin_context, port["id"], resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
        )

    # --- networks -----------------------------------------------------------------------------------------------

    def create_network_precommit(self, context: Any) -> None:
        self._insert_own_entry(context, records.LSWITCH)

    update_network_precommit = create_network_precommit
    delete_network_precommit = create_network_precommit

    # --- subnets ------------------------------------------------------------------------------------------------

    def create_subnet_precommit(self, context: Any) -> None:
        """Includes the network, whose revision number increases with each change of a subnet."""
        self._insert_own_entry(context, records.LSUBNET)
        network = context.network.current
        journal.insert(context.plugin_context, [_entry(records.LSWITCH, network["project_id"], network["id"])])

    update_subnet_precommit = create_subnet_precommit
    delete_subnet_precommit = create_subnet_precommit

    # --- ports --------------------------------------------------------------------------------------------------

    def create_port_precommit(self, context: Any) -> None:
        """Raises BadRequest for addresses that Dragonflow's records cannot represent."""
        _check_addresses(context.current)
        self._insert_port_entry(context)
        self._require_report(context)

    def update_port_precommit(self, context: Any) -> None:
        """Raises BadRequest for addresses that Dragonflow's records cannot represent."""
        _check_addresses(context.current)
        self._insert_port_entry(context)
        if context.host != context.original_host:
            self._require_report(context)

    def delete_port_precommit(self, context: Any) -> None:
        self._insert_port_entry(context)

    # --- after the commit -----------------------------------------------------------------------------------------

    def create_network_postcommit(self, context: Any) -> None:
        self._threads.wake_journal_worker()

    update_network_postcommit = create_network_postcommit
    delete_network_postcommit = create_network_postcommit
    create_subnet_postcommit = create_network_postcommit
    update_subnet_postcommit = create_network_postcommit
    delete_subnet_postcommit = create_network_postcommit
    create_port_postcommit = create_network_postcommit
    update_port_postcommit = create_network_postcommit
    delete_port_postcommit = create_network_postcommit

    # --- journal entries ------------------------------------------------------------------------------------------

    def _insert_own_entry(self, context: Any, table: str) -> None:
        current = context.current
        journal.insert(context.plugin_context, [_entry(table, current["project_id"], current["id"])])

    def _insert_port_entry(self, context: Any) -> None:
        port = context.current
        # Ports without a project, such as those of floating IPs, belong to the project of their network.
        project = port["project_id"] or context.network.current["project_id"]
        journal.insert(context.plugin_context, [_entry(records.LPORT, project, port["id"])])


def _entry(table: str, project: str | None, source: str) -> JournalEntry:
    return JournalEntry(Key(table, project or "", source), source)


# The form that the switch accepts. netaddr also accepts octets of one digit.
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)


def _check_mac(field: str, mac: str) -> None:
    if not _MAC.fullmatch(mac):
        raise n_exc.BadRequest(
            resource="port",
            msg=f"{field}: {mac[:100]} is not a MAC address; give two digits an octet as in fa:16:3e:00:01:66",
        )


def _check_addresses(port: dict[str, Any]) -> None:
    """Raises BadRequest, also for an address range: Dragonflow's readers fail at a prefix in a pair."""
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
