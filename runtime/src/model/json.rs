//! Lenient reading of JSON: a part that cannot be read does not keep the others from being read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Reads a body, repaired by [`text_of`] if it cannot be read as it is.
///
/// The error is one of data if the body is JSON, even JSON that no [`Value`] can hold.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body).or_else(|error| {
        let text = text_of(body);
        require_json(&text)?;
        if error.is_data() {
            return Err(error);
        }
        serde_json::from_str(&text).map_err(serde_json::Error::custom)
    })
}

/// Refuses what is not JSON. serde can report a wrong type before wrong syntax: `503 Service
/// Unavailable` begins with a number.
fn require_json(text: &str) -> serde_json::Result<()> {
    serde_json::from_str(text).map(|IgnoredAny| ())
}

/// A body as text: without a byte order mark, with U+FFFD instead of invalid UTF-8 and of unpaired
/// surrogates.
pub(crate) fn text_of(body: &[u8]) -> Cow<'_, str> {
    match lossy(body) {
        Cow::Borrowed(text) => repaired(text),
        Cow::Owned(text) => Cow::Owned(repaired(&text).into_owned()),
    }
}

/// A body as text: without a byte order mark, with U+FFFD instead of invalid UTF-8.
pub(crate) fn lossy(body: &[u8]) -> Cow<'_, str> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    // Validating is several times as fast as replacing what is not valid.
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Replaces escapes of surrogates that are not part of a pair, which no string can hold.
pub(super) fn repaired(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        written.push_str(before);
        let length = match surrogate(escape) {
            Some(0xD800..=0xDBFF) => match escape.get(6..).and_then(surrogate) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => 0,
            },
            Some(_) => 0,
            // The escaped character may be a backslash itself.
            None => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        if length == 0 {
            written.push_str("\\ufffd");
            rest = &escape[6..];
        } else {
            written.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// The surrogate whose escape `text` begins with.
fn surrogate(text: &str) -> Option<u16> {
    let code = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&code).then_some(code)
}

/// The text of a raw JSON string, quotes included.
pub(crate) fn unquoted(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    if !inner.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(inner);
    }
    let read = serde_json::from_str(raw).or_else(|_| serde_json::from_str(&repaired(raw)));
    read.map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// A value from its raw form, or `None` if a [`Value`] cannot hold it: a number out of range, or
/// nesting that is too deep.
pub(crate) fn value(raw: &str) -> Option<Value> {
    serde_json::from_str(raw).or_else(|_| serde_json::from_str(&repaired(raw))).ok()
}

/// A value from its raw form, or the raw form as a string.
pub(crate) fn value_or_raw(raw: &str) -> Value {
    value(raw).unwrap_or_else(|| raw.into())
}

/// Passes each property of the object in `text` to `take`: its name unescaped, its value raw.
pub(crate) fn properties<'a>(
    text: &'a str,
    take: &mut dyn FnMut(Cow<'a, str>, &'a str),
) -> serde_json::Result<()> {
    struct Properties<'t, 'a>(&'t mut dyn FnMut(Cow<'a, str>, &'a str));

    impl<'a> Visitor<'a> for Properties<'_, 'a> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                (self.0)(unquoted(name.get()), value.get());
            }
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Properties(take)).and_then(|()| json.end());
    read.or_else(|error| require_json(text).and(Err(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_of_pairs_are_replaced() {
        for (text, expected) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00 \ud83d""#, r#""\uD83D\uDE00 \ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83dx\n\ude0""#, r#""\ufffdx\n\ude0""#),
            (r#""\\ud83d\\\ud83d""#, r#""\\ud83d\\\ufffd""#),
            (r#""\ud83d\é""#, r#""\ufffd\é""#),
            (r"\ud8", r"\ud8"),
            (r"\ud83d\", r"\ufffd\"),
        ] {
            assert_eq!(repaired(text), expected);
        }
    }

    #[test]
    fn a_body_is_read_without_its_mark_and_lossily() {
        assert_eq!(text_of(b"\xEF\xBB\xBF{}"), "{}");
        assert_eq!(text_of(b"\"\xFF\\udc00\""), "\"\u{FFFD}\\ufffd\"");
    }

    #[test]
    fn what_no_value_can_hold_stays_raw() {
        assert_eq!(value_or_raw(r#"{"a":"\ud800"}"#), serde_json::json!({"a": "\u{FFFD}"}));
        assert_eq!(value_or_raw("1e400"), "1e400");
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(value_or_raw(&deep), deep);
    }
}
