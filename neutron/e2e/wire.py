"""Stand-ins for VMs: a veth with nova's name for the link, and frames at its other end."""

import contextlib
import socket
import struct
import subprocess
import time

# Local experimental EtherType 1 (IEEE Std 802): no kernel answers it.
ETHERTYPE = 0x88B5
_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _TAG_VALID = 263, 8, 0x10


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Vm:
    """The link of a port, named as nova does for vif_type tap, and the VM's end of it."""

    def __init__(self, port):
        self.mac = port["mac_address"]
        # nova's name for the link, and any for its other end.
        tap, guest = f"tap{port['id'][:11]}", f"vm{port['id'][:11]}"
        one_queue = ("numrxqueues", "1", "numtxqueues", "1")
        ip("link", "add", tap, *one_queue, "type", "veth", "peer", "name", guest, *one_queue)
        for link in (tap, guest):
            ip("link", "set", link, "up")
        self.tap = tap
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        # The kernel removes an 802.1Q tag from the frame; the auxiliary data has it.
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.bind((guest, _ALL))

    def unplug(self):
        self._socket.close()
        ip("link", "del", self.tap)

    def send(self, source, destination, payload, tag=None):
        tagged = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
        header = _mac_bytes(destination) + _mac_bytes(source) + tagged + struct.pack("!H", ETHERTYPE)
        self._socket.send(header + payload.ljust(50, b"."))

    def receive(self, payload, timeout_s=5):
        """VID of the first frame with this payload, None if it is untagged; False after the timeout."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                frame, extra, _, origin = self._socket.recvmsg(2048, 256)
                if origin[2] != socket.PACKET_OUTGOING and payload in frame:
                    return _parse_tag(frame, extra)
        return False


def _parse_tag(frame, extra):
    for level, kind, data in extra:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, *_, tci, _ = struct.unpack("=IIIHHHH", data)
            if status & _TAG_VALID:
                return tci & 0xFFF
    kind, tci = struct.unpack_from("!HH", frame, 12)
    return tci & 0xFFF if kind == 0x8100 else None


def _mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))
