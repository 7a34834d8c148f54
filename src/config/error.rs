//! Errors of the configuration: invalid values, unknown keys.

use std::fmt;
use std::path::PathBuf;

use super::cpus::CpusError;
use crate::types::shorten;

/// 64 GiB. A larger value counts as a typing error.
pub(super) const MAX_UMEM_MIB: u32 = 64 * 1024;

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
    /// Number of the line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// One invalid setting, with the expectation.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum ConfigError {
    #[error("cannot read the config file {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not TOML, or a value has the wrong type. `line` is the line of the file at `position`.
    #[error("{position}: {line}: {reason}", line = shorten(line))]
    Toml { position: Position, line: String, reason: String },
    /// A key that does not exist.
    #[error("{}unknown key {key:?}{}", place(.position.as_ref()), suggestion(*.nearest, .known))]
    UnknownKey {
        key: String,
        /// `None` for a command-line option.
        position: Option<Position>,
        /// The known key with the most similar spelling, if any is similar.
        nearest: Option<&'static str>,
        /// All keys that are possible there, separated by commas.
        known: String,
    },
    #[error("workers: {0}")]
    Workers(#[from] CpusError),
    #[error("{0} is empty: give a value, or leave it out for the default")]
    Empty(&'static str),
    #[error(
        "attach: {link:?} (for lport {lport}) is no link name: expected 1 to 15 bytes without /, : and blanks"
    )]
    BadLinkName { lport: String, link: String },
    #[error(
        "attach: link {link} is given to lport {first} and to lport {second}: a link belongs to one port"
    )]
    LinkTwice { link: String, first: String, second: String },
    #[error(
        "uplinks: {physical:?} = {link:?} maps no physical network to a link: expected a name, and 1 to 15 bytes without /, : and blanks"
    )]
    BadUplink { physical: String, link: String },
    #[error(
        "uplinks: link {link} is given to physical network {physical} and attached to lport {lport}: a link is an uplink or belongs to a port"
    )]
    UplinkIsPort { link: String, physical: String, lport: String },
    #[error("umem_mib: {0} is out of range: expected 1 to {max}", max = MAX_UMEM_MIB)]
    UmemSize(u32),
    #[error("port option {key}: {value:?} is not possible: expected {expected}")]
    BadPortOption { key: &'static str, value: String, expected: &'static str },
}

/// Largest edit distance at which an unknown key counts as a misspelling of a known one.
const MAX_EDITS: usize = 4;

/// The error for a key that is not among `known`.
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
