//! graph-operation: its handle, and its protocol core.

pub mod set;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use benchmark_wire::{URL, Wire};
use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, accept};
pub use graph_operation::protocol::{Event, Poller, Step};
use graph_operation::{Client, TeamsAsyncOperation};
pub use graph_operation::{Completed, Operation, OperationFuture, Polling};
use http::header::LOCATION;
use http::{Request, Response, StatusCode, Uri};

/// A client that calls the wire.
#[derive(Clone, Debug)]
pub struct Graph {
    wire: Wire,
    service_root: Uri,
    pace: Pace,
}

/// How a client sleeps, and which clock it has.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// It has tokio's timer and clock, as the library provides both.
    Waits,
    /// Its sleeps take no time, and its clock is the one that the library provides.
    Provided,
    /// Its sleeps take no time, and its clock is frozen at this instant.
    Frozen(Instant),
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
        if let Pace::Waits = self.pace {
            tokio::time::sleep(duration).await;
        }
    }

    fn now(&self) -> Instant {
        match self.pace {
            Pace::Waits | Pace::Provided => tokio::time::Instant::now().into_std(),
            Pace::Frozen(instant) => instant,
        }
    }
}

/// The wire expects as many characters as its URL has.
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

/// A handle whose client has this pace.
pub async fn operation(wire: Wire, polling: Polling, pace: Pace) -> Operation {
    let graph = Graph { wire, service_root: service_root(), pace };
    Operation::from_response(graph, accepted()).await.expect("an operation").with_polling(polling)
}

/// A policy that waits this long between two checks.
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
        self.wait();
        let Step::Send(check) = self.poller.next(self.now) else { panic!("a check is due") };
        drop(check.into_uri());
        self.receive();
    }

    /// One wait and one check, with the request.
    pub fn check_with_request(&mut self) -> Request<Bytes> {
        self.wait();
        let Step::Send(check) = self.poller.next(self.now) else { panic!("a check is due") };
        let request = check.request();
        self.receive();
        request
    }

    fn wait(&mut self) {
        if let Step::Wait(wait, _) = self.poller.next(self.now) {
            self.now += wait;
        }
    }

    fn receive(&mut self) {
        let answer = Response::new(self.wire.get(URL));
        assert!(matches!(self.poller.received(answer, self.now), Event::Received(())));
    }
}
