"""Requests for security groups, and what tests compare of their records."""

from networking_trunkpath import reconcile, records
from networking_trunkpath.tests.base import TrunkpathTestCase

PROJECT = "8f3a1f0cb1f14a8f9c9a4c1df8a51bd2"
RULE_FIELDS = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")


class SecurityGroupTestCase(TrunkpathTestCase):
    def group(self, name="web", project=PROJECT, **fields):
        return self.plugin.create_security_group(self.admin(), group_body(name, project, **fields))

    def update_group(self, group, **fields):
        return self.plugin.update_security_group(self.admin(), group["id"], {"security_group": fields})

    def delete_group(self, group):
        self.plugin.delete_security_group(self.admin(), group["id"])

    def rule(self, group, **fields):
        return self.plugin.create_security_group_rule(self.admin(), rule_body(group, **fields))

    def delete_rule(self, rule):
        self.plugin.delete_security_group_rule(self.admin(), rule["id"])

    def address_group(self, *addresses):
        body = {"name": "offices", "description": "", "addresses": list(addresses)} | owner(PROJECT)
        return self.plugin.create_address_group(self.admin(), {"address_group": body})

    def add_addresses(self, address_group, *addresses):
        self.plugin.add_addresses(self.admin(), address_group["id"], {"addresses": list(addresses)})

    def remove_addresses(self, address_group, *addresses):
        self.plugin.remove_addresses(self.admin(), address_group["id"], {"addresses": list(addresses)})

    def record(self, group):
        self.process_journal()
        return self.store.records_by_id(records.SECGROUP).get(group["id"])

    def rules(self, group):
        """Rules of the record that are not of Neutron's template, by id."""
        return {rule["id"]: rule for rule in self.record(group)["rules"] if rule.keys() & set(RULE_FIELDS)}

    def prefixes(self, group):
        return sorted(rule["remote_ip_prefix"] for rule in self.rules(group).values())

    def stateless_groups(self):
        self.process_journal()
        return self.store.records_by_id(records.STATELESS_SECGROUP)

    def assert_equal_to_neutron(self):
        self.process_journal()
        self.assertEqual([], reconcile.compare(self.store).differences)


def owner(project):
    """Neutron 2025.1 reads the old name."""
    return {"project_id": project, "tenant_id": project}


def group_body(name, project=PROJECT, **fields):
    return {"security_group": {"name": name, "description": ""} | owner(project) | fields}


def rule_body(group, project=PROJECT, **fields):
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4"} | owner(project)
    absent = dict.fromkeys((*RULE_FIELDS, "remote_address_group_id"))
    return {"security_group_rule": absent | rule | fields}
