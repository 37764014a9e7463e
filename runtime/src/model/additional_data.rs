//! The properties that the metadata does not declare.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The properties of a document that the metadata does not declare, by their names.
///
/// A map of JSON values, made when it is first looked at: the answer to a check holds some that few
/// programs ever read.
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
    /// `"name":value,` for each, to be read.
    unread: Vec<u8>,
    read: OnceLock<Map<String, Value>>,
}

impl AdditionalData {
    /// Adds a property as it stands in the document.
    pub(super) fn push_raw(&mut self, name: &str, value: &RawValue) -> serde_json::Result<()> {
        // Most documents have two properties: an address, and a longer one.
        let length = name.len() + value.get().len() + r#""":,"#.len();
        self.unread.reserve(if self.unread.is_empty() { length.max(384) } else { length });
        self.push_name(name)?;
        self.unread.extend_from_slice(value.get().as_bytes());
        self.unread.push(b',');
        Ok(())
    }

    /// Adds a property that was read already.
    pub(super) fn push_value(&mut self, name: &str, value: &Value) -> serde_json::Result<()> {
        self.push_name(name)?;
        serde_json::to_writer(&mut self.unread, value)?;
        self.unread.push(b',');
        Ok(())
    }

    fn push_name(&mut self, name: &str) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.unread, name)?;
        self.unread.push(b':');
        Ok(())
    }

    fn map(&self) -> &Map<String, Value> {
        self.read.get_or_init(|| {
            let properties = self.unread.strip_suffix(b",").unwrap_or_default();
            // What was JSON to skip may be none to read, such as half of a surrogate pair.
            serde_json::from_slice(&[b"{", properties, b"}"].concat()).unwrap_or_default()
        })
    }
}

impl Deref for AdditionalData {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        self.map()
    }
}

impl<'a> IntoIterator for &'a AdditionalData {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.map().iter()
    }
}

impl PartialEq for AdditionalData {
    fn eq(&self, other: &Self) -> bool {
        self.map() == other.map()
    }
}

impl fmt::Debug for AdditionalData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

impl Serialize for AdditionalData {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.map().serialize(serializer)
    }
}
