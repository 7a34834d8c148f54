"""Which datagrams passed the switch though no rule allowed them, by a model that shares nothing with it.

python3 judge.py reads from stdin:

    {"changes": [{"table": "lport" or "secgroup", "record": {...}, "written": NS, "in_force": NS}, ...],
     "flows": [[id of the sender's port, that of the receiver, source IP, destination IP, UDP source port,
                UDP destination port], ...],
     "received": [[index of the flow, NS when sent, NS when received], ...],
     "missing": [[index of the flow, NS when sent], ...]}

A change is written at some time after `written`, and the switch has confirmed it at `in_force`. The records are
those of the beginning, with all times 0, and then one change after the other. It writes:

    {"unexplained": datagrams that no rule of that moment or of the one before allowed,
     "by_the_one_before": number of those that only a rule of the moment before allowed,
     "passed": number of those that passed,
     "dropped": number of those that did not pass, and that no rule allowed when they were sent,
     "lost": those that did not pass though rules, and not just an answered flow, allowed them all the time around}
"""

import bisect
import ipaddress
import json
import sys

UDP = 17
# A datagram that is not received within this time is dropped.
MISSED_NS = 1_000_000_000


class Rules:
    """The records of one moment."""

    def __init__(self, ports, groups):
        self.ports, self.groups = ports, groups

    def changed(self, change):
        record = change["record"]
        if change["table"] == "lport":
            return Rules({**self.ports, record["id"]: record}, self.groups)
        return Rules(self.ports, {**self.groups, record["id"]: record})

    def leaves(self, flow, is_answer):
        """Whether the flow passes its sender's port; `is_answer`: its opposite is sent too."""
        back = opposite(flow)
        return self.has_rule(flow[0], "egress", flow) or is_answer and self.has_rule(flow[0], "ingress", back)

    def enters(self, flow, is_answer):
        """The same of the receiver's port."""
        back = opposite(flow)
        return self.has_rule(flow[1], "ingress", flow) or is_answer and self.has_rule(flow[1], "egress", back)

    def has_rule(self, port, direction, flow):
        groups = [self.groups[name] for name in self.ports[port]["security_groups"]]
        return any(self.matches(rule, direction, flow) for group in groups for rule in group["rules"])

    def matches(self, rule, direction, flow):
        _, _, source, destination, _, udp_port = flow
        far = ipaddress.ip_address(destination if direction == "egress" else source)
        return (
            rule["direction"] == direction
            and rule["ethertype"] == f"IPv{far.version}"
            and rule.get("protocol", UDP) == UDP
            and rule.get("port_range_min", 0) <= udp_port <= rule.get("port_range_max", 65535)
            and ("remote_ip_prefix" not in rule or far in ipaddress.ip_network(rule["remote_ip_prefix"]))
            and ("remote_group_id" not in rule or far in self.members(rule["remote_group_id"]))
        )

    def members(self, group):
        members = [port for port in self.ports.values() if group in port["security_groups"]]
        return [ipaddress.ip_address(ip) for port in members for ip in port["ips"]]


def opposite(flow):
    sender, receiver, source, destination, source_port, destination_port = flow
    return [receiver, sender, destination, source, destination_port, source_port]


class History:
    """Rules in the order of their changes. Those of number k are in force from `written[k]` at the earliest, until
    `in_force[k + 1]` at the latest."""

    def __init__(self, changes):
        self.written, self.in_force, self.rules = [], [], [Rules({}, {})]
        for change in changes:
            changed = self.rules[-1].changed(change)
            if change["in_force"] == 0:
                self.rules = [changed]
                continue
            if not self.written:
                self.written, self.in_force = [0], [0]
            self.rules.append(changed)
            self.written.append(change["written"])
            self.in_force.append(change["in_force"])

    def between(self, begin, end):
        """The oldest and the newest number of the rules that were in force at some time between these two."""
        oldest = bisect.bisect_left(self.in_force, begin) - 1
        return max(oldest, 0), bisect.bisect_right(self.written, end) - 1


class Verdicts:
    """Those of one flow, by the number of the rules."""

    def __init__(self, history, flow, is_answer):
        self.leaves = [rules.leaves(flow, is_answer) for rules in history.rules]
        self.enters = [rules.enters(flow, is_answer) for rules in history.rules]

    def some(self, oldest, newest):
        """Whether it could pass meanwhile. Its receiver's worker may have newer rules than its sender's."""
        first = next((number for number in range(oldest, newest + 1) if self.leaves[number]), newest + 1)
        return any(self.enters[first : newest + 1])

    def all(self, oldest, newest):
        """Whether it could pass at every moment."""
        return all(self.leaves[oldest : newest + 1]) and all(self.enters[oldest : newest + 1])


def main():
    given = json.load(sys.stdin)
    history, flows = History(given["changes"]), given["flows"]
    may_pass = [Verdicts(history, flow, opposite(flow) in flows) for flow in flows]
    must_pass = [Verdicts(history, flow, False) for flow in flows]
    unexplained, by_the_one_before = [], 0
    for flow, sent, received in given["received"]:
        oldest, newest = history.between(sent, received)
        if not may_pass[flow].some(oldest, newest):
            if may_pass[flow].some(max(oldest - 1, 0), newest):
                by_the_one_before += 1
            else:
                unexplained.append([flows[flow], sent, received, oldest, newest])
    dropped, lost = 0, []
    for flow, sent in given["missing"]:
        dropped += not may_pass[flow].some(*history.between(sent, sent))
        oldest, newest = history.between(sent, sent + MISSED_NS)
        if must_pass[flow].all(oldest, newest):
            lost.append([flows[flow], sent, oldest, newest])
    answer = {
        "unexplained": unexplained,
        "by_the_one_before": by_the_one_before,
        "passed": len(given["received"]),
        "dropped": dropped,
        "lost": lost,
    }
    json.dump(answer, sys.stdout)


main()
