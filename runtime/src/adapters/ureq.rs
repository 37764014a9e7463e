//! The adapter for [ureq](https://docs.rs/ureq) 3.
//!
//! ```
//! # use bytes::Bytes;
//! # use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
//! #[derive(Clone)]
//! struct Graph {
//!     http: ureq::Agent,
//!     service_root: Uri,
//! }
//! # impl Graph {
//! #   fn bearer(&self) -> graph_operation::Result<HeaderValue> { unimplemented!() }
//! # }
//!
//! impl graph_operation::blocking::Client for Graph {
//!     type Error = graph_operation::Error;
//!
//!     fn service_root(&self) -> &Uri {
//!         &self.service_root
//!     }
//!
//!     fn send(&self, mut request: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> {
//!         request.headers_mut().insert(AUTHORIZATION, self.bearer()?);
//!         graph_operation::ureq::send(&self.http, request)
//!     }
//! }
//! ```

use std::io::ErrorKind::ConnectionRefused;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use ::ureq as http_client;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_client::{Agent, Body, ResponseExt, Timeout};

use super::body::{announce_length, read_response};
use crate::protocol::Answer;
use crate::{Error, Result, TimeLeft};

/// Sends a request and reads its response: at most 4 MiB, within the request's
/// [`TimeLeft`](crate::TimeLeft), and following no redirects. An error response is returned as a
/// response. [`blocking::Client::send_anonymous`](crate::blocking::Client::send_anonymous) can call
/// this function too.
///
/// # Errors
///
/// [`Transport`](crate::ErrorKind::Transport) if the response does not arrive in time, and
/// [`Decode`](crate::ErrorKind::Decode) if it is too large.
pub fn send(agent: &Agent, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
    announce_length(&mut request);
    let time_left = TimeLeft::of(&request);
    let start = Instant::now();
    let response = if request.body().is_empty() {
        configured(agent, request.map(|_| ()), time_left)
    } else {
        configured(agent, request.map(Vec::from), time_left)
    }?;
    let (head, body) = response.into_parts();
    let time_left = time_left.saturating_sub(start.elapsed());
    let body = read_response(head.status, body.into_reader(), time_left)?;
    Ok(Response::from_parts(head, body))
}

/// The longest time limit: ureq adds it to the current time, and panics if the sum overflows.
const LONGEST_TIME: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

fn configured<B: http_client::AsSendBody>(
    agent: &Agent,
    request: Request<B>,
    time_left: Duration,
) -> Result<Response<Body>> {
    let request = agent
        .configure_request(request)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(time_left.min(LONGEST_TIME)))
        .build();
    Ok(agent.run(request)?)
}

impl crate::blocking::Response for Response<Body> {
    fn into_answer(self) -> Result<Answer> {
        // `get_uri` panics for a response that ureq did not receive, and nothing else tells the two
        // apart.
        let url = || std::panic::catch_unwind(AssertUnwindSafe(|| self.get_uri().clone())).ok();
        let url = if self.extensions().is_empty() { None } else { url() };
        let (head, body) = self.into_parts();
        let body = read_response(head.status, body.into_reader(), TimeLeft::DEFAULT.0)?;
        Ok(Answer::from(Response::from_parts(head, body)).with_url(url))
    }
}

/// Whether the client could not connect.
pub(crate) fn is_unconnected(error: &http_client::Error) -> bool {
    match error {
        http_client::Error::HostNotFound
        | http_client::Error::ConnectionFailed
        | http_client::Error::ConnectProxyFailed(_)
        | http_client::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        http_client::Error::Io(error) => error.kind() == ConnectionRefused || is_unresolved(error),
        _ => false,
    }
}

/// Whether the name of a host could not be resolved. std has no kind for this: on Unix the text says
/// so, on Windows the error number of Winsock.
fn is_unresolved(error: &std::io::Error) -> bool {
    match error.raw_os_error() {
        Some(number) => (11_001..=11_004).contains(&number),
        None => error.to_string().starts_with("failed to lookup address information"),
    }
}

/// An error response that ureq turned into an error becomes
/// [`Rejected`](crate::ErrorKind::Rejected), without its body, its request id and its
/// `Retry-After`; [`send`] returns it as a response instead. Anything else becomes
/// [`Transport`](crate::ErrorKind::Transport).
impl From<http_client::Error> for Error {
    fn from(error: http_client::Error) -> Self {
        match error {
            http_client::Error::StatusCode(code) => match StatusCode::from_u16(code) {
                Ok(status) => Error::rejected_status(status),
                Err(_) => Error::transport(error),
            },
            error if is_unconnected(&error) => Error::not_sent(error),
            http_client::Error::BadUri(_) | http_client::Error::Http(_) => Error::unbuilt(error),
            error => Error::transport(error),
        }
    }
}
