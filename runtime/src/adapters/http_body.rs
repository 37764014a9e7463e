//! Any client whose answers have an [`http_body::Body`](https://docs.rs/http-body): hyper, other
//! versions of reqwest, graph-rs-sdk, tower services.

use std::future::poll_fn;
use std::pin::pin;

use ::http_body as body;
use body::Body;
use bytes::{Buf, Bytes};
use http::Response;

use super::body::Bounded;
use crate::{BoxError, Error, Result};

/// Collects the body of an answer, at most 4 MiB of it, into what
/// [`Response`](trait@crate::Response) takes.
///
/// What else the other adapters do is left to the author's client: to follow no redirect (or to
/// refuse what came from elsewhere, see [`same_origin`](crate::protocol::same_origin)), to take no
/// longer than [`TimeLeft`](crate::TimeLeft) says, and to tell the URL of a starting answer by
/// returning an [`Answer`](crate::protocol::Answer), where its version may differ from the root's.
///
/// ```
/// # async fn example<B>(response: http::Response<B>) -> graph_operation::Result<()>
/// # where B: http_body::Body<Error = std::io::Error> {
/// let response: http::Response<bytes::Bytes> = graph_operation::http_body::collect(response).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Transport`](crate::ErrorKind::Transport) if the body breaks off,
/// [`Decode`](crate::ErrorKind::Decode) if it is too large. A body that says nothing is no reason to
/// lose an operation: that of a 202 is given as far as it came.
pub async fn collect<B>(response: Response<B>) -> Result<Response<Bytes>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    let mut collected = Bounded::default();
    let outcome = read(body, &mut collected).await;
    if head.status != http::StatusCode::ACCEPTED {
        outcome?;
    }
    Ok(Response::from_parts(head, collected.finish()))
}

async fn read<B>(body: B, collected: &mut Bounded) -> Result<()>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.map_err(Error::transport)?.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            collected.push(chunk)?;
            data.advance(length);
        }
    }
    Ok(())
}
