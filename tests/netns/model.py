#!/usr/bin/env python3
"""What becomes of a frame, in another language: the specification once more, to compare the switch with.

model.py SEED BATCHES FRAMES reads a site from stdin and writes, per batch, a line of JSON:

    {"from": guest, "frames": [hex, ...], "arrive": {guest: [hex, ...]}, "drops": {"port reason": count}}

A site: {id of a port: {"network", "mac", "guest", "vids", "strict", "ips"}}. `vids` are the port's tags on the wire of its
guest, outermost first; `ips` is there for ports with port security.
"""

import ipaddress
import json
import random
import struct
import sys
from collections import Counter

C_TAG, S_TAG, IPV4, ARP, RARP, IPV6 = 0x8100, 0x88A8, 0x0800, 0x0806, 0x8035, 0x86DD
# TPIDs that port security looks behind: some receiver may.
ALL_TAGS = (C_TAG, S_TAG, 0x9100, 0x9200, 0x9300)
# Frames of the test harness.
MARKER = 0x88B6
VIDS = [0, 1, 7, 100, 101, 200, 300, 4094, 4095]


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


class Port:
    def __init__(self, name, said):
        self.name = name
        self.network = said["network"]
        self.mac = mac_bytes(said["mac"])
        self.guest = said["guest"]
        self.vids = said["vids"]
        self.strict = said.get("strict", False)
        self.ips = said.get("ips")


class Dropped(Exception):
    def __init__(self, port, reason):
        super().__init__(reason)
        self.count = f"{port} {reason}"


class Site:
    def __init__(self, said):
        self.ports = [Port(name, port) for name, port in said.items()]
        self.guests = sorted({port.guest for port in self.ports})

    def own_port(self, guest):
        return next(port for port in self.ports if port.guest == guest and not port.vids)

    def child(self, parent, vid):
        for port in self.ports:
            if port.guest == parent.guest and port.vids == parent.vids + [vid]:
                return port
        return None

    def forward(self, guest, frame):
        """The copies that arrive, as (guest, bytes), and the drops."""
        priority = first_tag(frame)[1] & 0xF000 if first_tag(frame) and len(frame) >= 18 else 0
        try:
            port, frame = self.classify(self.own_port(guest), frame)
            if port.ips is not None:
                antispoof(port, frame)
            if frame[6] & 1 or frame[6:12] == bytes(6):
                raise Dropped(port.name, "locate_source_invalid")
            receivers = self.receivers(port, frame)
        except Dropped as dropped:
            return [], [dropped.count]
        frame = complete_checksum(frame)
        copies, drops = [], []
        for receiver in receivers:
            if self.misleads(receiver, frame):
                drops.append(f"{receiver.name} admit_tag_refused")
            else:
                tags = b"".join(struct.pack("!HH", C_TAG, priority | vid) for vid in receiver.vids)
                copy = frame[:12] + tags + frame[12:]
                # What a veth takes: MTU, header, one tag.
                if len(copy) > 1518:
                    drops.append(f"{receiver.name} fit_too_long")
                else:
                    copies.append((receiver.guest, copy))
        return copies, drops

    def classify(self, port, frame):
        while True:
            if len(frame) < 14 or (first_tag(frame) and len(frame) < 18):
                raise Dropped(port.name, "classify_truncated")
            tag = first_tag(frame)
            if tag is None:
                return port, frame
            tpid, vid = tag[0], tag[1] & 0xFFF
            child = self.child(port, vid) if tpid == C_TAG else None
            if child:
                port, frame = child, frame[:12] + frame[16:]
                continue
            if port.strict and (tpid, vid) != (C_TAG, 0):
                raise Dropped(port.name, "classify_unknown_tag")
            return port, frame

    def receivers(self, sender, frame):
        destination = frame[:6]
        members = [port for port in self.ports if port.network == sender.network]
        if destination[:5] == b"\x01\x80\xc2\x00\x00" and destination[5] < 16:
            raise Dropped(sender.name, "locate_reserved")
        if destination[0] & 1:
            others = [port for port in members if port is not sender]
            if not others:
                raise Dropped(sender.name, "flood_no_receiver")
            return others
        for port in members:
            if port.mac == destination:
                if port is sender:
                    raise Dropped(sender.name, "locate_is_source")
                return [port]
        raise Dropped(sender.name, "locate_unknown")

    def misleads(self, receiver, frame):
        """Whether the receiver would take the frame for one of a subport's network, or has no use for its tag."""
        tag = first_tag(frame)
        if tag is None:
            return False
        tpid, vid = tag[0], tag[1] & 0xFFF
        is_subports = tpid == C_TAG and self.child(receiver, vid) is not None
        return is_subports or (receiver.strict and (tpid, vid) != (C_TAG, 0))


def first_tag(frame):
    if len(frame) < 16:
        return (struct.unpack("!H", frame[12:14])[0], 0) if frame[12:14] in (b"\x81\x00", b"\x88\xa8") else None
    tpid, tci = struct.unpack("!HH", frame[12:16])
    return (tpid, tci) if tpid in (C_TAG, S_TAG) else None


def behind_tags(frame, tpids=(C_TAG, S_TAG)):
    """EtherType and packet; (None, None) when the frame ends before."""
    at = 12
    while len(frame) >= at + 2:
        (ethertype,) = struct.unpack("!H", frame[at : at + 2])
        if ethertype not in tpids:
            return ethertype, frame[at + 2 :]
        at += 4
    return None, None


def ipv6_upper(packet):
    """Protocol and offset behind the extension headers that a checksum is looked for behind, or None."""
    if len(packet) < 7 or packet[0] >> 4 != 6:
        return None
    protocol, at = packet[6], 40
    while protocol in (0, 43, 60):
        if len(packet) < at + 2:
            return None
        protocol, at = packet[at], at + 8 + 8 * packet[at + 1]
    return protocol, at


def ipv6_headers(packet, end):
    """Protocol, offset and whether it is in a fragment, behind the extension headers; "later" for a later fragment; None when that cannot be told."""
    protocol, at, fragment = packet[6], 40, False
    for _ in range(9):
        if protocol >= 148:
            return None
        if protocol not in (0, 43, 44, 51, 60, 135, 139, 140):
            if fragment and at >= end:
                return (protocol, at, True) if protocol == 59 else None
            return protocol, at, fragment
        if at + (4 if protocol == 44 else 2) > end:
            return None
        if protocol == 44:
            if packet[at + 2] or packet[at + 3] & 0xF8:
                return "later"
            size, fragment = 8, True
        elif protocol == 51:
            size = 8 + 4 * packet[at + 1]
        else:
            size = 8 + 8 * packet[at + 1]
        protocol, at = packet[at], at + size
    return None


# --- port security ----------------------------------------------------------------------------------------------


def antispoof(port, frame):
    said = speaker(frame)
    if said is None:
        raise Dropped(port.name, "antispoof_unreadable")
    macs, ips = said
    if any(mac != port.mac for mac in macs):
        raise Dropped(port.name, "antispoof_source_mac")
    eui = bytes([port.mac[0] ^ 2]) + port.mac[1:3] + b"\xff\xfe" + port.mac[3:]
    allowed = {ipaddress.ip_address(ip).packed for ip in port.ips} | {b"\xfe\x80" + bytes(6) + eui}
    if any(ip not in allowed for ip in ips):
        raise Dropped(port.name, "antispoof_source_ip")


def speaker(frame):
    """All MAC and IP addresses that the frame uses or announces as its sender's; None when that cannot be read."""
    ethertype, packet = behind_tags(frame, ALL_TAGS)
    if ethertype is None:
        return None
    macs, ips = [frame[6:12]], []
    if ethertype < 0x600:
        if len(packet) < 2:
            return None
        points = {point & 0xFE for point in packet[:2]}
        if packet[0] == 0xFF or points & {6, 0x98}:
            return None
        if 0xAA not in points:
            return macs, ips
        if packet[:3] != b"\xaa\xaa\x03" or len(packet) < 6:
            return None
        if packet[3:6] not in (b"\0\0\0", b"\0\0\xf8"):
            return macs, ips
        if len(packet) < 8:
            return None
        (ethertype,) = struct.unpack("!H", packet[6:8])
        packet = packet[8:]
        if ethertype in ALL_TAGS or ethertype < 0x600:
            return None
    if ethertype in (ARP, RARP):
        if packet[:6] != b"\x00\x01\x08\x00\x06\x04" or len(packet) < 28:
            return None
        operation, nobody = packet[6:8], packet[14:18] == bytes(4)
        macs.append(packet[8:14])
        if ethertype == RARP:
            if not (nobody and operation == b"\x00\x03"):
                ips.append(packet[14:18])
        else:
            ips.append(packet[24:28] if nobody and operation == b"\x00\x01" else packet[14:18])
    elif ethertype == IPV4:
        if len(packet) < 20 or packet[0] >> 4 != 4 or packet[0] & 15 < 5:
            return None
        udp = packet[(packet[0] & 15) * 4 :]
        asks = False
        if packet[9] == 17 and not (packet[6] & 0x1F or packet[7]):
            if len(udp) < 4:
                return None
            if udp[2:4] == b"\x00\x43":
                if packet[6] & 0x20 or udp[9:11] != b"\x01\x06" or len(udp) < 42:
                    return None
                macs.append(udp[36:42])
                asks = udp[:2] == b"\x00\x44" and packet[16:20] == b"\xff" * 4
        if not (packet[12:16] == bytes(4) and asks):
            ips.append(packet[12:16])
    elif ethertype == IPV6:
        if len(packet) < 24 or packet[0] >> 4 != 6:
            return None
        length = struct.unpack("!H", packet[4:6])[0]
        end = len(packet) if length == 0 and packet[6] == 0 else 40 + length
        if end > len(packet):
            return None
        upper = ipv6_headers(packet, end)
        if upper is None:
            return None
        protocol, at, fragment = (None, 0, False) if upper == "later" else upper
        if protocol == 58 and at > end:
            return None
        message = packet[at:end] if protocol == 58 else b""
        kind = message[0] if message else None
        if kind in (141, 142) or (kind in (148, 149) and fragment):
            return None
        if not (packet[8:24] == bytes(16) and kind in (131, 132, 133, 135, 143, 148)):
            ips.append(packet[8:24])
        options_at, wanted = {133: (8, 1), 134: (16, 1), 135: (24, 1), 136: (24, 2), 137: (40, 2)}.get(kind, (None, None))
        if options_at is not None:
            if fragment or len(message) < options_at:
                return None
            if kind in (136, 137) or (kind == 135 and packet[8:24] == bytes(16)):
                ips.append(message[8:24])
            announced = link_layer(message[options_at:], wanted)
            if announced is None:
                return None
            macs += announced
    return macs, ips


def link_layer(options, wanted):
    found = set()
    while options:
        if len(options) < 2:
            return None
        kind, length = options[0], options[1] * 8
        if length == 0 or length > len(options):
            return None
        if kind == wanted:
            found.add(options[2:8])
        options = options[length:]
    return None if len(found) > 1 else list(found)


# --- checksums --------------------------------------------------------------------------------------------------


def ones_complement(data):
    data += b"\x00" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def complete_checksum(frame):
    """Fills in the checksum that a guest left to its hardware."""
    ethertype, packet = behind_tags(frame)
    if ethertype == IPV4 and len(packet) >= 20 and packet[0] >> 4 == 4:
        start, end = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        if start < 20 or struct.unpack("!H", packet[6:8])[0] & 0x3FFF:
            return frame
        protocol, addresses = packet[9], packet[12:20]
    elif ethertype == IPV6 and len(packet) >= 40 and ipv6_upper(packet):
        protocol, start = ipv6_upper(packet)
        end, addresses = 40 + struct.unpack("!H", packet[4:6])[0], packet[8:40]
    else:
        return frame
    if protocol not in (6, 17) or end > len(packet) or end - start < {6: 20, 17: 8}[protocol]:
        return frame
    segment, field = packet[start:end], {6: 16, 17: 6}[protocol]
    pseudo = addresses + struct.pack("!HH", protocol, len(segment) & 0xFFFF)
    if struct.unpack("!H", segment[field : field + 2])[0] != ones_complement(pseudo):
        return frame
    blank = segment[:field] + b"\x00\x00" + segment[field + 2 :]
    checksum = 0xFFFF - ones_complement(pseudo + blank)
    if checksum == 0 and protocol == 17:
        checksum = 0xFFFF
    at = len(frame) - len(packet) + start + field
    return frame[:at] + struct.pack("!H", checksum) + frame[at + 2 :]


# --- frames -----------------------------------------------------------------------------------------------------


class Hostile:
    """Makes frames as no honest guest would, and some as an honest one would."""

    def __init__(self, site, seed):
        self.site = site
        self.random = random.Random(seed)

    def frame(self, guest):
        pick = self.random
        ports = self.site.ports
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
        # The harness' own frames would be taken for its marks.
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
        chaddr = pick.choice([*(port.mac for port in self.site.ports), pick.randbytes(6)])
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
        eui = bytes([sender.mac[0] ^ 2]) + sender.mac[1:3] + b"\xff\xfe" + sender.mac[3:]
        source = pick.choice([b"\xfe\x80" + bytes(6) + eui, self.ip(sender, 6), bytes(16)])
        return self.ipv6_packet(source + pick.randbytes(16), 58, body)


def main():
    seed, batches, frames = map(int, sys.argv[1:4])
    site = Site(json.load(sys.stdin))
    hostile = Hostile(site, seed)
    for batch in range(batches):
        guest = site.guests[batch % len(site.guests)]
        sent = [hostile.frame(guest) for _ in range(frames)]
        arrive, drops = {guest: [] for guest in site.guests}, Counter()
        for frame in sent:
            copies, dropped = site.forward(guest, frame)
            drops.update(dropped)
            for receiver, copy in copies:
                arrive[receiver].append(copy.hex(" "))
        line = {"from": guest, "frames": [frame.hex(" ") for frame in sent], "arrive": arrive, "drops": drops}
        print(json.dumps(line))


main()
