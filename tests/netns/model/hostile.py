"""Random frames, from a seed."""

import ipaddress
import random
import struct

from checksum import ones_complement
from frame import ARP, C_TAG, IPV4, IPV6, RARP, S_TAG, behind_tags, link_local

# EtherType of the frames by which the test marks the end of a batch.
MARKER = 0x88B6
VIDS = [0, 1, 7, 100, 101, 200, 300, 4094, 4095]


class Hostile:
    """Makes frames that are mangled, forged or cut, and some that are sound."""

    def __init__(self, scenario, seed):
        self.scenario = scenario
        self.random = random.Random(seed)

    def frame(self, guest):
        pick = self.random
        ports = self.scenario.ports
        here = [port for port in ports if port.guest == guest]
        sender = pick.choice(here)
        neighbours = [port for port in ports if port.network == sender.network]
        source = sender.mac if pick.random() < 0.85 else pick.choice([pick.choice(ports).mac] * 8 + [bytes(6), b"\xff" * 6])
        destination = pick.choices(
            [
                pick.choice(neighbours).mac,
                pick.choice(ports).mac,
                b"\xff" * 6,
                b"\x33\x33\x00\x00\x00\x01",
                pick.randbytes(6),
                b"\x01\x80\xc2\x00\x00" + bytes([pick.randrange(32)]),
            ],
            [20, 8, 4, 2, 2, 1],
        )[0]
        frame = destination + source + self.tags(sender) + self.content(sender)
        if pick.random() < 0.1:
            frame = frame[: pick.randint(14, min(len(frame), 90))]
        while pick.random() < 0.15:
            at = pick.randrange(len(frame))
            frame = frame[:at] + bytes([pick.randrange(256)]) + frame[at + 1 :]
        frame = frame[:1514]
        # The test sends frames of this EtherType itself, to mark the end of a batch.
        return self.frame(guest) if behind_tags(frame)[0] == MARKER else frame

    def tags(self, sender):
        pick = self.random
        vids = list(sender.vids) if pick.random() < 0.8 else []
        while pick.random() < 0.25:
            vids.insert(pick.randint(0, len(vids)), pick.choice(VIDS))
        tpid = lambda: pick.choices([C_TAG, S_TAG, 0x9100], [20, 1, 1])[0]
        return b"".join(struct.pack("!HH", tpid(), pick.randrange(16) << 12 | vid) for vid in vids)

    def content(self, sender):
        make = self.random.choice([self.raw, self.raw, self.llc, self.arp, self.ipv4, self.ipv4, self.ipv6, self.ipv6, self.discovery])
        return make(sender)

    def payload(self, most=200):
        most = self.random.choice([most, most, 1500])
        return self.random.randbytes(self.random.randint(0, most))

    def raw(self, _):
        edges = [0, 1, 0x2E, 0x5DB, 0x5DC, 0x5DD, 0x5FF, 0x600, 0x601, 0x88B5, 0x8847, 0x8863, 0xFFFE, 0xFFFF]
        ethertype = self.random.choice([*edges, self.random.randrange(0x10000)])
        return struct.pack("!H", ethertype) + self.payload()

    def llc(self, sender):
        header = self.random.choice([b"\xaa\xaa\x03"] * 6 + [b"\xab\xaa\x03", b"\xaa\xab\x03", b"\xaa\xaa\x01\0", b"\x42\xaa\x03"])
        snap = header + self.random.choice([b"\0\0\0", b"\0\0\xf8", b"\x08\0\x07"])
        packet = self.random.choice([self.ipv4, self.ipv6, self.arp, self.discovery])
        other = self.random.choice([0x42, 0xE0, 0x06, 0x07, 0x98, 0x99, 0xFF])
        direct = bytes([other, self.random.choice([other, 0x42]), 3])
        inner = self.random.choice([b"\x81\0\0\1", b"\x91\0\0\1", b"\0\x50\xaa\xaa\x03\0\0\0"])
        body = self.random.choice([direct, direct, snap + packet(sender), snap + packet(sender), snap + inner]) + self.payload()
        length = self.random.choice([len(body), 0, 3, 1500])
        return struct.pack("!H", length & 0xFFFF) + body

    def ip(self, sender, version):
        own = [ipaddress.ip_address(ip).packed for ip in sender.ips or []]
        own = [ip for ip in own if len(ip) == {4: 4, 6: 16}[version]]
        size = {4: 4, 6: 16}[version]
        return self.random.choice([*own, *own, *own, bytes(size), self.random.randbytes(size)])

    def arp(self, sender):
        operation = self.random.choice([1, 1, 2, 2, 3, 3, 8])
        announced = self.random.choice([sender.mac, sender.mac, self.random.randbytes(6)])
        kind = self.random.choice([b"\x00\x01\x08\x00\x06\x04"] * 8 + [b"\x00\x06\x08\x00\x06\x04", b"\x00\x01\x86\xdd\x06\x10"])
        packet = kind + struct.pack("!H", operation) + announced + self.ip(sender, 4) + bytes(6) + self.ip(sender, 4)
        return struct.pack("!H", self.random.choice([ARP] * 6 + [RARP])) + packet + bytes(self.random.choice([0, 18]))

    def segment(self, protocol, addresses):
        """TCP or UDP, its checksum partial, complete, absent or wrong."""
        pick = self.random
        ports = pick.choice([b"\x00\x44\x00\x43", pick.randbytes(4)])
        head = {6: 20, 17: 8}[protocol]
        field = {6: 16, 17: 6}[protocol]
        chaddr = pick.choice([*(port.mac for port in self.scenario.ports), pick.randbytes(6)])
        dhcp = b"\1" + pick.choice([b"\1\6"] * 6 + [b"\6\6", b"\1\x10"]) + bytes(25) + chaddr + bytes(10)
        body = dhcp if protocol == 17 and ports == b"\x00\x44\x00\x43" and pick.random() < 0.9 else self.payload(60)
        segment = bytearray(ports + bytes(head - 4) + body)
        pseudo = addresses + struct.pack("!HH", protocol, len(segment))
        partial = ones_complement(pseudo)
        complete = 0xFFFF - ones_complement(pseudo + bytes(segment))
        segment[field : field + 2] = struct.pack("!H", pick.choice([partial, partial, complete, 0, pick.randrange(0x10000)]))
        return bytes(segment)

    def ipv4(self, sender):
        pick = self.random
        protocol = pick.choice([6, 17, 17, 1, 132])
        addresses = self.ip(sender, 4) + pick.choice([pick.randbytes(4), b"\xff" * 4])
        body = self.segment(protocol, addresses) if protocol in (6, 17) else self.payload(60)
        options = bytes(pick.choice([0, 0, 0, 4, 40]))
        length = 20 + len(options) + len(body)
        length = pick.choice([length] * 6 + [0, 19, length + 1, max(length - 3, 0), 0xFFFF])
        fragment = pick.choice([0] * 6 + [0x4000, 0x2000, 1, 0x1FFF])
        version = pick.choice([0x45 + len(options) // 4] * 8 + [0x44, 0x4F, 0x65])
        header = struct.pack("!BBHHHBBH", version, 0, length & 0xFFFF, 1, fragment, 64, protocol, 0)
        return struct.pack("!H", IPV4) + header + addresses + options + body

    def ipv6_packet(self, addresses, protocol, body):
        pick = self.random
        while pick.random() < 0.25:
            kind, units = pick.choice([0, 43, 60, 44, 44, 51, 139, 147, 148, 253]), pick.choice([0, 0, 1, 2])
            if kind == 44:
                body = bytes([protocol, 0, 0, pick.choice([0, 1, 8])]) + bytes(4) + body
            elif kind == 51:
                body = bytes([protocol, 2 * units]) + bytes(6 + 8 * units) + body
            else:
                body = bytes([protocol, units]) + bytes(6 + 8 * units) + body
            protocol = kind
        length = pick.choice([len(body)] * 6 + [0, len(body) + 1, max(len(body) - 3, 0), 0xFFFF])
        first = pick.choice([0x60] * 8 + [0x40])
        return struct.pack("!HBBHHBB", IPV6, first, 0, 0, length & 0xFFFF, protocol, 255) + addresses + body

    def ipv6(self, sender):
        protocol = self.random.choice([6, 17, 58, 59])
        addresses = self.ip(sender, 6) + self.random.randbytes(16)
        body = self.segment(protocol, addresses) if protocol in (6, 17) else self.payload(60)
        return self.ipv6_packet(addresses, protocol, body)

    def discovery(self, sender):
        pick = self.random
        kind = pick.choice([131, 133, 134, 135, 135, 136, 136, 137, 141, 142, 143, 148, 149])
        fixed = {133: 4, 134: 12}.get(kind, 4)
        target = self.ip(sender, 6) if kind in (135, 136, 137) else b""
        target += pick.randbytes(16) if kind == 137 else b""
        option = bytes([pick.choice([1, 2, 2]), 1]) + pick.choice([sender.mac, sender.mac, pick.randbytes(6)])
        options = option * pick.choice([0, 1, 1, 2]) + pick.choice([b"", b"", b"", b"\x05\x00", b"\x05\x02\x00", b"\x01"])
        body = bytes([kind, 0, 0, 0]) + bytes(fixed) + target + options
        source = pick.choice([link_local(sender.mac), self.ip(sender, 6), bytes(16)])
        return self.ipv6_packet(source + pick.randbytes(16), 58, body)
