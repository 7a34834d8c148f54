"""What a user says to Neutron."""

import requests


class Api:
    """What a user says to Neutron, with noauth."""

    PROJECT = "8f3a1f0cb1f14a8f9c9a4c1df8a51bd2"

    def __init__(self, port, process):
        self.url, self.process = f"http://127.0.0.1:{port}/v2.0", process

    def ask(self, method, path, body=None):
        return requests.request(method, f"{self.url}/{path}", json=body, timeout=600)

    def do(self, method, path, body=None):
        response = self.ask(method, path, body)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def create(self, kind, **fields):
        return self.do("POST", f"{kind}s", {kind: {"project_id": self.PROJECT} | fields})[kind]

    def show(self, kind, resource):
        return self.do("GET", f"{kind}s/{resource['id']}")[kind]

    def update(self, kind, resource, **fields):
        return self.do("PUT", f"{kind}s/{resource['id']}", {kind: fields})[kind]

    def delete(self, kind, resource):
        self.do("DELETE", f"{kind}s/{resource['id']}")

    def port(self, network, **fields):
        return self.create("port", network_id=network["id"], **fields)

    def ports(self, network, count):
        one = {"network_id": network["id"], "project_id": self.PROJECT}
        return self.do("POST", "ports", {"ports": [one] * count})["ports"]

    def trunk(self, parent, *subports):
        return self.create("trunk", port_id=parent["id"], sub_ports=[subport(*given) for given in subports])

    def add(self, trunk, *subports):
        body = {"sub_ports": [subport(*given) for given in subports]}
        return self.do("PUT", f"trunks/{trunk['id']}/add_subports", body)

    def remove(self, trunk, *ports):
        body = {"sub_ports": [{"port_id": port["id"]} for port in ports]}
        return self.do("PUT", f"trunks/{trunk['id']}/remove_subports", body)

    def status(self, kind, resource):
        return self.show(kind, resource)["status"]


def subport(port, tag):
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}
