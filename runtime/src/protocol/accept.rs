//! The result of the starting request.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};

use super::answer::Answer;
use super::{location, retry_after};
use crate::error::{Error, ErrorKind, header_text, is_transient_status};
use crate::model::Monitor;
use crate::printable::shown;
use crate::resume_token::ResumeToken;

const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// The result of the starting request.
#[derive(Clone)]
pub enum Accepted {
    /// 202: an operation is running.
    Started(Started),
    /// 200, 201 or 204: the service has finished, and the response may contain the result.
    Finished(Response<Bytes>),
}

impl From<Started> for Accepted {
    fn from(started: Started) -> Self {
        Accepted::Started(started)
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accepted::Started(started) => f.debug_tuple("Started").field(started).finish(),
            Accepted::Finished(response) => f
                .debug_struct("Finished")
                .field("status", &response.status())
                .finish_non_exhaustive(),
        }
    }
}

/// An operation that was started.
#[derive(Clone)]
pub struct Started {
    pub(super) origin: Origin,
    pub(super) retry_after: Option<Duration>,
    /// Whether the service may not know the operation yet.
    pub(super) fresh: bool,
    /// How long ago the operation was started.
    pub(super) age: Duration,
}

/// Where an operation is, and what the response that started it said.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) location: Uri,
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) client_request_id: Option<Box<str>>,
    pub(crate) content_location: Option<Box<str>>,
    /// By the wall clock.
    pub(crate) started_at: Option<SystemTime>,
    pub(crate) body: Box<[u8]>,
}

impl Origin {
    pub(super) fn at(location: Uri) -> Self {
        Origin {
            location,
            request_id: None,
            client_request_id: None,
            content_location: None,
            started_at: None,
            body: Box::default(),
        }
    }

    pub(crate) fn resume_token(&self, model: &str) -> ResumeToken {
        ResumeToken::new(model, self.location.clone())
            .with_start(self.started_at, self.request_id.as_deref())
    }
}

impl Started {
    /// An operation at `location`, without the response that started it.
    pub fn at(location: Uri) -> Self {
        let origin = Origin::at(location);
        Started { origin, retry_after: None, fresh: false, age: Duration::ZERO }
    }

    /// The operation that a token names, resumed at `now` by the wall clock.
    pub(crate) fn resumed(location: Uri, token: ResumeToken, now: SystemTime) -> Self {
        let mut started = Started::at(location);
        started.origin.started_at = token.started_at();
        let age = token.started_at().and_then(|start| now.duration_since(start).ok());
        started.age = age.unwrap_or_default();
        started.origin.request_id = token.into_request_id().map(String::into_boxed_str);
        started
    }

    /// The operation's address, resolved.
    pub fn location(&self) -> &Uri {
        &self.origin.location
    }

    /// Sets the wall-clock time at which the operation was started, which its resume tokens then
    /// contain.
    #[must_use]
    pub fn started_at(mut self, instant: SystemTime) -> Self {
        self.origin.started_at = Some(instant);
        self
    }

    /// The same, unless the time is known already.
    pub(crate) fn or_started_at(mut self, instant: impl FnOnce() -> SystemTime) -> Self {
        if self.fresh {
            self.origin.started_at.get_or_insert_with(instant);
        }
        self
    }

    /// Sets how long ago the operation was started. Its deadline counts from then.
    #[must_use]
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("location", &shown(self.location()))
            .field("request_id", &self.origin.request_id)
            .finish_non_exhaustive()
    }
}

/// Reads the response to a starting request that was sent to `root`.
///
/// # Errors
///
/// - [`ErrorKind::Rejected`] for an error response,
/// - [`ErrorKind::NotAccepted`] for any other status than 200, 201, 202 and 204,
/// - [`ErrorKind::MissingLocation`] if a 202 names no operation,
/// - [`ErrorKind::InvalidLocation`] if the address in a 202 cannot be used,
/// - [`ErrorKind::ForeignLocation`] if the origin of that address, or of the response itself
///   whatever its status, is not that of `root`.
pub fn accept(root: &Uri, answer: Answer) -> Result<Accepted, Error> {
    accept_from(root, Monitor::ServiceRoot, answer, false)
}

/// The same for an operation that is read at `monitor`, and a request that may be idempotent.
pub(crate) fn accept_from(
    root: &Uri,
    monitor: Monitor,
    answer: Answer,
    idempotent: bool,
) -> Result<Accepted, Error> {
    if let Some(url) = answer.url()
        && !location::same_origin(root, url)
    {
        let error = location::foreign_response(root, &url.to_string());
        return Err(error.with_response(answer.response()));
    }
    let status = answer.response().status();
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
            Ok(Accepted::Finished(answer.into_response()))
        }
        StatusCode::ACCEPTED => match started(root, monitor, &answer) {
            Ok(started) => Ok(Accepted::Started(started)),
            Err(error) => Err(error.with_response(answer.response())),
        },
        _ if status.is_client_error() || status.is_server_error() => {
            let error = Error::rejected("the request", answer.response());
            let unknown = is_ambiguous(status) && !idempotent;
            Err(if unknown { error.perhaps_carried_out() } else { error })
        }
        _ => Err(Error::new(
            ErrorKind::NotAccepted,
            format!("the request was answered with {status}, which does not start an operation"),
        )
        .with_response(answer.response())),
    }
}

fn started(root: &Uri, monitor: Monitor, answer: &Answer) -> Result<Started, Error> {
    let headers = answer.response().headers();
    let Some(header) = operation_header(headers) else {
        return Err(Error::new(
            ErrorKind::MissingLocation,
            "the request was accepted with 202, but no Location names an operation to follow",
        ));
    };
    let location = location::resolve_at(monitor, root, answer.url(), header.as_bytes())?;
    let content_location = headers.get(CONTENT_LOCATION).filter(|other| *other != header);
    let text = |name| header_text(headers, name).map(String::into_boxed_str);
    Ok(Started {
        origin: Origin {
            request_id: text("request-id"),
            client_request_id: text("client-request-id"),
            content_location: content_location.and_then(|value| Some(value.to_str().ok()?.into())),
            body: answer.response().body()[..].into(),
            ..Origin::at(location)
        },
        retry_after: retry_after::parse(headers),
        fresh: true,
        age: Duration::ZERO,
    })
}

/// Whether the service refused a request for the moment, without carrying it out.
pub(super) fn was_refused(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 503 | 509)
}

/// Whether a status leaves open whether the request was carried out.
pub(super) fn is_ambiguous(status: StatusCode) -> bool {
    is_transient_status(status) && !was_refused(status)
}

/// The header that names the operation.
///
/// Usually `Location`; `Operation-Location` if `Location` names the resource that is being created.
/// `Content-Location` names the team that is being created, and counts only if it names an
/// operation, as in the documentation of shared channels.
fn operation_header(headers: &HeaderMap) -> Option<&HeaderValue> {
    let location = headers.get(LOCATION);
    let operation_location = headers.get(OPERATION_LOCATION);
    let candidates = [location, operation_location, headers.get(CONTENT_LOCATION)];
    candidates
        .into_iter()
        .flatten()
        .find(|value| names_an_operation(value.as_bytes()))
        .or(location)
        .or(operation_location)
}

/// Whether an address contains `/operations/`, `engagementAsyncOperations('…')`,
/// `getOperationStatus(…)` or the like.
fn names_an_operation(value: &[u8]) -> bool {
    value.windows(9).any(|window| window.eq_ignore_ascii_case(b"operation"))
}
