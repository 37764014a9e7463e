//! The library's error: why an operation could not be started, followed or finished.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::model::{GraphError, Kept, Model, OperationError, Reader, Snapshot};
use crate::printable::Printable;
use crate::protocol::retry_after;
use crate::resume_token::{self, ResumeToken};

/// A boxed error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A `Result` with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation could not be started or followed, or why it failed.
///
/// One pointer wide, and cheap to clone. [`kind`](Error::kind) says what happened, and the other
/// methods return details. [`resume_token`](Error::resume_token) names the operation if it may
/// still be running.
///
/// `{}` prints one line, and `{:#}` adds its sources. The library's own text contains no credential,
/// no header that the client sent and no query of an address. The text of a source of another type
/// comes from the client.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service rejected the starting request, a check, or the request for the target.
    Rejected,
    /// The response to the starting request was neither an error nor an acceptance.
    NotAccepted,
    /// The request was accepted, but no header names an operation; or the operation succeeded, but
    /// names no target that can be read.
    MissingLocation,
    /// A header, a request, a token or a response leads to another origin than the service root's.
    ForeignLocation,
    /// A location that is not a usable address.
    InvalidLocation,
    /// There was no response: the connection failed, the time limit passed, or the client failed. A
    /// start may still have been carried out.
    Transport,
    /// A response could not be read.
    Decode,
    /// The operation itself ended as failed or invalid.
    Failed,
    /// The operation did not end before the deadline. It may still be running.
    TimedOut,
    /// The operation succeeded, but its target cannot be read yet.
    TargetNotReady,
    /// A resume token is malformed, or belongs to another service or another type of operation.
    InvalidToken,
    /// The monitor of the operation disappeared: the operation has ended, but its result is
    /// unknown.
    Vanished,
    /// In an [`OperationSet`](crate::OperationSet), a start that failed with an error of another type,
    /// which is the source.
    NotStarted,
    /// The key is in the [`OperationSet`](crate::OperationSet) already.
    DuplicateKey,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    response: Option<Arc<ResponseFacts>>,
    operation: Option<Kept>,
    failure: Option<OperationError>,
    resume_token: Option<ResumeToken>,
    location: Option<Box<str>>,
    waited: Option<Duration>,
    checks: Option<u32>,
    retryable: bool,
    not_sent: bool,
}

/// The facts about a response that Microsoft's support asks for.
#[derive(Debug)]
pub(crate) struct ResponseFacts {
    pub(crate) status: StatusCode,
    graph_error: Option<GraphError>,
    pub(crate) request_id: Option<String>,
    pub(crate) client_request_id: Option<String>,
    pub(crate) date: Option<String>,
    retry_after: Option<Duration>,
}

impl ResponseFacts {
    pub(crate) fn of<B>(response: &http::Response<B>) -> Arc<Self> {
        Arc::new(Self::new(response, None))
    }

    /// The same without `Retry-After`, for an item that the response to a batch does not contain.
    pub(crate) fn without_retry_after<B>(response: &http::Response<B>) -> Arc<Self> {
        Arc::new(ResponseFacts { retry_after: None, ..Self::new(response, None) })
    }

    /// What a saved machine remembers of a response.
    pub(crate) fn saved(
        status: StatusCode,
        request_id: Option<String>,
        client_request_id: Option<String>,
        date: Option<String>,
    ) -> Arc<Self> {
        Arc::new(ResponseFacts {
            status,
            graph_error: None,
            request_id,
            client_request_id,
            date,
            retry_after: None,
        })
    }

    fn new<B>(response: &http::Response<B>, graph_error: Option<GraphError>) -> Self {
        let text = |name: &str| header_text(response.headers(), name);
        ResponseFacts {
            status: response.status(),
            graph_error,
            request_id: text("request-id"),
            client_request_id: text("client-request-id"),
            date: text(DATE.as_str()),
            retry_after: retry_after::parse(response.headers()),
        }
    }
}

impl Error {
    /// A failure to send a request or to receive its response, for an implementation of
    /// [`Client::send`](crate::Client::send).
    ///
    /// ```
    /// use graph_operation::{Error, ErrorKind};
    ///
    /// let error = Error::transport("connection reset");
    /// assert_eq!(error.kind(), ErrorKind::Transport);
    /// ```
    pub fn transport(source: impl Into<BoxError>) -> Self {
        Error::new(ErrorKind::Transport, "no response came from the service").with_source(source)
    }

    /// A failure before the request was sent: the host name was not resolved, or the connection was
    /// refused. A start that fails like this is retried even if it is not idempotent, as often as the
    /// policy allows.
    pub fn not_sent(source: impl Into<BoxError>) -> Self {
        Error::new(ErrorKind::Transport, "the request could not be sent")
            .with_source(source)
            .with_not_sent()
    }

    /// A failure to get a credential for the request. The kind is
    /// [`Transport`](ErrorKind::Transport) too, but it is not retried.
    pub fn credential(source: impl Into<BoxError>) -> Self {
        Error::unsendable("no credential is available for the request", source)
    }

    /// A request that could not be built.
    pub(crate) fn unbuilt(source: impl Into<BoxError>) -> Self {
        Error::unsendable("the request could not be built", source)
    }

    /// A failure before the request was sent that a retry would meet again.
    fn unsendable(message: &str, source: impl Into<BoxError>) -> Self {
        let mut error = Error::new(ErrorKind::Transport, message);
        let inner = error.inner();
        (inner.not_sent, inner.retryable) = (true, false);
        error.with_source(source)
    }

    /// The error of an author's client. A retry can help only if it is `transient`.
    pub(crate) fn of_client(error: BoxError, transient: bool) -> Self {
        let error = match error.downcast::<Error>() {
            Ok(error) => *error,
            // The library's error inside an error of another type says what happened.
            Err(error) => match Error::within(&*error).cloned() {
                // The outer error adds nothing.
                Some(found) if found.to_string() == error.to_string() => found,
                Some(found) => found.with_source(error),
                None => of_http_client(error),
            },
        };
        let retryable = transient && error.is_retryable();
        // The other kinds concern a whole operation, and cannot come from a single request.
        let error = match error.kind() {
            ErrorKind::Transport
            | ErrorKind::Decode
            | ErrorKind::Rejected
            | ErrorKind::ForeignLocation => error,
            _ => Error::transport(error),
        };
        error.with_retryable(retryable)
    }

    /// The library's first error in a chain of sources.
    pub(crate) fn within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        chain(error).find_map(|error| error.downcast_ref())
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retryable =
            matches!(kind, ErrorKind::Transport | ErrorKind::Decode | ErrorKind::TargetNotReady);
        Error(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
            response: None,
            operation: None,
            failure: None,
            resume_token: None,
            location: None,
            waited: None,
            checks: None,
            retryable,
            not_sent: false,
        }))
    }

    /// The service's error response to `what`.
    pub(crate) fn rejected(what: &str, response: &http::Response<Bytes>) -> Self {
        let status = response.status();
        let graph_error = GraphError::from_body(response.body());
        let message = match &graph_error {
            Some(error) => format!("{what} was answered with {status}: {error}"),
            None => format!("{what} was answered with {status}"),
        };
        let mut error = Error::new(ErrorKind::Rejected, message);
        let inner = error.inner();
        inner.retryable = is_transient_status(status);
        inner.response = Some(Arc::new(ResponseFacts::new(response, graph_error)));
        error
    }

    /// A status outside of 2xx that the HTTP client returned as an error, without the response.
    #[cfg(any(feature = "reqwest", feature = "ureq"))]
    pub(crate) fn rejected_status(status: StatusCode) -> Self {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        Error::rejected("the request", &response)
    }

    /// An operation that failed, and what is known of the response that said so.
    pub(crate) fn failed(
        reader: &Reader,
        operation: Option<Kept>,
        response: Option<Arc<ResponseFacts>>,
    ) -> Self {
        let snapshot = operation.as_ref().and_then(Kept::snapshot);
        let name = snapshot.and_then(|snapshot| snapshot.operation_type());
        let status = snapshot.map_or("failed", |snapshot| snapshot.status());
        let failure = snapshot.and_then(Snapshot::failure);
        let (name, status) = (Printable(name.unwrap_or(reader.model)), Printable(status));
        let message = match &failure {
            Some(failure) => format!("{name} ended as {status}: {failure}"),
            None => format!("{name} ended as {status}: no reason given"),
        };
        let mut error = Error::new(ErrorKind::Failed, message).with_operation(operation);
        let inner = error.inner();
        inner.failure = failure;
        inner.response = response;
        error
    }

    /// The contents, cloned first if they are shared.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    pub(crate) fn with_source(self, source: impl Into<BoxError>) -> Self {
        self.with_boxed_source(source.into())
    }

    fn with_boxed_source(mut self, source: BoxError) -> Self {
        self.inner().source = Some(Arc::from(source));
        self
    }

    /// Adds a JSON error as the source: its position, without the text, which may be a secret.
    pub(crate) fn with_json(self, error: serde_json::Error) -> Self {
        self.with_source(JsonError::from(error))
    }

    pub(crate) fn with_response<B>(self, response: &http::Response<B>) -> Self {
        self.with_facts(ResponseFacts::of(response))
    }

    pub(crate) fn with_facts(mut self, facts: Arc<ResponseFacts>) -> Self {
        self.inner().response = Some(facts);
        self
    }

    pub(crate) fn with_operation(mut self, operation: Option<Kept>) -> Self {
        self.inner().operation = operation;
        self
    }

    pub(crate) fn with_resume_token(mut self, token: Option<ResumeToken>) -> Self {
        self.inner().resume_token = token;
        self
    }

    pub(crate) fn with_location(mut self, location: String) -> Self {
        self.inner().location = Some(location.into());
        self
    }

    pub(crate) fn with_effort(mut self, waited: Duration, checks: u32) -> Self {
        let inner = self.inner();
        inner.waited = Some(waited);
        inner.checks = Some(checks);
        self
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.inner().retryable = retryable;
        self
    }

    /// Marks a start that may have been carried out: retrying it is not safe.
    pub(crate) fn perhaps_carried_out(mut self) -> Self {
        let inner = self.inner();
        inner.retryable = false;
        inner.message.push_str("; the request may have been carried out");
        self
    }

    /// Marks an error response after which the request was certainly not carried out: it counts as
    /// not sent.
    pub(crate) fn not_carried_out(mut self) -> Self {
        let inner = self.inner();
        (inner.not_sent, inner.retryable) = (true, true);
        self
    }

    pub(crate) fn is_not_sent(&self) -> bool {
        self.0.not_sent
    }

    pub(crate) fn with_not_sent(mut self) -> Self {
        self.inner().not_sent = true;
        self
    }

    /// The sources on one line.
    pub(crate) fn source_text(&self) -> Option<String> {
        let text = format!("{self:#}");
        Some(text.strip_prefix(&self.0.message)?.strip_prefix(": ")?.to_owned())
    }

    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later: waiting again, reading the target again, or
    /// starting again.
    ///
    /// `false` for a start that may have been carried out, because it would be carried out twice.
    /// `false` for [`TimedOut`](ErrorKind::TimedOut), which needs a later deadline.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The service's error body, if it sent one.
    pub fn graph_error(&self) -> Option<&GraphError> {
        self.response()?.graph_error.as_ref()
    }

    pub(crate) fn response(&self) -> Option<&ResponseFacts> {
        self.facts().0.response.as_deref()
    }

    /// The error that has the response: for a start that failed with an error of another type, the
    /// library's first error among the sources.
    fn facts(&self) -> &Error {
        if self.kind() != ErrorKind::NotStarted {
            return self;
        }
        std::error::Error::source(self).and_then(Error::within).unwrap_or(self)
    }

    /// The code of the failure: the failed operation's, or else that of the service's error body.
    pub fn code(&self) -> Option<&str> {
        match self.failure() {
            Some(failure) => failure.code.as_deref(),
            None => self.graph_error()?.codes().next(),
        }
    }

    /// The message of the failure: the failed operation's, or else that of the service's error
    /// body.
    pub fn message(&self) -> Option<&str> {
        match self.failure() {
            Some(failure) => failure.message.as_deref(),
            None => self.graph_error()?.chain().find_map(|error| error.message.as_deref()),
        }
    }

    /// Why the operation failed, if the service said so; for [`ErrorKind::Failed`].
    pub fn failure(&self) -> Option<&OperationError> {
        self.0.failure.as_ref()
    }

    /// The HTTP status of the response that caused the error.
    pub fn status(&self) -> Option<StatusCode> {
        Some(self.response()?.status)
    }

    /// The service's id of the request that caused the error, which Microsoft's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        let facts = self.response()?;
        facts.request_id.as_deref().or_else(|| {
            facts.graph_error.as_ref()?.chain().find_map(|error| error.request_id.as_deref())
        })
    }

    /// The client's id of the request that caused the error.
    pub fn client_request_id(&self) -> Option<&str> {
        let facts = self.response()?;
        facts.client_request_id.as_deref().or_else(|| {
            facts.graph_error.as_ref()?.chain().find_map(|error| error.client_request_id.as_deref())
        })
    }

    /// The `Date` of the response, as the service wrote it.
    pub fn date(&self) -> Option<&str> {
        let facts = self.response()?;
        facts
            .date
            .as_deref()
            .or_else(|| facts.graph_error.as_ref()?.chain().find_map(|error| error.date.as_deref()))
    }

    /// How long the service asked the client to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.response()?.retry_after
    }

    /// The operation as it was last seen, if it is an `M`.
    pub fn operation<M: Model>(&self) -> Option<&M> {
        self.0.operation.as_ref()?.downcast_ref()
    }

    /// What the operation does, such as `archiveTeam`.
    pub fn operation_type(&self) -> Option<&str> {
        self.0.operation.as_ref()?.snapshot()?.operation_type()
    }

    /// How many attempts the service had made when the operation was last seen.
    pub fn attempts(&self) -> Option<u32> {
        self.0.operation.as_ref()?.snapshot()?.attempts()
    }

    /// A token of the operation, if it may still be followed: for every error of a check or the
    /// target, and for [`TimedOut`](ErrorKind::TimedOut). `None` for the errors of a start, and for
    /// [`Failed`](ErrorKind::Failed) and [`Vanished`](ErrorKind::Vanished).
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.0.resume_token.clone()
    }

    /// The address as the service wrote it, without its query, for
    /// [`ForeignLocation`](ErrorKind::ForeignLocation) and
    /// [`InvalidLocation`](ErrorKind::InvalidLocation).
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// How long the wait for the operation, its target or its start had lasted.
    pub fn waited(&self) -> Option<Duration> {
        self.0.waited
    }

    /// How many requests had been sent: checks of an operation, requests for its target, or
    /// starting requests.
    pub fn checks(&self) -> Option<u32> {
        self.0.checks
    }
}

/// An error and its sources.
fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // `io::Error::source` skips the error inside, and returns that one's source.
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inside) => Some(inside as _),
            None => error.source(),
        }
    })
}

/// Converts an HTTP client's own error as its adapter does, which omits the URL and recognizes a
/// request that was not sent. An HTTP client's error among the sources only decides whether the
/// request was sent.
fn of_http_client(error: BoxError) -> Error {
    #[cfg(feature = "reqwest")]
    let error = match error.downcast::<reqwest::Error>() {
        Ok(error) => return Error::from(*error),
        Err(error) => error,
    };
    #[cfg(feature = "ureq")]
    let error = match error.downcast::<ureq::Error>() {
        Ok(error) => return Error::from(*error),
        Err(error) => error,
    };
    if chain(&*error).any(is_unconnected) {
        return Error::not_sent(error);
    }
    Error::transport(error)
}

/// Whether the error is that of an HTTP client that could not connect.
fn is_unconnected(error: &(dyn std::error::Error + 'static)) -> bool {
    #[cfg(feature = "reqwest")]
    if error.downcast_ref().is_some_and(reqwest::Error::is_connect) {
        return true;
    }
    #[cfg(feature = "ureq")]
    if error.downcast_ref().is_some_and(crate::adapters::ureq::is_unconnected) {
        return true;
    }
    let _ = error;
    false
}

/// Whether a status is temporary: throttling (509 is a drive's limit) or an outage.
///
/// Source: <https://learn.microsoft.com/graph/errors>, and the retry handler of Graph's own SDKs.
pub(crate) fn is_transient_status(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504 | 509)
}

/// A JSON error without the text that it quotes.
#[derive(Debug)]
struct JsonError {
    category: serde_json::error::Category,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        JsonError { category: error.classify(), line: error.line(), column: error.column() }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.category {
            serde_json::error::Category::Io => "the text cannot be read",
            serde_json::error::Category::Syntax => "the text is not JSON",
            serde_json::error::Category::Data => "the JSON does not have the expected shape",
            serde_json::error::Category::Eof => "the JSON is cut off",
        })?;
        match self.line {
            0 => Ok(()),
            line => write!(f, " (line {line}, column {})", self.column),
        }
    }
}

impl std::error::Error for JsonError {}

/// A header of a response as text.
pub(crate) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if f.alternate() {
            let mut source = std::error::Error::source(self);
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind()).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        if let Some(response) = &self.0.response {
            debug.field("response", response);
        }
        if let Some(operation) = &self.0.operation {
            debug.field("operation", operation);
        }
        if let Some(token) = &self.0.resume_token {
            debug.field("resume_token", token);
        }
        if let (Some(waited), Some(checks)) = (self.0.waited, self.0.checks) {
            debug.field("waited", &waited).field("checks", &checks);
        }
        debug.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// A request that could not be built, and so was not sent: [`ErrorKind::Transport`], not retryable.
/// For a response that could not be built, use [`Error::transport`].
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Error::unbuilt(error)
    }
}

/// The same for a header's value.
impl From<http::header::InvalidHeaderValue> for Error {
    fn from(error: http::header::InvalidHeaderValue) -> Self {
        Error::from(http::Error::from(error))
    }
}

/// The same for an address, such as that of a service root.
impl From<http::uri::InvalidUri> for Error {
    fn from(error: http::uri::InvalidUri) -> Self {
        Error::unsendable("the address is not a URL", error)
    }
}

/// Returns an error of [`ErrorKind::InvalidToken`] if the text is not a token.
// It is here because errors depend on tokens, and not the other way round.
impl FromStr for ResumeToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let message = if resume_token::is_of_another_version(text) {
                "the resume token has a version that this library does not know"
            } else {
                "the text is not a resume token"
            };
            Error::new(ErrorKind::InvalidToken, message).with_json(error)
        })
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut => std::io::ErrorKind::TimedOut,
            ErrorKind::Decode => std::io::ErrorKind::InvalidData,
            ErrorKind::InvalidToken | ErrorKind::InvalidLocation => {
                std::io::ErrorKind::InvalidInput
            }
            _ => std::io::ErrorKind::Other,
        };
        std::io::Error::new(kind, error)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ErrorKind::Rejected => "rejected",
            ErrorKind::NotAccepted => "not accepted",
            ErrorKind::MissingLocation => "missing location",
            ErrorKind::ForeignLocation => "foreign location",
            ErrorKind::InvalidLocation => "invalid location",
            ErrorKind::Transport => "transport",
            ErrorKind::Decode => "undecodable response",
            ErrorKind::Failed => "failed",
            ErrorKind::TimedOut => "timed out",
            ErrorKind::TargetNotReady => "target not ready",
            ErrorKind::InvalidToken => "invalid token",
            ErrorKind::Vanished => "vanished",
            ErrorKind::NotStarted => "not started",
            ErrorKind::DuplicateKey => "duplicate key",
        })
    }
}
