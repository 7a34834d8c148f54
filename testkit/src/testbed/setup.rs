//! Networks, guests and ports, added before the daemon starts; and its start.

use std::fmt::Write as _;

use serde_json::Value;

use super::{FoundBy, Network, Port, Testbed};
use crate::daemon::Daemon;
use crate::exchange::Station;
use crate::frame::Mac;
use crate::netns::{Netns, veth};
use crate::records;
use crate::wire::{Capture, Sender};

impl Testbed {
    pub fn network(&mut self) -> Network {
        self.networks += 1;
        self.record(&records::network(self.networks));
        Network(self.networks)
    }

    /// Adds a guest on `network`; the daemon finds its link by the alias.
    pub fn guest(&mut self, name: &str, network: Network) -> Port {
        self.guest_found_by(FoundBy::Alias, name, network)
    }

    /// Adds a guest on `network`, whose link the daemon finds by `by`.
    pub fn guest_found_by(&mut self, by: FoundBy, name: &str, network: Network) -> Port {
        let port = self.add_port(name, network, None, None);
        let dev = match by {
            FoundBy::TapName => format!("tap{}", &port.id()[..11]),
            FoundBy::Alias | FoundBy::Attach => name.to_owned(),
        };
        let netns = Netns::new(name);
        veth((&self.host, &dev), (&netns, "eth0", &records::text(port.mac)), self.queues);
        match by {
            FoundBy::Alias => drop(self.host.ip(&format!("link set dev {dev} alias {}", port.id()))),
            FoundBy::Attach => self.arguments.extend(["--attach".to_owned(), format!("{}={dev}", port.id())]),
            FoundBy::TapName => {}
        }
        let (sender, capture) = (Sender::new(&netns, "eth0"), Capture::start(&netns, "eth0"));
        self.exchange.stations.push(Station::new(&dev, 1, sender, capture));
        self.guests.push(netns);
        port
    }

    /// Adds a subport of `parent` on `network`.
    pub fn subport(&mut self, parent: &Port, vid: u16, network: Network) -> Port {
        self.subport_with_mac(None, parent, vid, network)
    }

    /// Adds a subport of `parent` on `network`, with the address `mac` if there is one.
    pub fn subport_with_mac(&mut self, mac: Option<Mac>, parent: &Port, vid: u16, network: Network) -> Port {
        let port = self.spare_port_with_mac(mac, parent, vid, network);
        self.record(&records::segmentation(parent.key, port.key, vid));
        port
    }

    /// Adds a port without a segmentation that could become a subport of `parent`.
    pub fn spare_port(&mut self, parent: &Port, vid: u16, network: Network) -> Port {
        self.spare_port_with_mac(None, parent, vid, network)
    }

    fn spare_port_with_mac(&mut self, mac: Option<Mac>, parent: &Port, vid: u16, network: Network) -> Port {
        self.add_port("sub", network, mac, Some((parent, vid)))
    }

    fn add_port(
        &mut self,
        name: &str,
        network: Network,
        mac: Option<Mac>,
        parent: Option<(&Port, u16)>,
    ) -> Port {
        let key = u32::try_from(self.exchange.ports.len()).unwrap() + 1;
        let mac = mac.unwrap_or([0xfa, 0x16, 0x3e, 0, 1, u8::try_from(key).unwrap()]);
        self.record(&records::port(key, network.0, name, mac, parent.is_none()));
        let (guest, vids) = match parent {
            Some((parent, vid)) => (parent.guest, [parent.vids.clone(), vec![vid]].concat()),
            None => (self.guests.len(), vec![]),
        };
        let port = Port { key, mac, network, guest, vids };
        self.exchange.ports.push(port.clone());
        port
    }

    fn record(&mut self, record: &Value) {
        writeln!(self.records, "{record}").unwrap();
    }

    /// Writes the records and starts the daemon. Returns when all guests and subports are served.
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_all_up();
    }

    /// Writes the records and starts the daemon, without waiting for ports to be served.
    pub fn launch(&mut self) {
        self.write_records();
        self.relaunch();
    }

    pub fn write_records(&self) {
        self.files.nb(&["apply", "-"], &self.records);
    }

    /// Starts the daemon with the present records.
    pub fn relaunch(&mut self) {
        self.daemon = Some(Daemon::start(&self.host, &self.files, &self.arguments));
    }

    /// Writes the records and starts the daemon as a user with the capabilities that it needs.
    pub fn start_as_nobody(&mut self) {
        self.start_as_nobody_with("");
    }

    /// The same with further capabilities, as in `,+sys_time`.
    pub fn start_as_nobody_with(&mut self, capabilities: &str) {
        self.write_records();
        self.adopt(Daemon::start_as_nobody(&self.host, &self.files, &self.arguments, capabilities));
    }

    /// Uses a daemon that the test started, and waits until all guests and subports are served.
    pub fn adopt(&mut self, daemon: Daemon) {
        self.daemon = Some(daemon);
        self.wait_until_all_up();
    }

    /// Waits until all guests and subports are served.
    pub fn wait_until_all_up(&self) {
        self.daemon().wait_until_up("ports", self.guests.len());
        self.daemon().wait_until_up("subports", self.records.matches("\"child_port_segmentation\"").count());
    }
}
