//! An answer, and what a fault does to it on its way to the client.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_core::Stream;

use super::{fault::Fault, wire::Wire};

const JSON: HeaderValue = HeaderValue::from_static(
    "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=us-ascii");
const HTML_PAGE: &str = "<!DOCTYPE html>\r\n<html><head><title>Service unavailable</title></head>\r\n\
    <body><h2>The gateway is having a moment</h2><p>Reference: {\"status\":\"succeeded\"}</p></body></html>\r\n";
/// The length that is announced for an answer that is cut although it has no body.
const PHANTOM_LENGTH: usize = 64;
const ENDLESS_CHUNK: usize = 16 * 1024;

/// An answer as the service intends it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(super) fn json(status: StatusCode, body: String) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, JSON)]);
        Self { status, headers, body: body.into() }
    }

    /// Sets a header, unless the value is not valid in one.
    pub(super) fn insert(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    fn html(&mut self, status: StatusCode) {
        self.status = status;
        self.headers.insert(header::CONTENT_TYPE, HTML);
        self.body = Bytes::from_static(HTML_PAGE.as_bytes());
    }

    /// Applies a fault to the answer, as far as it affects the status, the headers and the body.
    pub(super) fn spoil(&mut self, fault: &Fault) {
        match fault {
            Fault::HtmlBadGateway => self.html(StatusCode::BAD_GATEWAY),
            Fault::HtmlOk => self.html(StatusCode::OK),
            Fault::TruncatedJson => self.body.truncate(self.body.len() * 2 / 3),
            Fault::EmptyBody => {
                self.status = StatusCode::OK;
                self.body.clear();
            }
            Fault::WrongType => self.body = Bytes::from_static(br#"["succeeded"]"#),
            Fault::WrongMembers => {
                self.body = Bytes::from_static(
                    br#"{"id":7,"operationType":[],"createdDateTime":0,"status":{"value":"succeeded"},"attemptsCount":"1"}"#,
                );
            }
            Fault::Status(code) => self.status = StatusCode::from_u16(*code).unwrap_or(self.status),
            _ => {}
        }
    }

    /// Sends the answer, as far as the fault allows.
    pub(super) async fn deliver(self, fault: Option<&Fault>, wire: &Wire) -> Response {
        let Self { status, mut headers, body } = self;
        let body = match fault {
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(*delay).await;
                body.into()
            }
            Some(Fault::Close) => {
                wire.cut();
                Body::empty()
            }
            Some(Fault::Cut) => {
                let announced = if body.is_empty() { PHANTOM_LENGTH } else { body.len() };
                headers.insert(header::CONTENT_LENGTH, announced.into());
                Body::from_stream(Flow::Cut {
                    first: Some(body.slice(..body.len() / 2)),
                    flushed: false,
                })
            }
            Some(Fault::EndlessBody) => Body::from_stream(Flow::Endless { begun: false }),
            // The service sends the empty body of a 202 in chunks.
            _ if status == StatusCode::ACCEPTED && body.is_empty() => {
                Body::from_stream(Flow::Nothing)
            }
            _ => body.into(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// A body whose length is not known in advance.
enum Flow {
    Nothing,
    Cut { first: Option<Bytes>, flushed: bool },
    Endless { begun: bool },
}

impl Stream for Flow {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Self::Nothing => Poll::Ready(None),
            Self::Cut { first, flushed } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(first)));
                }
                // The server flushes what it has while the body is pending, and drops it when the
                // body fails.
                if !*flushed {
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
            Self::Endless { begun } => Poll::Ready(Some(Ok(if *begun {
                Bytes::from_static(&[b' '; ENDLESS_CHUNK])
            } else {
                *begun = true;
                Bytes::from_static(br#"{"@odata.context":""#)
            }))),
        }
    }
}
