//! Lenient access to single fields of a record: fields that are not requested are not examined.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Record, RecordError};
use crate::types::{Id, shorten};

/// The fields of a JSON object. A field that is `null` counts as absent, as in Dragonflow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: &'static str,
}

impl<'a> Fields<'a> {
    fn of(json: &'a Value) -> Result<Self, RecordError> {
        let object = json.as_object().ok_or_else(|| RecordError::not_an_object(json))?;
        Ok(Self { object, path: "" })
    }

    /// The fields of an object that is a record.
    pub const fn of_object(object: &'a Map<String, Value>) -> Self {
        Self { object, path: "" }
    }

    /// The fields of a record, and its id, which must be equal to the one in the record's key.
    pub fn with_id(record: &'a Record) -> Result<(Self, Id), RecordError> {
        let fields = Self::of(&record.json)?;
        let id = fields.required_text("id")?;
        if id == record.id {
            Ok((fields, id.into()))
        } else {
            let expected = format!("{:?}, the id in the record's key", shorten(&record.id));
            Err(RecordError::bad("id", &id.into(), expected))
        }
    }

    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.path)
    }

    fn bad(&self, field: &str, value: &Value, expected: impl Into<String>) -> RecordError {
        RecordError::bad(self.name(field), value, expected)
    }

    fn find(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// The fields of a nested object. `path` is its name with a dot, for messages.
    pub fn object(&self, field: &str, path: &'static str) -> Result<Option<Fields<'a>>, RecordError> {
        self.find(field)
            .map(|value| match value.as_object() {
                Some(object) => Ok(Fields { object, path }),
                None => Err(self.bad(field, value, "a JSON object")),
            })
            .transpose()
    }

    /// The fields of each object in a list; empty if the field is absent. `path` is its name with a dot, for
    /// messages.
    pub fn objects(&self, field: &str, path: &'static str) -> Result<Vec<Fields<'a>>, RecordError> {
        let Some(value) = self.find(field) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.bad(field, value, "a list"))?;
        let read = |item: &'a Value| match item.as_object() {
            Some(object) => Ok(Fields { object, path }),
            None => Err(self.bad(field, item, "a JSON object")),
        };
        items.iter().map(read).collect()
    }

    pub fn text(&self, field: &str) -> Result<Option<&'a str>, RecordError> {
        self.find(field)
            .map(|value| value.as_str().ok_or_else(|| self.bad(field, value, "a text")))
            .transpose()
    }

    /// A text that is required and not empty.
    pub fn required_text(&self, field: &str) -> Result<String, RecordError> {
        match self.text(field)? {
            Some("") => Err(self.bad(field, &Value::from(""), "a text that is not empty")),
            Some(text) => Ok(text.to_owned()),
            None => Err(self.missing(field)),
        }
    }

    /// The error for a required field that is absent.
    pub fn missing(&self, field: &str) -> RecordError {
        RecordError::Missing(self.name(field))
    }

    pub fn number(&self, field: &str) -> Result<Option<u64>, RecordError> {
        self.find(field)
            .map(|value| value.as_u64().ok_or_else(|| self.bad(field, value, "a whole number, 0 or more")))
            .transpose()
    }

    /// A required number that is converted to `T`, a newtype of 32 bits.
    pub fn key<T>(&self, field: &str) -> Result<T, RecordError>
    where
        T: TryFrom<u32>,
    {
        let number = self.number(field)?.ok_or_else(|| self.missing(field))?;
        u32::try_from(number)
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.bad(field, &Value::from(number), format!("1 to {}", i32::MAX)))
    }

    pub fn flag(&self, field: &str) -> Result<Option<bool>, RecordError> {
        self.find(field)
            .map(|value| value.as_bool().ok_or_else(|| self.bad(field, value, "true or false")))
            .transpose()
    }

    /// A text that is parsed as a `T`.
    pub fn parsed<T: FromStr>(&self, field: &str, expected: &str) -> Result<Option<T>, RecordError> {
        self.text(field)?
            .map(|text| text.parse().map_err(|_| self.bad(field, &Value::from(text), expected)))
            .transpose()
    }

    /// A list of texts, each parsed as a `T`; empty if the field is absent.
    pub fn list<T: FromStr>(&self, field: &str, expected: &str) -> Result<Vec<T>, RecordError> {
        let Some(value) = self.find(field) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.bad(field, value, "a list"))?;
        let read = |(index, item): (usize, &Value)| {
            item.as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| self.bad(&format!("{field}[{index}]"), item, expected))
        };
        items.iter().enumerate().map(read).collect()
    }
}
