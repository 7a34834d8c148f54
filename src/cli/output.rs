//! Writing to standard output: tables, wrapped text, JSON.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::types::{is_control, printable};

/// Writes to standard output. Not `println!`, which panics when a pager or `head` has closed it.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a value as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(printable_json(&serde_json::to_string_pretty(value)?) + "\n"))
}

/// True for the error of [`print()`] when the reader has closed the pipe.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Escapes terminal controls in JSON text with JSON's own escapes, which leave the values unchanged.
pub(super) fn printable_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // A newline is always between values: inside a text it is escaped already.
        if is_control(character) && character != '\n' {
            // Writing to a text never fails.
            write!(escaped, "\\u{:04x}", u32::from(character)).unwrap_or_default();
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Rows below a header, aligned, without borders, one line each. A `>` before a header aligns the column to
/// the right.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.map(|name| name.trim_start_matches('>')));
    for row in rows {
        table.add_row(
            row.map(|cell| if cell.is_empty() { "-".to_owned() } else { printable(&cell).into_owned() }),
        );
    }
    for (column, name) in table.column_iter_mut().zip(header) {
        column.set_padding((0, 2));
        if name.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

/// The width of the terminal, or 80 if standard output is not a terminal.
pub(super) fn width() -> usize {
    Table::new().width().map_or(80, usize::from)
}

/// Words in lines of at most `width` characters, the first line after `first` and the others after `rest`. A
/// word that is longer has a line of its own.
pub(super) fn wrap(text: &str, first: &str, rest: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = String::from(first);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(rest);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines + &line + "\n"
}

/// A rate with three or four digits: `950`, `12.3k`, `1.25M`.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 999_500_000.0 => format!("{:.2}G", r / 1e9),
        r if r >= 999_500.0 => format!("{:.2}M", r / 1e6),
        r if r >= 999.5 => format!("{:.1}k", r / 1e3),
        r => format!("{r:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_and_reads_the_same() {
        let value = serde_json::json!({"name": "a\x1b[2J\u{9b}1m\nb\u{202e}c größe"});
        let printed = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(printed.lines().count(), 3);
        assert!(!printed.chars().any(|character| is_control(character) && character != '\n'), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn tables_are_aligned_and_have_no_empty_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], [String::new(), "23".to_owned()]];
        assert_eq!(table(["NAME", ">N"], rows), "NAME   N\na      1\n-     23\n");
    }

    #[test]
    fn long_texts_are_wrapped_at_words() {
        assert_eq!(wrap("aa bb cc", "  -> ", "     ", 10), "  -> aa bb\n     cc\n");
        assert_eq!(wrap("longer-than-that a", "- ", "  ", 5), "- longer-than-that\n  a\n");
        assert_eq!(wrap("", "x", "", 5), "x\n");
    }

    #[test]
    fn rates_stay_short() {
        let shown = [0.0, 999.4, 999.6, 12_345.0, 999_600.0, 1.25e6, 2.5e9].map(rate);
        assert_eq!(shown, ["0", "999", "1.0k", "12.3k", "1.00M", "1.25M", "2.50G"]);
    }
}
