//! The commit of a transaction: one script, which is executed as a whole or not at all.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, cmd};
use serde_json::Value;

use super::key::Place;
use super::message::{self, Action};
use super::picture::{Content, Found};
use crate::nb::{RecordId, Revision};

/// The arguments of the script.
#[derive(Debug, Default)]
pub(super) struct Commit {
    checks: Vec<(String, Option<Vec<u8>>)>,
    writes: Vec<(String, Option<Vec<u8>>)>,
    messages: Vec<Vec<u8>>,
}

impl Commit {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Number of arguments of the script.
    pub(super) fn arguments(&self) -> usize {
        2 * (self.checks.len() + self.writes.len()) + self.messages.len()
    }

    /// Requires that a key still has the value that was read.
    pub(super) fn check(&mut self, key: String, read: Option<Vec<u8>>) {
        self.checks.push((key, read));
    }

    /// Sets a counter that had the value `read` to a number.
    pub(super) fn count(&mut self, key: String, read: Option<Vec<u8>>, now: u64) {
        self.writes.push((key.clone(), Some(now.to_string().into_bytes())));
        self.check(key, read);
    }

    /// Replaces a record, in the keys where it was found, by `json`. One key is left, in the newer spelling.
    pub(super) fn write(&mut self, record: &RecordId, was: &[Found], json: Option<&Value>) {
        let topic = json.map(|json| json.get("topic").and_then(Value::as_str).unwrap_or_default());
        let target = topic.map(|topic| Place::written(topic).key(record));
        for (place, content) in was {
            let key = place.key(record);
            if let Content::Bytes(bytes) = content {
                self.check(key.clone(), Some(bytes.clone()));
            }
            if Some(&key) != target.as_ref() {
                self.writes.push((key, None));
            }
        }
        let text = json.map(Value::to_string);
        if let (Some(key), Some(text)) = (target, &text) {
            if !was.iter().any(|(place, _)| place.key(record) == key) {
                self.check(key.clone(), None);
            }
            self.writes.push((key, Some(text.clone().into_bytes())));
        }
        let action = match (was.is_empty(), &text) {
            (_, None) => Action::Delete,
            (true, Some(_)) => Action::Create,
            (false, Some(_)) => Action::Set,
        };
        self.messages.push(message::encode(record.table.name(), &record.id, action, text.as_deref()));
    }

    /// Sends the script. Returns `None` if a value that was read has changed, so that nothing was written.
    pub(super) async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Option<Revision>> {
        let time: Option<(u64, u64)> = self.command().query_async(connection).await?;
        Ok(time.map(|(seconds, micros)| Revision(seconds * 1_000_000 + micros)))
    }

    fn command(&self) -> Cmd {
        let mut eval = cmd("EVAL");
        eval.arg(include_str!("commit.lua")).arg(self.checks.len() + self.writes.len());
        let both = || self.checks.iter().chain(&self.writes);
        for (key, _) in both() {
            eval.arg(key);
        }
        eval.arg(self.checks.len()).arg(self.writes.len());
        for (_, value) in both() {
            match value {
                Some(value) => eval.arg([b"=", value.as_slice()].concat()),
                None => eval.arg("-"),
            };
        }
        eval.arg(&self.messages);
        eval
    }
}
