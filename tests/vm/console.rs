//! The second serial port of a VM, on which its `init` takes a command a line and answers with what the command prints
//! and a line with its exit status.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use testkit::wait::PATIENCE;

/// How long a boot may take: 6 s where nothing else runs, and all of it is emulated.
const BOOT: Duration = Duration::from_mins(3);

/// See the module.
#[derive(Debug)]
pub struct Console {
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Console {
    /// On the two ends of the serial line.
    pub fn new(input: ChildStdin, output: ChildStdout) -> Self {
        let (to_test, lines) = channel();
        thread::spawn(move || {
            let texts = BufReader::new(output).split(b'\n').map_while(Result::ok);
            // The test may not wait for the rest.
            texts
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .try_for_each(|line| to_test.send(line))
        });
        Self { input, lines }
    }

    /// Waits until the VM takes commands.
    pub fn wait_until_ready(&self) {
        while self.line("the VM to boot", BOOT) != "READY" {}
    }

    /// Types `command`, without waiting for its end.
    pub fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
        self.input.flush().unwrap();
    }

    /// Runs `command`. Returns its exit status and what it printed.
    pub fn run(&mut self, command: &str) -> (u8, String) {
        self.run_within(command, PATIENCE)
    }

    /// The same where it may print nothing for so long.
    pub fn run_within(&mut self, command: &str, patience: Duration) -> (u8, String) {
        self.send(command);
        let mut printed = vec![];
        loop {
            let line = self.line(command, patience);
            if let Some(status) = line.strip_prefix("END ") {
                return (status.parse().unwrap(), printed.join("\n").trim().to_owned());
            }
            printed.push(line);
        }
    }

    fn line(&self, what: &str, patience: Duration) -> String {
        self.lines
            .recv_timeout(patience)
            .unwrap_or_else(|error| panic!("nothing more on the console, waiting for {what:?}: {error}"))
    }
}
