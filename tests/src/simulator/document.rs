//! A JSON object whose properties keep their order and their values as they were written.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

/// A JSON object. `serde_json::Value` would sort its properties, which the service does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    properties: Vec<(String, Box<RawValue>)>,
}

impl Document {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Reads an object; anything else is `None`.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Sets a property: in place if there is one of this name, and otherwise at the end.
    pub(super) fn set(&mut self, name: &str, value: impl Serialize) {
        // Only text, numbers, lists and documents are set here, and these always serialize.
        let Ok(value) = serde_json::value::to_raw_value(&value) else { return };
        match self.properties.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.properties.push((name.to_owned(), value)),
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.set(name, value);
        self
    }

    /// The same as [`Document::with`] if there is a value.
    #[must_use]
    pub(super) fn with_some(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let (_, value) = self.properties.iter().find(|(known, _)| known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// A property that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// Takes over another's properties, except for those that `is_wanted` refuses.
    pub(super) fn merge(&mut self, other: &Self, is_wanted: impl Fn(&str) -> bool) {
        for (name, value) in &other.properties {
            if is_wanted(name) {
                self.set(name, value);
            }
        }
    }

    /// Keeps only the named properties, and the annotations of the whole document.
    pub(super) fn select(&mut self, names: &[String]) {
        self.properties.retain(|(name, _)| {
            name.starts_with('@') || names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        });
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.properties.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut document = Document::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    document.set(&name, value);
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_values_stay_as_they_were_written() {
        let json = r#"{"z":1.50,"a":{"y":1,"b":2},"n":null}"#;
        let mut document = Document::parse(json.as_bytes()).unwrap();
        assert_eq!(document.write(), json);
        document.set("a", "changed");
        document.merge(&Document::new().with("m", 1).with("x", 2), |name| name == "m");
        assert_eq!(document.write(), r#"{"z":1.50,"a":"changed","n":null,"m":1}"#);
        document.set("@odata.context", "c");
        document.select(&["M".into(), "n".into()]);
        assert_eq!(document.write(), r#"{"n":null,"m":1,"@odata.context":"c"}"#);
        assert!(Document::parse(b"[]").is_none());
    }
}
