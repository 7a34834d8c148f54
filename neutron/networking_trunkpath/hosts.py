"""Copies the hosts' reports to Neutron's table of agents, from which API requests read what a host can bind.

So binding does not depend on the northbound DB, `openstack network agent list` shows the switches, and Neutron
considers a host dead if it has not reported for `agent_down_time`.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from neutron_lib import context as n_context
from neutron_lib.plugins import directory
from oslo_config import cfg
from oslo_utils import timeutils

from networking_trunkpath import options
from networking_trunkpath.binding import AGENT_TYPE
from networking_trunkpath.store import MAX_TRANSACTION_RECORDS, Key, Store

# The table in which each host has its tunnel endpoint. The hosts write it, not Neutron.
_CHASSIS = "chassis"


def sync_hosts(store: Store) -> None:
    """Writes the row of each host that reports, if it differs or its heartbeat gets old. Raises StoreError."""
    reported = store.read_host_reports()
    endpoints = _read_endpoints(store, reported)
    context, plugin = n_context.get_admin_context(), directory.get_plugin()
    rows = {row["host"]: row for row in plugin.get_agents(context, filters={"agent_type": [AGENT_TYPE]})}
    for chassis, physical_networks in sorted(reported.items()):
        host = options.host_of(cfg.CONF, chassis)
        configurations = {
            "chassis": chassis,
            "physical_networks": sorted(physical_networks),
            **endpoints.get(chassis, {"tunneling_ip": None, "tunnel_types": []}),
        }
        if _must_write(rows.get(host), configurations):
            state = {"agent_type": AGENT_TYPE, "binary": "trunkpath", "host": host, "topic": "N/A"}
            plugin.create_or_update_agent(context, state | {"configurations": configurations})


def _must_write(row: Mapping[str, Any] | None, configurations: Mapping[str, Any]) -> bool:
    if row is None or row["configurations"] != configurations:
        return True
    # One update instead of one for each sync: a host is considered dead after three of these periods.
    return timeutils.is_older_than(row["heartbeat_timestamp"], cfg.CONF.agent_down_time / 3)


def _read_endpoints(store: Store, chassis: Collection[str]) -> dict[str, dict[str, Any]]:
    """Endpoint and tunnel types by chassis, of those that have a valid record."""
    endpoints: dict[str, dict[str, Any]] = {}
    keys = [Key(_CHASSIS, "", name) for name in sorted(chassis)]
    for start in range(0, len(keys), MAX_TRANSACTION_RECORDS):
        for key, value in store.read(keys[start : start + MAX_TRANSACTION_RECORDS], []).values.items():
            endpoint = _parse_endpoint(value)
            if endpoint:
                endpoints[key.id] = endpoint
    return endpoints


def _parse_endpoint(value: bytes | None) -> dict[str, Any] | None:
    try:
        record = json.loads(value or b"")
        return {"tunneling_ip": str(record["ip"]), "tunnel_types": sorted(map(str, record["tunnel_types"]))}
    except (ValueError, TypeError, KeyError):
        return None
