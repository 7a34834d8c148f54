//! Formatter of log lines: one event, one line.

use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

use crate::types::printable;

/// Escapes every character that ends the line or controls a terminal: guests and tenants choose some of the
/// text.
pub(super) fn one_line() -> impl for<'writer> FormatFields<'writer> + 'static {
    let fields = debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", printable(&text)),
            name => write!(writer, "{name}={}", printable(&text)),
        }
    });
    fields.delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn control_characters_of_values_are_escaped() {
        let evil = "a\x1b[2J\nERROR all is lost \u{202e}\u{9b}1m";
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        tracing::subscriber::with_default(subscriber.fmt_fields(one_line()).finish(), || {
            tracing::warn!(link = evil, reason = %evil, "cannot use {evil}");
        });
        let line = String::from_utf8(log.0.lock().clone()).unwrap();
        assert_eq!((line.lines().count(), line.ends_with('\n')), (1, true), "{line:?}");
        assert!(!line.trim_end().chars().any(|found| found.is_control() || found == '\u{202e}'), "{line:?}");
        let name = "a\\u{1b}[2J\\nERROR all is lost \\u{202e}\\u{9b}1m";
        for part in [format!("cannot use {name}"), format!("link=\"{name}\""), format!("reason={name}")] {
            assert!(line.contains(&part), "{part}: {line}");
        }
    }
}
