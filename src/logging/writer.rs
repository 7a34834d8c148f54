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

/// Lines that may wait for the thread.
const QUEUE_LINES: usize = 1024;

/// How long the end of the process waits for the lines that are still in the queue.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes log lines to one output, on a thread of its own.
#[derive(Debug)]
pub struct LogThread {
    writer: LogWriter,
    finished: Receiver<()>,
}

/// Puts lines into the queue; those that find it full are counted as lost.
#[derive(Debug, Clone)]
pub struct LogWriter {
    queue: Sender<Message>,
    loss: LogLoss,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Nothing follows.
    End,
}

/// How many log lines were lost, and why.
#[derive(Debug, Clone, Default)]
pub struct LogLoss(Arc<Loss>);

#[derive(Debug, Default)]
struct Loss {
    lines: AtomicU64,
    /// Of `lines`, those that the log itself already mentions.
    mentioned: AtomicU64,
    /// The error of the last write, if it failed.
    error: Mutex<Option<String>>,
}

impl LogThread {
    /// Starts the thread, which writes to `output`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = bounded(QUEUE_LINES);
        let (finish, finished) = bounded(1);
        let loss = LogLoss::default();
        let mut sink = Sink { output, loss: loss.clone(), is_cut: false };
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            while let Ok(Message::Line(line)) = lines.recv() {
                sink.write_line(&line);
            }
            // Fails only after `finish` gave up.
            finish.send(()).unwrap_or_default();
        })?;
        Ok(Self { writer: LogWriter { queue, loss }, finished })
    }

    /// The way into the queue.
    #[must_use]
    pub fn writer(&self) -> LogWriter {
        self.writer.clone()
    }

    /// What was lost so far, and later.
    #[must_use]
    pub fn loss(&self) -> LogLoss {
        self.writer.loss.clone()
    }

    /// Waits until the queue is written, a second at most: an output that blocks does not keep the process.
    pub fn finish(self) {
        if self.writer.queue.send_timeout(Message::End, FINISH_TIMEOUT).is_ok() {
            // Without an answer in time the rest of the lines stays unwritten.
            self.finished.recv_timeout(FINISH_TIMEOUT).unwrap_or_default();
        }
    }
}

impl Write for LogWriter {
    /// Takes the whole of `line`, always.
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
    /// Lines that were lost since the start.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    /// Why lines are being lost at present; `None` once the log mentions all that were.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let error = self.0.error.lock().clone();
        error.or_else(|| (self.unmentioned() > 0).then(|| "nothing reads it".to_owned()))
    }

    fn unmentioned(&self) -> u64 {
        self.lines().saturating_sub(self.0.mentioned.load(Ordering::Relaxed))
    }
}

/// The output, on the log thread.
struct Sink<W> {
    output: W,
    loss: LogLoss,
    /// A failed write may have left a part of a line.
    is_cut: bool,
}

impl<W: Write> Sink<W> {
    fn write_line(&mut self, line: &[u8]) {
        let lost = self.loss.unmentioned();
        let written = self.mention(lost).and_then(|()| {
            self.loss.0.mentioned.fetch_add(lost, Ordering::Relaxed);
            self.output.write_all(line)?;
            self.output.flush()
        });
        self.is_cut = written.is_err();
        if written.is_err() {
            self.loss.0.lines.fetch_add(1, Ordering::Relaxed);
        }
        *self.loss.0.error.lock() = written.err().map(|error| error.to_string());
    }

    /// Writes how many lines are missing here, if any.
    fn mention(&mut self, lost: u64) -> io::Result<()> {
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
    fn lines_that_cannot_be_written_are_counted_and_mentioned_later() {
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

    /// An output that blocks until the test lets it go on.
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
    fn an_output_that_blocks_holds_up_neither_the_lines_nor_the_end() {
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
        assert!(output.text().contains(&format!("trunkpath: {} log lines were lost here\n", loss.lines())));
    }
}
