//! The one error type, and what it can tell.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, StatusCode};

use crate::model::Snapshot;
use crate::protocol::retry_after;
use crate::{GraphError, Model, OperationError, ResumeToken};

/// An error of any type, as the clients of an author may give.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A `Result` with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation could not be started, followed or finished.
///
/// One pointer wide. [`kind`](Error::kind) says what happened, the accessors what is known of it;
/// [`resume_token`](Error::resume_token) names the operation where it is still alive.
///
/// `{}` prints one line for a person, `{:#}` the same with the causes behind it. Neither holds a
/// token, nor any header that the client sent.
pub struct Error(Box<Inner>);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service answered the starting request, or a check, with an error.
    Rejected,
    /// The starting request was answered with neither an error nor an acceptance.
    NotAccepted,
    /// The request was accepted, but no header names an operation: nothing can be followed.
    MissingLocation,
    /// A header, a token or an answer leads to another origin than the service root's.
    ForeignLocation,
    /// A location that is no usable address.
    InvalidLocation,
    /// No answer came: the connection, the timeout or the author's client failed.
    Transport,
    /// An answer came that could not be read.
    Decode,
    /// The operation itself ended as failed or invalid.
    Failed,
    /// The operation did not end before the deadline; it may still.
    TimedOut,
    /// The operation succeeded, but its target cannot be read yet.
    TargetNotReady,
    /// A resume token that is malformed, or of another service or another type of operation.
    InvalidToken,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
    answer: Option<Arc<AnswerFacts>>,
    operation: Option<Arc<dyn Snapshot>>,
    failure: Option<OperationError>,
    resume_token: Option<ResumeToken>,
    waited: Option<Duration>,
    checks: Option<u32>,
    retryable: bool,
}

/// What an answer told about itself, which Microsoft's support asks for.
#[derive(Debug)]
pub(crate) struct AnswerFacts {
    status: StatusCode,
    graph_error: Option<GraphError>,
    request_id: Option<String>,
    client_request_id: Option<String>,
    date: Option<String>,
    retry_after: Option<Duration>,
}

impl AnswerFacts {
    pub(crate) fn of<B>(answer: &http::Response<B>) -> Arc<Self> {
        Arc::new(Self::new(answer, None))
    }

    fn new<B>(answer: &http::Response<B>, graph_error: Option<GraphError>) -> Self {
        let text = |name: &str| header_text(answer.headers(), name);
        AnswerFacts {
            status: answer.status(),
            graph_error,
            request_id: text("request-id"),
            client_request_id: text("client-request-id"),
            date: text(DATE.as_str()),
            retry_after: retry_after::parse(answer.headers()),
        }
    }
}

impl Error {
    /// A failure to send a request or to receive its answer, as an author's own client meets it.
    ///
    /// ```
    /// use graph_operation::{Error, ErrorKind};
    ///
    /// let error = Error::transport("no credential is configured");
    /// assert_eq!(error.kind(), ErrorKind::Transport);
    /// ```
    pub fn transport(source: impl Into<BoxError>) -> Self {
        Error::new(ErrorKind::Transport, "no answer came from the service").with_source(source)
    }

    /// A request that cannot be sent for want of a credential: of the same kind, but no other try
    /// helps, and none is made.
    pub fn credential(source: impl Into<BoxError>) -> Self {
        Error::new(ErrorKind::Transport, "there is no credential to send the request with")
            .with_source(source)
            .with_retryable(false)
    }

    /// What an author's client failed with, and whether another try can help.
    pub(crate) fn of_client(error: BoxError, transient: bool) -> Self {
        // An adapter's own error says more than that something failed.
        let error = match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::transport(error),
        };
        let retryable = transient && error.is_retryable();
        error.with_retryable(retryable)
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retryable = matches!(
            kind,
            ErrorKind::Transport
                | ErrorKind::Decode
                | ErrorKind::TimedOut
                | ErrorKind::TargetNotReady
        );
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            answer: None,
            operation: None,
            failure: None,
            resume_token: None,
            waited: None,
            checks: None,
            retryable,
        }))
    }

    /// The service's error answer to `what`.
    pub(crate) fn rejected(what: &str, answer: &http::Response<Bytes>) -> Self {
        let status = answer.status();
        let graph_error = GraphError::from_body(answer.body());
        let message = match &graph_error {
            Some(error) => format!("{what} was answered with {status}: {error}"),
            None => format!("{what} was answered with {status}"),
        };
        let mut error = Error::new(ErrorKind::Rejected, message);
        error.0.retryable = is_passing(status);
        error.0.answer = Some(Arc::new(AnswerFacts::new(answer, graph_error)));
        error
    }

    /// A status outside of 2xx that came as an error of the HTTP client, without the answer.
    #[cfg(any(feature = "reqwest", feature = "ureq"))]
    pub(crate) fn rejected_status(status: StatusCode) -> Self {
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = status;
        Error::rejected("the request", &answer)
    }

    /// An operation that failed, and what is known of the answer that told so.
    pub(crate) fn failed(operation: &Arc<dyn Snapshot>, answer: Option<Arc<AnswerFacts>>) -> Self {
        let name = operation.operation_type().unwrap_or("operation");
        let status = operation.status();
        let failure = operation.failure();
        let message = match &failure {
            Some(failure) => format!("{name} ended as {status}: {failure}"),
            None => format!("{name} ended as {status}: no reason given"),
        };
        let mut error = Error::new(ErrorKind::Failed, message).with_operation(Some(operation));
        error.0.failure = failure;
        error.0.answer = answer;
        error
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_answer<B>(mut self, answer: &http::Response<B>) -> Self {
        self.0.answer = Some(AnswerFacts::of(answer));
        self
    }

    pub(crate) fn with_operation(mut self, operation: Option<&Arc<dyn Snapshot>>) -> Self {
        self.0.operation = operation.cloned();
        self
    }

    pub(crate) fn with_resume_token(mut self, token: Option<ResumeToken>) -> Self {
        self.0.resume_token = token;
        self
    }

    pub(crate) fn with_effort(mut self, waited: Duration, checks: u32) -> Self {
        self.0.waited = Some(waited);
        self.0.checks = Some(checks);
        self
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same may succeed later: a wait that is taken up again, or a request repeated.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The service's error body, where it sent one.
    pub fn graph_error(&self) -> Option<&GraphError> {
        self.0.answer.as_ref()?.graph_error.as_ref()
    }

    /// The reason's code: of the failed operation, or else of the service's error body.
    pub fn code(&self) -> Option<&str> {
        match self.failure() {
            Some(failure) => failure.code.as_deref(),
            None => self.graph_error()?.codes().next(),
        }
    }

    /// The reason in words: of the failed operation, or else of the service's error body.
    pub fn message(&self) -> Option<&str> {
        match self.failure() {
            Some(failure) => failure.message.as_deref(),
            None => self.graph_error()?.chain().find_map(|error| error.message.as_deref()),
        }
    }

    /// Why the operation failed, where the service told; for [`ErrorKind::Failed`].
    pub fn failure(&self) -> Option<&OperationError> {
        self.0.failure.as_ref()
    }

    /// The HTTP status of the answer that caused the error.
    pub fn status(&self) -> Option<StatusCode> {
        Some(self.0.answer.as_ref()?.status)
    }

    /// The service's id of the request that caused the error, which Microsoft's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        let facts = self.0.answer.as_ref()?;
        facts.request_id.as_deref().or_else(|| {
            facts.graph_error.as_ref()?.chain().find_map(|error| error.request_id.as_deref())
        })
    }

    /// The client's id of the request that caused the error.
    pub fn client_request_id(&self) -> Option<&str> {
        let facts = self.0.answer.as_ref()?;
        facts.client_request_id.as_deref().or_else(|| {
            facts.graph_error.as_ref()?.chain().find_map(|error| error.client_request_id.as_deref())
        })
    }

    /// When the answer was made, by the service's clock, as it was written.
    pub fn date(&self) -> Option<&str> {
        let facts = self.0.answer.as_ref()?;
        facts
            .date
            .as_deref()
            .or_else(|| facts.graph_error.as_ref()?.chain().find_map(|error| error.date.as_deref()))
    }

    /// How long the service asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.answer.as_ref()?.retry_after
    }

    /// The operation as it was last seen, if it is an `M`.
    pub fn operation<M: Model>(&self) -> Option<&M> {
        self.0.operation.as_ref()?.downcast_ref()
    }

    /// What the failed operation was about to do, such as `archiveTeam`.
    pub fn operation_type(&self) -> Option<&str> {
        self.0.operation.as_ref()?.operation_type()
    }

    /// How often the service had tried when the operation was last seen.
    pub fn attempts(&self) -> Option<u32> {
        self.0.operation.as_ref()?.attempts()
    }

    /// Names the operation, where the error leaves it alive.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.0.resume_token.clone()
    }

    /// How long the operation had been waited for.
    pub fn waited(&self) -> Option<Duration> {
        self.0.waited
    }

    /// How many checks had been sent.
    pub fn checks(&self) -> Option<u32> {
        self.0.checks
    }
}

/// The statuses that pass by themselves: throttling, and a service that is down for the moment.
///
/// Source: <https://learn.microsoft.com/graph/errors>, and the retry handler of Graph's own SDKs.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A header of an answer as text.
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
        if let Some(answer) = &self.0.answer {
            debug.field("answer", answer);
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

/// A request that could not be built, and so not be sent: [`ErrorKind::Transport`], not retryable.
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Error::transport(error).with_retryable(false)
    }
}

/// The same for a header's value.
impl From<http::header::InvalidHeaderValue> for Error {
    fn from(error: http::header::InvalidHeaderValue) -> Self {
        Error::from(http::Error::from(error))
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
            ErrorKind::Decode => "undecodable answer",
            ErrorKind::Failed => "failed",
            ErrorKind::TimedOut => "timed out",
            ErrorKind::TargetNotReady => "target not ready",
            ErrorKind::InvalidToken => "invalid token",
        })
    }
}
