//! The adapter for [reqwest](https://docs.rs/reqwest) 0.13.
//!
//! ```
//! # use bytes::Bytes;
//! # use graph_operation::Result;
//! # use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
//! #[derive(Clone)]
//! struct Graph {
//!     http: reqwest::Client,
//!     service_root: Uri,
//! }
//!
//! impl Graph {
//!     fn new(service_root: Uri) -> Result<Self> {
//!         let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
//!         Ok(Graph { http: http.build()?, service_root })
//!     }
//! #   async fn bearer(&self) -> Result<HeaderValue> { unimplemented!() }
//! }
//!
//! impl graph_operation::Client for Graph {
//!     type Error = graph_operation::Error;
//!
//!     fn service_root(&self) -> &Uri {
//!         &self.service_root
//!     }
//!
//!     async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
//!         request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
//!         graph_operation::reqwest::send(&self.http, request).await
//!     }
//! #   #[cfg(not(feature = "tokio"))]
//! #   async fn sleep(&self, time: std::time::Duration) { unimplemented!() }
//! }
//! ```

/// Copies the head of a response, which reqwest returns only by reference.
macro_rules! head_of {
    ($response:expr) => {{
        let mut head = http::Response::new(());
        *head.status_mut() = $response.status();
        *head.version_mut() = $response.version();
        *head.headers_mut() = $response.headers().clone();
        head
    }};
}

#[cfg(feature = "reqwest-blocking")]
pub(super) use head_of;

/// The same for reqwest's blocking client.
#[cfg(feature = "reqwest-blocking")]
pub mod blocking {
    pub use crate::adapters::reqwest_blocking::send;
}

use std::time::Duration;

use ::reqwest as http_client;
use bytes::Bytes;
use http::{Request, Response, Uri};
use tokio::time::{Instant, timeout};

use super::body::{Bounded, announce_length, check_origin, time_for_body, took_too_long, usable};
use crate::protocol::Answer;
use crate::{Error, ErrorKind, Result, TimeLeft};

/// Sends a request and reads its response: at most 4 MiB, within the request's
/// [`TimeLeft`](crate::TimeLeft), and from no other origin.
///
/// # Errors
///
/// Returns [`Transport`](crate::ErrorKind::Transport) if no response arrives in time,
/// [`Decode`](crate::ErrorKind::Decode) if it is too large, and
/// [`ForeignLocation`](crate::ErrorKind::ForeignLocation) if the client followed a redirect to
/// another origin. Configure the client to follow none.
///
/// Do not call `error_for_status` on the response, which loses the body of an error, its request id
/// and its `Retry-After`. [`Client::send_anonymous`](crate::Client::send_anonymous) can call this
/// function too.
///
/// # Panics
///
/// Panics outside of a tokio runtime, and in one whose timer is not enabled. Tokio's paused clock
/// advances past the time limit while a response is on its way: override
/// [`Client::sleep`](crate::Client::sleep) to use a real service in virtual time.
pub async fn send(
    client: &http_client::Client,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    announce_length(&mut request);
    let asked = request.uri().clone();
    let time_left = TimeLeft::of(&request);
    let start = Instant::now();
    let sending = async { Ok(client.execute(request.try_into()?).await?) };
    let response = timeout(time_left, sending)
        .await
        .unwrap_or_else(|_| Err(Error::transport("the request timed out")))?;
    check_origin(&asked, response.url().as_str())?;
    collect(response, time_left.saturating_sub(start.elapsed())).await
}

/// Reads the body; for a 202, only what arrives within a few seconds.
async fn collect(mut response: http_client::Response, time: Duration) -> Result<Response<Bytes>> {
    let head = head_of!(response);
    let mut body = Bounded::default();
    let reading = async {
        // reqwest reports every fault in a body as one of decoding, even one of the connection.
        let broken = |error: http_client::Error| Error::transport(error.without_url());
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.push(&chunk)?;
        }
        Ok(())
    };
    let outcome = timeout(time_for_body(head.status(), time), reading).await;
    usable(head.status(), outcome.unwrap_or_else(|_| Err(took_too_long())))?;
    Ok(head.map(|()| body.finish()))
}

/// The URL that answered. A response that was not received has none, and reqwest invents one.
pub(super) fn answering_url(url: &str) -> Option<Uri> {
    if url == "http://no.url.provided.local/" { None } else { url.parse().ok() }
}

impl crate::Response for http_client::Response {
    async fn into_answer(self) -> Result<Answer> {
        let url = answering_url(self.url().as_str());
        let response = collect(self, TimeLeft::DEFAULT.0).await?;
        Ok(Answer::from(response).with_url(url))
    }
}

/// An error response that `error_for_status` turned into an error becomes
/// [`Rejected`](crate::ErrorKind::Rejected), a body that cannot be decoded
/// [`Decode`](crate::ErrorKind::Decode), and anything else
/// [`Transport`](crate::ErrorKind::Transport). The URL is left out, because its query may contain a
/// session id.
impl From<http_client::Error> for Error {
    fn from(error: http_client::Error) -> Self {
        let error = error.without_url();
        if let Some(status) = error.status() {
            return Error::rejected_status(status).with_source(error);
        }
        if error.is_decode() {
            return Error::new(ErrorKind::Decode, "the response cannot be read").with_source(error);
        }
        if error.is_connect() {
            return Error::not_sent(error);
        }
        if error.is_builder() {
            return Error::unbuilt(error);
        }
        Error::transport(error)
    }
}
