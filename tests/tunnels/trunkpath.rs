//! The daemon as the switch of a host, with a DB of its own.

use serde_json::json;

use super::testbed::{GUEST_LINK, KEY, Site, Switch};
use testkit::daemon::{Daemon, Files};
use testkit::records;
use testkit::wait::until;

/// The `unique_key` of the network of both guests.
const NETWORK: u32 = 1;

/// The daemon ends before its files are removed.
pub struct Trunkpath {
    daemon: Daemon,
    files: Files,
}

impl Trunkpath {
    /// Returns when the daemon has a path to the other host.
    pub fn start(site: &Site) -> Box<dyn Switch> {
        site.add_endpoint(&site.uplink());
        site.host.ip(&format!("link set dev {GUEST_LINK} alias {}", records::port_id(site.number.into())));
        let files = Files::new();
        files.nb(&["apply", "-"], &records_of(site));
        let local = ["--local-ip".to_owned(), site.local().to_string()];
        let switch = Self { daemon: Daemon::start(&site.host, &files, &local), files };
        switch.daemon.wait_until_up("ports", 1);
        Box::new(switch)
    }
}

impl Switch for Trunkpath {
    fn wait_until_ready(&self) {
        until("a path to the other host, and the uplink", || {
            let (peers, uplinks) = (self.daemon.show("peers")?, self.daemon.show("uplinks")?);
            let is_reached = !peers[0]["paths"].as_array()?.is_empty();
            (is_reached && uplinks[0]["queues"].as_u64()? > 0).then_some(())
        });
    }

    fn assert_sound(&self) {
        let problems = self.daemon.show("problems");
        assert_eq!(problems, Some(json!([])), "{}", self.files.log());
        self.daemon.assert_frames_conserved();
    }

    fn state(&self) -> String {
        let shown = ["peers", "uplinks", "problems"].map(|what| self.files.ask(&["show", what]));
        format!("{}\n{}\n{}", self.files.log(), shown.join("\n"), self.daemon.stats_for_people())
    }
}

/// The network, a port of the guest here, and one of the guest on the other host.
fn records_of(site: &Site) -> String {
    let mut network = records::network(NETWORK);
    network["record"]["network_type"] = site.kind.name().into();
    network["record"]["segmentation_id"] = KEY.into();
    let chassis = json!({"table": "chassis", "record": {
        "id": "other", "ip": site.remote().to_string(), "tunnel_types": ["vxlan", "geneve", "gre"],
    }});
    let [here, mut there] = [site.number, 3 - site.number]
        .map(|number| records::port(number.into(), NETWORK, "guest", [2, 0x38, 0, 0, 0, number], true));
    there["record"]["binding"]["chassis"] = "other".into();
    [network, chassis, here, there].map(|record| record.to_string()).join("\n")
}
