//! The types of declared properties, and how each is read and written.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::Value;
use time::OffsetDateTime;

use super::json::{self, unquoted};
use super::timestamp::Timestamp;

/// A property's value on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A number, a truth value, an object or an array, raw.
    Other(Cow<'a, str>),
}

impl<'a> Wire<'a> {
    pub(super) fn of(raw: &'a str) -> Self {
        match raw.as_bytes().first() {
            None | Some(b'n') => Wire::Null,
            Some(b'"') => Wire::Text(unquoted(raw)),
            Some(_) => Wire::Other(Cow::Borrowed(raw)),
        }
    }

    fn into_owned(self) -> Wire<'static> {
        match self {
            Wire::Null => Wire::Null,
            Wire::Text(text) => Wire::Text(Cow::Owned(text.into_owned())),
            Wire::Other(raw) => Wire::Other(Cow::Owned(raw.into_owned())),
        }
    }

    fn write<M: SerializeMap>(&self, map: &mut M, name: &'static str) -> Result<(), M::Error> {
        match self {
            Wire::Null => Ok(()),
            Wire::Text(text) => map.serialize_entry(name, text),
            Wire::Other(raw) => map.serialize_entry(name, &json::value_or_raw(raw)),
        }
    }
}

/// A type that a declared property can have.
pub(super) trait Property: PartialEq + Sized + Default {
    /// Reads a value; `None` if it has another type. A null is read as the absent value.
    fn read(wire: &Wire<'_>) -> Option<Self>;

    /// Whether [`write`](Self::write) writes the value in the form in which it was read.
    fn is_written_as(&self, wire: &Wire<'_>) -> bool;

    /// Writes the value, unless it is the absent one.
    fn write<M: SerializeMap>(&self, map: &mut M, name: &'static str) -> Result<(), M::Error>;

    /// The text, if the property is a nullable string.
    fn text(&self) -> Option<&str> {
        None
    }
}

/// A type that the value of a nullable property can have.
pub(super) trait Scalar: PartialEq + Sized {
    fn read(wire: &Wire<'_>) -> Option<Self>;

    fn is_written_as(&self, wire: &Wire<'_>) -> bool;

    fn written(&self) -> impl Serialize;

    fn text(&self) -> Option<&str> {
        None
    }
}

impl<T: Scalar> Property for Option<T> {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        if *wire == Wire::Null { Some(None) } else { T::read(wire).map(Some) }
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        self.as_ref().is_none_or(|value| value.is_written_as(wire))
    }

    fn write<M: SerializeMap>(&self, map: &mut M, name: &'static str) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, &value.written()))
    }

    fn text(&self) -> Option<&str> {
        self.as_ref()?.text()
    }
}

/// A string that is empty if the service sent nothing.
impl Property for String {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        Some(Option::read(wire)?.unwrap_or_default())
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        *wire == Wire::Null || !self.is_empty()
    }

    fn write<M: SerializeMap>(&self, map: &mut M, name: &'static str) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
    }
}

impl Scalar for String {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        let Wire::Text(text) = wire else { return None };
        Some(text.clone().into_owned())
    }

    fn is_written_as(&self, _: &Wire<'_>) -> bool {
        true
    }

    fn written(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Scalar for i32 {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        let Wire::Other(raw) = wire else { return None };
        // A negative zero is a floating-point number.
        if raw == "-0" { None } else { raw.parse().ok() }
    }

    fn is_written_as(&self, _: &Wire<'_>) -> bool {
        true
    }

    fn written(&self) -> impl Serialize {
        self
    }
}

impl Scalar for f64 {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        let Wire::Other(raw) = wire else { return None };
        serde_json::from_str(raw).ok()
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        matches!((wire, serde_json::to_string(self)), (Wire::Other(raw), Ok(written)) if *raw == written)
    }

    fn written(&self) -> impl Serialize {
        self
    }
}

impl Scalar for OffsetDateTime {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        let Wire::Text(text) = wire else { return None };
        Some(Timestamp::parse(text)?.0)
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        matches!(wire, Wire::Text(text) if Timestamp::is_canonical(text))
    }

    fn written(&self) -> impl Serialize {
        Timestamp(*self)
    }
}

/// A value of any type that is embedded in an operation.
impl Scalar for Value {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        match wire {
            Wire::Null => None,
            Wire::Text(text) => Some(text.as_ref().into()),
            Wire::Other(raw) => json::value(raw),
        }
    }

    fn is_written_as(&self, _: &Wire<'_>) -> bool {
        true
    }

    fn written(&self) -> impl Serialize {
        self
    }
}

/// How the service wrote the values that this library would write differently: a status in another
/// case, a number or an instant with other digits, an empty text.
#[derive(Clone, Debug, Default)]
pub(super) struct Spellings(Vec<(&'static str, Wire<'static>)>);

impl Spellings {
    pub(super) fn keep(&mut self, name: &'static str, wire: Wire<'_>) {
        self.0.push((name, wire.into_owned()));
    }

    fn of(&self, name: &str) -> Option<&Wire<'static>> {
        self.0.iter().find(|(of, _)| *of == name).map(|(_, wire)| wire)
    }

    /// The text that the service sent for `word`, which differs from it at most in case.
    pub(super) fn word<'a>(&'a self, name: &str, word: &'a str) -> &'a str {
        match self.of(name) {
            Some(Wire::Text(text)) if text.eq_ignore_ascii_case(word) => text,
            _ => word,
        }
    }

    /// Writes a property as the service did, as long as its value is still the same.
    pub(super) fn write<T: Property, M: SerializeMap>(
        &self,
        map: &mut M,
        name: &'static str,
        value: &T,
    ) -> Result<(), M::Error> {
        match self.of(name) {
            Some(wire) if T::read(wire).as_ref() == Some(value) => wire.write(map, name),
            _ => value.write(map, name),
        }
    }
}
