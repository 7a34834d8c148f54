"""The naive switch of one host: the outcome of a frame by the specification, with nothing prepared."""

import struct
from collections import Counter, defaultdict

from antispoof import violation
from checksum import complete_checksum
from frame import C_TAG, first_tag

# The longest frame of a veth: MTU, header, one tag.
LONGEST = 1518


class Outcome:
    """Frames that arrive, by the name of the guest or of the host whose uplink they leave by; and drops."""

    def __init__(self):
        self.arrive = defaultdict(list)
        self.drops = Counter()


class Dropped(Exception):
    def __init__(self, subject, reason):
        super().__init__(reason)
        self.subject, self.reason = subject, reason


class Peer:
    """Another host, as sender or receiver of tunnel packets."""

    def __init__(self, host):
        self.name = host.name
        self.host = host


class Wire:
    """The segment of a provider network, as sender or receiver."""

    def __init__(self, network):
        self.name = network.name


class Switch:
    """The switch of the host `name`; `underlay` (`underlay.py`) carries what leaves the host."""

    def __init__(self, scenario, name, underlay):
        self.name = name
        self.ports = [port for port in scenario.ports if port.host == name]
        self.underlay = underlay
        self.peers = {host.name: Peer(host) for host in scenario.hosts if host.name != name}
        self.wires = {network: Wire(network) for network in scenario.networks.values() if network.is_wire}
        self.elsewhere = [port for port in scenario.ports if port.host != name]

    def own_port(self, guest):
        return next(port for port in self.ports if port.guest == guest and not port.vids)

    def subport(self, parent, vid):
        for port in self.ports:
            if port.guest == parent.guest and port.vids == parent.vids + [vid]:
                return port
        return None

    def count(self, dropped, outcome):
        outcome.drops[f"{self.name} {dropped.subject} {dropped.reason}"] += 1

    def receive_from_guest(self, guest, frame, outcome):
        priority = priority_of(frame)
        try:
            port, frame = self.classify(self.own_port(guest), frame)
            reason = violation(port, frame) if port.ips is not None else None
            if reason:
                raise Dropped(port.name, reason)
            self.forward(port, port.network, frame, priority, outcome)
        except Dropped as dropped:
            self.count(dropped, outcome)

    def receive_from_outside(self, origin, network, frame, priority, outcome):
        """A frame without the headers of its tunnel, or the tag of the wire."""
        try:
            if is_cut(frame):
                raise Dropped(origin.name, "decapsulate_truncated")
            if any(port.mac == frame[6:12] for port in self.members(network)):
                raise Dropped(origin.name, "decapsulate_source_is_local")
            self.forward(origin, network, frame, priority, outcome)
        except Dropped as dropped:
            self.count(dropped, outcome)

    def forward(self, origin, network, frame, priority, outcome):
        if frame[6] & 1 or frame[6:12] == bytes(6):
            raise Dropped(origin.name, "locate_source_invalid")
        receivers = self.receivers(origin, network, frame[:6])
        frame = complete_checksum(frame)
        for receiver in receivers:
            try:
                self.leave(receiver, network, frame, priority, outcome)
            except Dropped as dropped:
                self.count(dropped, outcome)

    def leave(self, receiver, network, frame, priority, outcome):
        if isinstance(receiver, Peer):
            self.underlay.send_to(self, receiver.host, network, frame, outcome)
        elif isinstance(receiver, Wire):
            self.underlay.send_by_wire(self, push(frame, [network.segment], priority), outcome)
        elif self.refuses_tag(receiver, frame):
            raise Dropped(receiver.name, "admit_tag_refused")
        else:
            copy = push(frame, receiver.vids, priority)
            if len(copy) > LONGEST:
                raise Dropped(receiver.name, "fit_too_long")
            outcome.arrive[receiver.guest].append(copy)

    def classify(self, port, frame):
        while True:
            if is_cut(frame):
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

    def members(self, network):
        return [port for port in self.ports if port.network is network]

    def receivers(self, origin, network, destination):
        if destination[:5] == b"\x01\x80\xc2\x00\x00" and destination[5] < 16:
            raise Dropped(origin.name, "locate_reserved")
        wire = self.wires.get(network)
        elsewhere = [port for port in self.elsewhere if port.network is network]
        if destination[0] & 1:
            found = self.members(network) + ([wire] if wire else [])
            if network.is_tunnel and not isinstance(origin, Peer):
                found += [self.peers[host] for host in sorted({port.host for port in elsewhere})]
            others = [receiver for receiver in found if receiver is not origin]
            if not others:
                raise Dropped(origin.name, "flood_no_receiver")
            return others
        return [self.receiver(origin, network, destination, wire, elsewhere)]

    def receiver(self, origin, network, destination, wire, elsewhere):
        here = [port for port in self.members(network) if port.mac == destination]
        far = [port for port in elsewhere if port.mac == destination]
        if here:
            receiver = here[0]
        elif far and network.is_tunnel:
            receiver = self.peers[far[0].host]
        elif wire and wire is not origin:
            receiver = wire
        else:
            raise Dropped(origin.name, "locate_unknown")
        if receiver is origin:
            raise Dropped(origin.name, "locate_is_source")
        if isinstance(origin, Peer) and isinstance(receiver, Peer):
            raise Dropped(origin.name, "tunnel_split_horizon")
        return receiver

    def refuses_tag(self, receiver, frame):
        """Whether the tag of the frame selects a subport of the receiver, or is dropped there."""
        tag = first_tag(frame)
        if tag is None:
            return False
        tpid, vid = tag[0], tag[1] & 0xFFF
        is_subports = tpid == C_TAG and self.subport(receiver, vid) is not None
        return is_subports or (receiver.strict and (tpid, vid) != (C_TAG, 0))


def is_cut(frame):
    """Whether the frame ends in its header, or in its outermost tag and the type behind it."""
    return len(frame) < 14 or (first_tag(frame) is not None and len(frame) < 18)


def priority_of(frame):
    """PCP and DEI of the outermost tag."""
    return first_tag(frame)[1] & 0xF000 if first_tag(frame) and len(frame) >= 18 else 0


def push(frame, vids, priority):
    tags = b"".join(struct.pack("!HH", C_TAG, priority | vid) for vid in vids)
    return frame[:12] + tags + frame[12:]
