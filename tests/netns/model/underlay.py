"""The network between hosts: tunnel packets over IPv4 (RFC 7348, RFC 8926, RFC 2890), and VLANs."""

import struct

from checksum import ones_complement
from frame import C_TAG, IPV4, first_tag
from switch import Dropped, Outcome, Switch, priority_of

UDP, GRE = 17, 47
UDP_PORTS = {"vxlan": 4789, "geneve": 6081}
ETHERNET_IN_GRE = 0x6558
TTL = 64
# Offset of the checksum of the IPv4 header in a frame.
CHECKSUM_AT = 24
# A veth stores a tag beside its frame; the program of an uplink passes to the kernel what is shorter then.
SHORTEST_ON_WIRE = 22


class Underlay:
    """The switches of all hosts, and what passes between them."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.hosts = {host.name: host for host in scenario.hosts}
        names = sorted({port.host for port in scenario.ports})
        self.switches = {name: Switch(scenario, name, self) for name in names}

    def outcome_of(self, sent):
        """The outcome of frames from each guest; from any other sender they are frames on the wire."""
        outcome = Outcome()
        for sender, frames in sent.items():
            for frame in frames:
                if sender in self.scenario.guests:
                    self.switches[self.scenario.host_of(sender)].receive_from_guest(sender, frame, outcome)
                else:
                    self.carry(None, frame, outcome)
        return outcome

    def send_to(self, switch, host, network, frame, outcome):
        tunnel = header(network.kind, network.segment)
        packet = encode(self.hosts[switch.name], host, network.kind, tunnel, frame)
        outcome.arrive[switch.name].append(packet[:CHECKSUM_AT] + b"\0\0" + packet[CHECKSUM_AT + 2 :])
        self.carry(switch, packet, outcome)

    def send_by_wire(self, switch, tagged, outcome):
        outcome.arrive[switch.name].append(tagged)
        self.carry(switch, tagged, outcome)

    def carry(self, sender, frame, outcome):
        """The bridge between the hosts learns no address, so all other hosts get what a bridge forwards.

        That includes the frames of STP, in which the bridge takes no part.
        """
        is_reserved = frame[:5] == b"\x01\x80\xc2\x00\x00" and 1 <= frame[5] < 16
        if is_reserved or frame[6] & 1 or frame[6:12] == bytes(6):
            return
        for switch in self.switches.values():
            if switch is not sender:
                self.arrive(switch, frame, outcome)

    def arrive(self, switch, frame, outcome):
        tag = first_tag(frame)
        if tag is None:
            self.arrive_in_tunnel(switch, frame, outcome)
        elif tag[0] == C_TAG and len(frame) >= SHORTEST_ON_WIRE:
            for network, wire in switch.wires.items():
                # A VLAN without a port here is left to the kernel.
                if network.segment == tag[1] & 0xFFF and switch.members(network):
                    inner = frame[:12] + frame[16:]
                    switch.receive_from_outside(wire, network, inner, priority_of(frame), outcome)

    def arrive_in_tunnel(self, switch, frame, outcome):
        try:
            packet = decode(frame, self.hosts[switch.name].ip)
            if packet is None:
                return
            source, kind, key, inner = packet
            peer = next((peer for peer in switch.peers.values() if peer.host.ip == source), None)
            if peer is None:
                raise Dropped("(no port)", "decapsulate_unknown_peer")
            networks = {(port.network.kind, port.network.segment): port.network for port in switch.ports}
            if (kind, key) not in networks:
                raise Dropped(peer.name, "decapsulate_unknown_network")
        except Dropped as dropped:
            switch.count(dropped, outcome)
        else:
            switch.receive_from_outside(peer, networks[kind, key], inner, priority_of(inner), outcome)


def header(kind, key):
    vxlan_flags, gre_flags = 0x08, 0x2000
    if kind == "vxlan":
        return struct.pack("!BxxxI", vxlan_flags, key << 8)
    if kind == "geneve":
        return struct.pack("!BxHI", 0, ETHERNET_IN_GRE, key << 8)
    return struct.pack("!HHI", gre_flags, ETHERNET_IN_GRE, key)


def encode(source, destination, kind, tunnel_header, inner):
    """A tunnel packet. The fields that its sender chooses, source port and identification, are 0."""
    payload = tunnel_header + inner
    if kind in UDP_PORTS:
        payload = struct.pack("!HHHH", 0, UDP_PORTS[kind], len(payload) + 8, 0) + payload
    protocol = UDP if kind in UDP_PORTS else GRE
    fixed = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, TTL, protocol, 0)
    addresses = source.ip + destination.ip
    checksum = 0xFFFF - ones_complement(fixed + addresses)
    packet = fixed[:10] + struct.pack("!H", checksum) + addresses + payload
    return destination.mac + source.mac + struct.pack("!H", IPV4) + packet


def decode(frame, endpoint):
    """Source, kind, key and inner frame of a tunnel packet to `endpoint`; None for all others."""
    packet = frame[14:]
    if frame[12:14] != struct.pack("!H", IPV4) or len(packet) < 24 or packet[0] != 0x45:
        return None
    length, _, fragment = struct.unpack("!HHH", packet[2:8])
    if packet[16:20] != endpoint or fragment & 0x3FFF:
        return None
    protocol, payload = packet[9], packet[20:]
    (second,) = struct.unpack("!H", payload[2:4])
    kinds = {UDP: {number: kind for kind, number in UDP_PORTS.items()}, GRE: {ETHERNET_IN_GRE: "gre"}}
    kind = kinds.get(protocol, {}).get(second)
    if kind is None:
        return None
    if length > len(packet):
        raise Dropped("(no port)", "decapsulate_truncated")
    if ones_complement(packet[:20]) != 0xFFFF:
        raise Dropped("(no port)", "decapsulate_checksum")
    tunnel = payload[8:16] if kind in UDP_PORTS else payload[:8]
    inner = payload[16:] if kind in UDP_PORTS else payload[8:]
    if len(tunnel) < 8:
        raise Dropped("(no port)", "decapsulate_truncated")
    (word,) = struct.unpack("!I", tunnel[4:])
    key = word if kind == "gre" else word >> 8
    if tunnel != header(kind, key):
        raise Dropped("(no port)", "decapsulate_header")
    return packet[12:16], kind, key, inner
