//! What the feature `tracing` shows, and what it does not.

use std::future::poll_fn;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, failed, graph_error, in_progress, interrupt, json_answer,
    succeeded,
};
use graph_operation::{Client, Error, Operation, OperationSet, Polling, Result, blocking};
use http::{Method, Request, Response, Uri};
use serde_json::json;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::{LOCATION, begin, seconds};

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `act` with a subscriber.
fn observe(subscriber: impl tracing::Subscriber + Send + Sync, act: impl FnOnce()) {
    // If a process has only one dispatcher, tracing assumes that all threads use it. Then a test on
    // another thread, which has none, would turn off each event that it reaches first.
    static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&ANOTHER);
    tracing::subscriber::with_default(subscriber, act);
}

/// What is logged while `act` runs.
pub(crate) fn log_of(act: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .finish();
    observe(subscriber, act);
    let text = log.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

/// Runs an operation through a script, and returns the log's lines and the handle.
fn logged(script: impl FnOnce(&ScriptedClient), polling: Polling) -> (Vec<String>, Operation) {
    let mut followed = None;
    let text = log_of(|| {
        let client = ScriptedClient::new();
        let accepted = accepted(LOCATION);
        let mut operation = begin(&client, accepted).unwrap().with_polling(polling);
        script(&client);
        let _ = block_on(operation.wait());
        followed = Some(operation);
    });
    (text.lines().map(str::to_owned).collect(), followed.unwrap())
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn each_operation_has_a_span_and_each_check_an_event() {
    let script = |client: &ScriptedClient| {
        client
            .answer(in_progress())
            .answer(graph_error(503, "serviceUnavailable", "Down."))
            .fail("connection reset")
            .answer(succeeded("/teams('1')"));
    };
    let (lines, _operation) = logged(script, Polling::default());
    // The crate is the target of all of them, whatever the module.
    assert_eq!(count(&lines, " graph_operation: "), lines.len());
    assert_eq!(count(&lines, "request sent"), 4);
    assert_eq!(count(&lines, ": checked"), 2);
    assert_eq!(count(&lines, "request failed, retrying"), 2);
    assert_eq!(count(&lines, "serviceUnavailable: Down."), 1);
    assert_eq!(count(&lines, "connection reset"), 1);
    // The span is closed although the handle is alive, and has every field.
    let closed = lines.iter().find(|line| line.contains("close")).unwrap();
    for field in [
        "operation{",
        "id=\"2\"",
        "type=\"archiveTeam\"",
        "status=\"succeeded\"",
        "checks=4",
        "outcome=\"succeeded\"",
    ] {
        assert!(closed.contains(field), "{field}: {closed}");
    }
}

#[test]
fn a_failure_marks_the_span() {
    let script = |client: &ScriptedClient| {
        client.answer(failed("TeamUnavailable", "The team was not found."));
    };
    let (lines, _operation) = logged(script, Polling::default());
    let closed = lines.iter().find(|line| line.contains("close")).unwrap();
    assert!(
        closed.contains("outcome=\"failed\"") && closed.contains("TeamUnavailable"),
        "{closed}"
    );
    assert_eq!(count(&lines, "ERROR"), 1);
}

#[test]
fn a_deadline_marks_the_span_and_leaves_it_open() {
    let script = |client: &ScriptedClient| {
        client.answer(in_progress()).answer(in_progress());
    };
    let (lines, operation) = logged(script, Polling::default().timeout(seconds(6)));
    assert_eq!(count(&lines, "did not end within 6s"), 1, "{lines:#?}");
    assert_eq!(count(&lines, "close"), 0);
    drop(operation);
}

/// A span that is filtered out is not confused with the caller's.
#[test]
fn the_callers_own_span_is_left_alone() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .finish();
    observe(subscriber, || {
        let client = ScriptedClient::new();
        let mut operation = begin(&client, accepted(LOCATION)).unwrap();
        client.answer(graph_operation::testing::status(401));
        let callers = tracing::error_span!("callers", outcome = tracing::field::Empty);
        callers.in_scope(|| {
            let _ = block_on(operation.wait());
            tracing::error!("afterwards");
        });
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("callers: ") && !text.contains("outcome="), "{text}");
}

#[test]
fn an_operation_that_finished_at_once_has_no_span() {
    let subscriber =
        tracing_subscriber::fmt().with_writer(|| -> Log { panic!("nothing is logged") });
    observe(subscriber.finish(), || {
        let client = ScriptedClient::new();
        let mut operation = begin(&client, json_answer(201, &json!({ "id": "1" }))).unwrap();
        block_on(operation.target()).unwrap();
    });
}

#[test]
fn a_start_that_finished_at_once_closes_its_span_as_succeeded() {
    let text = log_of(|| {
        let client = ScriptedClient::new();
        client.answer(json_answer(200, &json!({ "id": "1" })));
        let request = client.request(Method::POST, ["teams"]).unwrap();
        drop(block_on(Operation::start(client, request)).unwrap());
    });
    assert!(text.contains(r#"outcome="succeeded""#), "{text}");
}

/// However an operation was added to a set, its span stays open until it ends.
#[test]
fn each_operation_of_a_set_has_a_span() {
    let client = ScriptedClient::new();
    let at = |key: u8| format!("/teams('{key}')/operations('{key}')");
    let token = Operation::from_location(client.clone(), at(3)).unwrap().resume_token().unwrap();
    let text = log_of(|| {
        let followed = |key| Operation::from_location(client.clone(), at(key)).unwrap();
        let archive = |key: u8| client.request(Method::POST, ["teams", &key.to_string()]).unwrap();
        let mut set = OperationSet::<u8>::new(client.clone());
        let (graph, request) = (client.clone(), archive(1));
        set.start(1, Operation::start(graph, request)).unwrap();
        client.answer(accepted(&at(1)));
        set.start_request(2, archive(2)).unwrap();
        client.answer(accepted(&at(2)));
        // The service finishes this one at once.
        set.start_request(6, archive(6)).unwrap();
        client.answer(json_answer(201, &json!({ "id": "6" })));
        set.resume(3, token).unwrap();
        set.insert(4, followed(4)).unwrap();
        set.insert(5, followed(5)).unwrap();
        let mut removed = set.remove(&5).unwrap();
        // The first checks of the four, and the others.
        for _ in 0..4 {
            client.answer(graph_error(503, "serviceUnavailable", "Down."));
        }
        for _ in 0..3 {
            client.answer(succeeded("/teams('1')"));
        }
        client.answer(failed("TeamUnavailable", "The team was not found."));
        client.answer(succeeded("/teams('5')"));
        block_on(async {
            while set.next().await.is_some() {}
            removed.wait().await.unwrap();
        });
    });
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for key in 1..=5 {
        let of_key = |text: &str| {
            let id = format!("id=\"{key}\"");
            lines.iter().filter(|line| line.contains(&id) && line.contains(text)).count()
        };
        let (closed, checks) = (of_key("close"), if key == 5 { 1 } else { 2 });
        assert_eq!((closed, of_key("retrying")), (1, checks - 1), "{key} {text}");
        let ended = lines.iter().filter(|line| line.contains("outcome=")).filter(|line| {
            line.contains(&format!("id=\"{key}\"")) && line.contains(&format!("checks={checks} "))
        });
        assert_eq!(ended.count(), 1, "{key} {text}");
    }
    assert_eq!(count(&lines, "outcome=\"succeeded\""), 5, "{text}");
    assert_eq!(count(&lines, "outcome=\"failed\""), 1, "{text}");
}

/// The set holds no span when it is first polled, and the start and its checks happen in the same
/// poll.
#[test]
fn the_first_operation_of_a_set_shows_its_checks() {
    let text = log_of(|| {
        let client = ScriptedClient::new();
        let request = client.request(Method::POST, ["teams", "1", "archive"]).unwrap();
        let mut set = OperationSet::<u8>::new(client.clone());
        set.start(1, Operation::start(client.clone(), request)).unwrap();
        client.answer(accepted("/teams('1')/operations('2')"));
        client.answer(in_progress()).answer(succeeded("/teams('1')"));
        block_on(set.next()).unwrap().1.unwrap();
    });
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(count(&lines, "checked"), 2, "{text}");
    assert_eq!(count(&lines, "outcome=\"succeeded\""), 1, "{text}");
    assert_eq!(count(&lines, "checks=2 "), 1, "{text}");
}

/// The warnings of a start that is accepted after two retries, without their times.
fn warnings(drive: impl FnOnce(ScriptedClient, Request<Bytes>)) -> Vec<String> {
    let text = log_of(|| {
        let client = ScriptedClient::new();
        client
            .answer(graph_error(429, "tooManyRequests", "Slow down."))
            .fail("connection reset")
            .answer(accepted(LOCATION))
            .answer(succeeded("/teams('1')"));
        let request = Client::request(&client, Method::POST, ["teams", "1", "archive"]).unwrap();
        drive(client, request);
    });
    let warnings = text.lines().filter_map(|line| Some(line.split_once(" WARN ")?.1.to_owned()));
    warnings.collect()
}

#[test]
fn the_retries_of_a_start_look_the_same_alone_and_in_a_set() {
    let alone = warnings(|client, request| {
        block_on(async {
            let operation = Operation::start_idempotent(client, request).await.unwrap();
            operation.await.unwrap();
        });
    });
    assert_eq!(alone.len(), 2, "{alone:#?}");
    for (warning, reason) in alone.iter().zip(["tooManyRequests: Slow down.", "connection reset"]) {
        let message = "operation: graph_operation: request failed, retrying reason=";
        assert!(warning.starts_with(message) && warning.contains(reason), "{warning}");
    }

    let ends = warnings(|client, request| {
        let mut set = OperationSet::<u8>::new(client);
        set.start_request_idempotent(1, request).unwrap();
        block_on(set.next()).unwrap().1.unwrap();
    });
    let events = warnings(|client, request| {
        let mut set = OperationSet::<u8>::new(client);
        set.start_request_idempotent(1, request).unwrap();
        while block_on(set.next_event()).is_some() {}
    });
    let blocking = warnings(|client, request| {
        let mut set = blocking::OperationSet::<u8>::new(client);
        set.start_request_idempotent(1, request).unwrap();
        set.next().unwrap().1.unwrap();
    });
    for of_a_set in [ends, events, blocking] {
        assert_eq!(of_a_set, alone);
    }
}

/// The items of a batch fail one by one.
#[test]
fn each_start_of_a_batch_that_is_retried_has_a_warning() {
    let text = log_of(|| {
        let client = ScriptedClient::new();
        let mut set = OperationSet::<u8>::new(client.clone());
        for key in 1..=3 {
            let team = key.to_string();
            let request = client.request(Method::POST, ["teams", &team, "archive"]).unwrap();
            set.start_request(key, request).unwrap();
        }
        client
            .answer(graph_error(503, "serviceUnavailable", "Down."))
            .answer(accepted("/teams('2')/operations('2')"))
            .answer(graph_error(429, "tooManyRequests", "Slow down."));
        client.answer(accepted("/teams('1')/operations('1')"));
        client.answer(accepted("/teams('3')/operations('3')"));
        for _ in 0..3 {
            client.answer(succeeded("/teams('1')"));
        }
        block_on(async { while set.next().await.is_some() {} });
        assert_eq!(client.batches()[0].len(), 3);
    });
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let retried = "operation: graph_operation: request failed, retrying";
    assert_eq!(count(&lines, retried), 2, "{text}");
    assert_eq!(count(&lines, "outcome=\"succeeded\""), 3, "{text}");
}

/// A client that never answers for one team, and counts how often that request is polled.
#[derive(Clone)]
struct Counting {
    client: ScriptedClient,
    polls: Arc<Mutex<u32>>,
}

impl Client for Counting {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        if request.uri().path().contains("never") {
            poll_fn(|_| {
                *self.polls.lock().unwrap() += 1;
                Poll::<()>::Pending
            })
            .await;
        }
        Client::send(&self.client, request).await
    }

    async fn sleep(&self, time: Duration) {
        Client::sleep(&self.client, time).await;
    }

    fn now(&self) -> Instant {
        Client::now(&self.client)
    }

    fn time_limit(&self, time: Duration) -> impl Future<Output = ()> + Send {
        Client::time_limit(&self.client, time)
    }
}

#[test]
fn a_set_polls_no_request_twice_in_one_poll_whatever_is_shown() {
    log_of(|| {
        let client = ScriptedClient::new();
        client.answer(in_progress()).answer(in_progress()).answer(succeeded("/teams('1')"));
        let counting = Counting { client, polls: Arc::default() };
        let mut set = OperationSet::new(counting.clone()).batch(1);
        for team in ["never", "1"] {
            let at = format!("/teams('{team}')/operations('2')");
            let operation = Operation::from_location(counting.clone(), at).unwrap();
            let first = if team == "1" { 6 } else { 1 };
            let polling = Polling::default().first_check(seconds(first));
            set.insert(team, operation.with_polling(polling)).unwrap();
        }
        let (team, result) = interrupt(set.next(), 1).unwrap().unwrap();
        result.unwrap();
        assert_eq!((team, *counting.polls.lock().unwrap()), ("1", 1));
    });
}
