//! The body of Graph's error responses, and the errors in operations that have the same form.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::property::{Scalar, Wire};
use super::{OperationError, json};
use crate::printable::Reason;

/// Graph's error body, one of the `innerError`s in it, or a `publicError` in an operation.
///
/// Reads the whole body (`{"error": {…}}`) as well as the object inside. Nothing in it is required,
/// and a property of an unexpected type is kept in [`additional_data`](Self::additional_data).
/// [`Display`](fmt::Display) is one printable line of at most about 2 kB.
///
/// Sources: <https://learn.microsoft.com/graph/errors>,
/// <https://learn.microsoft.com/graph/api/resources/publicerror>
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct GraphError {
    /// The error code, such as `NotFound`.
    pub code: Option<String>,
    /// The message, which can contain a JSON document of a service behind Graph.
    pub message: Option<String>,
    /// What the error is about.
    pub target: Option<String>,
    /// The errors that led to this one.
    pub details: Vec<GraphError>,
    /// A more specific error, nearer to the cause.
    pub inner_error: Option<Box<GraphError>>,
    /// When the error occurred, without an offset.
    pub date: Option<String>,
    /// The request's id, which Microsoft's support asks for. Not always a GUID.
    pub request_id: Option<String>,
    /// The id that the client gave the request.
    pub client_request_id: Option<String>,
    /// The properties that the documentation does not mention.
    pub additional_data: Map<String, Value>,
}

impl GraphError {
    /// Reads the body of an error response; `None` if it is not Graph's, but a proxy's page.
    pub(crate) fn from_body(body: &[u8]) -> Option<Self> {
        let Value::Object(mut body) = serde_json::from_str(&json::text_of(body)).ok()? else {
            return None;
        };
        Some(Self::from_value(body.remove("error")?))
    }

    /// Every code in the error, from the outermost to the one nearest to the cause.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.chain().filter_map(|error| error.code.as_deref())
    }

    /// This error and the inner ones, outermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &GraphError> {
        std::iter::successors(Some(self), |error| error.inner_error.as_deref())
    }

    fn from_value(value: Value) -> Self {
        let mut error = GraphError::default();
        let object = match value {
            Value::Object(object) => object,
            Value::Null => return error,
            Value::String(text) => {
                error.message = Some(text);
                return error;
            }
            other => {
                error.message = Some(other.to_string());
                return error;
            }
        };
        for (name, value) in object {
            let text = match name.as_str() {
                "code" => &mut error.code,
                "message" => &mut error.message,
                "target" => &mut error.target,
                "date" => &mut error.date,
                "request-id" => &mut error.request_id,
                "client-request-id" => &mut error.client_request_id,
                "innerError" | "innererror" if value.is_object() => {
                    error.inner_error = Some(Box::new(Self::from_value(value)));
                    continue;
                }
                "details" if value.is_array() => {
                    let Value::Array(details) = value else { continue };
                    error.details = details.into_iter().map(Self::from_value).collect();
                    continue;
                }
                _ => {
                    error.additional_data.insert(name, value);
                    continue;
                }
            };
            match value {
                Value::String(value) => *text = Some(value),
                Value::Null => {}
                other => {
                    error.additional_data.insert(name, other);
                }
            }
        }
        error
    }
}

/// The outermost code and the outermost message.
impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.chain().find_map(|error| error.code.as_deref());
        let message = self.chain().find_map(|error| error.message.as_deref());
        Reason { code, message }.fmt(f)
    }
}

impl std::error::Error for GraphError {}

/// The code and the message, and the rest as undeclared properties.
impl From<&GraphError> for OperationError {
    fn from(error: &GraphError) -> Self {
        let mut converted = OperationError::new(error.code.clone(), error.message.clone());
        if let Ok(Value::Object(object)) = serde_json::to_value(Object(error)) {
            let rest = object.into_iter().filter(|(name, _)| name != "code" && name != "message");
            converted.additional_data.extend(rest);
        }
        converted
    }
}

/// A `publicError`: the object without the body around it. A string in its place is its message.
impl Scalar for GraphError {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        match wire {
            Wire::Null => None,
            Wire::Text(text) => Some(Self::from_value(text.as_ref().into())),
            Wire::Other(raw) => {
                let mut object = Map::new();
                json::properties(raw, &mut |name, raw| {
                    object.insert(name.into_owned(), json::value_or_raw(raw));
                })
                .ok()?;
                Some(Self::from_value(Value::Object(object)))
            }
        }
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        matches!(wire, Wire::Other(_))
    }

    fn written(&self) -> impl Serialize {
        Object(self)
    }
}

impl<'de> Deserialize<'de> for GraphError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let body = value.get_mut("error").filter(|error| error.is_object()).map(Value::take);
        Ok(Self::from_value(body.unwrap_or(value)))
    }
}

/// Writes the whole body, as in a response.
impl Serialize for GraphError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(1))?;
        body.serialize_entry("error", &Object(self))?;
        body.end()
    }
}

struct Object<'a>(&'a GraphError);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in [
            ("code", &error.code),
            ("message", &error.message),
            ("target", &error.target),
            ("date", &error.date),
            ("request-id", &error.request_id),
            ("client-request-id", &error.client_request_id),
        ] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        if !error.details.is_empty() {
            map.serialize_entry("details", &error.details.iter().map(Object).collect::<Vec<_>>())?;
        }
        if let Some(inner) = &error.inner_error {
            map.serialize_entry("innerError", &Object(inner))?;
        }
        for (name, value) in &error.additional_data {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::GraphError;

    #[test]
    fn the_documented_shape_reads_and_writes_back() {
        let body = json!({"error": {
            "code": "NotFound",
            "message": "No team found with Group Id 1",
            "details": [{"code": "a", "message": "b", "target": "c"}],
            "innerError": {
                "message": "No team found with Group Id 1",
                "code": "ItemNotFound",
                "innerError": {},
                "date": "2022-05-27T10:22:03",
                "request-id": "8f897345980-f6f3",
                "client-request-id": "56cbf6db",
                "status": "404"
            }
        }});
        let error: GraphError = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(error.codes().collect::<Vec<_>>(), ["NotFound", "ItemNotFound"]);
        assert_eq!(error.to_string(), "NotFound: No team found with Group Id 1");
        assert_eq!(
            error.inner_error.as_ref().unwrap().request_id.as_deref(),
            Some("8f897345980-f6f3")
        );
        assert_eq!(serde_json::to_value(&error).unwrap(), body);
    }

    #[test]
    fn nothing_in_it_is_required() {
        for (body, shown) in [
            (json!({"error": {}}), "no reason given"),
            (json!({"error": {"code": null, "message": null}}), "no reason given"),
            (json!({"error": {"code": 429, "message": "Wait."}}), "Wait."),
            (json!({"error": {"code": "a", "innererror": {"message": "b\r\nc"}}}), "a: b  c"),
            (json!({"error": "forbidden"}), "forbidden"),
            (json!({"error": ["odd"]}), r#"["odd"]"#),
            (json!({"error": null}), "no reason given"),
        ] {
            let error = GraphError::from_body(body.to_string().as_bytes()).unwrap();
            assert_eq!(error.to_string(), shown);
        }
        for body in ["", "<html></html>", "[]", "null", "{}", r#"{"value":[]}"#] {
            assert_eq!(GraphError::from_body(body.as_bytes()), None, "{body}");
        }
        let unreadable = b"\xEF\xBB\xBF{\"error\":{\"code\":\"a\",\"message\":\"\\ud800\xFF\"}}";
        let error = GraphError::from_body(unreadable).unwrap();
        assert_eq!(error.to_string(), "a: \u{FFFD}\u{FFFD}");
    }
}
