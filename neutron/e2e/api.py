"""Client of Neutron's API for the tests."""

import requests

from waiting import wait_until


class Api:
    """Client of one API process, without authentication (noauth)."""

    PROJECT = "8f3a1f0cb1f14a8f9c9a4c1df8a51bd2"

    def __init__(self, port, process):
        self.url, self.process = f"http://127.0.0.1:{port}/v2.0", process

    def request(self, method, path, body=None):
        return requests.request(method, f"{self.url}/{path}", json=body, timeout=600)

    def request_json(self, method, path, body=None):
        """JSON of the response, None if it is empty. Fails unless the status is 2xx."""
        response = self.request(method, path, body)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def create(self, kind, **fields):
        return self.request_json("POST", _collection(kind), {kind: {"project_id": self.PROJECT} | fields})[kind]

    def show(self, kind, resource):
        return self.request_json("GET", f"{_collection(kind)}/{resource['id']}")[kind]

    def update(self, kind, resource, **fields):
        return self.request_json("PUT", f"{_collection(kind)}/{resource['id']}", {kind: fields})[kind]

    def delete(self, kind, resource):
        self.request_json("DELETE", f"{_collection(kind)}/{resource['id']}")

    def port(self, network, **fields):
        return self.create("port", network_id=network["id"], **fields)

    def ports(self, network, count):
        one = {"network_id": network["id"], "project_id": self.PROJECT}
        return self.request_json("POST", "ports", {"ports": [one] * count})["ports"]

    def trunk(self, parent, *subports):
        return self.create("trunk", port_id=parent["id"], sub_ports=[subport(*given) for given in subports])

    def add(self, trunk, *subports):
        body = {"sub_ports": [subport(*given) for given in subports]}
        return self.request_json("PUT", f"trunks/{trunk['id']}/add_subports", body)

    def remove(self, trunk, *ports):
        body = {"sub_ports": [{"port_id": port["id"]} for port in ports]}
        return self.request_json("PUT", f"trunks/{trunk['id']}/remove_subports", body)

    def rule(self, group, **fields):
        defaults = {"direction": "ingress", "ethertype": "IPv4"}
        return self.create("security_group_rule", security_group_id=group["id"], **(defaults | fields))

    def add_addresses(self, address_group, *addresses):
        self.request_json("PUT", f"address-groups/{address_group['id']}/add_addresses", {"addresses": addresses})

    def remove_addresses(self, address_group, *addresses):
        self.request_json("PUT", f"address-groups/{address_group['id']}/remove_addresses", {"addresses": addresses})

    def wait_for_agent(self, agent_type, host):
        """Waits until an agent of this host is alive."""

        def is_alive():
            agents = self.request_json("GET", f"agents?host={host}")["agents"]
            return any(agent["agent_type"] == agent_type and agent["alive"] for agent in agents)

        wait_until(f"{agent_type} on {host} is alive", is_alive)

    def wait_for_switch(self, host):
        self.wait_for_agent("Trunkpath switch", host)

    def status(self, kind, resource):
        return self.show(kind, resource)["status"]


def _collection(kind):
    """Path of the objects of a kind."""
    return f"{kind.replace('_', '-')}s"


def subport(port, tag):
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}
