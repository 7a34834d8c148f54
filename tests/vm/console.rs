//! The second serial port of a VM, on which its `init` reads a command per line and answers with the output
//! and a line with the exit status.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use testkit::wait::PATIENCE;

/// Connection to the console of a VM.
#[derive(Debug)]
pub struct Console {
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Console {
    /// Uses both directions of the serial line.
    pub fn new(input: ChildStdin, output: ChildStdout) -> Self {
        let (to_test, lines) = channel();
        thread::spawn(move || {
            let texts = BufReader::new(output).split(b'\n').map_while(Result::ok);
            // The test may end before the console does.
            texts
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .try_for_each(|line| to_test.send(line))
        });
        Self { input, lines }
    }

    /// Waits until the VM accepts commands.
    ///
    /// # Errors
    /// Nothing on the console for longer than `patience`.
    pub fn wait_until_ready(&self, patience: Duration) -> Result<(), RecvTimeoutError> {
        while self.lines.recv_timeout(patience)? != "READY" {}
        Ok(())
    }

    /// Sends `command` without waiting for its end.
    pub fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
        self.input.flush().unwrap();
    }

    /// Runs `command`. Returns its exit status and what it printed.
    pub fn run(&mut self, command: &str) -> (u8, String) {
        self.run_within(command, PATIENCE)
    }

    /// The same with a limit for the time without output.
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
