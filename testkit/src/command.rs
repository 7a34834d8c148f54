//! Runs of other programs, and the path of `trunkpath`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Path of the `trunkpath` that cargo built with the running test or bench: the folder above theirs.
/// `CARGO_BIN_EXE_trunkpath` is set only while tests and benches of the package itself are compiled.
pub fn trunkpath() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().join("trunkpath")
}

/// Runs `line` (words separated by blanks) and returns its stdout.
///
/// # Panics
///
/// If it fails, with its output.
pub fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    succeed(&mut command, "")
}

/// Runs `command` with `input` on stdin and returns its stdout.
///
/// # Panics
///
/// If it fails, with its output.
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

/// Runs `command` with `input` on stdin; any exit status is accepted.
pub fn output(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(
            |error| panic!("{command:?}: {error}: `scripts/setup test` installs what is missing"),
        );
    // A program that exits before it reads its input has the reason on stderr.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}
