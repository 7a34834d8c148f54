"""Checksums of TCP and UDP that a sender left partial: the field has the sum of the pseudo-header."""

import struct

from frame import IPV4, IPV6, behind_tags


def ones_complement(data):
    data += b"\x00" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def complete_checksum(frame):
    """The frame with its checksum complete; as it is without a partial one."""
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


def ipv6_upper(packet):
    """Protocol and offset behind hop-by-hop, routing and destination options; None if they are cut."""
    if len(packet) < 7 or packet[0] >> 4 != 6:
        return None
    protocol, at = packet[6], 40
    while protocol in (0, 43, 60):
        if len(packet) < at + 2:
            return None
        protocol, at = packet[at], at + 8 + 8 * packet[at + 1]
    return protocol, at
