//! A response to a starting request.

use std::fmt;

use bytes::Bytes;
use http::{Response, Uri};

use crate::printable::shown;

/// A response from the service, with the URL that it came from if that is known.
#[derive(Clone)]
pub struct Answer {
    response: Response<Bytes>,
    url: Option<Uri>,
}

impl Answer {
    /// Sets the URL that the response came from, which decides the version of a relative
    /// `Location`.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<Option<Uri>>) -> Self {
        self.url = url.into();
        self
    }

    /// The response itself.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// The URL that the response came from.
    pub fn url(&self) -> Option<&Uri> {
        self.url.as_ref()
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        self.response
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        Answer { response, url: None }
    }
}

/// Shows neither the headers, any of which may be a cookie, nor the body.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.response.status())
            .field("url", &self.url.as_ref().map(shown))
            .finish_non_exhaustive()
    }
}
