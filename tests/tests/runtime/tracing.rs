//! What the feature `tracing` shows, and what it does not.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use graph_operation::testing::{
    ScriptedClient, block_on, failed, graph_error, in_progress, json_answer, succeeded,
};
use graph_operation::{Client, Operation, Polling};
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
    // The only dispatcher of a process is taken for that of all threads: a test on another thread,
    // which has none, would turn off each event that it meets first.
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

/// Runs an operation through a script, and gives the log's lines and the handle.
fn logged(script: impl FnOnce(&ScriptedClient), polling: Polling) -> (Vec<String>, Operation) {
    let mut followed = None;
    let text = log_of(|| {
        let client = ScriptedClient::new();
        let accepted = graph_operation::testing::accepted(LOCATION);
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
    assert_eq!(count(&lines, "request sent"), 4);
    assert_eq!(count(&lines, ": checked"), 2);
    assert_eq!(count(&lines, "request failed, retrying"), 2);
    assert_eq!(count(&lines, "serviceUnavailable: Down."), 1);
    assert_eq!(count(&lines, "connection reset"), 1);
    // The span is closed although the handle is alive, and tells everything.
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

/// A span that is filtered out is not taken for the caller's.
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
        let mut operation = begin(&client, graph_operation::testing::accepted(LOCATION)).unwrap();
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
fn what_came_at_once_has_no_span() {
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
        let request = client.request(http::Method::POST, ["teams"]).unwrap();
        drop(block_on(Operation::start(client, request)).unwrap());
    });
    assert!(text.contains(r#"outcome="succeeded""#), "{text}");
}
