//! A feature of redis: changes without a notification.

use serde_json::Value;

use super::vm_ports::VmPorts;
use testkit::nb_servers::with_redis;

#[test]
fn changes_without_notifications_are_applied_under_traffic() {
    with_redis(|testbed, servers| {
        let ports = VmPorts::new(testbed, 2);
        testbed.start();
        servers.write(vec![ports.add(0, 200), ports.add(1, 201)]);
        ports.assert_added(testbed, 1, 201);
        let traffic = ports.traffic(testbed);
        // Without notifications, another program changes one record and deletes another.
        servers.redis::<()>(&["CONFIG", "SET", "notify-keyspace-events", ""]);
        let keys: Vec<String> = servers.redis(&["KEYS", "{child_port_segmentation.*"]);
        assert_eq!(keys.len(), 3);
        for key in keys {
            let mut record: Value = serde_json::from_str(&servers.redis::<String>(&["GET", &key])).unwrap();
            if record["port"] == ports.spares[0].id() {
                record["segmentation_id"] = 300.into();
                servers.redis::<()>(&["SET", &key, &record.to_string()]);
            }
            if record["port"] == ports.spares[1].id() {
                servers.redis::<()>(&["DEL", &key]);
            }
        }
        testbed.wait_for_vid(&ports.spares[0], 300);
        testbed.daemon().wait_until_up("subports", 2);
        testbed.daemon().wait_until_converged();
        traffic.assert_arrived(testbed, &ports);
        ports.assert_added(testbed, 0, 300);
    });
}
