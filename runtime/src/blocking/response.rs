//! What a blocking function returns.

use crate::error::Result;
use crate::protocol::Answer;
use crate::response::ready_responses;

/// The response to a request that starts an operation, in a blocking function; see
/// the asynchronous [`Response`](trait@crate::Response).
///
/// Implemented for `http::Response` with a body of `Bytes`, `Vec<u8>`, `String` or `()`, for ureq's
/// with the feature `ureq`, and for `reqwest::blocking::Response` with `reqwest-blocking`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a request nor the response to one: it does not implement `graph_operation::blocking::Response`",
    label = "does not implement `graph_operation::blocking::Response`",
    note = "return the HTTP response itself from the function, such as `http::Response<Bytes>` or, with the feature `ureq`, `http::Response<ureq::Body>`",
    note = "for the response type of another HTTP client, implement `graph_operation::blocking::Response`"
)]
pub trait Response {
    /// Reads the response. Limit the size of the body: the response to a starting request is small.
    fn into_answer(self) -> Result<Answer>;
}

ready_responses!(Response,);
