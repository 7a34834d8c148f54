"""Bytes of frames: addresses, tags, and the headers behind them."""

import struct

C_TAG, S_TAG, IPV4, ARP, RARP, IPV6 = 0x8100, 0x88A8, 0x0800, 0x0806, 0x8035, 0x86DD
# TPIDs of all tags that a receiver may accept; port security parses the headers behind each of them.
ALL_TAGS = (C_TAG, S_TAG, 0x9100, 0x9200, 0x9300)


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def link_local(mac):
    """The IPv6 address that follows from a MAC address (EUI-64, RFC 4291 appendix A)."""
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def first_tag(frame):
    if len(frame) < 16:
        return (struct.unpack("!H", frame[12:14])[0], 0) if frame[12:14] in (b"\x81\x00", b"\x88\xa8") else None
    tpid, tci = struct.unpack("!HH", frame[12:16])
    return (tpid, tci) if tpid in (C_TAG, S_TAG) else None


def behind_tags(frame, tpids=(C_TAG, S_TAG)):
    """EtherType and packet; (None, None) if the frame is too short for an EtherType."""
    at = 12
    while len(frame) >= at + 2:
        (ethertype,) = struct.unpack("!H", frame[at : at + 2])
        if ethertype not in tpids:
            return ethertype, frame[at + 2 :]
        at += 4
    return None, None
