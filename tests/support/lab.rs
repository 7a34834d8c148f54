//! A host with the daemon, and guests on it.
//!
//! ```text
//!   guest "vm"          guest "a"           each: a namespace, eth0, a sender, a capture
//!     eth0                eth0
//!      |                   |                veths
//!      vm                  a                the host: a namespace, the daemon, its database
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::command::{run, succeed};
use super::daemon::{Daemon, Files};
use super::frame::{Frame, Frames, MARKER, Mac, ethertype, hex, tci};
use super::netns::{Netns, veth};
use super::records::{self, port_id};
use super::root::is_root;
use super::stream::Stream;
use super::wait::until;
use super::wire::{Capture, Sender};

/// Runs `test` in a lab of its own, and then checks what must hold after every test: no frame lost, no capture
/// overrun, a daemon that ends well and leaves nothing on its links.
pub fn in_lab(test: impl FnOnce(&mut Lab)) {
    if !is_root(std::thread::current().name().unwrap_or("this test")) {
        return;
    }
    let mut lab = Lab::new();
    test(&mut lab);
    lab.finish();
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
pub struct Lab {
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

impl Lab {
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

    // --- before the start -----------------------------------------------------------------------------------------

    /// A network.
    pub fn network(&mut self) -> Network {
        self.networks += 1;
        self.record(&records::network(self.networks));
        Network(self.networks)
    }

    /// A guest on `network`, found by its link's alias.
    pub fn guest(&mut self, name: &str, network: Network) -> Port {
        self.guest_found_by(FoundBy::Alias, name, network)
    }

    /// A guest on `network`.
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
        let (sender, capture) = (Arc::new(Sender::new(&netns, "eth0")), Capture::start(&netns, "eth0"));
        self.guests.push(Guest { dev, netns, sender, capture });
        port
    }

    /// A subport of `parent` on `network`.
    pub fn subport(&mut self, parent: &Port, vid: u16, network: Network) -> Port {
        self.subport_with_mac(None, parent, vid, network)
    }

    /// A subport of `parent` on `network`, with the address `mac` if there is one.
    pub fn subport_with_mac(&mut self, mac: Option<Mac>, parent: &Port, vid: u16, network: Network) -> Port {
        let port = self.spare_port_with_mac(mac, parent, vid, network);
        self.record(&records::segmentation(parent.key, port.key, vid));
        port
    }

    /// A port that could be a subport of `parent`, but no segmentation says so yet.
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
        let key = u32::try_from(self.ports.len()).unwrap() + 1;
        let mac = mac.unwrap_or([0xfa, 0x16, 0x3e, 0, 1, u8::try_from(key).unwrap()]);
        self.record(&records::port(key, network.0, name, mac, parent.is_none()));
        let (guest, vids) = match parent {
            Some((parent, vid)) => (parent.guest, [parent.vids.clone(), vec![vid]].concat()),
            None => (self.guests.len(), vec![]),
        };
        let port = Port { key, mac, network, guest, vids };
        self.ports.push(port.clone());
        port
    }

    fn record(&mut self, record: &Value) {
        writeln!(self.records, "{record}").unwrap();
    }

    /// Writes the records and starts the daemon on them. Returns when all guests and subports are served.
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_all_up();
    }

    /// Writes the records and starts the daemon on them, whatever it may make of them.
    pub fn launch(&mut self) {
        self.write_records();
        self.relaunch();
    }

    /// Writes the records.
    pub fn write_records(&self) {
        self.files.nb(&["apply", "-"], &self.records);
    }

    /// Starts the daemon on what is in the database.
    pub fn relaunch(&mut self) {
        self.daemon = Some(Daemon::start(&self.host, &self.files, &self.arguments));
    }

    /// Writes the records and starts the daemon on them, as a user with no more rights than it needs.
    pub fn start_as_nobody(&mut self) {
        self.start_as_nobody_with("");
    }

    /// The same with more capabilities, as `,+sys_time`.
    pub fn start_as_nobody_with(&mut self, capabilities: &str) {
        self.write_records();
        self.adopt(Daemon::start_as_nobody(&self.host, &self.files, &self.arguments, capabilities));
    }

    /// Takes a daemon that was started otherwise, and waits until all guests and subports are served.
    pub fn adopt(&mut self, daemon: Daemon) {
        self.daemon = Some(daemon);
        self.wait_until_all_up();
    }

    /// Waits until all guests and subports are served.
    pub fn wait_until_all_up(&self) {
        self.daemon().wait_until_up("ports", self.guests.len());
        self.daemon().wait_until_up("subports", self.records.matches("\"child_port_segmentation\"").count());
    }

    // --- while it runs --------------------------------------------------------------------------------------------

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

    /// Lets what came to the guests up to now, where `sender` sent last, be as it may.
    pub fn forget_arrived(&mut self, sender: &Port) {
        drop(self.arrived(sender.guest));
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

    fn edit(&self, port: &Port, change: impl FnOnce(&mut Value)) {
        let mut record = serde_json::from_str(&self.files.nb(&["get", "lport", &port.id()], "")).unwrap();
        change(&mut record);
        self.files.nb(&["put", "lport", &record.to_string()], "");
    }

    /// Every port by its id, for a model: network, address, guest, and its tags there.
    pub fn site(&self) -> BTreeMap<String, Value> {
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
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/guest-vlan");
        run(&format!("{script} {} eth0 {vid} {name} {pcp}", netns.name()));
        netns.ip(&format!("link set dev {name} address {} up", records::text(port.mac)));
        name
    }

    /// Sends `frames` from the guest of `from`; then every guest must have received what `expected` has for it, to the
    /// byte, in any order, and nothing else.
    pub fn exchange(&mut self, from: &Port, frames: &dyn Frames, expected: &[(&Port, &dyn Frames)]) {
        for frame in frames.as_slice() {
            self.guests[from.guest].sender.send(&frame.bytes());
        }
        self.expect(from, expected);
    }

    /// The same with frames as they are on the wire, by the devices of the guests.
    pub fn exchange_bytes(
        &mut self,
        from: &str,
        frames: &[Vec<u8>],
        expected: &BTreeMap<String, Vec<String>>,
    ) {
        let guest = self.guests.iter().position(|guest| guest.dev == from).expect("a guest of that name");
        Stream::paced(&self.guests[guest].sender, frames);
        self.expect_bytes(guest, expected.clone());
    }

    /// The second half of [`Lab::exchange`]: after what was sent by the guest of `from`.
    pub fn expect(&mut self, from: &Port, expected: &[(&Port, &dyn Frames)]) {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (port, frames) in expected {
            let frames = frames.as_slice().iter().map(|frame| hex(&frame.bytes()));
            wanted.entry(self.dev(port).to_owned()).or_default().extend(frames);
        }
        self.expect_bytes(from.guest, wanted);
    }

    /// The same with frames as hexadecimal numbers, by the devices of the guests.
    fn expect_bytes(&mut self, from: usize, mut wanted: BTreeMap<String, Vec<String>>) {
        for (guest, frames) in self.arrived(from).into_iter().enumerate() {
            let dev = &self.guests[guest].dev;
            let mut got: Vec<_> = frames.iter().map(|frame| hex(frame)).collect();
            let mut wanted = wanted.remove(dev).unwrap_or_default();
            got.sort();
            wanted.sort();
            assert!(
                got == wanted,
                "guest {dev}, after frames from {}\n{}",
                self.guests[from].dev,
                difference(&got, &wanted)
            );
        }
    }

    /// What came to each guest up to now, where `sender` sent last.
    ///
    /// A marker follows the frames out of `sender`; when it has arrived, all before it have left the switch. Markers
    /// to all other guests are sent only then, so each guest has its frames when it has its marker.
    fn arrived(&mut self, sender: usize) -> Vec<Vec<Vec<u8>>> {
        let mut arrived = vec![vec![]; self.guests.len()];
        let (first, frames) = self.mark(|from, _| from.guest == sender);
        arrived[first] = frames;
        for guest in (0..self.guests.len()).filter(|guest| *guest != first) {
            arrived[guest] = self.mark(|_, to| to.guest == guest).1;
        }
        for frames in &mut arrived {
            frames.retain(|frame| ethertype(frame) != MARKER);
        }
        arrived
    }

    /// Sends a marker between two ports of two guests that `fits` accepts. Returns the guest that got it, and all that
    /// it got until then.
    fn mark(&mut self, fits: impl Fn(&Port, &Port) -> bool) -> (usize, Vec<Vec<u8>>) {
        let pairs = self.ports.iter().flat_map(|from| self.ports.iter().map(move |to| (from, to)));
        let (from, to) = pairs
            .filter(|(from, to)| from.network == to.network && from.guest != to.guest)
            .filter(|(from, to)| fits(from, to))
            // Through as little of the switch as possible.
            .min_by_key(|(from, to)| from.vids.len() + to.vids.len())
            .expect("each guest of a test shares a network with another");

        self.markers += 1;
        let payload = [&self.markers.to_be_bytes()[..], &[0; 42]].concat();
        let marker = Frame { ethertype: MARKER, ..Frame::new(from.mac, to.mac).carrying(&payload) };
        let sent = from.vids.iter().rev().fold(marker, |frame, vid| frame.tagged(tci(0, false, *vid)));
        self.guests[from.guest].sender.send(&sent.bytes());
        let frames = self.guests[to.guest].capture.through(|frame| frame.ends_with(&payload));
        (to.guest, frames)
    }

    // --- at the end -----------------------------------------------------------------------------------------------

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

impl Drop for Lab {
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

/// In what two sorted lists of frames differ.
fn difference(got: &[String], wanted: &[String]) -> String {
    let without = |list: &[String], other: &[String]| {
        let mut other = other.iter().peekable();
        let mut left = vec![];
        for frame in list {
            while other.next_if(|next| *next < frame).is_some() {}
            if other.next_if(|next| *next == frame).is_none() {
                left.push(frame.clone());
            }
        }
        left
    };
    let (more, less) = (without(got, wanted), without(wanted, got));
    format!(
        "got {} frames, expected {}\n  unexpected {more:#?}\n     missing {less:#?}",
        got.len(),
        wanted.len()
    )
}
