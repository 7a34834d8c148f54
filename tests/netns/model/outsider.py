"""Random frames of a machine on the underlay that is no host of the switch, from a seed."""

import random
import struct
from types import SimpleNamespace

from frame import C_TAG
from scenario import TUNNELS
from underlay import encode, header


class Outsider:
    """Makes tunnel packets and frames of VLANs, as a host sends them or forged, foreign, cut or mangled."""

    def __init__(self, scenario, hostile, seed):
        self.scenario = scenario
        self.hostile = hostile
        self.random = random.Random(seed)
        self.switches = [host for host in scenario.hosts if host.mac]
        networks = scenario.networks.values()
        self.tunnels = [(network.kind, network.segment) for network in networks if network.is_tunnel]
        self.vids = [network.segment for network in networks if network.is_wire]

    def frame(self):
        inner = self.hostile.frame(self.random.choice(self.scenario.guests))
        makers = [self.vlan, self.packet, self.packet, self.stranger, self.foreign, self.mangled]
        return self.random.choice(makers)(inner)

    def vlan(self, inner):
        vid = self.random.choice([*self.vids, *self.vids, self.random.randrange(1, 4095)])
        return inner[:12] + struct.pack("!HH", C_TAG, self.random.randrange(16) << 12 | vid) + inner[12:]

    def packet(self, inner, source=None, tunnel=None):
        pick = self.random
        destination = pick.choice(self.switches)
        source = source or pick.choice([host for host in self.scenario.hosts if host is not destination])
        kind, key = tunnel or pick.choice(self.tunnels)
        # The source address of the outer frame decides nothing.
        machine = SimpleNamespace(mac=b"\x02\0\0\0\x05\x05", ip=source.ip)
        return encode(machine, destination, kind, header(kind, key), inner)

    def stranger(self, inner):
        """From an address that no chassis record has."""
        return self.packet(inner, SimpleNamespace(ip=bytes([192, 0, 2, self.random.randrange(100, 255)])))

    def foreign(self, inner):
        """With a number that no network of that type has."""
        kind = self.random.choice(TUNNELS)
        numbers = [number for _, number in self.tunnels] + [0, 0xFFFFFF, self.random.randrange(1 << 24)]
        foreign = [number for number in numbers if (kind, number) not in self.tunnels]
        return self.packet(inner, tunnel=(kind, self.random.choice(foreign)))

    def mangled(self, inner):
        """Cut, or with a wrong bit in the IPv4 header."""
        packet = self.packet(inner)
        if self.random.random() < 0.5:
            return packet[: self.random.randrange(14 + 24, len(packet))]
        # Length, checksum or source address of the IPv4 header, whose checksum is wrong then.
        at = 14 + self.random.choice([2, 10, 11, 12, 13, 14, 15])
        return packet[:at] + bytes([packet[at] ^ 1 << self.random.randrange(8)]) + packet[at + 1 :]
