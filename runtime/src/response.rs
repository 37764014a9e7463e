//! The response to a request that starts an operation, from any HTTP client.

use std::future::Future;

use crate::error::Result;
use crate::protocol::Answer;

/// The response to a request that starts an operation.
///
/// Implemented for `http::Response` with a body of `Bytes`, `Vec<u8>`, `String` or `()`, and for
/// `reqwest::Response` with the feature `reqwest`. For the response of another HTTP client:
///
/// ```
/// use bytes::Bytes;
/// use graph_operation::{Response, protocol::Answer};
///
/// struct OtherResponse {
///     status: http::StatusCode,
///     headers: http::HeaderMap,
///     text: String,
/// }
///
/// impl Response for OtherResponse {
///     async fn into_answer(self) -> graph_operation::Result<Answer> {
///         let mut answer = http::Response::new(Bytes::from(self.text));
///         *answer.status_mut() = self.status;
///         *answer.headers_mut() = self.headers;
///         Ok(Answer::from(answer)) // and .with_url(…) where it is known
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a request nor the response to one: it does not implement `graph_operation::Response`",
    label = "does not implement `graph_operation::Response`",
    note = "return the HTTP response itself from the function, such as `http::Response<Bytes>` or, with the feature `reqwest`, `reqwest::Response`",
    note = "for the response type of another HTTP client, implement `graph_operation::Response`"
)]
pub trait Response {
    /// Reads the response. Limit the size of the body and the time of reading it: the response to a
    /// starting request is small, and the body of a 202 is rarely needed.
    fn into_answer(self) -> impl Future<Output = Result<Answer>> + Send;
}

/// Implements a response trait for bodies that are already in memory.
macro_rules! ready_responses {
    ($trait:ident, $($async:ident)?) => {
        /// Returns the answer itself.
        impl $trait for crate::protocol::Answer {
            $($async)? fn into_answer(self) -> crate::Result<crate::protocol::Answer> {
                Ok(self)
            }
        }

        ready_responses!(@ $trait, [$($async)?], bytes::Bytes, |body| body);
        ready_responses!(@ $trait, [$($async)?], Vec<u8>, bytes::Bytes::from);
        ready_responses!(@ $trait, [$($async)?], String, bytes::Bytes::from);
        ready_responses!(@ $trait, [$($async)?], (), |()| bytes::Bytes::new());
    };
    (@ $trait:ident, [$($async:ident)?], $body:ty, $into:expr) => {
        impl $trait for http::Response<$body> {
            $($async)? fn into_answer(self) -> crate::Result<crate::protocol::Answer> {
                Ok(crate::protocol::Answer::from(self.map($into)))
            }
        }
    };
}

#[cfg(feature = "blocking")]
pub(crate) use ready_responses;

ready_responses!(Response, async);
