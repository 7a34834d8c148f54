//! The switch in another language: what arrives where, computed from the records of the northbound DB.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use testkit::daemon::Daemon;
use testkit::exchange::FramesByStation;

/// A line that the model writes (`__main__.py`).
#[derive(Debug, Deserialize)]
struct Line {
    sent: BTreeMap<String, Vec<String>>,
    arrive: BTreeMap<String, Vec<String>>,
    drops: Drops,
}

/// Frames that the drop reasons count, by `HOST SUBJECT REASON`; a subject is a port, a peer or a segment.
pub type Drops = BTreeMap<String, u64>;

/// Frames to send at once, and those that must arrive.
#[derive(Debug)]
pub struct Batch {
    pub sent: FramesByStation,
    pub arrive: FramesByStation,
}

/// A running model: an iterator of batches.
#[derive(Debug)]
pub struct Model {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The drops of all batches so far.
    pub drops: Drops,
}

impl Model {
    /// Starts the model with a scenario (`__main__.py`). The seed is that of the environment, or 1.
    pub fn start(scenario: &Value, batches: usize, frames: usize) -> Self {
        let seed = std::env::var("TRUNKPATH_SEED").unwrap_or_else(|_| "1".to_owned());
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/model");
        let mut process = Command::new("python3")
            .args(["-B", program, &seed, &batches.to_string(), &frames.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(scenario.to_string().as_bytes()).unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines, drops: Drops::new() }
    }

    /// Asserts that it ends without an error, and that drops of the daemons, by the names of their hosts, are
    /// those of the model. Returns the drops.
    pub fn finish(mut self, daemons: &[(&str, &Daemon)]) -> Drops {
        assert!(self.process.wait().unwrap().success());
        let counted: Drops = daemons.iter().flat_map(|(host, daemon)| counted(host, daemon)).collect();
        let different = counted
            .keys()
            .chain(self.drops.keys())
            .filter(|what| counted.get(*what) != self.drops.get(*what));
        let different: BTreeMap<_, _> =
            different.map(|what| (what, (counted.get(what), self.drops.get(what)))).collect();
        assert!(different.is_empty(), "drops by the daemon and by the model: {different:#?}");
        counted
    }
}

impl Iterator for Model {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let Line { sent, arrive, drops } = serde_json::from_str(&self.lines.next()?.unwrap()).unwrap();
        for (what, count) in drops {
            *self.drops.entry(what).or_default() += count;
        }
        Some(Batch { sent: bytes(sent), arrive: bytes(arrive) })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // It may have ended already, and a drop must not panic.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Asserts that some frame was dropped for each of `reasons`.
pub fn assert_covered(drops: &Drops, reasons: &[&str]) {
    for reason in reasons {
        assert!(drops.keys().any(|what| what.ends_with(reason)), "no frame was dropped by {reason}");
    }
}

/// Drops of a daemon, in the form of the model.
fn counted(host: &str, daemon: &Daemon) -> Drops {
    let stats = daemon.stats();
    let rows = ["ports", "outside"].map(|part| stats[part].as_array().unwrap().clone()).concat();
    let of_row = |row: &Value| {
        let subject = ["lport", "peer", "segment"].iter().find_map(|kind| row[kind].as_str()).unwrap();
        let drops = row["drops"].as_object().unwrap().iter();
        let of_reason = |(reason, count): (&String, &Value)| {
            (format!("{host} {subject} {reason}"), count.as_u64().unwrap())
        };
        drops.map(of_reason).collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}

fn bytes(frames: BTreeMap<String, Vec<String>>) -> FramesByStation {
    let of_frame =
        |frame: String| frame.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    frames.into_iter().map(|(name, frames)| (name, frames.into_iter().map(of_frame).collect())).collect()
}

fn digit(character: u8) -> u8 {
    if character.is_ascii_digit() { character - b'0' } else { character - b'a' + 10 }
}
