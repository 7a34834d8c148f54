//! A client and a server with a security group each, and a machine behind the server.

use std::fs;

use serde_json::{Value, json};
use testkit::daemon::Files;
use testkit::netns::{Netns, veth};

use super::table::Allowed;

/// Behind the router's MTU of 1500.
const NARROW_MTU: u16 = 1280;

/// A port, and the machine behind it that has its link.
pub struct End<'a> {
    pub netns: &'a Netns,
    pub dev: &'a str,
    /// Id of its record.
    pub port: String,
}

pub struct Place<'a> {
    files: &'a Files,
    pub client: &'a Netns,
    pub server: &'a Netns,
    pub behind: Netns,
}

impl<'a> Place<'a> {
    /// Adds addresses, routes, and the groups `clients` and `servers`, without rules.
    pub fn new(files: &'a Files, client: &End<'a>, server: &End<'a>) -> Self {
        let behind = Netns::new("behind");
        veth((server.netns, "inner"), (&behind, "eth0", "02:00:00:00:00:02"), 1);
        let (client_host, server_host, behind_hosts) = ([1], [2], [2, 3]);
        for (netns, dev, network, hosts) in [
            (client.netns, client.dev, 1, &client_host[..]),
            (server.netns, server.dev, 1, &server_host),
            (server.netns, "inner", 2, &client_host),
            (&behind, "eth0", 2, &behind_hosts),
        ] {
            add_addresses(netns, dev, network, hosts);
        }
        server.netns.enter(|| {
            for forwarding in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                fs::write(format!("/proc/sys/net/{forwarding}"), "1").unwrap();
            }
        });
        client.netns.ip("route add 10.2.0.0/24 via 10.1.0.2");
        client.netns.ip("route add fd02::/64 via fd01::2");
        behind.ip("route add default via 10.2.0.1");
        behind.ip("route add default via fd02::1");
        for route in ["10.2.0.3", "fd02::3"] {
            server.netns.ip(&format!("route add {route} dev inner mtu {NARROW_MTU}"));
        }
        let place = Self { files, client: client.netns, server: server.netns, behind };
        place.allow(&[]);
        place.guard(client, "clients", &["10.1.0.1", "fd01::1"], &[]);
        place.guard(
            server,
            "servers",
            &["10.1.0.2", "fd01::2"],
            &["10.2.0.2", "10.2.0.3", "fd02::2", "fd02::3"],
        );
        place
    }

    /// Gives a port port security and a group. `routed` are the addresses for which it may send besides.
    fn guard(&self, end: &End, group: &str, ips: &[&str], routed: &[&str]) {
        let mut record: Value =
            serde_json::from_str(&self.files.nb(&["get", "lport", &end.port], "")).unwrap();
        let pair = |ip: &&str| json!({"ip_address": ip, "mac_address": record["macs"][0]});
        record["allowed_address_pairs"] = routed.iter().map(pair).collect();
        record["port_security_enabled"] = true.into();
        record["ips"] = json!(ips);
        record["security_groups"] = json!([group]);
        self.files.nb(&["put", "lport", &record.to_string()], "");
    }

    /// Replaces the rules: clients may send this, and servers may get it from clients.
    pub fn allow(&self, allowed: &[Allowed]) {
        let rules = |direction: &str, remote: &Value| -> Vec<_> {
            let rule = |(number, allowed): (usize, &Allowed)| {
                let mut rule = json!({"id": number.to_string(), "topic": "t", "direction": direction,
                    "ethertype": allowed.ethertype, "protocol": allowed.protocol});
                if let Some((min, max)) = allowed.ports {
                    merge(&mut rule, &json!({"port_range_min": min, "port_range_max": max}));
                }
                merge(&mut rule, remote);
                rule
            };
            allowed.iter().enumerate().map(rule).collect()
        };
        let from_clients = json!({"remote_group_id": "clients"});
        let groups = [("clients", rules("egress", &json!({}))), ("servers", rules("ingress", &from_clients))];
        let records = groups.map(|(id, rules)| {
            json!({"table": "secgroup", "record": {"id": id, "topic": "t", "rules": rules}}).to_string()
        });
        self.files.nb(&["apply", "-"], &records.join("\n"));
    }
}

fn merge(record: &mut Value, fields: &Value) {
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
}

fn add_addresses(netns: &Netns, dev: &str, network: u8, hosts: &[u8]) {
    netns.enter(|| fs::write(format!("/proc/sys/net/ipv6/conf/{dev}/disable_ipv6"), "0").unwrap());
    for host in hosts {
        netns.ip(&format!("address add 10.{network}.0.{host}/24 dev {dev}"));
        netns.ip(&format!("address add fd0{network}::{host}/64 dev {dev} nodad"));
    }
}
