//! The figures that are the same on every run: allocations, sizes, numbers of crates. Times are
//! measured in `tests/benchmarks`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future, IntoFuture, pending};
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, Event, Poller, Step, accept};
use graph_operation::{Client, Operation, OperationFuture, Polling, TeamsAsyncOperation};
use http::header::LOCATION;
use http::{Request, Response, StatusCode, Uri};
use serde_json::Value;

const RUNNING: &str = r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#teamsAsyncOperation","id":"6aba218b-27ac-40e2-9c5d-1a3dbc8a7cd0","operationType":"createTeam","createdDateTime":"2021-12-15T08:57:48.7884587Z","status":"inProgress","lastActionDateTime":"2021-12-15T08:57:48.7884587Z","attemptsCount":1,"targetResourceId":"d40d729b-41f2-4b39-8a4e-102595090e0a","targetResourceLocation":"/teams('d40d729b-41f2-4b39-8a4e-102595090e0a')","Value":"{\"apps\":[0],\"channels\":[0, 0]}","error":null}"#;

const LOCATION_OF_OPERATION: &str = "/teams('d40d729b-41f2-4b39-8a4e-102595090e0a')/operations('6aba218b-27ac-40e2-9c5d-1a3dbc8a7cd0')";

/// A client that answers at once, without allocating, and sleeps either not at all or forever.
#[derive(Clone)]
struct Graph(Arc<Settings>);

struct Settings {
    service_root: Uri,
    instant: Instant,
    sleeps: bool,
}

impl Client for Graph {
    type Error = Infallible;

    fn service_root(&self) -> &Uri {
        &self.0.service_root
    }

    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, Infallible> {
        Ok(Response::new(Bytes::from_static(RUNNING.as_bytes())))
    }

    async fn sleep(&self, _: Duration) {
        if self.0.sleeps {
            pending::<()>().await;
        }
    }

    fn now(&self) -> Instant {
        self.0.instant
    }
}

fn graph(sleeps: bool) -> Graph {
    let service_root = Uri::from_static("https://graph.microsoft.com/v1.0");
    Graph(Arc::new(Settings { service_root, instant: Instant::now(), sleeps }))
}

fn accepted() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer.headers_mut().insert(LOCATION, LOCATION_OF_OPERATION.parse().unwrap());
    answer
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("there was something to wait for"),
    }
}

fn operation(graph: Graph) -> Operation {
    ready(Operation::from_response(graph, accepted())).unwrap()
}

#[test]
fn the_protocol_core_allocates_nothing_while_nothing_changes() {
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let Accepted::Started(started) = accept(&root, Answer::from(accepted())).unwrap() else {
        panic!("a 202 starts an operation")
    };
    let mut now = Instant::now();
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 7);
    let mut check = || {
        if let Step::Wait(wait, _) = poller.next(now) {
            now += wait;
        }
        assert!(matches!(poller.next(now), Step::Send(_)));
        let response = Response::new(Bytes::from_static(RUNNING.as_bytes()));
        assert!(matches!(poller.received(response, now), Event::Received(())));
    };
    check();
    assert_eq!(measure(check).count_total, 0);
}

#[test]
fn an_unchanged_check_of_the_handle_allocates_its_future_and_the_requests_headers() {
    let mut operation = operation(graph(false));
    let mut check = || assert!(!ready(operation.poll()).unwrap().is_terminal());
    check();
    let allocations = measure(check).count_total;
    assert!(allocations <= 3, "{allocations}");
}

/// The check itself is a future behind a pointer, so that none of these holds the client's.
#[test]
fn handles_and_futures_are_small() {
    assert!(size_of::<Operation>() <= 40);
    assert!(size_of::<OperationFuture<Value, TeamsAsyncOperation>>() <= 72);
    let mut operation = operation(graph(true));
    assert!(size_of_val(&operation.wait()) <= 64);
    assert!(size_of_val(&operation.poll()) <= 192);
}

/// The client of these operations keeps nothing while it sleeps.
#[test]
fn a_waiting_operation_keeps_few_bytes() {
    const OPERATIONS: usize = 100;
    let graph = graph(true);
    let waiting = |polling: Polling| {
        let mut operations = Vec::with_capacity(OPERATIONS);
        let kept = measure(|| {
            for _ in 0..OPERATIONS {
                let operation = operation(graph.clone()).with_polling(polling);
                let mut waiting = Box::pin(operation.into_future());
                assert!(poll_once(waiting.as_mut()).is_pending());
                operations.push(waiting);
            }
        });
        usize::try_from(kept.bytes_current).unwrap() / OPERATIONS
    };
    let unchecked = waiting(Polling::default());
    let checked = waiting(Polling::default().first_check(Duration::ZERO));
    assert!(unchecked <= WAITING, "{unchecked}");
    assert!(checked - unchecked <= CHECKED, "{checked} - {unchecked}");
}

const WAITING: usize = 750;
/// What a check adds, without the response, which this client does not allocate.
const CHECKED: usize = 32;

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A program needs most of these crates without this library too. Any further one needs a reason.
#[test]
fn few_crates_come_with_the_library() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "graph-operation"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<_> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.starts_with("graph-operation v"))
        .collect();
    assert!(crates.len() <= 22, "{}: {crates:#?}", crates.len());
}
