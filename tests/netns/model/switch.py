"""The naive switch: the outcome of a frame by the specification, with nothing prepared."""

import struct

from antispoof import violation
from checksum import complete_checksum
from frame import C_TAG, first_tag, mac_bytes


class Port:
    def __init__(self, name, record):
        self.name = name
        self.network = record["network"]
        self.mac = mac_bytes(record["mac"])
        self.guest = record["guest"]
        self.vids = record["vids"]
        self.strict = record.get("strict", False)
        self.ips = record.get("ips")


class Dropped(Exception):
    def __init__(self, port, reason):
        super().__init__(reason)
        self.count = f"{port} {reason}"


class Scenario:
    def __init__(self, record):
        self.ports = [Port(name, port) for name, port in record.items()]
        self.guests = sorted({port.guest for port in self.ports})

    def own_port(self, guest):
        return next(port for port in self.ports if port.guest == guest and not port.vids)

    def subport(self, parent, vid):
        for port in self.ports:
            if port.guest == parent.guest and port.vids == parent.vids + [vid]:
                return port
        return None

    def forward(self, guest, frame):
        """The copies that arrive, as (guest, bytes), and the drops."""
        priority = first_tag(frame)[1] & 0xF000 if first_tag(frame) and len(frame) >= 18 else 0
        try:
            port, frame = self.classify(self.own_port(guest), frame)
            reason = violation(port, frame) if port.ips is not None else None
            if reason:
                raise Dropped(port.name, reason)
            if frame[6] & 1 or frame[6:12] == bytes(6):
                raise Dropped(port.name, "locate_source_invalid")
            receivers = self.receivers(port, frame)
        except Dropped as dropped:
            return [], [dropped.count]
        frame = complete_checksum(frame)
        copies, drops = [], []
        for receiver in receivers:
            if self.refuses_tag(receiver, frame):
                drops.append(f"{receiver.name} admit_tag_refused")
            else:
                tags = b"".join(struct.pack("!HH", C_TAG, priority | vid) for vid in receiver.vids)
                copy = frame[:12] + tags + frame[12:]
                # The longest frame of a veth: MTU, header, one tag.
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
            subport = self.subport(port, vid) if tpid == C_TAG else None
            if subport:
                port, frame = subport, frame[:12] + frame[16:]
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

    def refuses_tag(self, receiver, frame):
        """Whether the tag of the frame selects a subport of the receiver, or is dropped there."""
        tag = first_tag(frame)
        if tag is None:
            return False
        tpid, vid = tag[0], tag[1] & 0xFFF
        is_subports = tpid == C_TAG and self.subport(receiver, vid) is not None
        return is_subports or (receiver.strict and (tpid, vid) != (C_TAG, 0))
