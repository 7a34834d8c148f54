"""Stand-ins for VMs: a veth with nova's name for the link, and frames at its other end."""

import contextlib
import socket
import struct
import subprocess
import time
from pathlib import Path

# Local experimental EtherType 1 (IEEE Std 802): no kernel answers it.
ETHERTYPE = 0x88B5
_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _TAG_VALID = 263, 8, 0x10


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class HostLink:
    """The host's end of a veth pair with one queue, in the namespace of a host or in that of the test (None)."""

    def __init__(self, name, host=None):
        self.name, self._host = name, host

    def add(self, peer, *peer_options):
        one_queue = ("numrxqueues", "1", "numtxqueues", "1")
        where = ("netns", self._host) if self._host else ()
        peer = ("peer", "name", peer, *peer_options, *one_queue)
        ip("link", "add", self.name, *where, *one_queue, "type", "veth", *peer)
        self._ip("link", "set", self.name, "up")

    def delete(self):
        self._ip("link", "del", self.name)

    def _ip(self, *arguments):
        ip(*(("-n", self._host) if self._host else ()), *arguments)


class Vm:
    """The link of a port, named as nova does for vif_type tap, and the VM's end of it."""

    def __init__(self, port, host=None):
        """`host` is the namespace of the port's host; None for that of the test."""
        self.mac = port["mac_address"]
        # nova's name for the link, and any for its other end.
        self._link = HostLink(f"tap{port['id'][:11]}", host)
        guest = f"vm{port['id'][:11]}"
        self._link.add(guest)
        ip("link", "set", guest, "up")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        # The kernel removes an 802.1Q tag from the frame; the auxiliary data has it.
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.bind((guest, _ALL))

    def unplug(self):
        self._socket.close()
        self._link.delete()

    def send(self, source, destination, payload, tag=None):
        tagged = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
        header = _mac_bytes(destination) + _mac_bytes(source) + tagged + struct.pack("!H", ETHERTYPE)
        self._socket.send(header + payload.ljust(50, b"."))

    def receive(self, payload, timeout_s=5):
        """VID of the first frame with this payload, None if it is untagged; False after the timeout."""
        return next((tag for frame, tag in self.frames(timeout_s) if payload in frame), False)

    def frames(self, timeout_s=5):
        """Yields each received frame and its VID, None if it is untagged, until the timeout."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                frame, extra, _, origin = self._socket.recvmsg(2048, 256)
                if origin[2] != socket.PACKET_OUTGOING:
                    yield frame, _parse_tag(frame, extra)

    def send_bytes(self, frame):
        self._socket.send(frame)


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


class Guest:
    """A VM with the host's kernel: the other end of the port's link is in a network namespace of its own."""

    def __init__(self, port, host=None):
        """`host` is the namespace of the port's host; None for that of the test."""
        self.namespace, self.link = f"vm-{port['id'][:11]}", "eth0"
        ip("netns", "add", self.namespace)
        self._link = HostLink(f"tap{port['id'][:11]}", host)
        self._link.add(self.link, "netns", self.namespace, "address", port["mac_address"])
        for link in ("lo", self.link):
            ip("-n", self.namespace, "link", "set", link, "up")

    def unplug(self):
        self._link.delete()
        ip("netns", "del", self.namespace)

    def run(self, *command, text=None):
        """Runs the command in the namespace and returns its output; fails unless its status is 0."""
        command = ["ip", "netns", "exec", self.namespace, *command]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=text)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def run_dhcp_client(self):
        """Runs busybox's client until it has an address. Its script sets the address, the MTU and the default route."""
        script = Path(f"/run/{self.namespace}.sh")
        script.write_text(
            '#!/bin/sh\n[ "$1" = bound ] || exit 0\nip addr add "$ip/$mask" dev "$interface"\n'
            'ip link set "$interface" mtu "$mtu"\n[ -z "$router" ] || ip route add default via "$router"\n'
        )
        script.chmod(0o755)
        options = ("-f", "-q", "-n", "-t", "10", "-T", "2", "-O", "mtu", "-i", self.link, "-s", str(script))
        return self.run("busybox", "udhcpc", *options)

    def addresses(self):
        """IPv4 addresses of the link."""
        output = self.run("ip", "-4", "-o", "addr", "show", "dev", self.link)
        return {line.split()[3].partition("/")[0] for line in output.splitlines()}

    def ping(self, address, mtu):
        """Pings with packets of this many bytes, which no router may fragment."""
        self.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "-M", "do", "-s", str(mtu - 28), address)
