"""Networks, ports and hosts, derived from the records of the northbound DB."""

import ipaddress

from frame import mac_bytes

# Network types whose frames go to other hosts in tunnels.
TUNNELS = ("vxlan", "geneve", "gre")


class Network:
    """A network; its segment between hosts is a tunnel, a VLAN of the wire, or neither."""

    def __init__(self, record):
        self.name = record["id"]
        self.key = record["unique_key"]
        self.kind = record.get("network_type")
        self.segment = record.get("segmentation_id")
        self.is_tunnel = self.kind in TUNNELS
        self.is_wire = self.kind == "vlan"


class Host:
    """A chassis record. `mac` is that of the link to the underlay; None for a host without a switch."""

    def __init__(self, record, links):
        self.name = record["id"]
        self.ip = ipaddress.ip_address(record["ip"]).packed if record.get("ip") else None
        self.mac = mac_bytes(links[self.name]) if self.name in links else None


class Port:
    def __init__(self, record, network, place, strict):
        self.name = record["id"]
        self.network = network
        (mac,) = record["macs"]
        self.mac = mac_bytes(mac)
        self.host, self.guest, self.vids = place
        self.strict = strict
        self.ips = record.get("ips", []) if record.get("port_security_enabled") else None


class Scenario:
    """Everything that the outcome of a frame depends on."""

    def __init__(self, described):
        tables = {"lport": {}, "lswitch": {}, "chassis": {}, "child_port_segmentation": {}}
        for line in described["records"]:
            tables[line["table"]][line["record"]["id"]] = line["record"]
        links = described.get("underlay", {})
        self.networks = {name: Network(record) for name, record in tables["lswitch"].items()}
        self.hosts = [Host(record, links) for _, record in sorted(tables["chassis"].items())]
        self.parents = {record["port"]: record for record in tables["child_port_segmentation"].values()}
        self.lports, self.guests_by_port = tables["lport"], described["guests"]
        strict = described.get("strict", [])
        self.ports = [
            Port(record, self.networks[record["lswitch"]], self.place(name), name in strict)
            for name, record in sorted(self.lports.items())
        ]
        self.guests = sorted(set(self.guests_by_port.values()))

    def place(self, name):
        """The host and the guest of a port, and its tags at the guest, outermost first."""
        if name in self.parents:
            host, guest, vids = self.place(self.parents[name]["parent"])
            return host, guest, vids + [self.parents[name]["segmentation_id"]]
        return self.lports[name]["binding"]["chassis"], self.guests_by_port[name], []

    def host_of(self, guest):
        return next(port.host for port in self.ports if port.guest == guest)
