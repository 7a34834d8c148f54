//! Kernel, initramfs and emulator of a VM.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::command::output;
use testkit::root::{is_root, skip};

/// A kernel and its initramfs. The packages they are made of are kept in the build folder.
#[derive(Debug)]
pub struct Image {
    /// The emulator that boots it.
    pub qemu: PathBuf,
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
}

/// Which of Debian's kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// The kernel of this machine's release of Debian.
    Stable,
    /// The newest kernel in its backports.
    Newest,
}

impl Kernel {
    /// The kernel of VMs that are guests of the switch: stable, unless `TRUNKPATH_GUEST_KERNEL` is `newest`,
    /// as `scripts/test-kernels` sets it.
    pub fn of_guests() -> Self {
        match std::env::var("TRUNKPATH_GUEST_KERNEL").as_deref() {
            Ok("newest") => Self::Newest,
            _ => Self::Stable,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Newest => "newest",
        }
    }
}

impl Image {
    /// The image for `test`, with `programs` in it; `None` if the test is skipped.
    pub fn for_test(test: &str, kernel: Kernel, programs: &[&str]) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let folder = format!(
            "guest-image-{}{}",
            kernel.name(),
            if programs.is_empty() { "" } else { "-with-programs" }
        );
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/guest-image");
        let mut command = Command::new(script);
        let command = command.arg(&dir).arg(kernel.name()).args(programs);
        Self::made_by(command, test, &dir, PathBuf::from("qemu-system-x86_64"))
    }

    /// The image with the drivers of NICs, and an emulator of them; `None` if the test is skipped.
    pub fn with_nics(test: &str, programs: &[&str]) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nic-image");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/nic-image");
        Self::made_by(Command::new(script).arg(&dir).args(programs), test, &dir, dir.join("qemu"))
    }

    fn made_by(script: &mut Command, test: &str, dir: &Path, qemu: PathBuf) -> Option<Self> {
        let made = output(script, "");
        if !made.status.success() {
            skip(test, &format!("it has no VM to boot: {}", String::from_utf8_lossy(&made.stderr).trim()));
            return None;
        }
        Some(Self { qemu, kernel: dir.join("vmlinuz"), initramfs: dir.join("initramfs") })
    }
}
