//! The answer to the starting request.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};

use super::{location, retry_after};
use crate::error::header_text;
use crate::{Error, ErrorKind};

const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// An answer of the service, with the URL that it came from where that is known.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    response: Response<Bytes>,
    url: Option<Uri>,
}

impl Answer {
    /// Says which URL the answer came from, which is where a relative Location gets its version.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<Option<Uri>>) -> Self {
        self.url = url.into();
        self
    }

    /// The answer itself.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// The URL that the answer came from.
    pub fn url(&self) -> Option<&Uri> {
        self.url.as_ref()
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        Answer { response, url: None }
    }
}

/// What became of the starting request.
#[derive(Clone, Debug)]
pub enum Accepted {
    /// 202: an operation runs.
    Started(Started),
    /// 200, 201 or 204: everything is done, and the answer may hold the result.
    Finished(Response<Bytes>),
}

/// An operation that was started.
#[derive(Clone, Debug)]
pub struct Started {
    pub(super) location: Uri,
    pub(super) retry_after: Option<Duration>,
    /// Whether the service may not know the operation yet.
    pub(super) fresh: bool,
    pub(crate) request_id: Option<String>,
    pub(crate) client_request_id: Option<String>,
    pub(crate) content_location: Option<String>,
}

impl Started {
    /// An operation at `location`, known from elsewhere than the answer that started it.
    pub fn at(location: Uri) -> Self {
        Started {
            location,
            retry_after: None,
            fresh: false,
            request_id: None,
            client_request_id: None,
            content_location: None,
        }
    }

    /// The operation's address, resolved.
    pub fn location(&self) -> &Uri {
        &self.location
    }
}

/// Reads the answer to a starting request that was sent to `root`.
///
/// # Errors
///
/// [`ErrorKind::Rejected`] for an error answer, [`ErrorKind::NotAccepted`] for any other that is
/// neither 200, 201, 202 nor 204; of a 202, [`ErrorKind::MissingLocation`] where no header names the
/// operation, [`ErrorKind::ForeignLocation`] and [`ErrorKind::InvalidLocation`] where one does and
/// cannot be followed.
pub fn accept(root: &Uri, answer: Answer) -> Result<Accepted, Error> {
    let status = answer.response.status();
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
            Ok(Accepted::Finished(answer.response))
        }
        StatusCode::ACCEPTED => started(root, &answer)
            .map(Accepted::Started)
            .map_err(|error| error.with_answer(&answer.response)),
        _ if status.is_client_error() || status.is_server_error() => {
            Err(Error::rejected("the request", &answer.response))
        }
        _ => Err(Error::new(
            ErrorKind::NotAccepted,
            format!("the request was answered with {status}, which starts no operation"),
        )
        .with_answer(&answer.response)),
    }
}

fn started(root: &Uri, answer: &Answer) -> Result<Started, Error> {
    let headers = answer.response.headers();
    let Some(header) = operation_header(headers) else {
        return Err(Error::new(
            ErrorKind::MissingLocation,
            "the request was accepted with 202, but no Location names an operation to follow",
        ));
    };
    let location = location::resolve(root, answer.url.as_ref(), header.as_bytes())?;
    let content_location = headers.get(CONTENT_LOCATION).filter(|other| *other != header);
    Ok(Started {
        location,
        retry_after: retry_after::parse(headers),
        fresh: true,
        request_id: header_text(headers, "request-id"),
        client_request_id: header_text(headers, "client-request-id"),
        content_location: content_location.and_then(|value| Some(value.to_str().ok()?.to_owned())),
    })
}

/// The header that names the operation.
///
/// `Location` as a rule; `Operation-Location` where `Location` names the resource being made;
/// `Content-Location`, which names the team that is being created, only where it is an operation,
/// as the documentation of shared channels has it.
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

/// `/operations/`, `engagementAsyncOperations('…')`, `getOperationStatus(…)`.
fn names_an_operation(value: &[u8]) -> bool {
    value.windows(9).any(|window| window.eq_ignore_ascii_case(b"operation"))
}
