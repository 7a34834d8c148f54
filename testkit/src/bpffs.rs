//! A bpffs for one test, in the mount namespace of the test itself: `ip netns exec` hides it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::run;

/// Prefix of the mount points; the id of the process that made them follows.
const PREFIX: &str = "tp-test-pins-";

/// A mounted bpffs. Unmounted when dropped, with all pins in it.
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

/// Ignores errors: it runs in a drop, which must not panic again while a test fails. The next [`sweep`]
/// removes what is left.
fn remove(path: &Path) {
    drop(Command::new("umount").arg("--lazy").arg(path).output());
    drop(fs::remove_dir(path));
}

/// Removes the mounts of test processes that were killed.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            remove(&entry.path());
        }
    }
}
