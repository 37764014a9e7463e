//! Answers from recorded exchanges.

use std::collections::{HashMap, VecDeque};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{answer::Answer, path};

/// The origin of the recordings; in headers, the simulator's own takes its place.
const RECORDED_ORIGIN: &str = "https://graph.microsoft.com";

/// A recorded request, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    method: Method,
    path: String,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Exchange {
    /// An exchange without headers or a body. The path may be a whole URL, and may lack its
    /// version.
    pub fn new(method: Method, path: impl Into<String>, status: StatusCode) -> Self {
        Self { method, path: path.into(), status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header to the answer; those that frame the message are left to the server.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let framing = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
        if !framing.contains(&name) {
            self.headers.push((name, value));
        }
        self
    }

    /// Sets the answer's body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Reads a JSON array of `{"method", "path", "status", "headers": {…}, "body"}`, where `method`
    /// is GET unless given and the body is a string (sent as it is) or any other value (sent as
    /// JSON).
    pub fn read(json: &str) -> Result<Vec<Self>, String> {
        let stored: Vec<Stored> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        stored.into_iter().map(Stored::exchange).collect()
    }

    /// What a request is matched by.
    fn key(&self) -> (Method, String) {
        let path = self.path.split_once("://").map_or(self.path.as_str(), |(_, rest)| {
            rest.find('/').map_or("", |slash| &rest[slash..])
        });
        (self.method.clone(), path::parse(path).1.join("/"))
    }
}

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    method: Option<String>,
    path: String,
    status: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    body: Value,
}

impl Stored {
    fn exchange(self) -> Result<Exchange, String> {
        let method = match self.method {
            Some(method) => method.parse().map_err(|_| format!("`{method}` is not a method"))?,
            None => Method::GET,
        };
        let status = StatusCode::from_u16(self.status).map_err(|error| error.to_string())?;
        let mut exchange = Exchange::new(method, self.path, status);
        for (name, value) in self.headers {
            let parsed = name.parse().ok().zip(value.parse().ok());
            let (name, value) =
                parsed.ok_or_else(|| format!("`{name}: {value}` is not a header"))?;
            exchange = exchange.header(name, value);
        }
        Ok(exchange.body(match self.body {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

/// The exchanges still to be answered, for each request in the order of the recording.
#[derive(Debug, Default)]
pub(super) struct Tape {
    exchanges: HashMap<(Method, String), VecDeque<Exchange>>,
}

impl Tape {
    pub(super) fn new(exchanges: Vec<Exchange>) -> Self {
        let mut tape = Self::default();
        for exchange in exchanges {
            tape.exchanges.entry(exchange.key()).or_default().push_back(exchange);
        }
        tape
    }

    /// The next answer to this request. The last one stays: a client may look at an ended operation
    /// again.
    pub(super) fn play(
        &mut self,
        method: &Method,
        segments: &[String],
        origin: &str,
    ) -> Option<Answer> {
        let left = self.exchanges.get_mut(&(method.clone(), segments.join("/")))?;
        let exchange = if left.len() > 1 { left.pop_front()? } else { left.front()?.clone() };
        let mut headers = HeaderMap::new();
        for (name, value) in exchange.headers {
            let here = value.to_str().ok().map(|text| text.replace(RECORDED_ORIGIN, origin));
            let value = here.and_then(|text| HeaderValue::from_str(&text).ok()).unwrap_or(value);
            headers.append(name, value);
        }
        Some(Answer { status: exchange.status, headers, body: exchange.body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_plays_in_order_and_its_last_answer_stays() {
        let json = r#"[
            {"method": "POST", "path": "https://graph.microsoft.com/v1.0/teams/a/archive", "status": 202,
             "headers": {"Location": "https://graph.microsoft.com/v1.0/x", "Content-Length": "9"}},
            {"path": "/teams('a')/operations('b')", "status": 200, "body": {"status": "inProgress"}},
            {"path": "/v1.0/teams/a/operations/b", "status": 200, "body": "{ }"}
        ]"#;
        let mut tape = Tape::new(Exchange::read(json).unwrap());
        let mut play = |method, path: &str| tape.play(&method, &path::parse(path).1, "http://here");
        let started = play(Method::POST, "/v1.0/teams/a/archive").unwrap();
        assert_eq!(started.status, StatusCode::ACCEPTED);
        assert_eq!(started.headers["location"], "http://here/v1.0/x");
        assert_eq!(started.headers.len(), 1);
        let bodies =
            ["/beta/teams/a/operations/b"; 3].map(|path| play(Method::GET, path).unwrap().body);
        assert_eq!(bodies, [r#"{"status":"inProgress"}"#, "{ }", "{ }"].map(Bytes::from));
        assert!(play(Method::POST, "/v1.0/teams/b/archive").is_none());
    }

    #[test]
    fn a_malformed_recording_says_why() {
        for json in [
            "",
            "{}",
            r#"[{"path":"/","status":99}]"#,
            r#"[{"path":"/","status":200,"headers":{" ":""}}]"#,
        ] {
            assert!(Exchange::read(json).is_err(), "{json}");
        }
    }
}
