//! What reaches the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// Writes to standard output. Not `println!`, which panics when a pager or `head` has seen enough.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a value as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(printable_json(&serde_json::to_string_pretty(value)?) + "\n"))
}

/// True for the error of [`print()`] when nobody reads any more.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The text with every character escaped that would do something to a terminal: names and aliases of links are
/// whatever somebody wrote.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// The same for JSON, by its own escapes: who reads it reads the same.
pub(super) fn printable_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // Between values it breaks lines; inside a text it is escaped already.
        if acts(character) && character != '\n' {
            // Writing to a text never fails.
            write!(escaped, "\\u{:04x}", u32::from(character)).unwrap_or_default();
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Control characters, and those that turn the direction of writing.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Rows below a header, aligned, without borders, one line each. A header that begins with `>` is for a column of
/// numbers.
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

/// A rate in three digits or so: `950`, `12.3k`, `1.25M`.
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
    fn what_acts_on_a_terminal_is_escaped() {
        assert_eq!(printable("tap0 größe"), "tap0 größe");
        assert_eq!(printable("a\x1b[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }

    #[test]
    fn json_is_escaped_and_reads_the_same() {
        let value = serde_json::json!({"name": "a\x1b[2J\u{9b}1m\nb\u{202e}c größe"});
        let printed = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(printed.lines().count(), 3);
        assert!(!printed.chars().any(|character| acts(character) && character != '\n'), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn tables_are_aligned_and_have_no_empty_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], [String::new(), "23".to_owned()]];
        assert_eq!(table(["NAME", ">N"], rows), "NAME   N\na      1\n-     23\n");
    }

    #[test]
    fn rates_stay_short() {
        let shown = [0.0, 999.4, 999.6, 12_345.0, 999_600.0, 1.25e6, 2.5e9].map(rate);
        assert_eq!(shown, ["0", "999", "1.0k", "12.3k", "1.00M", "1.25M", "2.50G"]);
    }
}
