//! `operationError`: why an operation failed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Why an operation failed, as far as the service tells.
///
/// A service that sends a bare string in its place has it read as the message.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/operationerror>
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OperationError {
    /// The error code, such as `TeamUnavailable`.
    pub code: Option<String>,
    /// What went wrong, for a person.
    pub message: Option<String>,
    /// The properties that the metadata does not declare.
    pub additional_data: Map<String, Value>,
    /// Whether the error came as a bare string, to be written as one again.
    bare: bool,
}

impl OperationError {
    /// An error with this code and message.
    pub fn new(code: Option<String>, message: Option<String>) -> Self {
        OperationError { code, message, ..OperationError::default() }
    }
}

/// The code and the message, whichever there are.
impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_code_and_message(f, self.code.as_deref(), self.message.as_deref())
    }
}

impl std::error::Error for OperationError {}

/// One line of a code, a message, or both.
pub(super) fn write_code_and_message(
    f: &mut fmt::Formatter<'_>,
    code: Option<&str>,
    message: Option<&str>,
) -> fmt::Result {
    match (code.unwrap_or_default(), message.unwrap_or_default()) {
        ("", "") => f.write_str("no reason given"),
        (text, "") | ("", text) => write!(f, "{}", OneLine(text)),
        (code, message) => write!(f, "{}: {}", OneLine(code), OneLine(message)),
    }
}

/// A text of the service on one line of a log, whatever it holds.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

impl OperationError {
    /// Reads an error, a text in its place, or a null; gives back anything else.
    pub(super) fn from_value(value: Value) -> Result<Option<Self>, Value> {
        let mut error = OperationError::default();
        match value {
            Value::Null => return Ok(None),
            Value::String(text) => {
                error.message = Some(text);
                error.bare = true;
            }
            Value::Object(object) => {
                for (name, value) in object {
                    match (name.as_str(), value) {
                        (_, Value::Null) => {}
                        ("code", Value::String(code)) => error.code = Some(code),
                        ("message", Value::String(message)) => error.message = Some(message),
                        (_, value) => {
                            error.additional_data.insert(name, value);
                        }
                    }
                }
            }
            other => return Err(other),
        }
        Ok(Some(error))
    }
}

impl<'de> Deserialize<'de> for OperationError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error = Self::from_value(Value::deserialize(deserializer)?);
        error
            .ok()
            .flatten()
            .ok_or_else(|| de::Error::custom("neither an operationError nor a text"))
    }
}

impl Serialize for OperationError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (true, Some(message)) = (self.bare, &self.message) {
            return serializer.serialize_str(message);
        }
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in [("code", &self.code), ("message", &self.message)] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in &self.additional_data {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
