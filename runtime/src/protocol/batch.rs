//! JSON batching: writing a batch of requests, and reading its response.
//!
//! Source: <https://learn.microsoft.com/graph/json-batching>

use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap,
    HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::base64;
use super::request::{APPLICATION_JSON, INCLUDE_UNKNOWN_MEMBERS};
use crate::model::json;

/// The maximum number of requests in a batch.
pub(super) const LARGEST: usize = 20;

/// The headers that identify a response, and say when it was made.
const IDENTIFYING: [HeaderName; 3] =
    [DATE, HeaderName::from_static("request-id"), HeaderName::from_static("client-request-id")];

/// Whether a batch carries out this request as if it were sent separately: a batch ignores
/// `Prefer: respond-async`, and a request that needs it is refused there.
pub(super) fn can_carry(request: &Request<Bytes>) -> bool {
    let preferences = request.headers().get_all("prefer").iter();
    let mut preferences =
        preferences.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    !preferences.any(|preference| preference.trim_ascii().eq_ignore_ascii_case(b"respond-async"))
}

/// A batch that is being written. The ids of its items are their positions, from 1.
#[derive(Debug)]
pub(super) struct Writer {
    text: Vec<u8>,
    count: usize,
}

impl Writer {
    pub(super) fn new(items: usize) -> Self {
        let mut text = Vec::with_capacity(32 + 256 * items);
        text.extend_from_slice(br#"{"requests":["#);
        Writer { text, count: 0 }
    }

    fn begin(&mut self, method: &Method, url: &str) {
        if self.count > 0 {
            self.text.push(b',');
        }
        self.count += 1;
        self.text.extend_from_slice(br#"{"id":""#);
        // Writing to a vector cannot fail.
        let _ = write!(self.text, "{}", self.count);
        self.text.extend_from_slice(br#"","method":""#);
        self.text.extend_from_slice(method.as_str().as_bytes());
        self.text.extend_from_slice(br#"","url":"#);
        self.string(url);
        self.text.extend_from_slice(br#","headers":{"#);
    }

    fn string(&mut self, text: &str) {
        let _ = serde_json::to_writer(&mut self.text, text);
    }

    /// Adds the check of an operation at `url`, which is relative to the API version.
    pub(super) fn check(&mut self, url: &str) {
        self.begin(&Method::GET, url);
        let parts = [r#""Accept":""#, APPLICATION_JSON, r#"","Prefer":""#, INCLUDE_UNKNOWN_MEMBERS];
        for part in parts {
            self.text.extend_from_slice(part.as_bytes());
        }
        self.text.extend_from_slice(br#""}}"#);
    }

    /// Adds a request. A write without a body gets an empty JSON object, which Graph requires in a
    /// batch.
    ///
    /// The credential and the connection are those of the batch.
    pub(super) fn request(&mut self, url: &str, request: &Request<Bytes>) {
        self.begin(request.method(), url);
        let writes = ![Method::GET, Method::HEAD, Method::DELETE].contains(request.method());
        let empty = request.body().is_empty();
        let mut first = true;
        for name in request.headers().keys() {
            if [AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING].contains(name) {
                continue;
            }
            let values = request.headers().get_all(name).iter();
            let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
            // A value that is not ASCII is left out.
            if !values.is_empty() {
                self.header(&mut first, name.as_str(), &values.join(", "));
            }
        }
        if writes && !request.headers().contains_key(CONTENT_TYPE) {
            self.header(&mut first, CONTENT_TYPE.as_str(), APPLICATION_JSON);
        }
        self.text.push(b'}');
        if empty && writes {
            self.text.extend_from_slice(br#","body":{}"#);
        } else if !empty {
            self.text.extend_from_slice(br#","body":"#);
            match serde_json::from_slice::<&RawValue>(request.body()) {
                Ok(json) => self.text.extend_from_slice(json.get().as_bytes()),
                Err(_) => self.string(&base64::encode(request.body())),
            }
        }
        self.text.push(b'}');
    }

    fn header(&mut self, first: &mut bool, name: &str, value: &str) {
        if !std::mem::replace(first, false) {
            self.text.push(b',');
        }
        self.string(name);
        self.text.push(b':');
        self.string(value);
    }

    /// The request that carries the batch to `uri`.
    pub(super) fn finish(mut self, uri: Uri) -> Request<Bytes> {
        self.text.extend_from_slice(b"]}");
        let mut request = Request::new(Bytes::from(self.text));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let json = HeaderValue::from_static(APPLICATION_JSON);
        request.headers_mut().insert(ACCEPT, json.clone());
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    }
}

/// What a batch's response says about one of its items.
#[derive(Clone, Debug)]
pub(super) enum ItemAnswer<'a> {
    /// Nothing.
    Missing,
    /// More than one response.
    Duplicated,
    /// A response without a status.
    Unusable,
    Item(Item<'a>),
}

/// The response to an item.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) status: StatusCode,
    headers: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
    /// The headers of the batch's response.
    batch: &'a HeaderMap,
}

impl<'a> Item<'a> {
    /// The body: JSON as it is, anything else decoded from base64.
    pub(super) fn body(&self) -> Cow<'a, [u8]> {
        let Some(body) = self.body.map(RawValue::get) else { return Cow::Borrowed(b"") };
        if !body.starts_with('"') {
            return Cow::Borrowed(body.as_bytes());
        }
        let text = json::unquoted(body);
        Cow::Owned(base64::decode(&text).unwrap_or_else(|| text.into_owned().into_bytes()))
    }

    /// Whether there may be a `Retry-After`. Few responses have one, and the headers are read only
    /// for those.
    pub(super) fn may_ask_to_wait(&self) -> bool {
        const NAME: &[u8] = b"retry-after";
        self.headers.is_some_and(|headers| {
            headers.get().as_bytes().windows(NAME.len()).any(|name| name.eq_ignore_ascii_case(NAME))
        })
    }

    /// The headers, whose names may be in any case. An item without a date or a request id gets that
    /// of the batch's response.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let written = self.headers.map_or("{}", RawValue::get);
        // What is not an object has no headers.
        let _ = json::properties(written, &mut |name, raw| {
            let Ok(name) = name.parse::<HeaderName>() else { return };
            let values = match json::value_or_raw(raw) {
                Value::Array(values) => values,
                value => vec![value],
            };
            for value in values {
                let value = match value {
                    Value::Null => continue,
                    Value::String(text) => HeaderValue::try_from(text),
                    value => HeaderValue::try_from(value.to_string()),
                };
                if let Ok(value) = value {
                    // A map does not hold more names than a response can reasonably have.
                    let _ = headers.try_append(name.clone(), value);
                }
            }
        });
        for name in IDENTIFYING {
            if let Some(value) = self.batch.get(&name).filter(|_| !headers.contains_key(&name)) {
                let _ = headers.try_insert(name, value.clone());
            }
        }
        headers
    }

    /// The response as it would be outside a batch.
    pub(super) fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body().into_owned()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers();
        response
    }
}

#[derive(Deserialize)]
struct Responses<T> {
    responses: Vec<T>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    status: u16,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The same, with properties of any type.
#[derive(Deserialize)]
struct Odd<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// Reads the response to a batch of `count` items: what it says about each item, by position.
///
/// An item that cannot be read does not affect the others.
///
/// # Errors
///
/// Returns an error if the text is not the response to a batch.
pub(super) fn take_apart<'a>(
    text: &'a str,
    batch: &'a HeaderMap,
    count: usize,
) -> serde_json::Result<Vec<ItemAnswer<'a>>> {
    let mut answers = vec![ItemAnswer::Missing; count];
    if let Ok(read) = serde_json::from_str::<Responses<Written<'_>>>(text) {
        for Written { id, status, headers, body } in read.responses {
            let answer = match StatusCode::from_u16(status) {
                Ok(status) => ItemAnswer::Item(Item { status, headers, body, batch }),
                Err(_) => ItemAnswer::Unusable,
            };
            place(&mut answers, &id, answer);
        }
        return Ok(answers);
    }
    let read = serde_json::from_str::<Responses<&RawValue>>(text)?;
    for item in read.responses {
        let Ok(Odd { id: Some(id), status, headers, body }) = serde_json::from_str(item.get())
        else {
            continue;
        };
        let status = status.and_then(|status| json::unquoted(status.get()).parse().ok());
        let answer = match status.map(StatusCode::from_u16) {
            Some(Ok(status)) => ItemAnswer::Item(Item { status, headers, body, batch }),
            _ => ItemAnswer::Unusable,
        };
        place(&mut answers, &json::unquoted(id.get()), answer);
    }
    Ok(answers)
}

fn place<'a>(answers: &mut [ItemAnswer<'a>], id: &str, answer: ItemAnswer<'a>) {
    let position = id.parse().ok().and_then(|id: usize| id.checked_sub(1));
    // Unknown ids are ignored.
    if let Some(place) = position.and_then(|position| answers.get_mut(position)) {
        *place = if matches!(place, ItemAnswer::Missing) { answer } else { ItemAnswer::Duplicated };
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statuses(text: &str, count: usize) -> Vec<Option<u16>> {
        take_apart(text, &HeaderMap::new(), count)
            .unwrap()
            .into_iter()
            .map(|answer| match answer {
                ItemAnswer::Item(item) => Some(item.status.as_u16()),
                _ => None,
            })
            .collect()
    }

    fn only(item: &Value) -> (StatusCode, HeaderMap, Vec<u8>) {
        let none = HeaderMap::new();
        let text = json!({ "responses": [item] }).to_string();
        let answers = take_apart(&text, &none, 1).unwrap();
        let [ItemAnswer::Item(item)] = &answers[..] else { panic!("{answers:?}") };
        (item.status, item.headers(), item.body().into_owned())
    }

    #[test]
    fn checks_are_written_by_position() {
        let mut writer = Writer::new(2);
        writer.check("/teams('1')/operations('2')");
        writer.check("/a\"b?c=d");
        let request = writer.finish(Uri::from_static("https://graph.microsoft.com/v1.0/$batch"));
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["accept"], "application/json");
        let headers =
            json!({ "Accept": "application/json", "Prefer": "include-unknown-enum-members" });
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let first = json!({ "id": "1", "method": "GET", "url": "/teams('1')/operations('2')",
            "headers": headers });
        let second = json!({ "id": "2", "method": "GET", "url": "/a\"b?c=d", "headers": headers });
        assert_eq!(body, json!({ "requests": [first, second] }));
    }

    #[test]
    fn requests_keep_their_headers_and_an_empty_write_gets_a_body() {
        let mut writer = Writer::new(3);
        let empty = Request::post("/").header("Authorization", "secret").body(Bytes::new());
        writer.request("/teams/1/archive", &empty.unwrap());
        let json = Request::post("/")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Prefer", "a")
            .header("Prefer", &b"\xFF"[..])
            .header("Prefer", "b")
            .header("X-Name", "\u{e9}")
            .body(Bytes::from_static(b" {\"x\": 1} "));
        writer.request("/teams", &json.unwrap());
        let binary =
            Request::put("/").header("Content-Type", "image/png").body(Bytes::from("\x01"));
        writer.request("/photo", &binary.unwrap());
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let read = Request::builder().method(method).body(Bytes::new());
            writer.request("/teams/1", &read.unwrap());
        }
        let request = writer.finish(Uri::from_static("/"));
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let items = body["requests"].as_array().unwrap();
        assert_eq!(items[0]["headers"], json!({ "content-type": "application/json" }));
        assert_eq!(items[0]["body"], json!({}));
        let headers =
            json!({ "content-type": "application/json; charset=utf-8", "prefer": "a, b" });
        assert_eq!(items[1]["headers"], headers);
        assert_eq!(items[1]["body"], json!({ "x": 1 }));
        assert_eq!(items[2]["body"], json!("AQ=="));
        for item in &items[3..] {
            assert_eq!((&item["headers"], item.get("body")), (&json!({}), None));
        }
        assert!(!String::from_utf8_lossy(request.body()).contains("secret"));
    }

    #[test]
    fn answers_come_in_any_order_and_a_fault_affects_one_item() {
        let text = r#"{"responses":[{"id":"3","status":200},{"id":"1","status":404},
            {"id":"9","status":200},{"id":"","status":200},{"id":"2","status":200},
            {"id":"2","status":200},{"id":"4","status":99}]}"#;
        assert_eq!(statuses(text, 5), [Some(404), None, Some(200), None, None]);
        let none = HeaderMap::new();
        let answers = take_apart(text, &none, 5).unwrap();
        assert!(matches!(answers[1], ItemAnswer::Duplicated));
        assert!(matches!(answers[3], ItemAnswer::Unusable));
        assert!(matches!(answers[4], ItemAnswer::Missing));
    }

    #[test]
    fn an_odd_item_does_not_affect_the_others() {
        let text = r#"{"responses":[{"id":1,"status":"200"},{"id":"2"},7,null,
            {"id":"3","status":200,"status":200},{"id":"4","status":200,"body":{"a":1}}]}"#;
        assert_eq!(statuses(text, 4), [Some(200), None, None, Some(200)]);
        let none = HeaderMap::new();
        assert!(take_apart("<html></html>", &none, 1).is_err());
        assert!(take_apart(r#"{"error":{}}"#, &none, 1).is_err());
        assert!(take_apart(r#"{"responses":[{"id":"1","status":200"#, &none, 1).is_err());
    }

    #[test]
    fn headers_are_read_whatever_their_case() {
        let (_, headers, _) = only(&json!({ "id": "1", "status": 429, "headers": {
            "RETRY-after": 7, "request-id": "a", "X": ["1", "2"], "bad name": "x", "y": "\n" } }));
        assert_eq!(headers["Retry-After"], "7");
        assert_eq!(headers["Request-Id"], "a");
        assert_eq!(headers.get_all("x").iter().count(), 2);
        assert_eq!(headers.len(), 4);
        let (_, headers, _) = only(&json!({ "id": "1", "status": 200, "headers": "none" }));
        assert!(headers.is_empty());
        // Null is not a value.
        let absent = json!({ "Location": null, "X": [null, "1"] });
        let (_, headers, _) = only(&json!({ "id": "1", "status": 202, "headers": absent }));
        assert_eq!(headers.get("location"), None);
        assert_eq!(headers["x"], "1");
    }

    #[test]
    fn an_item_without_ids_and_a_date_has_those_of_the_batch() {
        let mut batch = HeaderMap::new();
        for (name, value) in [("date", "d"), ("request-id", "r"), ("retry-after", "7")] {
            batch.insert(name, HeaderValue::from_static(value));
        }
        let text = r#"{"responses":[{"id":"1","status":403},
            {"id":"2","status":403,"headers":{"Request-Id":"own"}}]}"#;
        let answers = take_apart(text, &batch, 2).unwrap();
        let [ItemAnswer::Item(bare), ItemAnswer::Item(own)] = &answers[..] else {
            panic!("{answers:?}")
        };
        assert_eq!(bare.headers()["request-id"], "r");
        assert_eq!(own.headers()["request-id"], "own");
        assert_eq!(own.headers()["date"], "d");
        // What the batch asks for is not what the item asks for.
        assert_eq!((bare.headers().len(), own.headers().len()), (2, 2));
    }

    #[test]
    fn headers_are_searched_for_a_retry_after_whatever_its_case() {
        let none = HeaderMap::new();
        for (headers, found) in [
            (json!({ "RETRY-after": 7 }), true),
            (json!({ "Date": "x", "retry-after": "7" }), true),
            (json!({ "Retry": 7, "after": 7 }), false),
            (json!({}), false),
            (Value::Null, false),
        ] {
            let item = json!({ "id": "1", "status": 200, "headers": headers });
            let text = json!({ "responses": [item] }).to_string();
            let answers = take_apart(&text, &none, 1).unwrap();
            let [ItemAnswer::Item(item)] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!(item.may_ask_to_wait(), found, "{text}");
        }
        let answers = take_apart(r#"{"responses":[{"id":"1","status":200}]}"#, &none, 1).unwrap();
        let [ItemAnswer::Item(item)] = &answers[..] else { panic!("{answers:?}") };
        assert!(!item.may_ask_to_wait());
    }

    #[test]
    fn bodies_are_json_or_base64() {
        let body = |body: Value| only(&json!({ "id": "1", "status": 200, "body": body })).2;
        assert_eq!(body(json!({ "status": "succeeded" })), br#"{"status":"succeeded"}"#);
        assert_eq!(body(Value::Null), b"");
        assert_eq!(body(json!("eyJhIjoxfQ==")), br#"{"a":1}"#);
        assert_eq!(body(json!("<html></html>")), b"<html></html>");
    }

    #[test]
    fn an_item_may_have_more_headers_than_a_map_holds() {
        let headers: serde_json::Map<_, _> =
            (0..40_000).map(|name| (format!("a{name}"), json!("1"))).collect();
        let (status, headers, _) = only(&json!({ "id": "1", "status": 403, "headers": headers }));
        assert_eq!(status, 403);
        assert!(headers.len() > 10_000, "{}", headers.len());
    }

    #[test]
    fn values_that_serde_refuses_do_not_hide_the_others() {
        let text = r#"{"responses":[{"id":"1","status":200,
            "headers":{"a":1e400,"b":"2"},"body":"\ud800"}]}"#;
        let none = HeaderMap::new();
        let answers = take_apart(text, &none, 1).unwrap();
        let [ItemAnswer::Item(item)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(item.headers()["b"], "2");
        assert_eq!(item.body(), "\u{FFFD}".as_bytes());
    }
}
