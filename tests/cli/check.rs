//! `trunkpath check` in namespaces without faults and with one.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use testkit::netns::Netns;
use trunkpath::control::links::LinkWatch;
use trunkpath::kernel::inspect::XdpMode;
use trunkpath::kernel::{ProgramLoader, ProgramOptions, SteerProgram};
use trunkpath::types::IfIndex;
use trunkpath::types::NoSocketPolicy;

fn check(namespace: &Netns, words: &str) -> (bool, String) {
    let binary = env!("CARGO_BIN_EXE_trunkpath");
    answer(
        &namespace
            .enter(|| Command::new(binary).arg("check").args(words.split_whitespace()).output().unwrap()),
    )
}

fn answer(output: &Output) -> (bool, String) {
    (output.status.success(), String::from_utf8(output.stdout.clone()).unwrap())
}

fn ifindex(namespace: &Netns, link: &str) -> IfIndex {
    namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (links, _) = runtime.block_on(LinkWatch::open()).unwrap();
        links.named(link).unwrap().ifindex
    })
}

#[test]
fn a_link_that_fits_is_ok() {
    let Some(namespace) = Netns::for_test("a_link_that_fits_is_ok") else { return };
    namespace.ip("link add v0 type veth peer name v1");
    namespace.ip("link set v0 up");
    namespace.ip("link set v1 up");
    let (ok, screen) = check(&namespace, "v0");
    assert!(ok && screen.contains("ok       link v0       veth, 1 queue, MTU 1500, up\n"), "{screen}");
    assert!(screen.ends_with("nothing is missing\n"), "{screen}");
}

#[test]
fn faults_of_a_link_are_reported_with_a_remedy() {
    let Some(namespace) = Netns::for_test("faults_of_a_link_are_reported_with_a_remedy") else { return };
    namespace.ip("link add v0 mtu 40000 numrxqueues 1 numtxqueues 2 type veth peer name v1 numtxqueues 2");
    let (ok, screen) = check(&namespace, "v0");
    for part in [
        "warning  link v0",
        "-> ip link set dev v0 up",
        "MISSING  link v0       only generic XDP is possible",
        "numrxqueues",
        "MISSING  link v0       MTU 40000: packets over 28626 bytes cannot be sent",
        "2 missing",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    assert!(!ok, "a named link is required");
    let (ok, screen) = check(&namespace, "");
    assert!(ok && screen.contains("warning  link v0       only generic"), "no link is required: {screen}");
    let (ok, screen) = check(&namespace, "v2 --json");
    let findings: Vec<serde_json::Value> = serde_json::from_str(&screen).unwrap();
    let missing = findings.iter().find(|finding| finding["about"] == "link v2").unwrap();
    assert_eq!((ok, &missing["verdict"]), (false, &"missing".into()));
    assert!(missing["advice"].as_str().unwrap().contains("most similar name is v"), "{missing}");
}

#[test]
fn a_foreign_program_is_shown_with_its_owner() {
    let Some(namespace) = Netns::for_test("a_foreign_program_is_shown_with_its_owner") else { return };
    namespace.ip("link add v0 type veth peer name v1");
    let index = ifindex(&namespace, "v0");
    let options = ProgramOptions { queues: 1, no_socket: NoSocketPolicy::Drop, allow_generic: false };
    // The command name of this process is not trunkpath, so its program is a foreign one for `check`.
    let program = namespace
        .enter(|| SteerProgram::attach(&mut ProgramLoader::default(), index, options, None))
        .unwrap();
    assert_eq!(program.mode(), XdpMode::Native);
    let (ok, screen) = check(&namespace, "v0");
    let owner = format!("(process {})", std::process::id());
    assert!(!ok && screen.contains(&owner) && screen.contains("(native), \"steer\", held by"), "{screen}");
    assert!(screen.contains("stop its owner"), "{screen}");
    drop(program);
    let (ok, screen) = check(&namespace, "v0");
    assert!(ok, "{screen}");
}

#[test]
fn missing_capabilities_are_named() {
    let Some(namespace) = Netns::for_test("missing_capabilities_are_named") else { return };
    let setpriv = |what: &str| {
        let words = ["--bounding-set", what, env!("CARGO_BIN_EXE_trunkpath"), "check", "lo"];
        answer(&namespace.enter(|| Command::new("setpriv").args(words).output().unwrap()))
    };
    let (ok, screen) = setpriv("-all");
    for part in ["MISSING  AF_XDP", "CAP_NET_RAW is not held", "CAP_BPF is not held", "run as root"] {
        assert!(!ok && screen.contains(part), "{part}: {screen}");
    }
    let (_, screen) = setpriv("-all,+sys_admin");
    assert!(!screen.contains("CAP_BPF is not held"), "CAP_SYS_ADMIN contains it: {screen}");
}

/// Opens a tap with the offloads of a guest as qemu does, until its input ends (`TUNSETIFF` and
/// `TUNSETOFFLOAD` in `linux/if_tun.h`).
const HOLD_TAP: &str = "
import fcntl, struct, sys
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, TUNSETIFF, TUNSETOFFLOAD = 0x2, 0x1000, 0x4000, 0x400454ca, 0x400454d0
tap = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', b'tap0', IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
fcntl.ioctl(tap, TUNSETOFFLOAD, int(sys.argv[1], 0))
print('open', flush=True)
sys.stdin.read()
";

/// Output of `check` for a tap whose VM uses these offloads.
fn check_tap(namespace: &Netns, offloads: &str) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", HOLD_TAP, offloads]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = namespace.enter(|| command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    let (_, screen) = check(namespace, "tap0");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    screen
}

#[test]
fn udp_segmentation_of_a_vm_is_named() {
    let Some(namespace) = Netns::for_test("udp_segmentation_of_a_vm_is_named") else { return };
    // TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6; below also TUN_F_USO4 and TUN_F_USO6.
    let screen = check_tap(&namespace, "0x7");
    assert!(!screen.contains("UDP segmentation"), "{screen}");
    let screen = check_tap(&namespace, "0x67");
    assert!(screen.contains("warning  link tap0     its VM offloads UDP segmentation"), "{screen}");
    assert!(screen.contains("host_uso=off,guest_uso4=off,guest_uso6=off"), "{screen}");
}
