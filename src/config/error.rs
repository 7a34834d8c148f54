//! Settings that cannot be used.

use std::fmt;
use std::path::PathBuf;

use super::cpus::CpusError;
use super::settings::MAX_UMEM_MIB;
use crate::types::shorten;

/// All errors of a configuration; never empty.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl From<CpusError> for ConfigErrors {
    fn from(error: CpusError) -> Self {
        Self(vec![error.into()])
    }
}

/// A place in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The value of `--config`.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// One setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config file {path}: {source}", path = path.display())]
    Read {
        /// The value of `--config`.
        path: PathBuf,
        /// The kernel's error.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{position}: {line}: {reason}", line = shorten(line))]
    Toml {
        /// Start of the value in the file.
        position: Position,
        /// The line of the file.
        line: String,
        /// The expectation, or what is wrong.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{}unknown key {key:?}{}", place(.position.as_ref()), suggestion(*.nearest, .known))]
    UnknownKey {
        /// The key as given.
        key: String,
        /// Where it stands; `None` for a command-line option.
        position: Option<Position>,
        /// The known key with the most similar spelling, if any is similar.
        nearest: Option<&'static str>,
        /// All keys that are possible there.
        known: String,
    },
    /// `workers` is not a list of CPUs that this process may use.
    #[error("workers: {0}")]
    Workers(#[from] CpusError),
    /// A text that must not be empty is empty.
    #[error("{0} is empty: give a value, or leave it out for the default")]
    Empty(&'static str),
    /// A name that no link can have.
    #[error(
        "attach: {device:?} (for lport {lport}) is no device name: expected 1 to 15 bytes without / and blanks"
    )]
    BadDevice {
        /// The lport's id.
        lport: String,
        /// The name as given.
        device: String,
    },
    /// One link for two ports.
    #[error(
        "attach: device {device} is given to lport {first} and to lport {second}: a device is one port's"
    )]
    DeviceTwice {
        /// The link's name.
        device: String,
        /// The first lport's id.
        first: String,
        /// The second lport's id.
        second: String,
    },
    /// A UMEM of no useful size.
    #[error("umem_mib: {0} is out of range: expected 1 to {max}", max = MAX_UMEM_MIB)]
    UmemSize(u32),
    /// A value for a port's option that it cannot take.
    #[error("port option {key}: {value:?} is not possible: expected {expected}")]
    BadPortOption {
        /// The option's key.
        key: &'static str,
        /// The value as given.
        value: String,
        /// The possible values.
        expected: &'static str,
    },
}

/// Edits between a key and a known one up to which it is a misspelling.
const MAX_EDITS: usize = 4;

/// The error for a key that is none of `known`.
pub(super) fn unknown_key(
    key: &str,
    position: Option<Position>,
    known: &'static [&'static str],
) -> ConfigError {
    let key = shorten(key);
    let edits = |known: &&str| strsim::damerau_levenshtein(known, &key);
    let nearest = known.iter().copied().min_by_key(edits).filter(|known| edits(known) <= MAX_EDITS);
    ConfigError::UnknownKey { key: key.into_owned(), position, nearest, known: known.join(", ") }
}

fn place(position: Option<&Position>) -> String {
    position.map_or_else(|| "port option: ".to_owned(), |position| format!("{position}: "))
}

fn suggestion(nearest: Option<&'static str>, known: &str) -> String {
    let meant = nearest.map(|nearest| format!(", did you mean {nearest:?}?")).unwrap_or_default();
    format!("{meant} (known: {known})")
}
