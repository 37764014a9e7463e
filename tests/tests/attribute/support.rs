//! A client that is never called, and the response that every request here gets.

use bytes::Bytes;
use graph_operation::{Client, Error, blocking};
use http::{Request, Uri};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub type Answer = http::Response<Bytes>;

#[derive(Clone, Debug)]
pub struct Graph {
    root: Uri,
}

impl Graph {
    pub fn new() -> Self {
        Graph { root: Uri::from_static("https://graph.microsoft.com/v1.0") }
    }

    /// The request of an annotated function.
    pub async fn post(&self) -> graph_operation::Result<Answer> {
        Yield(false).await;
        Ok(accepted())
    }
}

impl Client for Graph {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.root
    }

    async fn send(&self, _: Request<Bytes>) -> graph_operation::Result<Answer> {
        unreachable!("no test here polls")
    }
}

impl blocking::Client for Graph {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.root
    }

    fn send(&self, _: Request<Bytes>) -> graph_operation::Result<Answer> {
        unreachable!("no test here polls")
    }
}

pub fn accepted() -> Answer {
    http::Response::builder()
        .status(202)
        .header("Location", "/teams('t')/operations('o')")
        .body(Bytes::new())
        .expect("a valid response")
}

/// Suspends once.
pub struct Yield(pub bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// Polls once, then drops.
pub fn poll_once<F: Future>(future: F) {
    let mut future = pin!(future);
    let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}
