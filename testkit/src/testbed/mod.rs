//! A host with the daemon, and guests on it.
//!
//! ```text
//!   guest "vm"          guest "a"           each: a namespace, eth0, a sender, a capture
//!     eth0                eth0
//!      |                   |                veths
//!      vm                  a                the host: a namespace, the daemon, its database
//! ```

mod exchange;
mod setup;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::command::{run, succeed};
use crate::daemon::{Daemon, Files};
use crate::exchange::Exchange;
use crate::frame::{Frame, Mac};
use crate::netns::{Netns, veth};
use crate::records;
use crate::root::is_root;
use crate::wait::until;
use crate::wire::{Capture, Sender};

pub use crate::exchange::{Network, Port};

/// Runs `test` on a testbed of its own, then asserts what holds after every test: no frame is lost, no
/// capture overflowed, the daemon stops without an error, and nothing is left on its links.
pub fn on_testbed(test: impl FnOnce(&mut Testbed)) {
    if !is_root(std::thread::current().name().unwrap_or("this test")) {
        return;
    }
    let mut testbed = Testbed::new();
    test(&mut testbed);
    testbed.finish();
}

/// How the daemon finds the link of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    Alias,
    Attach,
    TapName,
}

/// A host with the daemon, and its guests. Fields are dropped in this order: the daemon stops before its
/// links are deleted.
#[derive(Debug)]
pub struct Testbed {
    daemon: Option<Daemon>,
    exchange: Exchange,
    /// By the index of the guest.
    guests: Vec<Netns>,
    pub host: Netns,
    pub files: Files,
    /// RX and TX queues of guests added after it was set.
    pub queues: u32,
    /// Further arguments for `trunkpath run`.
    pub arguments: Vec<String>,
    records: String,
    networks: u32,
}

impl Testbed {
    fn new() -> Self {
        Self {
            daemon: None,
            exchange: Exchange::default(),
            guests: vec![],
            host: Netns::new("host"),
            files: Files::new(),
            queues: 1,
            arguments: vec![],
            records: String::new(),
            networks: 0,
        }
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon is started")
    }

    /// Takes the daemon, so that the test can stop it.
    pub fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("the daemon is started")
    }

    /// Namespace of the guest of `port`.
    pub fn netns(&self, port: &Port) -> &Netns {
        &self.guests[port.guest]
    }

    /// Name of the link of `port`'s guest on the host.
    pub fn dev(&self, port: &Port) -> &str {
        &self.exchange.stations[port.guest].name
    }

    /// Sender on eth0 of the guest of `port`.
    pub fn sender(&self, port: &Port) -> Arc<Sender> {
        Arc::clone(&self.exchange.stations[port.guest].sender)
    }

    /// Sends `frames` on the link `dev` of the guest of `port`. Returns when they have left by eth0.
    pub fn send_by(&self, port: &Port, dev: &str, frames: &[Frame]) {
        let netns = self.netns(port);
        let sent = || {
            let counter = "/sys/class/net/eth0/statistics/tx_packets";
            succeed(netns.command("cat").arg(counter), "").trim().parse::<usize>().unwrap()
        };
        let (sender, before) = (Sender::new(netns, dev), sent());
        for frame in frames {
            sender.send(&frame.bytes());
        }
        until("frames to leave by eth0", || (sent() == before + frames.len()).then_some(()));
    }

    /// Capture on eth0 of the guest of `port`.
    pub fn capture(&self, port: &Port) -> &Capture {
        &self.exchange.stations[port.guest].capture
    }

    /// Creates the link of `port`'s guest again after it was deleted, as for a VM that was stopped and
    /// started.
    pub fn plug(&mut self, port: &Port) {
        let (guest, dev) = (self.netns(port), self.dev(port));
        veth((&self.host, dev), (guest, "eth0", &records::text(port.mac)), self.queues);
        self.host.ip(&format!("link set dev {dev} alias {}", port.id()));
        self.recapture(port);
    }

    /// Opens sender and capture again after eth0 of `port`'s guest was created again.
    pub fn recapture(&mut self, port: &Port) {
        let (guest, station) = (&self.guests[port.guest], &mut self.exchange.stations[port.guest]);
        station.sender = Arc::new(Sender::new(guest, "eth0"));
        station.capture = Capture::start(guest, "eth0");
    }

    /// Sets `enabled` in the record of `port`.
    pub fn set_enabled(&self, port: &Port, enabled: bool) {
        self.edit(port, |record| record["enabled"] = enabled.into());
    }

    /// Enables port security: `port` may send from its own MAC address and from `ips` only.
    pub fn secure(&self, port: &Port, ips: &[&str]) {
        self.edit(port, |record| {
            record["port_security_enabled"] = true.into();
            // No group filters a port of the network itself.
            record["device_owner"] = "network:distributed".into();
            record["ips"] = json!(ips);
        });
    }

    /// Gives `port` port security and a security group.
    pub fn guard(&self, port: &Port, ips: &[String], group: &str) {
        self.edit(port, |record| {
            record["port_security_enabled"] = true.into();
            record["ips"] = json!(ips);
            record["security_groups"] = json!([group]);
        });
    }

    /// Adds a pair of IP and MAC address to the record of `port`.
    pub fn pair(&self, port: &Port, ip: &str, mac: Mac) {
        self.edit(port, |record| {
            let pair = json!({"ip_address": ip, "mac_address": records::text(mac)});
            record["allowed_address_pairs"].as_array_mut().unwrap().push(pair);
        });
    }

    fn edit(&self, port: &Port, change: impl FnOnce(&mut Value)) {
        let mut record = serde_json::from_str(&self.files.nb(&["get", "lport", &port.id()], "")).unwrap();
        change(&mut record);
        self.files.nb(&["put", "lport", &record.to_string()], "");
    }

    /// The name of the link of each port that has one, by the id of the port.
    pub fn links(&self) -> BTreeMap<String, String> {
        let parents = self.exchange.ports.iter().filter(|port| port.vids.is_empty());
        parents.map(|port| (port.id(), self.dev(port).to_owned())).collect()
    }

    /// Waits until the daemon serves the subport `port` with this VID.
    pub fn wait_for_vid(&self, port: &Port, vid: u16) {
        until(&format!("VID {vid} of port {}", port.key), || {
            let subports = self.daemon().show("subports")?;
            let mut rows = subports.as_array()?.iter().filter(|row| row["lport"] == port.id());
            rows.any(|row| row["segmentation_id"] == vid && row["state"] == "up").then_some(())
        });
    }

    /// Creates the VLAN link `eth0.VID` of the subport `port`, with its MAC address, up. It sends with
    /// priority `pcp`.
    pub fn vlan_interface(&self, port: &Port, pcp: u16) -> String {
        let (netns, vid) = (self.netns(port), port.vids[0]);
        let name = format!("eth0.{vid}");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/guest-vlan");
        run(&format!("{script} {} eth0 {vid} {name} {pcp}", netns.name()));
        netns.ip(&format!("link set dev {name} address {} up", records::text(port.mac)));
        name
    }

    fn finish(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.assert_frames_conserved();
            daemon.stop();
        }
        self.host.assert_no_programs();
        assert_eq!(self.files.pins(), [""; 0], "pins stay behind");
        self.exchange.stop();
    }

    /// Waits until no link of the host has an XDP program.
    pub fn wait_for_no_programs(&self) {
        until("the kernel to take the programs off", || (!self.host.has_programs()).then_some(()));
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of trunkpath\n{}", self.files.log());
            if let Some(daemon) = &self.daemon {
                for what in ["problems", "nb", "drift"] {
                    eprintln!("--- {what}\n{:#?}", daemon.show(what));
                }
                eprintln!("--- stats\n{}", daemon.stats_for_people());
            }
        }
    }
}
