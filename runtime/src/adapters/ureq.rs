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

use ::ureq as http_client;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_client::{Agent, Body, ResponseExt};

use super::body::read;
use crate::protocol::Answer;
use crate::{Error, Result, TimeLeft};

/// Sends a request and reads its answer: at most 4 MiB, in the time that the request has left,
/// following no redirect. Error answers are answers.
///
/// # Errors
///
/// [`Transport`](crate::ErrorKind::Transport) without an answer in time,
/// [`Decode`](crate::ErrorKind::Decode) for one that is too large.
pub fn send(agent: &Agent, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let time_left = TimeLeft::of(&request);
    let response = if request.body().is_empty() {
        configured(agent, request.map(|_| ()), time_left)
    } else {
        configured(agent, request.map(Vec::from), time_left)
    }?;
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, read(body.into_reader())?))
}

fn configured<B: http_client::AsSendBody>(
    agent: &Agent,
    request: Request<B>,
    time_left: std::time::Duration,
) -> Result<Response<Body>> {
    let request = agent
        .configure_request(request)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(time_left))
        .build();
    Ok(agent.run(request)?)
}

impl crate::blocking::Response for Response<Body> {
    fn into_answer(self) -> Result<Answer> {
        // Only an answer that ureq received knows its URL; asking another one for it would panic.
        let url = (!self.extensions().is_empty()).then(|| self.get_uri().clone());
        let (head, body) = self.into_parts();
        let body = match head.status {
            // The operation runs: no trouble with a body that says nothing may lose it.
            StatusCode::ACCEPTED => Bytes::new(),
            _ => read(body.into_reader())?,
        };
        Ok(Answer::from(Response::from_parts(head, body)).with_url(url))
    }
}

/// An error answer that ureq made an error of becomes [`Rejected`](crate::ErrorKind::Rejected), and
/// anything else [`Transport`](crate::ErrorKind::Transport).
impl From<http_client::Error> for Error {
    fn from(error: http_client::Error) -> Self {
        match error {
            http_client::Error::StatusCode(code) => match StatusCode::from_u16(code) {
                Ok(status) => Error::rejected_status(status),
                Err(_) => Error::transport(error),
            },
            error => {
                let retryable =
                    !matches!(error, http_client::Error::BadUri(_) | http_client::Error::Http(_));
                Error::transport(error).with_retryable(retryable)
            }
        }
    }
}
