//! Open vSwitch on its user-space datapath (`netdev`), which terminates tunnels without the kernel.
//!
//! ```text
//!   p0 -- br-int -- tun0  : the outer packet is routed to br-phy
//!   u1 -- br-phy          : its internal port has the tunnel endpoint
//! ```

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::testbed::{GUEST_LINK, KEY, Site, Switch, complete_checksums, complete_checksums_of_peer};
use testkit::command::{output, succeed};
use testkit::process::Process;
use testkit::wait::{PATIENCE, until};
use trunkpath::types::TunnelType;

/// Both daemons, in the namespace of a host. They end with the value.
pub struct OpenVswitch {
    _vswitchd: Process,
    _database: Process,
    folder: TempDir,
    netns: String,
}

impl OpenVswitch {
    pub fn start(site: &Site) -> Box<dyn Switch> {
        for (netns, link) in [(&site.host, GUEST_LINK), (&site.host, &site.uplink()), (&site.guest, "e0")] {
            complete_checksums(netns, link);
        }
        complete_checksums_of_peer(site);
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (schema, database) = ("/usr/share/openvswitch/vswitch.ovsschema", at("conf.db"));
        let program = |name: &str| in_folder(site.host.command(name), folder.path());
        succeed(program("ovsdb-tool").args(["create", &database, schema]), "");
        let (socket, log) = (at("db.sock"), folder.path().join("log"));
        let mut server = program("ovsdb-server");
        server.args([&database, &format!("--remote=punix:{socket}"), &format!("--unixctl={}", at("db.ctl"))]);
        let server = Process::start(&mut server, &log);
        let mut vswitchd = program("ovs-vswitchd");
        vswitchd.args([&format!("unix:{socket}"), &format!("--unixctl={}", at("vswitchd.ctl"))]);
        vswitchd.arg("--disable-system");
        let vswitchd = Process::start(&mut vswitchd, &log);
        let netns = site.host.name().to_owned();
        let switch = Self { _vswitchd: vswitchd, _database: server, folder, netns };
        switch.configure(site);
        Box::new(switch)
    }

    fn configure(&self, site: &Site) {
        let Site { number, kind, .. } = site;
        let tunnel_type = match kind {
            TunnelType::Vxlan => "vxlan",
            TunnelType::Geneve => "geneve",
            TunnelType::Gre => "gre",
        };
        let (local, remote, uplink) = (site.local(), site.remote(), site.uplink());
        let commands = [
            "init".to_owned(),
            "add-br br-int".to_owned(),
            "set bridge br-int datapath_type=netdev fail_mode=secure".to_owned(),
            "add-br br-phy".to_owned(),
            format!("set bridge br-phy datapath_type=netdev other_config:hwaddr=02:aa:00:00:01:{number:02}"),
            format!("add-port br-phy {uplink}"),
            format!("add-port br-int {GUEST_LINK}"),
            "add-port br-int tun0".to_owned(),
            format!(
                "set interface tun0 type={tunnel_type} options:local_ip={local} options:remote_ip={remote} \
                 options:key={KEY}"
            ),
        ];
        let database = format!("--db=unix:{}", self.folder.path().join("db.sock").display());
        let timeout = format!("--timeout={}", PATIENCE.as_secs());
        let mut vsctl = in_folder(site.host.command("ovs-vsctl"), self.folder.path());
        vsctl.args([&database, "--retry", "--no-wait", &timeout]).args(commands.join(" -- ").split(' '));
        succeed(&mut vsctl, "");
        // The link of br-phy's internal port.
        until("br-phy", || site.host.ip("-o link show").contains(" br-phy:").then_some(()));
        site.add_endpoint("br-phy");
        site.host.ip("link set dev br-phy up");
        let management = self.folder.path().join("br-int.mgmt");
        until("the management socket of br-int", || management.exists().then_some(()));
        let management = format!("unix:{}", management.display());
        let mut ofctl = in_folder(Command::new("ovs-ofctl"), self.folder.path());
        succeed(ofctl.args(["add-flow", &management, "actions=NORMAL"]), "");
    }

    fn appctl(&self, words: &[&str]) -> String {
        let target = self.folder.path().join("vswitchd.ctl");
        let mut appctl = in_folder(Command::new("ovs-appctl"), self.folder.path());
        let output = output(appctl.arg("-t").arg(target).args(words), "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Switch for OpenVswitch {
    fn state(&self) -> String {
        let shown =
            [&["ovs/route/show"][..], &["tnl/neigh/show"], &["tnl/ports/show", "-v"], &["dpctl/dump-flows"]];
        let shown = shown.map(|words| format!("{words:?}\n{}", self.appctl(words)));
        format!("Open vSwitch in {}\n{}", self.netns, shown.join("\n"))
    }
}

/// A command of a program of Open vSwitch, with its files and sockets in `folder`.
fn in_folder(mut command: Command, folder: &Path) -> Command {
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, folder);
    }
    command
}
