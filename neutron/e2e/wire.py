"""VMs, as far as the datapath sees them: a device with nova's name for it, and frames at its other end."""

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
    """A port's device, made as nova would for vif_type tap, and the VM's end of it."""

    def __init__(self, port):
        self.mac = port["mac_address"]
        # nova's name for it.
        tap, guest = f"tap{port['id'][:11]}", f"vm{port['id'][:11]}"
        one_queue = ("numrxqueues", "1", "numtxqueues", "1")
        ip("link", "add", tap, *one_queue, "type", "veth", "peer", "name", guest, *one_queue)
        for dev in (tap, guest):
            ip("link", "set", dev, "up")
        self.tap = tap
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        # A tag comes beside the frame, not in it.
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.bind((guest, _ALL))

    def unplug(self):
        self._socket.close()
        ip("link", "del", self.tap)

    def send(self, source, destination, payload, tag=None):
        tagged = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
        frame = _mac(destination) + _mac(source) + tagged + struct.pack("!H", ETHERTYPE) + payload.ljust(50, b".")
        self._socket.send(frame)

    def receive(self, payload, seconds=5):
        """The tag (None without one) of the frame with this payload; False when it does not come in this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                frame, extra, _, origin = self._socket.recvmsg(2048, 256)
                if origin[2] != socket.PACKET_OUTGOING and payload in frame:
                    return _tag(frame, extra)
        return False


def _tag(frame, extra):
    for level, kind, data in extra:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, *_, tci, _ = struct.unpack("=IIIHHHH", data)
            if status & _TAG_VALID:
                return tci & 0xFFF
    kind, tci = struct.unpack_from("!HH", frame, 12)
    return tci & 0xFFF if kind == 0x8100 else None


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))
