//! The configuration file. Each key is checked separately, so that one run reports all errors.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error, ValueDeserializer};

use super::error::{ConfigError, ConfigErrors, Position, unknown_key};
use super::settings::{KEYS, NETWORK_KEYS, PORT_KEYS, Settings};
use crate::types::shorten_message;

impl Settings {
    /// Reads and parses a TOML file.
    ///
    /// # Errors
    /// A [`ConfigError`] for a file that cannot be read or is not TOML, else one for each unknown key and
    /// invalid value.
    pub fn from_file(path: &Path) -> Result<Self, ConfigErrors> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        parse(&text, path)
    }
}

/// A value that [`collect`] does not descend into, with the keys of its path, outermost first.
struct Leaf<'i> {
    keys: Vec<Spanned<DeString<'i>>>,
    value: Spanned<DeValue<'i>>,
}

/// Parses the text of the file at `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Settings, ConfigErrors> {
    let file = File { text, path };
    let table = DeTable::parse(text).map_err(|error| file.invalid(&error).1)?;
    let mut leaves = Vec::new();
    collect(&[], table.into_inner(), &mut leaves);
    let mut settings = Settings::default();
    let mut errors = Vec::new();
    for leaf in leaves {
        match file.parse_leaf(leaf) {
            Ok(parsed) => settings = parsed.over(settings),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        return Ok(settings);
    }
    errors.sort_by_key(|(offset, _)| *offset);
    Err(ConfigErrors(errors.into_iter().map(|(_, error)| error).collect()))
}

/// Descends into `attach`, `port`, `port.ID`, `network` and `network.ID`.
fn collect<'i>(above: &[Spanned<DeString<'i>>], table: DeTable<'i>, leaves: &mut Vec<Leaf<'i>>) {
    for (key, value) in table {
        let keys = [above, &[key]].concat();
        let depth = match keys.first().map(|key| key.get_ref().as_ref()) {
            Some("attach") => 1,
            Some("port" | "network") => 2,
            _ => 0,
        };
        let span = value.span();
        let value = value.into_inner();
        if keys.len() <= depth
            && let DeValue::Table(below) = value
        {
            collect(&keys, below, leaves);
        } else {
            leaves.push(Leaf { keys, value: Spanned::new(span, value) });
        }
    }
}

#[derive(Clone, Copy)]
struct File<'a> {
    text: &'a str,
    path: &'a Path,
}

impl File<'_> {
    /// The settings of one value; an error comes with its offset in the file.
    fn parse_leaf(self, Leaf { keys, value }: Leaf<'_>) -> Result<Settings, (usize, ConfigError)> {
        let names: Vec<&str> = keys.iter().map(|key| key.get_ref().as_ref()).collect();
        let (key, known): (&str, &'static [&'static str]) = match names.as_slice() {
            ["port", _, option] => (option, &PORT_KEYS),
            ["network", _, option] => (option, &NETWORK_KEYS),
            [key, ..] => (key, &KEYS),
            [] => ("", &[""]),
        };
        if !known.contains(&key) {
            let offset = keys.last().map_or(0, |key| key.span().start);
            return Err((offset, unknown_key(key, Some(self.position(offset)), known)));
        }
        let nested = keys.into_iter().rev().fold(value, |value, key| {
            let span = value.span();
            let table = DeTable::from_iter([(key, value)]);
            Spanned::new(span, DeValue::Table(table))
        });
        Settings::deserialize(ValueDeserializer::from(nested)).map_err(|error| self.invalid(&error))
    }

    fn position(self, offset: usize) -> Position {
        let before = self.text.get(..offset.min(self.text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Position {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The offset of an error, and the error with the line of the file at that offset.
    fn invalid(self, error: &Error) -> (usize, ConfigError) {
        let offset = error.span().map_or(0, |span| span.start);
        let position = self.position(offset);
        let line = self.text.lines().nth(position.line - 1).unwrap_or_default().trim().to_owned();
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = expectation(&message);
        (offset, ConfigError::Toml { position, line, reason: shorten_message(&reason).into_owned() })
    }
}

/// The part of serde's message that the quoted line does not show.
fn expectation(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, "u32")) => format!("expected 0 to {}", u32::MAX),
        Some((_, expected)) => format!("expected {expected}"),
        None => message.to_owned(),
    }
}
