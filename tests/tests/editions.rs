//! The shapes of functions in every edition: this file is a test here, and in a crate for each
//! older edition.

#![allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "functions as authors write them, not as this project does"
)]

use bytes::Bytes;
use graph_operation::{Client, Operation, Result, async_operation, blocking};
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

type Answer = http::Response<Bytes>;
type Hidden = std::result::Result<Answer, std::io::Error>;

#[derive(Clone)]
struct Graph {
    root: http::Uri,
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        &self.root
    }

    async fn send(&self, _: http::Request<Bytes>) -> Result<Answer> {
        Ok(accepted())
    }
}

impl blocking::Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        &self.root
    }

    fn send(&self, _: http::Request<Bytes>) -> Result<Answer> {
        Ok(accepted())
    }
}

fn accepted() -> Answer {
    let answer = http::Response::builder().status(202);
    let answer = answer.header("Location", "/teams('t')/operations('o')");
    answer.body(Bytes::new()).expect("a valid response")
}

impl Graph {
    async fn post(&self) -> Result<Answer> {
        Ok(accepted())
    }

    #[async_operation]
    async fn plain(&self, id: &str) -> Result<Answer> {
        let _ = id;
        self.post().await
    }

    #[async_operation(timeout = "1h", client = self)]
    async fn hidden(self, mut id: String, (a, _): (u8, u8), _: u8) -> Hidden {
        id.push(char::from(a));
        Ok(self.post().await?)
    }

    /// What the last expression borrows drops before the argument.
    #[async_operation]
    async fn borrows(&self, answer: Mutex<Answer>) -> Result<Answer> {
        Ok(answer.lock().expect("no panic").clone())
    }

    #[async_operation]
    fn borrows_blocking(&self, answer: Mutex<Answer>) -> Result<Answer> {
        Ok(answer.lock().expect("no panic").clone())
    }

    #[async_operation]
    fn borrows_future(&self, answer: Mutex<Answer>) -> impl Future<Output = Result<Answer>> {
        std::future::ready(Ok(answer.lock().expect("no panic").clone()))
    }

    #[async_operation]
    async fn borrows_pattern(&self, (answer, _): (Mutex<Answer>, u8)) -> Result<Answer> {
        Ok(answer.lock().expect("no panic").clone())
    }

    #[async_operation]
    fn future<'a>(&'a self, id: &'a str) -> impl Future<Output = Result<Answer>> + Send + 'a {
        let _ = id.len();
        self.post()
    }

    #[async_operation]
    fn boxed(&self, id: String) -> Pin<Box<dyn Future<Output = Hidden> + Send + '_>> {
        Box::pin(async move {
            let _ = id;
            Ok(self.post().await?)
        })
    }

    #[async_operation]
    fn exclusive(&mut self) -> Pin<Box<dyn Future<Output = Hidden> + Send + '_>> {
        Box::pin(async move { Ok(self.post().await?) })
    }

    #[async_operation]
    fn blocking(&self, early: bool) -> Hidden {
        if early {
            return Ok(accepted());
        }
        Ok(accepted())
    }
}

trait Teams {
    #[async_operation]
    fn archive(&self, id: &str) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>>;
}

impl Teams for Graph {
    #[async_operation]
    fn archive(&self, id: &str) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>> {
        let _ = id.len();
        Box::pin(self.post())
    }
}

macro_rules! function {
    ($name:ident -> $result:ty $body:block) => {
        impl Graph {
            #[async_operation]
            async fn $name(&self) -> $result $body
        }
    };
}

function!(by_macro -> Result<Answer> { Ok(accepted()) });

fn ready<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

#[test]
fn all() {
    let mut graph = Graph { root: http::Uri::from_static("https://graph.microsoft.com/v1.0") };
    let answer = || Mutex::new(accepted());
    let _: Result<Operation> = ready(graph.plain("t"));
    assert!(ready(graph.clone().hidden("t".into(), (1, 2), 3)).is_ok());
    assert!(ready(graph.borrows(answer())).is_ok());
    assert!(graph.borrows_blocking(answer()).is_ok());
    assert!(ready(graph.borrows_future(answer())).is_ok());
    assert!(ready(graph.borrows_pattern((answer(), 1))).is_ok());
    assert!(ready(graph.future("t")).is_ok());
    assert!(ready(graph.boxed("t".into())).is_ok());
    assert!(ready(graph.exclusive()).is_ok());
    let _: std::io::Result<blocking::Operation> = graph.blocking(true);
    assert!(ready(graph.archive("t")).is_ok());
    assert!(ready(graph.by_macro()).is_ok());
}
