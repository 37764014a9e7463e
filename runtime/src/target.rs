//! Where the target of an operation that has succeeded is, and how it is read.

use std::borrow::Cow;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Response, Uri};
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::line::{Driven, Line};
use crate::model::{Kept, TargetRef, json};
use crate::printable::Printable;
use crate::protocol::{Event, Subject, Target, resolve};

/// Where the target is.
pub(crate) enum Source {
    /// It came with the response to the starting request, or with the operation.
    Here(Response<Bytes>),
    At(Uri),
}

impl Source {
    /// Where the target of an operation that has succeeded is.
    pub(crate) fn of(subject: &Subject, kept: Option<&Kept>, root: &Uri) -> Result<Self> {
        if let Some(response) = subject.finished() {
            return Ok(Source::Here(response.clone()));
        }
        match kept.and_then(Kept::snapshot).map_or(TargetRef::None, |snapshot| snapshot.target()) {
            TargetRef::Location(target) if !target.is_empty() => {
                return resolve(root, subject.location(), target.as_bytes()).map(Source::At);
            }
            TargetRef::Embedded(value) => {
                return Ok(Source::Here(Response::new(Bytes::from(value.to_string()))));
            }
            TargetRef::Location(_) | TargetRef::Id(_) | TargetRef::None => {}
        }
        let message = match target_id(kept) {
            Some(id) => format!(
                "the operation succeeded, but names its target only by the id \"{}\": \
                 read it with `Completed::target_at`",
                Printable(&id)
            ),
            None => "the operation succeeded, but names no target to read".to_owned(),
        };
        Err(Error::new(ErrorKind::MissingLocation, message))
    }
}

/// The id of the target of an operation that has succeeded.
pub(crate) fn target_id(kept: Option<&Kept>) -> Option<Cow<'_, str>> {
    let snapshot = kept.and_then(Kept::snapshot)?;
    let id = match snapshot.target() {
        TargetRef::Id(id) => id,
        _ => Cow::Borrowed(snapshot.target_id()?),
    };
    Some(id).filter(|id| !id.is_empty())
}

/// Reads a target until it can be decoded, or an error says why not.
pub(crate) fn poll_target<T: DeserializeOwned>(
    target: &mut Target,
    line: &mut Line,
    cx: &mut Context<'_>,
) -> Poll<Result<T>> {
    loop {
        let response = ready!(poll_response(target, line, cx))?;
        match decode(&response) {
            Err(error) if error.is_retryable() => {
                if let Event::Failed(error) = target.unreadable(error) {
                    return Poll::Ready(Err(error));
                }
            }
            result => return Poll::Ready(result),
        }
    }
}

/// Reads a target until there is a response, or an error says why not.
fn poll_response(
    target: &mut Target,
    line: &mut Line,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<Bytes>>> {
    let mut reading = None;
    loop {
        match ready!(line.poll_drive(target, &mut reading, cx)) {
            Driven::Received(response) => return Poll::Ready(Ok(response)),
            Driven::Failed(error) | Driven::Done(Err(error)) => return Poll::Ready(Err(error)),
            Driven::Retrying(_) | Driven::Done(Ok(())) => {}
        }
    }
}

/// Decodes a target that came without a request: no retry can change it.
pub(crate) fn decode_final<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T> {
    decode(response).map_err(|error| error.with_retryable(false))
}

/// Decodes the target's body. An empty body counts as a null, from which `()` and `Value` can be
/// read.
///
/// The error is retryable if the next response may be readable: this one was empty, not JSON, or
/// cut off.
fn decode<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T> {
    let empty = response.body().is_empty();
    let body = if empty { b"null" } else { &response.body()[..] };
    json::read(body).map_err(|error| {
        let retryable = empty || !error.is_data();
        let message = "the target does not match the type that it is read as";
        let error = Error::new(ErrorKind::Decode, message).with_json(error);
        error.with_response(response).with_retryable(retryable)
    })
}
