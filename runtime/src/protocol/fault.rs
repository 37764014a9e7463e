//! The errors for responses to a check or to a request for the target.

use bytes::Bytes;
use http::header::LOCATION;
use http::{Response, Uri};

use super::location;
use super::machine::Unreadable;
use crate::error::{Error, ErrorKind};
use crate::model::Reader;

/// A response outside of 2xx, to a request that was sent to `asked`.
pub(super) fn refused(what: &str, asked: Option<&Uri>, response: &Response<Bytes>) -> Error {
    if let Some(asked) = asked
        && response.status().is_redirection()
        && let Some(location) = response.headers().get(LOCATION)
        && let Err(error) = location::resolve(asked, None, location.as_bytes())
        && error.kind() == ErrorKind::ForeignLocation
    {
        return error.with_response(response);
    }
    Error::rejected(what, response)
}

/// A response whose body does not match the model.
pub(super) fn unreadable(
    reader: &Reader,
    unreadable: Unreadable,
    response: &Response<Bytes>,
) -> Error {
    let model = reader.model;
    let message = if unreadable.other_json {
        format!("the response is not a {model}: the Location seems to name something else")
    } else {
        format!("the response is not a {model}")
    };
    Error::new(ErrorKind::Decode, message).with_json(unreadable.source).with_response(response)
}

/// A monitor that was seen running and then disappeared.
pub(super) fn vanished(response: &Response<Bytes>) -> Error {
    let message = "the operation's monitor has disappeared: the operation has ended, \
                   and its result is unknown";
    Error::new(ErrorKind::Vanished, message).with_response(response)
}
