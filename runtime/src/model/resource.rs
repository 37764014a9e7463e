//! Resource types as Graph's metadata declares them: how each is read, written and summarized.

use std::borrow::Cow;

use serde::de::Error as _;

use super::evolvable::Status;
use super::property::{Property, Spellings, Wire};
use super::scan::scan;
use super::{AdditionalData, Model, OperationError, State, Summary, TargetRef, json};

/// Declares a type of the metadata: each property's name on the wire, its field, and its type.
///
/// A resource type has a name, and properties called `id` and `status`; the rest of its [`Model`]
/// follows the properties. A type without a name is a complex type, a part of another one.
macro_rules! resource {
    (
        $(#[$meta:meta])*
        $name:ident = $type:literal {
            $( $(#[$field_meta:meta])* $property:literal => $field:ident: $of:ty, )+
        }
        $($model:tt)*
    ) => {
        $crate::model::resource::resource! {
            $(#[$meta])*
            $name {
                $( $(#[$field_meta])* $property => $field: $of, )+
            }
        }

        impl $name {
            fn read(text: &str) -> serde_json::Result<Self> {
                use $crate::model::resource::{Document, is_known};
                let mut document = Document::read(text, Self::PROPERTIES)?;
                document.require_status()?;
                let operation = Self::take(&mut document);
                document.finish(is_known(&operation.status))?;
                Ok(operation)
            }
        }

        impl $crate::model::Model for $name {
            const TYPE: &'static str = $type;

            fn from_json(body: &[u8]) -> serde_json::Result<Self> {
                Self::read(&$crate::model::json::text_of(body))
            }

            fn summarize(body: &[u8]) -> serde_json::Result<$crate::model::Summary<'_>> {
                $crate::model::resource::summarize(body, Self::PROPERTIES, |read: Self| read.status)
            }

            fn state(&self) -> $crate::model::State {
                $crate::model::resource::state(&self.status)
            }

            fn status(&self) -> &str {
                $crate::model::evolvable::Status::spelled(&self.status, &self.spellings)
            }

            fn id(&self) -> Option<&str> {
                Some(self.id.as_str()).filter(|id| !id.is_empty())
            }

            $($model)*
        }

        /// Reads JSON, as [`Model::from_json`](crate::Model::from_json) does.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = $crate::model::raw::read(deserializer)?;
                let text = $crate::model::json::repaired(raw.get());
                Self::read(&text).map_err(serde::de::Error::custom)
            }
        }
    };
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$field_meta:meta])* $property:literal => $field:ident: $of:ty, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $of, )+
            /// The properties that the metadata does not declare.
            pub additional_data: $crate::model::AdditionalData,
            spellings: $crate::model::property::Spellings,
        }

        impl $name {
            const PROPERTIES: &'static [&'static str] = &[$($property),+];

            fn take(document: &mut $crate::model::resource::Document<'_>) -> Self {
                // The fields of a struct are evaluated in the order in which they are written.
                $name {
                    $( $field: document.next(), )+
                    additional_data: std::mem::take(&mut document.additional_data),
                    spellings: std::mem::take(&mut document.spellings),
                }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                $( self.$field == other.$field && )+ self.additional_data == other.additional_data
            }
        }

        /// Shows addresses without their queries, which may hold secrets.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::model::shown::ShownProperty;
                f.debug_struct(stringify!($name))
                    $( .field(stringify!($field), &ShownProperty(&self.$field)) )+
                    .field("additional_data", &self.additional_data)
                    .finish()
            }
        }

        /// Omits absent properties, and writes undeclared ones as they came.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(
                    if !self.additional_data.contains_key($property) {
                        self.spellings.write(&mut map, $property, &self.$field)?;
                    }
                )+
                self.additional_data.write(&mut map)?;
                map.end()
            }
        }
    };
}

pub(super) use resource;

/// The most properties that a resource type declares.
const PROPERTIES: usize = 16;

/// A document whose declared properties are read one after the other.
pub(super) struct Document<'a> {
    names: &'static [&'static str],
    values: [Option<&'a str>; PROPERTIES],
    next: usize,
    odd: Option<&'static str>,
    pub(super) additional_data: AdditionalData,
    pub(super) spellings: Spellings,
}

impl<'a> Document<'a> {
    /// Finds the declared properties. If one occurs twice, the last value counts.
    pub(super) fn read(text: &'a str, names: &'static [&'static str]) -> serde_json::Result<Self> {
        let mut values = [None; PROPERTIES];
        let mut additional_data = AdditionalData::default();
        json::properties(text, &mut |name, value| {
            let declared = names.iter().position(|declared| *declared == name);
            match declared {
                Some(at) => values[at] = Some(value),
                None => additional_data.push(&name, value),
            }
        })?;
        let spellings = Spellings::default();
        Ok(Document { names, values, next: 0, odd: None, additional_data, spellings })
    }

    /// Refuses a document with neither a `status` nor an `operationType`.
    pub(super) fn require_status(&self) -> serde_json::Result<()> {
        let found =
            self.names.iter().zip(&self.values).any(|(name, value)| {
                value.is_some() && matches!(*name, "status" | "operationType")
            });
        if found { Ok(()) } else { Err(serde_json::Error::missing_field("status")) }
    }

    /// Reads the next declared property. A value of another type is kept with the undeclared
    /// properties.
    pub(super) fn next<T: Property>(&mut self) -> T {
        let Some((name, raw)) = self.next_raw() else { return T::default() };
        let wire = Wire::of(raw);
        let Some(value) = T::read(&wire) else {
            self.keep_odd(name, raw);
            return T::default();
        };
        if !value.is_written_as(&wire) {
            self.spellings.keep(name, wire);
        }
        value
    }

    fn next_raw(&mut self) -> Option<(&'static str, &'a str)> {
        let (name, value) = (self.names[self.next], self.values[self.next]);
        self.next += 1;
        Some((name, value?))
    }

    fn keep_odd(&mut self, name: &'static str, raw: &str) {
        self.odd = self.odd.or(Some(name));
        self.additional_data.push(name, raw);
    }

    /// Refuses a document with a property that does not have its declared type, unless the status
    /// is known.
    pub(super) fn finish(self, known: bool) -> serde_json::Result<()> {
        match self.odd {
            Some(name) if !known => Err(serde_json::Error::custom(format_args!(
                "`{name}` does not have its declared type"
            ))),
            _ => Ok(()),
        }
    }
}

pub(super) fn is_known<S: Status>(status: &S) -> bool {
    S::state_of(status.word()).is_some()
}

/// The state that a status stands for. An unknown status is not terminal.
pub(super) fn state<S: Status>(status: &S) -> State {
    S::state_of(status.word()).unwrap_or(State::Running)
}

/// Reads a known status in place, and any other document as a whole.
///
/// `_status` only names the type of `M`'s status.
pub(super) fn summarize<'a, M: Model, S: Status>(
    body: &'a [u8],
    properties: &[&str],
    _status: fn(M) -> S,
) -> serde_json::Result<Summary<'a>> {
    if let Some(found) = scan(body, S::WITHIN)
        && let Some(state) = S::state_of(found.status)
    {
        let attempts = found.attempts.filter(|_| properties.contains(&"attemptsCount"));
        return Ok(Summary::new(state, Cow::Borrowed(found.status), attempts));
    }
    M::from_json(body).map(|operation| Summary::of(&operation))
}

/// The location of what an operation created or works on, or else its id.
pub(super) fn target<'a>(location: Option<&'a String>, id: Option<&'a String>) -> TargetRef<'a> {
    match (location, id) {
        (Some(location), _) if !location.is_empty() => TargetRef::Location(location.into()),
        (_, Some(id)) if !id.is_empty() => TargetRef::Id(id.into()),
        _ => TargetRef::None,
    }
}

/// The text that accompanies a failure. The same property can have a text after a success.
pub(super) fn failure_text(
    operation: &impl Model,
    text: Option<&String>,
) -> Option<OperationError> {
    let text = text.filter(|text| operation.state() == State::Failed && !text.is_empty())?;
    Some(OperationError::new(None, Some(text.clone())))
}
