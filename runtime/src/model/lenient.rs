//! Properties that came as another type than the metadata says.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use time::OffsetDateTime;

use super::timestamp::Timestamp;

/// What a property's value was read as.
pub(super) enum Lenient<T> {
    /// What it should be; `None` for a null.
    Read(Option<T>),
    /// Something else, as it came.
    Odd(Value),
}

/// A type that a declared property can have: read from a text or from a whole number.
pub(super) trait Scalar: Sized {
    fn from_text(text: &str) -> Option<Self> {
        let _ = text;
        None
    }

    fn from_number(number: i64) -> Option<Self> {
        let _ = number;
        None
    }
}

impl Scalar for String {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Scalar for i32 {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Scalar for OffsetDateTime {
    fn from_text(text: &str) -> Option<Self> {
        Some(Timestamp::parse(text)?.0)
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(std::marker::PhantomData))
    }
}

struct LenientVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Lenient<T>, E> {
        Ok(Lenient::Read(None))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Lenient<T>, E> {
        Ok(T::from_text(text).map_or_else(|| Lenient::Odd(text.into()), |t| Lenient::Read(Some(t))))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Lenient<T>, E> {
        let read = T::from_number(number);
        Ok(read.map_or_else(|| Lenient::Odd(number.into()), |t| Lenient::Read(Some(t))))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Lenient<T>, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Ok(Lenient::Odd(number.into())),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Lenient<T>, E> {
        Ok(Lenient::Odd(number.into()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Lenient<T>, E> {
        Ok(Lenient::Odd(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Lenient<T>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(Lenient::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Lenient<T>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Lenient::Odd)
    }
}
