//! Text for a terminal or a log.

use std::borrow::Cow;
use std::error::Error;
use std::iter;

/// The text with every character escaped that controls a terminal or ends a line: names and aliases of links
/// are chosen by others.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_control(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether the character is a control character, or changes the direction of writing.
#[must_use]
pub fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The error and its causes in one sentence, each once: some errors include the text of their cause.
#[must_use]
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).fold(String::new(), |sentence, cause| match sentence.as_str() {
        "" => cause,
        _ if sentence.contains(&cause) => sentence,
        _ => format!("{sentence}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_control_a_terminal_are_escaped() {
        assert_eq!(printable("tap0 größe"), "tap0 größe");
        assert_eq!(printable("a\x1b[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }
}
