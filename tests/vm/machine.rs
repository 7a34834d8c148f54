//! A virtual machine: qemu with software emulation, and a virtio-net device on a tap.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::console::Console;
use super::image::Image;
use super::talk::LAST_NUMBER;
use super::testbed::GuestLink;
use testkit::netns::Netns;
use testkit::records::text;

/// Maximum time of a boot. It takes 6 s on an idle machine, emulated.
const BOOT: Duration = Duration::from_secs(100);

/// Times that a boot is tried.
const BOOTS: usize = 3;

/// Offloads that a virtio-net device offers.
#[derive(Debug, Clone, Copy)]
pub enum Offloads {
    /// The default ones: partial checksums, TCP super-packets.
    Stock,
    /// No TCP super-packets: each segment is a frame.
    NoSuperPackets,
}

impl Offloads {
    /// Properties of the device for qemu.
    fn properties(self) -> &'static str {
        match self {
            Self::Stock => "",
            Self::NoSuperPackets => ",host_tso4=off,host_tso6=off,host_ufo=off",
        }
    }
}

/// A running VM, killed when dropped or when the thread that made it ends.
#[derive(Debug)]
pub struct Vm {
    qemu: Child,
    console: Console,
    /// Log of its kernel.
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Vm {
    /// Starts a VM in `host`, with `tap` as the other end of its network device. It boots in the background:
    /// see [`Vm::wait_until_booted`].
    pub fn start(image: &Image, host: &Netns, tap: &str, port: &GuestLink, offloads: Offloads) -> Self {
        let network = [
            "-netdev".to_owned(),
            format!("tap,id=net,ifname={tap},script=no,downscript=no"),
            "-device".to_owned(),
            format!("virtio-net-pci,netdev=net,mac={}{}", text(port.mac), offloads.properties()),
        ];
        Self::power_on(image, host.command(&image.qemu).args(network).args(["-m", "256"]))
    }

    /// Starts a VM without a network device, and waits until it has booted: a host of the switch itself.
    pub fn boot_host(image: &Image) -> Self {
        Self::boot(image, &["-nic", "none", "-m", "1024"].map(str::to_owned))
    }

    /// Starts a VM with two NICs of a kind on one cable, and waits until it has booted. `device` is the name
    /// of the kind for qemu, with properties. The MAC addresses end in `:0a` and `:0b`.
    pub fn boot_with_nics(image: &Image, device: &str) -> Self {
        let mut arguments = ["-m", "1024", "-smp", "2"].map(str::to_owned).to_vec();
        for end in ["a", "b"] {
            // Behind a root port of its own: two igb on one bus collide with their virtual functions. Without
            // boot ROMs, which collide by name.
            arguments.extend([
                "-device".to_owned(),
                format!("pcie-root-port,id=port-{end},chassis={}", u8::from(end == "b")),
                "-netdev".to_owned(),
                format!("hubport,id=end-{end},hubid=1"),
                "-device".to_owned(),
                format!("{device},romfile=,bus=port-{end},netdev=end-{end},mac=52:54:00:00:01:0{end}"),
            ]);
        }
        Self::boot(image, &arguments)
    }

    /// Starts a VM, and waits until it has booted. Once in some hundred times the emulated kernel stands still,
    /// before any program of ours runs: then again.
    fn boot(image: &Image, arguments: &[String]) -> Self {
        for _ in 1..BOOTS {
            let vm = Self::power_on(image, Command::new(&image.qemu).args(arguments));
            match vm.console.wait_until_ready(BOOT) {
                Ok(()) => return vm,
                Err(error) => eprintln!("no boot: {error}; kernel log of the VM:\n{}", vm.kernel_log()),
            }
        }
        let vm = Self::power_on(image, Command::new(&image.qemu).args(arguments));
        vm.console.wait_until_ready(BOOT).unwrap();
        vm
    }

    fn kernel_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn power_on(image: &Image, command: &mut Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console");
        let mut qemu = command
            // The emulation of cmpxchg16b in qemu 7.2 (Debian 12) corrupts the flags, which kernels from 6.10
            // on depend on.
            .args(["-machine", "q35,accel=tcg", "-cpu", "max,cx16=off"])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-append", "console=ttyS0 panic=-1"])
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.initramfs)
            .args(["-serial", &format!("file:{}", log.display()), "-serial", "stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let console = Console::new(qemu.stdin.take().unwrap(), qemu.stdout.take().unwrap());
        Self { qemu, console, log, _dir: dir }
    }

    /// Waits until it has booted, and creates the data that it will send.
    pub fn wait_until_booted(&mut self) {
        self.console.wait_until_ready(BOOT).unwrap();
        self.run(&format!("seq 1 {LAST_NUMBER} >/tmp/data"));
    }

    /// Reboots it; its state is lost.
    pub fn reboot(&mut self) {
        self.console.send("reboot -f");
        self.wait_until_booted();
    }

    /// Creates `guest_links` in it (VLAN links on eth0 for subports), with their addresses.
    pub fn configure(&mut self, guest_links: &[GuestLink]) {
        for guest_link in guest_links {
            self.add(guest_link);
        }
    }

    fn add(&mut self, guest_link: &GuestLink) {
        let dev = guest_link.dev();
        if let Some(vid) = guest_link.vid {
            self.run(&format!("ip link add link eth0 name {dev} type vlan id {vid}"));
            self.run(&format!("ip link set dev {dev} address {}", text(guest_link.mac)));
        }
        self.run(&format!("ip link set dev {dev} up"));
        for subnet in guest_link.subnets() {
            self.run(&format!("ip address add {subnet} dev {dev}"));
        }
    }

    /// Runs `command` in it and returns its output.
    ///
    /// # Panics
    ///
    /// If it fails, with its output.
    pub fn run(&mut self, command: &str) -> String {
        let (status, printed) = self.console.run(command);
        assert_eq!(status, 0, "{command:?} in the VM:\n{printed}");
        printed
    }

    /// Runs `command`, which may take as long as the test. Returns exit status and output.
    pub fn run_long(&mut self, command: &str) -> (u8, String) {
        self.console.run_within(command, Duration::from_mins(8))
    }

    /// Runs `common.sh` and `script` as one shell script with `arguments`, as [`Vm::run_long`] does.
    pub fn run_script(&mut self, script: &str, arguments: &str) -> (u8, String) {
        let script = [include_str!("common.sh"), script].concat();
        let script = script.replace('\'', r"'\''");
        // Not one command, whose length is limited, and not one for each line, which takes seconds.
        for lines in script.lines().collect::<Vec<_>>().chunks(16) {
            self.run(&format!(r"printf '%s\n' '{}' >>/tmp/script", lines.join("' '")));
        }
        self.run_long(&format!("sh /tmp/script {arguments}"))
    }

    /// Whether `command` succeeds in it.
    pub fn succeeds(&mut self, command: &str) -> bool {
        self.console.run(command).0 == 0
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- kernel log of the VM\n{}", self.kernel_log());
        }
        // It may have exited already, and a drop must not panic.
        drop(self.qemu.kill());
        drop(self.qemu.wait());
    }
}
