"""A DHCP client (RFC 2131) behind a tag: the kernel of a test machine may have no VLAN devices."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

BROADCAST = "ff:ff:ff:ff:ff:ff"
_XID = 0x7472756E
# Subnet mask, router, DNS servers, MTU, classless static routes.
_REQUESTED = [1, 3, 6, 26, 121]


def lease(vm, mac, tag=None):
    """Gets an address by DISCOVER and REQUEST; returns it, and the server's options by name."""
    offer, offered = _exchange(vm, mac, tag, [("message-type", "discover")], "offer")
    request = [("message-type", "request"), ("requested_addr", offer), ("server_id", offered["server_id"])]
    address, options = _exchange(vm, mac, tag, request, "ack")
    assert address == offer
    return address, options


def _exchange(vm, mac, tag, options, expected):
    tags = Dot1Q(vlan=tag) if tag else None
    request = Ether(src=mac, dst=BROADCAST) / tags if tags else Ether(src=mac, dst=BROADCAST)
    request /= IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    request /= BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=_XID, flags="B")
    request /= DHCP(options=[*options, ("param_req_list", _REQUESTED), "end"])
    for _ in range(10):
        vm.send_bytes(bytes(request))
        for frame, received_tag in vm.frames(2):
            reply = Ether(frame)
            if received_tag == tag and DHCP in reply and reply[BOOTP].op == 2 and reply[BOOTP].xid == _XID:
                found = dict(option for option in reply[DHCP].options if isinstance(option, tuple))
                if _MESSAGE_TYPES.get(found["message-type"]) == expected:
                    _check_checksum(reply)
                    return reply[BOOTP].yiaddr, found
    raise AssertionError(f"no {expected} for {mac} with tag {tag}")


_MESSAGE_TYPES = {2: "offer", 5: "ack", 6: "nak"}


def _check_checksum(reply):
    """A guest's kernel drops a datagram with a wrong checksum."""
    actual = reply[UDP].chksum
    again = reply[IP].copy()
    del again[UDP].chksum
    assert IP(bytes(again))[UDP].chksum == actual, f"UDP checksum {actual:#x}"
