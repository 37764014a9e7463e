//! The result of a request as plain data, for the journals of engines.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The result of a request as plain data, for the journal of an engine.
///
/// A step of an engine sends the request of a [`Check`](super::Check) and returns this; the times
/// are read inside the step. [`Machine::replay`](super::Machine::replay) takes it from the journal.
///
/// Only the headers that the protocol reads are kept. The body can be private.
///
/// Serialize it in a self-describing format, such as JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    sent: Duration,
    received: Duration,
    outcome: RecordedOutcome,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RecordedOutcome {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: SavedBody,
    },
    #[serde(rename_all = "camelCase")]
    NoResponse {
        kind: ErrorKind,
        message: String,
        source: Option<String>,
        retryable: bool,
        not_sent: bool,
    },
}

/// The headers that the protocol reads.
const HEADERS: [&str; 8] = [
    "location",
    "operation-location",
    "content-location",
    "retry-after",
    "date",
    "request-id",
    "client-request-id",
    "www-authenticate",
];

impl Recorded {
    /// Records the result of sending a request, with the wall-clock times before and after it.
    pub fn new(
        outcome: &Result<Response<Bytes>, Error>,
        sent: SystemTime,
        received: SystemTime,
    ) -> Self {
        let outcome = match outcome {
            Ok(response) => RecordedOutcome::Response {
                status: response.status().as_u16(),
                headers: response
                    .headers()
                    .iter()
                    .filter(|(name, _)| HEADERS.contains(&name.as_str()))
                    .filter_map(|(name, value)| {
                        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                    })
                    .collect(),
                body: response.body().into(),
            },
            Err(error) => RecordedOutcome::NoResponse {
                kind: error.kind(),
                message: error.to_string(),
                source: error.source_text(),
                retryable: error.is_retryable(),
                not_sent: error.is_not_sent(),
            },
        };
        let since_epoch = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Recorded { sent: since_epoch(sent), received: since_epoch(received), outcome }
    }

    /// The wall-clock time at which the request was sent.
    pub fn sent(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.sent).unwrap_or(UNIX_EPOCH)
    }

    /// The wall-clock time at which the response was received, or the failure observed.
    pub fn received(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.received).unwrap_or(UNIX_EPOCH)
    }

    /// The response, with the headers that the protocol reads.
    ///
    /// # Errors
    ///
    /// The recorded error, or [`ErrorKind::InvalidToken`] if the recorded status is not an HTTP
    /// status.
    pub fn into_outcome(self) -> Result<Response<Bytes>, Error> {
        match self.outcome {
            RecordedOutcome::Response { status, headers, body } => {
                let mut response = Response::new(body.into());
                *response.status_mut() = status_of(status)?;
                for (name, value) in headers {
                    if let (Ok(name), Ok(value)) =
                        (name.parse::<http::HeaderName>(), value.parse::<http::HeaderValue>())
                    {
                        response.headers_mut().append(name, value);
                    }
                }
                Ok(response)
            }
            RecordedOutcome::NoResponse { kind, message, source, retryable, not_sent } => {
                let error = Error::new(kind, message).with_retryable(retryable);
                let error = if not_sent { error.with_not_sent() } else { error };
                Err(match source {
                    Some(source) => error.with_source(source),
                    None => error,
                })
            }
        }
    }
}

/// Omits the body.
impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Recorded");
        debug.field("sent", &self.sent).field("received", &self.received);
        match &self.outcome {
            RecordedOutcome::Response { status, .. } => debug.field("status", status),
            RecordedOutcome::NoResponse { message, source, .. } => {
                debug.field("error", message).field("source", source)
            }
        }
        .finish_non_exhaustive()
    }
}

/// UTF-8 as text, anything else as bytes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SavedBody {
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for SavedBody {
    fn default() -> Self {
        SavedBody::Text(String::new())
    }
}

impl From<&Bytes> for SavedBody {
    fn from(body: &Bytes) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) => SavedBody::Text(text.to_owned()),
            Err(_) => SavedBody::Bytes(body.to_vec()),
        }
    }
}

impl From<SavedBody> for Bytes {
    fn from(body: SavedBody) -> Self {
        match body {
            SavedBody::Text(text) => text.into(),
            SavedBody::Bytes(bytes) => bytes.into(),
        }
    }
}

pub(super) fn status_of(code: u16) -> Result<StatusCode, Error> {
    StatusCode::from_u16(code).map_err(|error| {
        invalid_data("the recorded status is not an HTTP status").with_source(error)
    })
}

/// The error for saved data that cannot be used.
pub(super) fn invalid_data(message: &str) -> Error {
    Error::new(ErrorKind::InvalidToken, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(outcome: &Result<Response<Bytes>, Error>) -> Recorded {
        let sent = UNIX_EPOCH + Duration::from_secs(1);
        let recorded = Recorded::new(outcome, sent, sent + Duration::from_secs(2));
        let written = serde_json::to_string(&recorded).unwrap();
        let read: Recorded = serde_json::from_str(&written).unwrap();
        assert!(read == recorded, "{read:?}");
        assert_eq!((read.sent(), read.received()), (sent, sent + Duration::from_secs(2)));
        read
    }

    #[test]
    fn a_response_is_recorded_with_the_headers_that_are_read() {
        for body in [&b"{}"[..], b"\xFF\xFE", b""] {
            let response = Response::builder()
                .status(429)
                .header("Retry-After", "7")
                .header("request-id", "r")
                .header("set-cookie", "secret")
                .body(Bytes::from_static(body))
                .unwrap();
            let read = recorded(&Ok(response)).into_outcome().unwrap();
            assert_eq!((read.status().as_u16(), read.body().as_ref()), (429, body));
            let headers = read.headers();
            assert_eq!((headers.len(), &headers["retry-after"]), (2, &"7".parse().unwrap()));
        }
    }

    #[test]
    fn an_error_is_the_same_after_a_replay() {
        let foreign = Error::new(ErrorKind::ForeignLocation, "the response came from elsewhere");
        for error in [
            Error::transport("connection reset"),
            Error::not_sent(Error::transport("refused")),
            Error::credential("expired"),
            foreign,
        ] {
            let replayed = recorded(&Err(error.clone())).into_outcome().unwrap_err();
            assert_eq!(format!("{replayed:#}"), format!("{error:#}"));
            assert_eq!(
                (replayed.kind(), replayed.is_retryable(), replayed.is_not_sent()),
                (error.kind(), error.is_retryable(), error.is_not_sent())
            );
        }
    }

    #[test]
    fn no_body_is_shown() {
        let shown = format!("{:?}", recorded(&Ok(Response::new(Bytes::from_static(b"private")))));
        assert_eq!(shown, "Recorded { sent: 1s, received: 3s, status: 200, .. }");
        let error = Error::transport("connection reset");
        let shown = format!("{:?}", recorded(&Err(error)));
        assert!(shown.contains("connection reset"), "{shown}");
    }
}
