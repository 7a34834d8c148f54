//! Parsing and display of table names.

use std::fmt;
use std::str::FromStr;

use super::Table;
use crate::types::shorten;

/// The error for a text that is not the name of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown table {:?}: {hint}", shorten(name))]
pub struct TableError {
    name: String,
    hint: String,
}

impl FromStr for Table {
    type Err = TableError;

    fn from_str(name: &str) -> Result<Self, TableError> {
        Self::ALL.iter().copied().find(|table| table.name() == name).ok_or_else(|| {
            let names = || Self::ALL.iter().map(|table| table.name());
            let hint = match super::error::nearest(name, names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            TableError { name: name.to_owned(), hint }
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_a_near_miss_gets_a_hint() {
        for table in Table::ALL {
            assert_eq!(table.name().parse::<Table>().as_ref(), Ok(table));
        }
        let error = "lports".parse::<Table>().unwrap_err().to_string();
        assert_eq!(error, "unknown table \"lports\": did you mean \"lport\"?");
        let error = "zzz".parse::<Table>().unwrap_err().to_string();
        assert!(error.contains("expected one of bgp_peer,"), "{error}");
    }
}
