//! What commands show of security groups: the groups, the connections, the rule in a trace.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};

use serde_json::{Value, json};
use testkit::security_groups::packet::{Body, Packet, SYN};
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;
use trunkpath::api::Hex;

fn put(testbed: &Testbed, group: &str, name: &str, rules: &[Value]) {
    let record = json!({"id": group, "name": name, "topic": "t", "rules": rules});
    testbed.files.nb(&["put", "secgroup", &record.to_string()], "");
}

fn connections(testbed: &Testbed, port: &Port) -> Vec<Value> {
    let shown = testbed.files.ask(&["show", "connections", &port.id(), "--json"]);
    let view: Value = serde_json::from_str(&shown).unwrap();
    let connections = view["connections"].as_array().unwrap().clone();
    assert_eq!(view["total"], connections.len());
    connections
}

/// The output of a trace of `packet` from the subport of `vm`, to `peer`.
fn trace(testbed: &Testbed, (vm, subport, peer): (&Port, &Port, &Port), packet: &Packet) -> String {
    let frame = packet.frame(peer.mac, subport.mac, &[(0x8100, 100)]);
    testbed.files.ask(&["trace", "--port", &vm.id(), "--hex", &Hex(frame).to_string()])
}

#[test]
fn groups_connections_and_the_rule_that_allows_are_shown() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let vm = testbed.guest("vm", one);
        let subport = testbed.subport(&vm, 100, two);
        let peer = testbed.guest("peer", two);
        let file = testbed.files.path("trunkpath.toml");
        fs::write(&file, "[connection_timeouts]\nudp_stream = 10\n").unwrap();
        testbed.arguments.extend(["--config".to_owned(), file.display().to_string()]);
        testbed.start();
        let vlan = testbed.vlan_interface(&subport, 0);
        let address = |port: &Port, dev: &str, ip: Ipv4Addr| {
            testbed.netns(port).ip(&format!("address add {ip}/24 dev {dev}"));
            ip
        };
        let from = address(&subport, &vlan, [10, 0, 0, 1].into());
        let to = address(&peer, "eth0", [10, 0, 0, 2].into());
        let udp = json!({"protocol": 17, "port_range_min": 5000, "port_range_max": 6000});
        let rule = |id: &str, direction: &str| {
            let mut rule = json!({"id": id, "direction": direction, "ethertype": "IPv4", "topic": "t"});
            rule.as_object_mut().unwrap().extend(udp.as_object().unwrap().clone());
            rule
        };
        put(testbed, "out", "clients", &[rule("r-out", "egress")]);
        put(testbed, "in", "", &[rule("r-in", "ingress")]);
        testbed.guard(&subport, &[from.to_string()], "out");
        testbed.guard(&peer, &[to.to_string()], "in");
        until("the groups", || {
            let groups = testbed.daemon().show("groups")?;
            (groups.as_array()?.len() == 2).then_some(())
        });
        let groups = testbed.daemon().show("groups").unwrap();
        let clients = &groups[1];
        assert_eq!((&clients["group"], &clients["name"]), (&json!("out"), &json!("clients")));
        assert_eq!((&clients["ports"], &clients["members"]), (&json!([subport.id()]), &json!(1)));
        assert_eq!(clients["rules"][0]["selectors"], json!([5000, 6000]));

        let ends = (&vm, &subport, &peer);
        let allowed = trace(testbed, ends, &Packet::new(1, 2, Body::Ports(17, 7, 5353)));
        let sends = "may send it: rule r-out of security group clients (out)";
        let receives = "may receive it: rule r-in of security group in";
        assert!(allowed.contains(sends) && allowed.contains(receives), "{allowed}");
        let refused = trace(testbed, ends, &Packet::new(1, 2, Body::Tcp(7, 5353, SYN)));
        let none = "'s security groups (clients (out)) lets it send this";
        assert!(refused.contains(none) && refused.contains("permit_no_rule"), "{refused}");
        assert_eq!(connections(testbed, &subport).len(), 0, "a trace is no connection");

        let bind = |port: &Port, ip| testbed.netns(port).enter(|| UdpSocket::bind((ip, 5353)).unwrap());
        let (client, server) = (bind(&subport, from), bind(&peer, to));
        client.send_to(&[1; 100], (to, 5353)).unwrap();
        server.recv(&mut [0; 100]).unwrap();
        for (port, local, remote, opened, sent) in
            [(&subport, from, to, "egress", 142), (&peer, to, from, "ingress", 0)]
        {
            let [connection] = &connections(testbed, port)[..] else { panic!("one connection") };
            let end = |address| json!({"address": address, "port": 5353});
            assert_eq!((&connection["local"], &connection["remote"]), (&end(local), &end(remote)));
            assert_eq!((&connection["opened"], &connection["protocol"]), (&json!(opened), &json!(17)));
            assert_eq!(
                (&connection["phase"], &connection["bytes_sent"]),
                (&json!("unanswered"), &json!(sent))
            );
        }
        server.send_to(&[1; 200], (from, 5353)).unwrap();
        client.recv(&mut [0; 200]).unwrap();
        let answered = connections(testbed, &subport);
        assert_eq!(
            (&answered[0]["phase"], &answered[0]["bytes_received"]),
            (&json!("answered"), &json!(242))
        );
        let all = testbed.files.ask(&["show", "connections"]);
        assert!(all.contains(&format!("{to}:5353")), "{all}");
        // Both workers are idle.
        until("the connections to be forgotten", || {
            [&subport, &peer].into_iter().all(|port| connections(testbed, port).is_empty()).then_some(())
        });
        testbed.files.nb(&["delete", "secgroup", "out"], "");
        until("the trace to name the missing group", || {
            let traced = trace(testbed, ends, &Packet::new(1, 2, Body::Ports(17, 7, 5353)));
            traced.contains("waits for its security group out").then_some(())
        });
    });
}
