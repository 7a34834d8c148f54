//! Tests that need a program which not every machine can have.

use std::process::Command;

use crate::root::skip;

/// True when the test can go on: `program --version` runs.
pub fn is_installed(test: &str, program: &str) -> bool {
    let installed = Command::new(program).arg("--version").output();
    let installed = installed.is_ok_and(|output| output.status.success());
    if !installed {
        skip(test, &format!("it needs {program} (scripts/setup test installs it)"));
    }
    installed
}
