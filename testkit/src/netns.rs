//! Network namespaces, and the veths between them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::command::{run, succeed};
use crate::root::is_root;

/// Prefix of the names; the id of the process that made them follows.
const PREFIX: &str = "tp-test-";

/// Part of `ip link show` of a link with an XDP program.
const PROGRAM: &str = "prog/xdp";

/// A network namespace, deleted with all its links when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// A new namespace with `lo`, which is up. IPv6 is disabled on new links, so that it has no frames but
    /// those of the test.
    pub fn new(name: &str) -> Self {
        let netns = Self::untouched(name);
        netns.ip("link set lo up");
        netns.enter(|| {
            fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        });
        netns
    }

    /// A new namespace for `test`, as the kernel makes it; `None` without root, and the test is skipped.
    pub fn for_test(test: &str) -> Option<Self> {
        is_root(test).then(|| Self::untouched("test"))
    }

    fn untouched(name: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        sweep();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let netns = Self { name: format!("{PREFIX}{}-{serial}-{name}", std::process::id()) };
        run(&format!("ip netns add {}", netns.name));
        netns
    }

    /// Name for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip -n NAME ARGUMENTS` and returns its output.
    pub fn ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.name))
    }

    /// Whether any link has an XDP program.
    pub fn has_programs(&self) -> bool {
        self.ip("-details link show").contains(PROGRAM)
    }

    /// Asserts that no link has an XDP program.
    pub fn assert_no_programs(&self) {
        let links = self.ip("-details link show");
        assert!(!links.contains(PROGRAM), "an XDP program stays behind:\n{links}");
    }

    /// Runs each of `lines` as an `ip` command, in one process.
    pub fn ip_batch(&self, lines: &[String]) {
        succeed(Command::new("ip").args(["-n", &self.name, "-batch", "-"]), &lines.join("\n"));
    }

    /// A command in this namespace. The kernel kills it when the thread that started it ends.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command_in(&self.name, program)
    }

    /// Runs `work` on a thread in this namespace. What it opens stays in this namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let netns = File::open(format!("/run/netns/{}", self.name)).unwrap();
        // A namespace belongs to a thread: a thread of its own does not have to leave it again.
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
        // A drop must not panic again while a test fails. The next [`sweep`] deletes what is left.
        drop(Command::new("ip").args(["netns", "delete", &self.name]).status());
    }
}

/// Deletes the namespaces of test processes that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            // Another test may have deleted it already.
            drop(Command::new("ip").args(["netns", "delete", &name]).output());
        }
    }
}

/// Creates a veth between two namespaces: `(namespace, link)` and `(namespace, link, MAC address)`. Both ends
/// are up and have `queues` queues.
pub fn veth(here: (&Netns, &str), there: (&Netns, &str, &str), queues: u32) {
    let (queues, (there_netns, there_dev, mac)) =
        (format!("numrxqueues {queues} numtxqueues {queues}"), there);
    here.0.ip(&format!(
        "link add name {} {queues} type veth peer name {there_dev} address {mac} {queues} netns {}",
        here.1, there_netns.name
    ));
    there_netns.ip(&format!("link set dev {there_dev} up"));
    here.0.ip(&format!("link set dev {} up", here.1));
    // The end that is set up first has no carrier before the other one is up.
    crate::wait::until("the carrier of a veth", || {
        there_netns.ip(&format!("link show dev {there_dev}")).contains("LOWER_UP").then_some(())
    });
}
