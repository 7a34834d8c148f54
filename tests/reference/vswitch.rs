//! Open vSwitch in user space, on its *dummy* datapath: no kernel module, no links, no root. Each port is a
//! Unix socket on which each frame follows its length (two bytes, big-endian).

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use testkit::command::succeed;
use testkit::process::Process;
use testkit::strategies::Hex;
use testkit::wait::PATIENCE;

/// Frames that left, by link, in no order.
pub type Output = BTreeMap<String, Vec<Vec<u8>>>;

/// Two addresses and a type: Open vSwitch drops shorter frames.
const SHORTEST: usize = 14;

/// A flow sends this frame out of every port, which marks the end of all earlier frames. The `EtherType` is
/// local experimental 2.
const FENCE: &[u8; 60] = &{
    let mut fence = [0; 60];
    (fence[12], fence[13]) = (0x88, 0xb6);
    fence
};

/// Both daemons, with files and sockets of their own. They end with the value.
#[derive(Debug)]
pub struct OpenVswitch {
    _vswitchd: Process,
    _database: Process,
    folder: TempDir,
}

impl OpenVswitch {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (schema, database) = ("/usr/share/openvswitch/vswitch.ovsschema", at("conf.db"));
        succeed(program("ovsdb-tool", folder.path()).args(["create", &database, schema]), "");
        let (socket, log) = (at("db.sock"), folder.path().join("log"));
        let mut server = program("ovsdb-server", folder.path());
        server.args([&database, &format!("--remote=punix:{socket}"), &format!("--unixctl={}", at("db.ctl"))]);
        let server = Process::start(&mut server, &log);
        let mut vswitchd = program("ovs-vswitchd", folder.path());
        vswitchd.args([&format!("unix:{socket}"), &format!("--unixctl={}", at("vswitchd.ctl"))]);
        vswitchd.args(["--enable-dummy=override", "--disable-system"]);
        let open_vswitch = Self { _vswitchd: Process::start(&mut vswitchd, &log), _database: server, folder };
        open_vswitch.vsctl("--no-wait init");
        // The maximum number of parsed tags: without it, a subport of a subport does not work at all.
        open_vswitch.vsctl("set Open_vSwitch . other_config:vlan-limit=2");
        // The cache of wildcarded flows would give a frame with two tags the action of the last one with one
        // tag.
        open_vswitch.appctl(&["upcall/disable-megaflows"]);
        open_vswitch
    }

    /// Creates a bridge with a port for each name, `OpenFlow` port numbers from 1 on, and these flows
    /// (`ovs-ofctl` syntax).
    pub fn bridge(&self, name: &str, ports: impl IntoIterator<Item = String>, flows: &str) -> Bridge<'_> {
        let mut commands = vec![
            format!("add-br {name}"),
            format!("set bridge {name} datapath_type=dummy fail_mode=secure protocols=OpenFlow10,OpenFlow13"),
        ];
        let mut listeners = Vec::new();
        for (number, port) in (1..).zip(ports) {
            let bridge_port = format!("{name}-{number}");
            let socket = self.folder.path().join(&bridge_port);
            let options =
                format!("type=dummy ofport_request={number} options:stream=unix:{}", socket.display());
            commands.extend([
                format!("add-port {name} {bridge_port}"),
                format!("set interface {bridge_port} {options}"),
            ]);
            listeners.push((port, UnixListener::bind(socket).unwrap()));
        }
        self.vsctl(&commands.join(" -- "));
        let connect = |(port, listener): (String, UnixListener)| {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            (port, socket)
        };
        let ports = listeners.into_iter().map(connect).collect();
        let flows = format!("priority=65535,dl_type=0x88b6 actions=ALL,IN_PORT\n{flows}\n");
        let management = format!("unix:{}", self.folder.path().join(format!("{name}.mgmt")).display());
        // `mod_vlan_vid` keeps an inner tag from OpenFlow 1.1 on; `push_vlan` came with that version.
        let mut ofctl = program("ovs-ofctl", self.folder.path());
        let protocol = if flows.contains("mod_vlan_vid") { "OpenFlow10" } else { "OpenFlow13" };
        succeed(ofctl.args(["-O", protocol, "add-flows", &management, "-"]), &flows);
        Bridge { open_vswitch: self, name: name.to_owned(), ports }
    }

    fn vsctl(&self, line: &str) {
        let database = format!("--db=unix:{}", self.folder.path().join("db.sock").display());
        let timeout = format!("--timeout={}", PATIENCE.as_secs());
        let mut vsctl = program("ovs-vsctl", self.folder.path());
        succeed(vsctl.args([&database, "--retry", &timeout]).args(line.split(' ')), "");
    }

    /// Runs `ovs-appctl`; returns its output.
    fn appctl(&self, words: &[&str]) -> String {
        let target = self.folder.path().join("vswitchd.ctl");
        succeed(program("ovs-appctl", self.folder.path()).arg("-t").arg(target).args(words), "")
    }
}

/// A command of a program of Open vSwitch, with its files and sockets in `folder`.
fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, folder);
    }
    command
}

/// A bridge and the test's ends of its ports.
#[derive(Debug)]
pub struct Bridge<'a> {
    open_vswitch: &'a OpenVswitch,
    name: String,
    ports: Vec<(String, UnixStream)>,
}

impl Bridge<'_> {
    /// Sends `frame` into the link of `port`; returns the frames that leave.
    pub fn send(&mut self, port: &str, frame: &[u8]) -> Output {
        if frame.len() < SHORTEST {
            return Output::new();
        }
        let (_, socket) = self.ports.iter_mut().find(|(name, _)| name == port).unwrap();
        for bytes in [frame, FENCE] {
            let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            socket.write_all(&[&len, bytes].concat()).unwrap();
        }
        let mut output = Output::new();
        for (port, socket) in &mut self.ports {
            let frames: Vec<_> = std::iter::from_fn(|| receive(socket)).collect();
            if !frames.is_empty() {
                output.insert(port.clone(), frames);
            }
        }
        output
    }

    /// Trace of `frame` through Open vSwitch.
    pub fn explain(&self, port: &str, frame: &[u8]) -> String {
        let number = self.ports.iter().position(|(name, _)| name == port).unwrap() + 1;
        let hex = format!("{:?}", Hex(frame.to_vec()));
        self.open_vswitch.appctl(&["ofproto/trace", &self.name, &format!("in_port={number}"), &hex])
    }
}

/// The next frame; `None` is the fence.
fn receive(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    socket.read_exact(&mut len).expect("Open vSwitch is there and answers");
    let mut frame = vec![0; usize::from(u16::from_be_bytes(len))];
    socket.read_exact(&mut frame).expect("a whole frame");
    (frame != FENCE).then_some(frame)
}
