//! Bytes as hexadecimal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes that parse from and print as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

/// Why a text cannot be parsed as hexadecimal bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A character that is neither a digit nor a separator.
    #[error("{0:?} at character {1} is not a hexadecimal digit: expected bytes as in 0a1b2c")]
    NotADigit(char, usize),
    /// The last byte has only one digit.
    #[error("{0} hexadecimal digits: expected two for each byte")]
    OddLength(usize),
}

impl FromStr for Hex {
    type Err = HexError;

    /// Accepts both cases, and blanks and colons anywhere: the forms that tcpdump and Wireshark copy.
    fn from_str(text: &str) -> Result<Self, HexError> {
        let mut nibbles: Vec<u8> = Vec::with_capacity(text.len());
        for (at, character) in text.chars().enumerate() {
            match character.to_digit(16).and_then(|digit| digit.try_into().ok()) {
                Some(digit) => nibbles.push(digit),
                None if character == ':' || character.is_ascii_whitespace() => {}
                None => return Err(HexError::NotADigit(character, at + 1)),
            }
        }
        match nibbles.as_chunks() {
            (bytes, []) => Ok(Self(bytes.iter().map(|[high, low]| high << 4 | low).collect())),
            _ => Err(HexError::OddLength(nibbles.len())),
        }
    }
}

impl TryFrom<String> for Hex {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        text.parse()
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> String {
        hex.to_string()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_bytes_are_read_and_printed_bare() {
        assert_eq!("0A:1b 2c\n".parse::<Hex>().unwrap().to_string(), "0a1b2c");
        assert_eq!("".parse::<Hex>().unwrap(), Hex(Vec::new()));
    }

    #[test]
    fn what_is_no_byte_is_named() {
        assert_eq!("0a0x".parse::<Hex>(), Err(HexError::NotADigit('x', 4)));
        assert_eq!("0a0".parse::<Hex>(), Err(HexError::OddLength(3)));
    }
}
