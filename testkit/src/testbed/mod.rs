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
use crate::frame::{Frame, Mac};
use crate::netns::{Netns, veth};
use crate::records::{self, port_id};
use crate::root::is_root;
use crate::wait::until;
use crate::wire::{Capture, Sender};

/// Runs `test` in a testbed of its own, and then checks what must hold after every test: no frame lost, no capture
/// overrun, a daemon that ends well and leaves nothing on its links.
pub fn on_testbed(test: impl FnOnce(&mut Testbed)) {
    if !is_root(std::thread::current().name().unwrap_or("this test")) {
        return;
    }
    let mut testbed = Testbed::new();
    test(&mut testbed);
    testbed.finish();
}

/// A network, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(u32);

/// A logical port: a guest's own, or a subport of it.
#[derive(Debug, Clone)]
pub struct Port {
    pub key: u32,
    pub mac: Mac,
    pub network: Network,
    /// The guest that it belongs to, as an index.
    guest: usize,
    /// What the guest's own port is to it: its VLAN tags, outermost first.
    vids: Vec<u16>,
}

impl Port {
    /// Its id in the records.
    pub fn id(&self) -> String {
        port_id(self.key)
    }
}

/// How the daemon is to find the device of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    Alias,
    Attach,
    TapName,
}

#[derive(Debug)]
struct Guest {
    /// Its device on the host.
    dev: String,
    netns: Netns,
    sender: Arc<Sender>,
    capture: Capture,
}

/// See the module. Fields are dropped in this order: the daemon ends before its links go.
#[derive(Debug)]
pub struct Testbed {
    daemon: Option<Daemon>,
    guests: Vec<Guest>,
    pub host: Netns,
    pub files: Files,
    /// RX and TX queues of the guests made from now on.
    pub queues: u32,
    /// More arguments for `trunkpath run`.
    pub arguments: Vec<String>,
    records: String,
    ports: Vec<Port>,
    networks: u32,
    markers: u64,
}

impl Testbed {
    fn new() -> Self {
        Self {
            daemon: None,
            guests: vec![],
            host: Netns::new("host"),
            files: Files::new(),
            queues: 1,
            arguments: vec![],
            records: String::new(),
            ports: vec![],
            networks: 0,
            markers: 0,
        }
    }

    /// The running daemon.
    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon is started")
    }

    /// The daemon, to be ended by the test.
    pub fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("the daemon is started")
    }

    /// The namespace of `port`'s guest.
    pub fn netns(&self, port: &Port) -> &Netns {
        &self.guests[port.guest].netns
    }

    /// The device of `port`'s guest on the host.
    pub fn dev(&self, port: &Port) -> &str {
        &self.guests[port.guest].dev
    }

    /// What sends on eth0 of `port`'s guest.
    pub fn sender(&self, port: &Port) -> Arc<Sender> {
        Arc::clone(&self.guests[port.guest].sender)
    }

    /// Sends `frames` on the interface `dev` of `port`'s guest. Returns when they have left by eth0.
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

    /// What arrives on eth0 of `port`'s guest.
    pub fn capture(&self, port: &Port) -> &Capture {
        &self.guests[port.guest].capture
    }

    /// Gives the guest of `port` a new link after its old one was deleted, as a VM that was stopped and started.
    pub fn plug(&mut self, port: &Port) {
        let guest = &self.guests[port.guest];
        veth((&self.host, &guest.dev), (&guest.netns, "eth0", &records::text(port.mac)), self.queues);
        self.host.ip(&format!("link set dev {} alias {}", guest.dev, port.id()));
        self.recapture(port);
    }

    /// Listens and sends anew on eth0 of `port`'s guest, after it was away.
    pub fn recapture(&mut self, port: &Port) {
        let guest = &mut self.guests[port.guest];
        guest.sender = Arc::new(Sender::new(&guest.netns, "eth0"));
        guest.capture = Capture::start(&guest.netns, "eth0");
    }

    /// Sets `enabled` in the record of `port`.
    pub fn set_enabled(&self, port: &Port, enabled: bool) {
        self.edit(port, |record| record["enabled"] = enabled.into());
    }

    /// Lets `port` send from its own MAC address and from `ips` only.
    pub fn secure(&self, port: &Port, ips: &[&str]) {
        self.edit(port, |record| {
            record["port_security_enabled"] = true.into();
            record["ips"] = json!(ips);
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

    /// Every port by its id, for a model: network, address, guest, and its tags there.
    pub fn ports_for_model(&self) -> BTreeMap<String, Value> {
        let port = |port: &Port| {
            json!({"network": port.network.0, "mac": records::text(port.mac), "guest": self.dev(port),
                "vids": port.vids})
        };
        self.ports.iter().map(|found| (found.id(), port(found))).collect()
    }

    /// Waits until the daemon serves the subport `port` with this VID.
    pub fn wait_for_vid(&self, port: &Port, vid: u16) {
        until(&format!("VID {vid} of port {}", port.key), || {
            let subports = self.daemon().show("subports")?;
            let mut rows = subports.as_array()?.iter().filter(|row| row["lport"] == port.id());
            rows.any(|row| row["segmentation_id"] == vid && row["state"] == "up").then_some(())
        });
    }

    /// A VLAN interface of `port`'s guest, `eth0.VID` with the MAC address of `port`, up. It sends with priority `pcp`.
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
        for guest in self.guests.drain(..) {
            guest.capture.stop();
        }
    }

    /// Waits until the kernel has taken all programs off the host's links.
    pub fn wait_for_no_programs(&self) {
        until("the kernel to take the programs off", || (!self.host.has_programs()).then_some(()));
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- trunkpath said\n{}", self.files.log());
            if let Some(daemon) = &self.daemon {
                for what in ["problems", "nb", "drift"] {
                    eprintln!("--- {what}\n{:#?}", daemon.show(what));
                }
                eprintln!("--- stats\n{}", daemon.stats_for_people());
            }
        }
    }
}
