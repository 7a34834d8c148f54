//! Values of foreign origin in messages: of a long one, the start and the length.

use std::borrow::Cow;

/// Length in characters of the longest value that a message repeats in full.
const VALUE_CHARS: usize = 100;
/// Length in characters of the longest message: several values and the words between them.
const MESSAGE_CHARS: usize = 1000;

/// `value`, or its first 100 characters and its length in bytes.
#[must_use]
pub fn shorten(value: &str) -> Cow<'_, str> {
    cut(value, VALUE_CHARS)
}

/// A message of foreign origin, as the reply of a store, or its first 1000 characters and its length in
/// bytes.
#[must_use]
pub fn shorten_message(message: &str) -> Cow<'_, str> {
    cut(message, MESSAGE_CHARS)
}

fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}... ({} bytes)", &text[..end], text.len())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character_and_has_its_length() {
        assert_eq!(shorten("fa:16"), "fa:16");
        let exact = "\u{e4}".repeat(100);
        assert_eq!(shorten(&exact), exact);
        let long = format!("{exact}x");
        assert_eq!(shorten(&long), format!("{exact}... (201 bytes)"));
        assert!(shorten_message(&"x".repeat(20_000_000)).len() < 1100);
    }
}
