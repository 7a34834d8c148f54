//! Tests that need root or an optional program print that they are skipped without it; in CI they fail.

use std::io::Write as _;

/// Set to `1`, a test that would be skipped fails. `.ci/run` sets it.
const REQUIRE_ROOT: &str = "TRUNKPATH_REQUIRE_ROOT";

/// Whether the test runs as root; if not, it is skipped.
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip(test, "it needs root (see scripts/test)");
    }
    root
}

/// Prints that `test` is skipped, and why.
///
/// # Panics
///
/// If `TRUNKPATH_REQUIRE_ROOT` is 1.
#[allow(clippy::explicit_write, reason = "a print macro's output is captured by the test runner")]
pub fn skip(test: &str, reason: &str) {
    let required = std::env::var_os(REQUIRE_ROOT).is_some_and(|value| value == "1");
    assert!(!required, "{REQUIRE_ROOT}=1 forbids to skip {test}: {reason}");
    // Not by a print macro, whose output the test runner captures.
    writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").unwrap();
}
