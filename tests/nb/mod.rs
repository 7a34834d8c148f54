//! The embedded northbound DB: by the binary, and by several processes at once.

mod cli;
mod crash;
mod latency;
mod reporting;
mod unwritable;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder for a DB.
struct DbFolder {
    dir: TempDir,
}

impl DbFolder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("nb.db")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkpath"));
        command.args(["nb", "--nb", &self.url()]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `trunkpath nb` and returns what it prints.
    fn nb(&self, args: &[&str]) -> String {
        succeeded(&self.command(args).output().unwrap())
    }

    /// Runs `trunkpath nb`, which must fail, and returns its error.
    fn refused(&self, args: &[&str]) -> String {
        failed(&self.command(args).output().unwrap())
    }

    /// Starts `trunkpath nb apply -` with these lines.
    fn applying(&self, lines: &str) -> Child {
        let mut child = self.command(&["apply", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child
    }

    fn apply(&self, lines: &str) -> Output {
        self.applying(lines).wait_with_output().unwrap()
    }

    /// The records of a table.
    fn list(&self, table: &str) -> Vec<Value> {
        serde_json::from_str(&self.nb(&["list", table, "--json"])).unwrap()
    }
}

fn succeeded(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A line for `nb apply`.
fn line(table: &str, record: &Value) -> String {
    format!("{}\n", json!({"table": table, "record": record}))
}

fn lport_line(id: &str) -> String {
    line("lport", &json!({"id": id, "topic": "t", "lswitch": "n"}))
}
