//! Other programs, run to their end.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// `trunkpath`, as cargo built it for the test or bench that runs: it is in the folder above theirs.
pub fn trunkpath() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().join("trunkpath")
}

/// Runs `line` (words separated by blanks) and returns what it printed.
///
/// # Panics
/// When it fails, with all that it said.
pub fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    succeed(&mut command, "")
}

/// Runs `command` with `input` and returns what it printed.
///
/// # Panics
/// When it fails, with all that it said.
pub fn succeed(command: &mut Command, input: &str) -> String {
    let output = output(command, input);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Runs `command` with `input` to its end, good or bad.
pub fn output(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(
            |error| panic!("{command:?}: {error}: `scripts/setup test` installs what is missing"),
        );
    // A program that ends without reading its input has its reason on stderr.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}
