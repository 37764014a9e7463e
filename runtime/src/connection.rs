//! An author's client behind a pointer: one type of handle whatever the client, and the polling
//! code compiled once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, Uri};

use crate::protocol::Get;
use crate::trace::Span;
use crate::{BoxError, Client};

/// What sending came to: an answer, or the client's error and whether it is a transient one.
pub(crate) type Sent = Result<Response<Bytes>, (BoxError, bool)>;

/// A sleep and the sending that follows it.
pub(crate) type Check = Pin<Box<dyn Future<Output = Sent> + Send>>;

/// A client that one operation uses.
pub(crate) trait Connection: Send + Sync {
    fn service_root(&self) -> &Uri;
    fn now(&self) -> Instant;
    fn random(&self) -> u64;
    /// Sleeps, then sends.
    fn check(self: Arc<Self>, sleep: Duration, request: Get) -> Check;
    /// Whether a request was sent since this was last asked.
    fn take_sent(&self) -> bool;
    fn span(&self) -> &Span;
}

struct Connected<C> {
    client: C,
    /// Set by a [`Check`] between its two halves. The handle reads it after each poll of the check,
    /// and so knows of a sending even if it is dropped before the answer.
    sent: AtomicBool,
    span: Span,
}

pub(crate) fn connect<C: Client>(client: C, span: Span) -> Arc<dyn Connection> {
    Arc::new(Connected { client, sent: AtomicBool::new(false), span })
}

impl<C: Client> Connection for Connected<C> {
    fn service_root(&self) -> &Uri {
        self.client.service_root()
    }

    fn now(&self) -> Instant {
        self.client.now()
    }

    fn random(&self) -> u64 {
        self.client.random()
    }

    fn check(self: Arc<Self>, sleep: Duration, request: Get) -> Check {
        Box::pin(async move {
            if !sleep.is_zero() {
                self.client.sleep(sleep).await;
            }
            self.sent.store(true, Ordering::Relaxed);
            self.client.send(request.into_request()).await.map_err(|error| {
                let transient = self.client.is_transient(&error);
                (error.into(), transient)
            })
        })
    }

    fn take_sent(&self) -> bool {
        self.sent.swap(false, Ordering::Relaxed)
    }

    fn span(&self) -> &Span {
        &self.span
    }
}
