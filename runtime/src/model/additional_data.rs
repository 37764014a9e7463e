//! The properties that the metadata does not declare.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{properties, value};
use super::shown::ShownValue;

/// The properties of a document that the metadata does not declare, by name.
///
/// A map of JSON values, decoded on first access. It also contains declared properties whose value
/// does not have the declared type. A value that [`Value`] cannot represent, such as `1e400`, is
/// kept as its raw text, and serialized unchanged.
///
/// ```
/// # use graph_operation::TeamsAsyncOperation;
/// let text = r#"{"status":"inProgress","Value":"{\"Status\":0}"}"#;
/// let operation: TeamsAsyncOperation = serde_json::from_str(text)?;
/// assert_eq!(operation.additional_data["Value"], r#"{"Status":0}"#);
/// assert_eq!(operation.additional_data.get("values"), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct AdditionalData {
    /// `"name":value,` for each property.
    raw: String,
    decoded: OnceLock<Decoded>,
}

#[derive(Clone, Default)]
struct Decoded {
    map: Map<String, Value>,
    /// The values that the map contains as raw text.
    raw: Map<String, Value>,
}

impl AdditionalData {
    /// Adds a property as it is written in the document.
    pub(super) fn push(&mut self, name: &str, raw: &str) {
        // Most documents have two such properties: an address, and a longer text.
        let length = name.len() + raw.len() + r#""":,"#.len();
        self.raw.reserve(if self.raw.is_empty() { length.max(384) } else { length });
        if name.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
            self.raw.push_str(&Value::from(name).to_string());
        } else {
            self.raw.push('"');
            self.raw.push_str(name);
            self.raw.push('"');
        }
        self.raw.push(':');
        self.raw.push_str(raw);
        self.raw.push(',');
    }

    fn decoded(&self) -> &Decoded {
        self.decoded.get_or_init(|| {
            let mut decoded = Decoded::default();
            let document = format!("{{{}}}", self.raw.strip_suffix(',').unwrap_or_default());
            // Each was read once before, so this does not fail.
            let _ = properties(&document, &mut |name, raw| {
                let readable = value(raw);
                decoded.raw.remove(&*name);
                if readable.is_none() {
                    decoded.raw.insert(name.clone().into_owned(), raw.into());
                }
                decoded.map.insert(name.into_owned(), readable.unwrap_or_else(|| raw.into()));
            });
            decoded
        })
    }

    /// Writes the properties into the object that `map` serializes.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let decoded = self.decoded();
        for (name, value) in &decoded.map {
            // Not every serializer accepts the raw form: one that builds a `Value` does not.
            let raw = decoded.raw.get(name).and_then(Value::as_str);
            let raw: Option<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw).ok());
            let raw = raw.map(|raw| map.serialize_entry(name, raw));
            if !matches!(raw, Some(Ok(()))) {
                map.serialize_entry(name, value)?;
            }
        }
        Ok(())
    }
}

impl Deref for AdditionalData {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.decoded().map
    }
}

impl<'a> IntoIterator for &'a AdditionalData {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for AdditionalData {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Shows addresses without their queries, which may hold secrets.
impl fmt::Debug for AdditionalData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, ShownValue(value)))).finish()
    }
}

impl Serialize for AdditionalData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}
