"""Port security: the addresses that a frame gives as its sender's, and whether its port may use them."""

import ipaddress
import struct

from frame import ALL_TAGS, ARP, IPV4, IPV6, RARP, behind_tags, link_local

# ICMPv6 types of neighbour discovery (RFC 4861): the offset of the options, and the option that has the sender's address.
OPTIONS = {133: (8, 1), 134: (16, 1), 135: (24, 1), 136: (24, 2), 137: (40, 2)}
# ICMPv6 types that may come from the unspecified address.
FROM_UNSPECIFIED = (131, 132, 133, 135, 143, 148)


class Unreadable(Exception):
    """The addresses cannot be determined with certainty."""


def violation(port, frame):
    """The drop reason for a frame of a port with port security; None if it may pass."""
    try:
        macs, ips = speaker(frame)
    except Unreadable:
        return "antispoof_unreadable"
    if any(mac != port.mac for mac in macs):
        return "antispoof_source_mac"
    allowed = {ipaddress.ip_address(ip).packed for ip in port.ips} | {link_local(port.mac)}
    if any(ip not in allowed for ip in ips):
        return "antispoof_source_ip"
    return None


def require(condition):
    if not condition:
        raise Unreadable


def speaker(frame):
    """All MAC and IP addresses that the frame uses or announces as its sender's."""
    ethertype, packet = behind_tags(frame, ALL_TAGS)
    require(ethertype is not None)
    if ethertype < 0x600:
        ethertype, packet = behind_llc(packet)
    parse = {ARP: arp, RARP: arp, IPV4: ipv4, IPV6: ipv6}.get(ethertype)
    macs, ips = parse(ethertype, packet) if parse else ([], [])
    return [frame[6:12], *macs], ips


def behind_llc(packet):
    """EtherType and packet in SNAP; (None, None) for another protocol, which has no addresses."""
    require(len(packet) >= 2)
    points = {point & 0xFE for point in packet[:2]}
    require(packet[0] != 0xFF and not points & {6, 0x98})
    if 0xAA not in points:
        return None, None
    require(packet[:3] == b"\xaa\xaa\x03" and len(packet) >= 6)
    if packet[3:6] not in (b"\0\0\0", b"\0\0\xf8"):
        return None, None
    require(len(packet) >= 8)
    (ethertype,) = struct.unpack("!H", packet[6:8])
    require(ethertype not in ALL_TAGS and ethertype >= 0x600)
    return ethertype, packet[8:]


def arp(ethertype, packet):
    require(packet[:6] == b"\x00\x01\x08\x00\x06\x04" and len(packet) >= 28)
    operation, unspecified = packet[6:8], packet[14:18] == bytes(4)
    mac, ip = packet[8:14], packet[14:18]
    if ethertype == RARP:
        return [mac], [] if unspecified and operation == b"\x00\x03" else [ip]
    # A probe (RFC 5227) is for the address that its sender is about to use.
    return [mac], [packet[24:28] if unspecified and operation == b"\x00\x01" else ip]


def ipv4(_, packet):
    require(len(packet) >= 20 and packet[0] >> 4 == 4 and packet[0] & 15 >= 5)
    udp = packet[(packet[0] & 15) * 4 :]
    macs, is_discover = [], False
    if packet[9] == 17 and not (packet[6] & 0x1F or packet[7]):
        require(len(udp) >= 4)
        if udp[2:4] == b"\x00\x43":
            require(not packet[6] & 0x20 and udp[9:11] == b"\x01\x06" and len(udp) >= 42)
            macs = [udp[36:42]]
            is_discover = udp[:2] == b"\x00\x44" and packet[16:20] == b"\xff" * 4
    return macs, [] if packet[12:16] == bytes(4) and is_discover else [packet[12:16]]


def ipv6(_, packet):
    require(len(packet) >= 24 and packet[0] >> 4 == 6)
    length = struct.unpack("!H", packet[4:6])[0]
    end = len(packet) if length == 0 and packet[6] == 0 else 40 + length
    require(end <= len(packet))
    protocol, at, fragment = ipv6_headers(packet, end)
    require(protocol != 58 or at <= end)
    message = packet[at:end] if protocol == 58 else b""
    kind = message[0] if message else None
    require(kind not in (141, 142) and not (kind in (148, 149) and fragment))
    source = packet[8:24]
    ips = [] if source == bytes(16) and kind in FROM_UNSPECIFIED else [source]
    if kind not in OPTIONS:
        return [], ips
    options_at, wanted = OPTIONS[kind]
    require(not fragment and len(message) >= options_at)
    if kind in (136, 137) or (kind == 135 and source == bytes(16)):
        ips.append(message[8:24])
    return link_layer(message[options_at:], wanted), ips


def ipv6_headers(packet, end):
    """Protocol, offset and whether it is a first fragment, behind the extension headers; no protocol for a later fragment."""
    protocol, at, fragment = packet[6], 40, False
    for _ in range(9):
        require(protocol < 148)
        if protocol not in (0, 43, 44, 51, 60, 135, 139, 140):
            require(not fragment or at < end or protocol == 59)
            return protocol, at, fragment
        require(at + (4 if protocol == 44 else 2) <= end)
        if protocol == 44:
            if packet[at + 2] or packet[at + 3] & 0xF8:
                return None, 0, False
            size, fragment = 8, True
        elif protocol == 51:
            size = 8 + 4 * packet[at + 1]
        else:
            size = 8 + 8 * packet[at + 1]
        protocol, at = packet[at], at + size
    raise Unreadable


def link_layer(options, wanted):
    """The link-layer address in the options of a message, as a list."""
    found = set()
    while options:
        require(len(options) >= 2)
        kind, length = options[0], options[1] * 8
        require(0 < length <= len(options))
        if kind == wanted:
            found.add(options[2:8])
        options = options[length:]
    require(len(found) <= 1)
    return list(found)
