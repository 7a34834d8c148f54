"""The outcome of frames by a model that shares nothing with the switch, not even the language.

python3 model SEED BATCHES FRAMES reads a scenario from stdin and writes a line of JSON for each batch:

    {"from": guest, "frames": [hex, ...], "arrive": {guest: [hex, ...]}, "drops": {"port reason": count}}

A scenario: {id of a port: {"network", "mac", "guest", "vids", "strict", "ips"}}. `vids` are the port's tags at its guest,
outermost first; ports with port security have `ips`.
"""

import json
import sys
from collections import Counter

from hostile import Hostile
from switch import Scenario


def main():
    seed, batches, frames = map(int, sys.argv[1:4])
    scenario = Scenario(json.load(sys.stdin))
    hostile = Hostile(scenario, seed)
    for batch in range(batches):
        guest = scenario.guests[batch % len(scenario.guests)]
        sent = [hostile.frame(guest) for _ in range(frames)]
        arrive, drops = {guest: [] for guest in scenario.guests}, Counter()
        for frame in sent:
            copies, dropped = scenario.forward(guest, frame)
            drops.update(dropped)
            for receiver, copy in copies:
                arrive[receiver].append(copy.hex(" "))
        line = {"from": guest, "frames": [frame.hex(" ") for frame in sent], "arrive": arrive, "drops": drops}
        print(json.dumps(line))


main()
