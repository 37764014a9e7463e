//! What `Debug` shows of an operation: everything but the secrets in addresses.

use std::fmt;

use serde_json::Value;

use super::property::Property;
use crate::printable::without_secrets;

/// A declared property.
pub(super) struct ShownProperty<'a, T>(pub(super) &'a T);

impl<T: Property + fmt::Debug> fmt::Debug for ShownProperty<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.text().and_then(hidden) {
            Some(address) => f.debug_tuple("Some").field(&address).finish(),
            None => self.0.fmt(f),
        }
    }
}

/// A JSON value in its usual form, except for the addresses in it.
pub(super) struct ShownValue<'a>(pub(super) &'a Value);

impl fmt::Debug for ShownValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => match hidden(text) {
                Some(address) => f.debug_tuple("String").field(&address).finish(),
                None => self.0.fmt(f),
            },
            Value::Array(values) => {
                f.write_str("Array ")?;
                f.debug_list().entries(values.iter().map(ShownValue)).finish()
            }
            Value::Object(object) => {
                f.write_str("Object ")?;
                let entries = object.iter().map(|(name, value)| (name, ShownValue(value)));
                f.debug_map().entries(entries).finish()
            }
            _ => self.0.fmt(f),
        }
    }
}

/// A text without its secrets, if it is an address that contains any.
fn hidden(text: &str) -> Option<String> {
    let is_address =
        [":/", ":\\"].iter().any(|scheme| text.contains(scheme)) || text.starts_with(['/', '\\']);
    let shown = is_address.then(|| without_secrets(text))?;
    (shown != text).then_some(shown)
}
