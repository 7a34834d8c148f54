//! Tests that need an optional program.

use std::process::Command;

use crate::root::skip;

/// Whether `program --version` runs; if not, `test` is skipped.
pub fn is_installed(test: &str, program: &str) -> bool {
    let installed = Command::new(program).arg("--version").output();
    let installed = installed.is_ok_and(|output| output.status.success());
    if !installed {
        skip(test, &format!("it needs {program} (scripts/setup test installs it)"));
    }
    installed
}
