//! What a VM boots.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::command::output;
use crate::support::root::{is_root, skip};

/// A kernel and its initramfs. The packages that they are made of are kept with what cargo builds.
#[derive(Debug)]
pub struct Image {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
}

impl Image {
    /// The image for `test`; `None` when that is to be skipped, which it has said then.
    pub fn for_test(test: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-image");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/guest-image");
        let made = output(Command::new(script).arg(&dir), "");
        if !made.status.success() {
            skip(test, &format!("it has no VM to boot: {}", String::from_utf8_lossy(&made.stderr).trim()));
            return None;
        }
        Some(Self { kernel: dir.join("vmlinuz"), initramfs: dir.join("initramfs") })
    }
}
