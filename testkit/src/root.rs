//! Tests that need root, or a program, never vanish: without it they say so and pass, and in CI they fail.

use std::io::Write as _;

/// Set to `1`, it makes a test fail that would be skipped. `.ci/run` does.
const REQUIRE_ROOT: &str = "TRUNKPATH_REQUIRE_ROOT";

/// True when the test can go on.
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip(test, "it needs root (scripts/test knows how)");
    }
    root
}

/// Says that `test` does not run, and why.
///
/// # Panics
/// When none may be skipped.
#[allow(clippy::explicit_write, reason = "a print macro's output is captured by the test runner")]
pub fn skip(test: &str, reason: &str) {
    let required = std::env::var_os(REQUIRE_ROOT).is_some_and(|value| value == "1");
    assert!(!required, "{REQUIRE_ROOT}=1 forbids to skip {test}: {reason}");
    // Straight to the handle: the test runner captures what the print macros write.
    writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").unwrap();
}
