"""The outcome of frames by a model that shares nothing with the switch, not even the language.

python3 model SEED BATCHES FRAMES reads a scenario from stdin and writes a line of JSON for each batch, in
which one guest of each host sends FRAMES frames:

    {"sent": {sender: [hex, ...]}, "arrive": {station: [hex, ...]}, "drops": {"host subject reason": count}}

A station is a guest, or a host; what arrives at a host is what its switch sends to the underlay. A subject is
a port, another host, or the network of a segment. The scenario:

    {"records": as `trunkpath nb dump` prints them, "guests": {id of a parent: name of its link},
     "strict": [ids of ports with `unknown_tags = drop`],
     for several hosts "underlay": {host: MAC address of its link to the underlay},
     "outsider": name of a machine on the underlay, which sends a tenth of what a guest sends}
"""

import json
import sys

from frame import first_tag
from hostile import Hostile
from outsider import Outsider
from scenario import Scenario
from underlay import Underlay


def main():
    seed, batches, frames = map(int, sys.argv[1:4])
    described = json.load(sys.stdin)
    scenario = Scenario(described)
    underlay = Underlay(scenario)
    hostile = Hostile(scenario, seed)
    outsider = Outsider(scenario, hostile, seed)
    for batch in range(batches):
        sent = {guest: [hostile.frame(guest) for _ in range(frames)] for guest in senders(scenario, batch)}
        if described.get("outsider"):
            sent[described["outsider"]] = [outsider.frame() for _ in range(frames // 10)]
        outcome = underlay.outcome_of(sent)
        arrive = {name: list(filter(is_received, got)) for name, got in outcome.arrive.items()}
        print(json.dumps({"sent": in_hex(sent), "arrive": in_hex(arrive), "drops": outcome.drops}))


def senders(scenario, batch):
    """One guest of each host, in turn."""
    hosts = {}
    for guest in scenario.guests:
        hosts.setdefault(scenario.host_of(guest), []).append(guest)
    return [guests[batch % len(guests)] for guests in hosts.values()]


def is_received(frame):
    """Before a capture, the kernel drops tagged frames with fewer than two bytes behind the EtherType."""
    return first_tag(frame) is None or len(frame) >= 20


def in_hex(frames):
    return {name: [frame.hex() for frame in of_name] for name, of_name in frames.items()}


main()
