//! graph-operation: its handle, and its protocol core.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use benchmark_wire::{URL, Wire};
use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, accept};
pub use graph_operation::protocol::{Poller, Step};
use graph_operation::{Client, TeamsAsyncOperation};
pub use graph_operation::{Completed, Operation, OperationFuture, Polling};
use http::header::LOCATION;
use http::{Request, Response, StatusCode, Uri};

/// A client that asks the wire.
#[derive(Clone, Debug)]
pub struct Graph {
    wire: Wire,
    service_root: Uri,
    /// The instant that it always is, where sleeps take no time.
    stands_at: Option<Instant>,
}

impl Client for Graph {
    type Error = Infallible;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Infallible> {
        Ok(Response::new(self.wire.get(path_of(request.uri()))))
    }

    async fn sleep(&self, duration: Duration) {
        if self.stands_at.is_none() {
            tokio::time::sleep(duration).await;
        }
    }

    fn now(&self) -> Instant {
        self.stands_at.unwrap_or_else(Instant::now)
    }
}

/// The wire wants as many characters as its URL has.
fn path_of(uri: &Uri) -> &'static str {
    assert_eq!(uri.path().len() + "https://graph.microsoft.com".len(), URL.len());
    URL
}

fn service_root() -> Uri {
    Uri::from_static("https://graph.microsoft.com/v1.0")
}

/// The answer to the starting request.
fn accepted() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer.headers_mut().insert(LOCATION, URL.parse().expect("a header"));
    answer
}

/// A handle whose client sleeps by tokio's timer, or not at all: then its time is virtual.
pub async fn operation(wire: Wire, polling: Polling, waits: bool) -> Operation {
    let stands_at = (!waits).then(Instant::now);
    let graph = Graph { wire, service_root: service_root(), stands_at };
    Operation::from_response(graph, accepted()).await.expect("an operation").with_polling(polling)
}

/// A policy that waits so long between two checks.
pub fn every(wait: Duration) -> Polling {
    Polling::default().first_check(wait).interval(wait).no_timeout()
}

/// One check.
pub async fn check(operation: &mut Operation) -> bool {
    operation.poll().await.expect("an answer").is_terminal()
}

/// The machine alone, with a clock that is a number.
#[derive(Debug)]
pub struct Core {
    poller: Poller,
    wire: Wire,
    now: Instant,
}

impl Core {
    pub fn new(wire: Wire) -> Self {
        let answer = Answer::from(accepted());
        let Ok(Accepted::Started(started)) = accept(&service_root(), answer) else {
            panic!("a 202 starts an operation")
        };
        let now = Instant::now();
        let polling = Polling::default().no_timeout();
        Core { poller: Poller::new::<TeamsAsyncOperation>(started, polling, now, 7), wire, now }
    }

    /// One wait and one check, without the request.
    pub fn check(&mut self) {
        if let Step::Wait(wait) = self.poller.next(self.now) {
            self.now += wait;
        }
        assert_eq!(self.poller.next(self.now), Step::Send);
        self.poller.sent(self.now);
        let answer = Response::new(self.wire.get(URL));
        self.poller.received(answer, self.now).expect("an answer");
    }

    /// One wait and one check, with the request.
    pub fn check_with_request(&mut self) -> Request<Bytes> {
        self.check();
        self.poller.request(self.now)
    }
}
