//! Provider networks: VLANs of a physical network, with a machine that has no switch.

use serde_json::json;

use testkit::netns::{Netns, veth};

use super::testbed::{endpoint, on_hosts, reaches};

#[test]
fn a_subport_reaches_subports_and_machines_on_a_vlan_of_the_wire() {
    on_hosts(2, |hosts| {
        hosts.network(1, &json!({ "network_type": "local" }));
        hosts.network(
            2,
            &json!({ "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 1234 }),
        );
        let (a, b) = (hosts.guest("a", 1, 1), hosts.guest("b", 2, 1));
        let near = hosts.subport(a, 11, 2, 100);
        let far = hosts.subport(b, 12, 2, 200);
        let machine = Netns::new("machine");
        veth((&hosts.wire, "br1-m"), (&machine, "eth0", "02:00:00:00:05:05"), 1);
        hosts.wire.ip("link set br1-m master br1");
        testkit::command::run(&format!("scripts/guest-vlan {} eth0 1234 eth0.1234", machine.name()));
        machine.ip("link set eth0.1234 up");
        machine.ip("address add 10.102.0.99/24 dev eth0.1234");
        for host in &mut hosts.all {
            host.argue(&["--uplink", "physnet1=eth1"]);
        }
        hosts.start();
        hosts.wait_until_reachable(a, &far);
        hosts.wait_until_reachable(a, "10.102.0.99");
        assert!(reaches(&machine, &near) && reaches(&machine, &far));
        let [one, two] = [1, 2].map(|number| &hosts.host(number).netns);
        assert!(
            reaches(one, &endpoint(2)) && reaches(two, &endpoint(1)),
            "untagged frames are the hosts' own"
        );
        let uplinks = hosts.host(1).daemon().show("uplinks").unwrap();
        assert_eq!((&uplinks[0]["link"], &uplinks[0]["vlans"]), (&"eth1".into(), &json!([1234])));
    });
}

#[test]
fn a_flat_network_waits_until_the_host_has_no_address_on_its_link() {
    on_hosts(1, |hosts| {
        hosts.network(1, &json!({ "network_type": "flat", "physical_network": "physnet1" }));
        let a = hosts.guest("a", 1, 1);
        hosts.all[0].argue(&["--uplink", "physnet1=eth2"]);
        hosts.plug(1, "br1", "eth2", "198.51.100.1/24");
        let machine = Netns::new("machine");
        veth((&hosts.wire, "br1-m"), (&machine, "eth0", "02:00:00:00:05:05"), 1);
        hosts.wire.ip("link set br1-m master br1");
        machine.ip("address add 10.38.0.99/24 dev eth0");
        hosts.start();
        hosts.host(1).daemon().wait_for_problem("the host itself has 198.51.100.1 on its link eth2");
        assert!(!hosts.reaches(a, "10.38.0.99"));
        hosts.host(1).netns.ip("address delete 198.51.100.1/24 dev eth2");
        hosts.wait_until_reachable(a, "10.38.0.99");
        hosts.host(1).netns.ip("address add 198.51.100.1/24 dev eth2");
        hosts.host(1).daemon().wait_for_problem("the host itself has 198.51.100.1 on its link eth2");
    });
}
