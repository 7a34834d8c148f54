//! Dragonflow's messages about changes: `MessagePack` maps of five. Pure.

use serde::Deserialize;

const MAP_OF_5: u8 = 0x85;
const NIL: u8 = 0xc0;
const SHORT_TEXT: u8 = 0xa0;
const TEXT_16: u8 = 0xda;
const TEXT_32: u8 = 0xdb;

/// The channel that every Dragonflow controller subscribes to, and the topic of a message without a project.
pub(super) const COMMON_CHANNEL: &str = "D";

/// The fields of a message that are read.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Message {
    pub(super) table: String,
    pub(super) key: String,
    /// The JSON of the record; `None` if it was deleted.
    pub(super) value: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Create,
    Set,
    Delete,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Delete => "delete",
        }
    }
}

pub(super) fn decode(payload: &[u8]) -> Result<Message, rmp_serde::decode::Error> {
    rmp_serde::from_slice(payload)
}

/// Encodes a message to all Dragonflow controllers.
pub(super) fn encode(table: &str, key: &str, action: Action, value: Option<&str>) -> Vec<u8> {
    let mut out = vec![MAP_OF_5];
    let fields = [
        ("table", Some(table)),
        ("key", Some(key)),
        ("action", Some(action.name())),
        ("value", value),
        ("topic", Some(COMMON_CHANNEL)),
    ];
    for (name, value) in fields {
        write_text(&mut out, name);
        match value {
            Some(text) => write_text(&mut out, text),
            None => out.push(NIL),
        }
    }
    out
}

/// Encodes a text in the old raw family of `MessagePack`, which has no length of 8 bits: Dragonflow's library
/// writes no other family.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if let (Ok(short), true) = (u8::try_from(length), length < 32) {
        out.push(SHORT_TEXT | short);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(TEXT_16);
        out.extend(length.to_be_bytes());
    } else {
        out.push(TEXT_32);
        // A value in redis, and so a record, has at most 512 MiB.
        out.extend((length as u32).to_be_bytes());
    }
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that Dragonflow sent.
    const DELETE: &[u8] =
        b"\x85\xa5table\xa5lport\xa3key\xa2p1\xa6action\xa6delete\xa5value\xc0\xa5topic\xa1D";

    #[test]
    fn a_message_of_dragonflow_is_decoded_and_encoded_the_same() {
        let message = decode(DELETE).unwrap();
        assert_eq!(message, Message { table: "lport".to_owned(), key: "p1".to_owned(), value: None });
        assert_eq!(encode("lport", "p1", Action::Delete, None), DELETE);
    }

    #[test]
    fn a_text_of_any_length_is_of_the_old_family() {
        for (length, marker) in [
            (31, &b"\xbf"[..]),
            (32, b"\xda\x00\x20"),
            (255, b"\xda\x00\xff"),
            (70_000, b"\xdb\x00\x01\x11\x70"),
        ] {
            let text = "x".repeat(length);
            let message = encode("lport", "p1", Action::Set, Some(&text));
            let expected = [b"\xa5value", marker, text.as_bytes(), b"\xa5topic\xa1D"].concat();
            assert!(message.ends_with(&expected), "{length}");
            assert_eq!(decode(&message).unwrap().value, Some(text));
        }
    }

    #[test]
    fn an_invalid_message_is_rejected() {
        for payload in
            [&b""[..], b"\xc0", b"{\"table\": \"lport\"}", &DELETE[..20], b"\x81\xa5table\xa5lport"]
        {
            assert!(decode(payload).is_err(), "{payload:?}");
        }
        // A text with a length of 8 bits, as current libraries write it.
        let newer = b"\x83\xd9\x05table\xa5lport\xa3key\xa2p1\xa5value\xc0";
        assert_eq!(decode(newer).unwrap().key, "p1");
    }
}
