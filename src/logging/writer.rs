//! The queue of log lines, and the thread that writes them.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Number of lines that the queue holds.
const QUEUE_LINES: usize = 1024;

/// Upper bound of each of the two waits of [`LogThread::finish`].
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes log lines to one output, on a thread of its own.
#[derive(Debug)]
pub struct LogThread {
    writer: LogWriter,
    finished: Receiver<()>,
}

/// Appends lines to the queue; counts those that do not fit as lost.
#[derive(Debug, Clone)]
pub struct LogWriter {
    queue: Sender<Message>,
    loss: LogLoss,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// The last message of [`LogThread::finish`].
    End,
}

/// The number of log lines that were lost, and the reason.
#[derive(Debug, Clone, Default)]
pub struct LogLoss(Arc<Loss>);

#[derive(Debug, Default)]
struct Loss {
    lines: AtomicU64,
    /// Those of `lines` that notices in the log account for.
    reported: AtomicU64,
    /// The error of the last write, if it failed.
    error: Mutex<Option<String>>,
}

impl LogThread {
    /// Starts the thread, which writes to `output`.
    ///
    /// # Errors
    /// The system's error if the thread cannot be started.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = bounded(QUEUE_LINES);
        let (finish, finished) = bounded(1);
        let loss = LogLoss::default();
        let mut sink = Sink { output, loss: loss.clone(), is_cut: false };
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            while let Ok(Message::Line(line)) = lines.recv() {
                sink.write_line(&line);
            }
            // Fails only after `finish` has timed out.
            finish.send(()).unwrap_or_default();
        })?;
        Ok(Self { writer: LogWriter { queue, loss }, finished })
    }

    /// A writer that appends to the queue; it never blocks.
    #[must_use]
    pub fn writer(&self) -> LogWriter {
        self.writer.clone()
    }

    /// A handle to the loss counter of all writers of this thread.
    #[must_use]
    pub fn loss(&self) -> LogLoss {
        self.writer.loss.clone()
    }

    /// Waits until the queue is written, for at most two seconds: an output that blocks does not block the
    /// exit of the process.
    pub fn finish(self) {
        if self.writer.queue.send_timeout(Message::End, FINISH_TIMEOUT).is_ok() {
            // After a timeout the remaining lines are not written.
            self.finished.recv_timeout(FINISH_TIMEOUT).unwrap_or_default();
        }
    }
}

impl Write for LogWriter {
    /// Accepts the whole of `line` always; a line that does not fit the queue is counted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.loss.0.lines.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl LogLoss {
    /// Number of lines lost since the start.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    /// The reason why lines are lost at present; `None` once the log accounts for all that were.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let error = self.0.error.lock().clone();
        error.or_else(|| (self.unreported() > 0).then(|| "nothing reads it".to_owned()))
    }

    fn unreported(&self) -> u64 {
        self.lines().saturating_sub(self.0.reported.load(Ordering::Relaxed))
    }
}

/// The output with its state, owned by the log thread.
struct Sink<W> {
    output: W,
    loss: LogLoss,
    /// Whether the last write failed and may have written a part of its line.
    is_cut: bool,
}

impl<W: Write> Sink<W> {
    fn write_line(&mut self, line: &[u8]) {
        let lost = self.loss.unreported();
        let written = self.write_notice(lost).and_then(|()| {
            self.loss.0.reported.fetch_add(lost, Ordering::Relaxed);
            self.output.write_all(line)?;
            self.output.flush()
        });
        self.is_cut = written.is_err();
        if written.is_err() {
            self.loss.0.lines.fetch_add(1, Ordering::Relaxed);
        }
        *self.loss.0.error.lock() = written.err().map(|error| error.to_string());
    }

    /// Writes the number of lines that were lost at this place, if any.
    fn write_notice(&mut self, lost: u64) -> io::Result<()> {
        let mut notice = String::new();
        if self.is_cut {
            notice.push('\n');
        }
        if lost > 0 {
            // Writing to a text never fails.
            writeln!(notice, "trunkpath: {lost} log lines were lost here").unwrap_or_default();
        }
        self.output.write_all(notice.as_bytes())?;
        self.is_cut = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// An output that can be made to fail, or to block.
    #[derive(Clone, Default)]
    struct Output {
        text: Arc<Mutex<Vec<u8>>>,
        is_full: Arc<Mutex<bool>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if *self.is_full.lock() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output {
        fn text(&self) -> String {
            String::from_utf8(self.text.lock().clone()).unwrap()
        }
    }

    fn wait_until(condition: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(std::time::Instant::now() < deadline, "still waiting");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_reported_later() {
        let output = Output::default();
        let log = LogThread::start(output.clone()).unwrap();
        let (mut writer, loss) = (log.writer(), log.loss());
        writer.write_all(b"one\n").unwrap();
        wait_until(|| output.text() == "one\n");
        *output.is_full.lock() = true;
        writer.write_all(b"two\n").unwrap();
        writer.write_all(b"three\n").unwrap();
        wait_until(|| loss.lines() == 2);
        wait_until(|| loss.reason().is_some());
        *output.is_full.lock() = false;
        writer.write_all(b"four\n").unwrap();
        log.finish();
        assert_eq!(output.text(), "one\n\ntrunkpath: 2 log lines were lost here\nfour\n");
        assert_eq!((loss.lines(), loss.reason()), (2, None));
    }

    /// An output that blocks until the test drops or uses the sender.
    struct Blocked(mpsc::Receiver<()>, Output);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap_or_default();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_output_blocks_neither_writers_nor_the_exit() {
        let (go_on, blocked) = mpsc::channel();
        let output = Output::default();
        let log = LogThread::start(Blocked(blocked, output.clone())).unwrap();
        let (mut writer, loss) = (log.writer(), log.loss());
        for _ in 0..QUEUE_LINES + 11 {
            writer.write_all(b"line\n").unwrap();
        }
        // The thread may hold one more than the queue.
        assert!((10..=11).contains(&loss.lines()), "{}", loss.lines());
        assert_eq!(loss.reason().as_deref(), Some("nothing reads it"));
        log.finish();
        assert_eq!(output.text(), "");
        drop(go_on);
        wait_until(|| output.text().lines().count() > QUEUE_LINES);
        let reported = |line: &str| -> Option<u64> {
            line.strip_prefix("trunkpath: ")?.strip_suffix(" log lines were lost here")?.parse().ok()
        };
        assert_eq!(output.text().lines().filter_map(reported).sum::<u64>(), loss.lines());
    }
}
