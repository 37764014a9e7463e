//! `operationError`: why an operation failed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::property::{Scalar, Wire};
use super::{json, raw};
use crate::printable::Reason;

/// Why an operation failed, according to the service.
///
/// A string instead of the object is read as the message. [`Display`](fmt::Display) is one
/// printable line of at most about 2 kB.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/operationerror>
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OperationError {
    /// The error code, such as `TeamUnavailable`.
    pub code: Option<String>,
    /// The message.
    pub message: Option<String>,
    /// The properties that the metadata does not declare.
    pub additional_data: Map<String, Value>,
    /// Whether the error came as a string, to be written as one again.
    bare: bool,
}

impl OperationError {
    /// An error with this code and message.
    pub fn new(code: Option<String>, message: Option<String>) -> Self {
        OperationError { code, message, ..OperationError::default() }
    }
}

/// The code, the message, or both.
impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Reason { code: self.code.as_deref(), message: self.message.as_deref() }.fmt(f)
    }
}

impl std::error::Error for OperationError {}

impl Scalar for OperationError {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        let mut error = OperationError::default();
        let raw = match wire {
            Wire::Text(text) => {
                error.message = Some(text.clone().into_owned());
                error.bare = true;
                return Some(error);
            }
            Wire::Other(raw) => raw,
            Wire::Null => return None,
        };
        json::properties(raw, &mut |name, raw| match (&*name, Wire::of(raw)) {
            (_, Wire::Null) => {}
            ("code", Wire::Text(code)) => error.code = Some(code.into_owned()),
            ("message", Wire::Text(message)) => error.message = Some(message.into_owned()),
            _ => {
                error.additional_data.insert(name.into_owned(), json::value_or_raw(raw));
            }
        })
        .ok()?;
        Some(error)
    }

    fn is_written_as(&self, _: &Wire<'_>) -> bool {
        true
    }

    fn written(&self) -> impl Serialize {
        self
    }
}

impl<'de> Deserialize<'de> for OperationError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = raw::read(deserializer)?;
        Self::read(&Wire::of(raw.get()))
            .ok_or_else(|| de::Error::custom("neither an operationError nor a string"))
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
