//! A bpffs of a test's own, outside all namespaces that `ip netns exec` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::run;

/// What the names of all of them begin with; the process that made them follows.
const PREFIX: &str = "tp-test-pins-";

/// A mounted bpffs. Gone when dropped, and what is pinned in it, too.
#[derive(Debug)]
pub struct Bpffs(PathBuf);

impl Bpffs {
    pub fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        sweep();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}-{serial}", std::process::id()));
        fs::create_dir(&path).unwrap();
        run(&format!("mount -t bpf -o mode=0700 bpf {}", path.display()));
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A drop while a test fails must not panic again; what stays, the next sweep takes.
fn remove(path: &Path) {
    drop(Command::new("umount").arg("--lazy").arg(path).output());
    drop(fs::remove_dir(path));
}

/// Removes what test processes left behind that were killed.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            remove(&entry.path());
        }
    }
}
