//! What only redis does: not tell of everything.

use serde_json::Value;

use super::site::Site;
use testkit::cloud::with_redis;

#[test]
fn changes_are_not_told_under_traffic() {
    with_redis(|lab, cloud| {
        let site = Site::new(lab, 2);
        lab.start();
        cloud.write(vec![site.add(0, 200), site.add(1, 201)]);
        site.assert_added(lab, 1, 201);
        let traffic = site.traffic(lab);
        // From now on nobody tells: another program changes one record and deletes another.
        cloud.redis::<()>(&["CONFIG", "SET", "notify-keyspace-events", ""]);
        let keys: Vec<String> = cloud.redis(&["KEYS", "{child_port_segmentation.*"]);
        assert_eq!(keys.len(), 3);
        for key in keys {
            let mut record: Value = serde_json::from_str(&cloud.redis::<String>(&["GET", &key])).unwrap();
            if record["port"] == site.spares[0].id() {
                record["segmentation_id"] = 300.into();
                cloud.redis::<()>(&["SET", &key, &record.to_string()]);
            }
            if record["port"] == site.spares[1].id() {
                cloud.redis::<()>(&["DEL", &key]);
            }
        }
        lab.wait_for_vid(&site.spares[0], 300);
        lab.daemon().wait_until_up("subports", 2);
        lab.daemon().wait_until_converged();
        traffic.assert_arrived(lab, &site);
        site.assert_added(lab, 0, 300);
    });
}
