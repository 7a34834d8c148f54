//! Tests that need a program which not every machine can have never vanish: without it they say so and pass, and in CI
//! they fail.

use std::io::Write as _;
use std::process::Command;

/// Set to `1`, it makes a test fail that would be skipped. `.ci/run` does.
const REQUIRE: &str = "TRUNKPATH_REQUIRE_ROOT";

/// True when the test can go on: `program --version` runs.
#[allow(clippy::explicit_write, reason = "a print macro's output is captured by the test runner")]
pub fn is_installed(test: &str, program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
    assert!(!required, "{test} needs {program}, and {REQUIRE}=1 forbids to skip it: scripts/setup test");
    // Straight to the handle: the test runner captures what the print macros write.
    writeln!(std::io::stderr(), "SKIPPED {test}: it needs {program} (scripts/setup test installs it)")
        .unwrap();
    false
}
