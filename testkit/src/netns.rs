//! Network namespaces, and the veths between them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::command::{run, succeed};
use crate::root::is_root;

/// What the names of all of them begin with; the process that made them follows.
const PREFIX: &str = "tp-test-";

/// What `ip` says of a link with an XDP program.
const PROGRAM: &str = "prog/xdp";

/// A network namespace. Gone, with all its links, when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// A new one, with nothing in it but `lo`, which is up. It does not speak IPv6 by itself, so that no frame
    /// is in it but those that a test sends.
    pub fn new(name: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        sweep();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let netns = Self { name: format!("{PREFIX}{}-{serial}-{name}", std::process::id()) };
        run(&format!("ip netns add {}", netns.name));
        netns.ip("link set lo up");
        netns.enter(|| {
            fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        });
        netns
    }

    /// A new one for `test`; `None` without root, and the test is skipped.
    pub fn for_test(test: &str) -> Option<Self> {
        is_root(test).then(|| Self::new("test"))
    }

    /// As `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip -n NAME ARGUMENTS`, and what it printed.
    pub fn ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.name))
    }

    /// Whether there is an XDP program on any link.
    pub fn has_programs(&self) -> bool {
        self.ip("-details link show").contains(PROGRAM)
    }

    /// Makes sure that there is none.
    pub fn assert_no_programs(&self) {
        let links = self.ip("-details link show");
        assert!(!links.contains(PROGRAM), "an XDP program stays behind:\n{links}");
    }

    /// Does what each of `lines` says to `ip`, by one process.
    pub fn ip_batch(&self, lines: &[String]) {
        succeed(Command::new("ip").args(["-n", &self.name, "-batch", "-"]), &lines.join("\n"));
    }

    /// A command that runs in here. It ends with the thread that starts it, should that die with no time to clean up.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command_in(&self.name, program)
    }

    /// Runs `work` in here. What it opens stays in here.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let netns = File::open(format!("/run/netns/{}", self.name)).unwrap();
        // A namespace is a property of a thread: a thread of its own needs no way back.
        let result = thread::scope(|scope| {
            let entered = || {
                setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            };
            scope.spawn(entered).join()
        });
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A command that runs in the namespace of that name, see [`Netns::command`].
pub fn command_in(netns: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", netns, "setpriv", "--pdeathsig", "KILL"]).arg(program);
    command
}

impl Drop for Netns {
    fn drop(&mut self) {
        // A drop while a test fails must not panic again; what stays, the next sweep takes.
        drop(Command::new("ip").args(["netns", "delete", &self.name]).status());
    }
}

/// Removes what test processes left behind that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            // Another test may be faster.
            drop(Command::new("ip").args(["netns", "delete", &name]).output());
        }
    }
}

/// A veth between two namespaces: `(namespace, device)` and `(namespace, device, MAC address)`. Both ends are up and
/// have `queues` queues.
pub fn veth(here: (&Netns, &str), there: (&Netns, &str, &str), queues: u32) {
    let (queues, (there_netns, there_dev, mac)) =
        (format!("numrxqueues {queues} numtxqueues {queues}"), there);
    here.0.ip(&format!(
        "link add name {} {queues} type veth peer name {there_dev} address {mac} {queues} netns {}",
        here.1, there_netns.name
    ));
    there_netns.ip(&format!("link set dev {there_dev} up"));
    here.0.ip(&format!("link set dev {} up", here.1));
    // The end that is up first has no carrier before the other one is up, too.
    crate::wait::until("the carrier of a veth", || {
        there_netns.ip(&format!("link show dev {there_dev}")).contains("LOWER_UP").then_some(())
    });
}
