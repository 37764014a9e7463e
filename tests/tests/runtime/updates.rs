//! What the checks show: polls, updates, progress.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use graph_operation::testing::{
    self, block_on, failed, graph_error, in_progress, status, succeeded,
};
use graph_operation::{
    Completed, ErrorKind, Operation, Polling, Progress, State, TeamsAsyncOperation,
    TeamsAsyncOperationStatus, Update, Updates,
};
use serde_json::json;

use crate::{attempt, begin, seconds, started};

#[test]
fn every_public_type_can_be_sent_shared_moved_and_shown() {
    fn everywhere<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    fn sent<T: Send + Unpin + std::fmt::Debug>(_: &T) {}
    everywhere::<Operation>();
    everywhere::<Completed>();
    everywhere::<Update>();
    everywhere::<graph_operation::Error>();
    everywhere::<graph_operation::ResumeToken>();
    everywhere::<Polling>();
    everywhere::<graph_operation::blocking::Operation>();
    let (_, mut operation) = started();
    sent(&operation.updates());
    sent(&operation.into_future());
    assert_eq!(size_of::<graph_operation::Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), graph_operation::Error>>(), size_of::<usize>());
}

#[test]
fn no_next_check_is_announced_if_retry_after_extends_beyond_the_deadline() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(300)));
    client.answer(testing::with_header(in_progress(), "retry-after", "200"));
    let next = block_on(operation.poll()).unwrap().next_check().unwrap();
    assert!(next >= seconds(200), "{next:?}");
    client.answer(testing::with_header(in_progress(), "retry-after", "400"));
    assert_eq!(block_on(operation.poll()).unwrap().next_check(), None);
}

#[test]
fn poll_sends_one_check_now_and_none_after_the_end() {
    let (client, mut operation) = started();
    let last = testing::with_header(failed("a", "b"), "request-id", "of the failure");
    client.answer(testing::with_header(in_progress(), "request-id", "r")).answer(last);
    let update = block_on(operation.poll()).unwrap();
    assert!(!update.is_terminal());
    assert_eq!(update.resume_token(), operation.resume_token());
    assert_eq!(update.operation().unwrap().status, TeamsAsyncOperationStatus::InProgress);
    assert_eq!((update.checks(), update.waited()), (1, seconds(0)));
    let next = update.next_check().unwrap();
    assert!(next > seconds(30) && next <= seconds(33));

    for _ in 0..3 {
        let update = block_on(operation.poll()).unwrap();
        assert!(!update.is_retried(), "another status, and no further attempt");
        assert_eq!((update.state(), update.checks()), (State::Failed, 2));
        assert_eq!(update.next_check(), None);
    }
    assert_eq!(client.requests().len(), 2);
    assert_eq!(client.elapsed(), seconds(0));
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!((error.kind(), error.request_id()), (ErrorKind::Failed, Some("of the failure")));
}

#[test]
fn poll_returns_a_fault_as_an_error_and_the_wait_continues() {
    let (client, mut operation) = started();
    client
        .answer(graph_error(429, "TooManyRequests", "Wait."))
        .fail("connection reset")
        .answer(testing::json_answer(200, &json!([1])))
        .answer(succeeded("/teams('1')"));
    for kind in [ErrorKind::Rejected, ErrorKind::Transport, ErrorKind::Decode] {
        let error = block_on(operation.poll()).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.is_retryable() && error.resume_token().is_some());
    }
    block_on(operation.wait()).unwrap();
}

#[test]
fn updates_show_each_snapshot_and_end_with_the_operation() {
    let (client, mut operation) = started();
    client
        .answer(in_progress())
        .answer(in_progress())
        .fail("reset")
        .answer(attempt(2))
        .answer(failed("TeamUnavailable", "The team was not found."));
    let mut updates = operation.updates();
    let mut seen = Vec::new();
    while let Some(update) = block_on(updates.next()) {
        let update = update.unwrap();
        let status = update.operation().unwrap().status.to_string();
        seen.push((update.checks(), status, update.is_retried()));
        let fault = update.fault().map(graph_operation::Error::kind);
        assert_eq!(fault, (update.checks() == 3).then_some(ErrorKind::Transport));
        assert!(update.resume_token().is_some());
    }
    assert!(block_on(updates.next()).is_none());
    let expected = [
        (1, "inProgress", false),
        (2, "inProgress", false),
        (3, "inProgress", false),
        (4, "inProgress", true),
        (5, "failed", false),
    ];
    assert_eq!(
        seen,
        expected.map(|(checks, status, retried)| (checks, status.to_owned(), retried))
    );

    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(
        error.to_string(),
        "archiveTeam ended as failed: TeamUnavailable: The team was not found."
    );
    assert_eq!(
        (error.code(), error.message()),
        (Some("TeamUnavailable"), Some("The team was not found."))
    );
    assert_eq!((error.operation_type(), error.attempts()), (Some("archiveTeam"), Some(1)));
    assert_eq!(error.status(), Some(http::StatusCode::OK));
    assert!(error.resume_token().is_none() && !error.is_retryable());
    assert!(block_on(operation.updates().next()).is_none());
}

#[test]
fn an_error_ends_the_updates_and_new_ones_continue() {
    let (client, mut operation) = started();
    client.answer(in_progress()).answer(status(403)).answer(succeeded("/teams('1')"));
    let mut updates = operation.updates();
    assert!(block_on(updates.next()).unwrap().is_ok());
    assert_eq!(block_on(updates.next()).unwrap().unwrap_err().kind(), ErrorKind::Rejected);
    assert!(block_on(updates.next()).is_none());
    assert!(block_on(operation.updates().next()).unwrap().unwrap().is_terminal());

    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(6)));
    client.answer(in_progress()).answer(in_progress());
    let mut updates = operation.updates();
    assert!(block_on(updates.next()).unwrap().is_ok());
    assert!(block_on(updates.next()).unwrap().is_ok());
    assert_eq!(block_on(updates.next()).unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(block_on(updates.next()).is_none());
}

#[test]
fn updates_are_a_stream() {
    fn count(updates: Updates<'_>) -> usize {
        let mut updates = pin!(updates);
        let mut cx = Context::from_waker(Waker::noop());
        let mut count = 0;
        while let Poll::Ready(Some(_)) = updates.as_mut().poll_next(&mut cx) {
            count += 1;
        }
        count
    }

    let (client, mut operation) = started();
    client.answer(in_progress()).answer(succeeded("/teams('1')"));
    assert_eq!(count(operation.updates()), 2);
}

#[test]
fn what_finished_at_once_needs_no_check() {
    for code in [200, 201, 204] {
        let client = testing::ScriptedClient::new();
        let mut operation = begin(&client, status(code)).unwrap();
        assert_eq!((operation.location(), operation.resume_token()), (None, None));
        assert_eq!((operation.operation_id(), operation.target_hint()), (None, None));
        let update = block_on(operation.poll()).unwrap();
        assert!(update.is_terminal() && update.operation().is_none());
        assert_eq!(update.resume_token(), None);
        assert!(block_on(operation.updates().next()).is_none());
        let completed = block_on(operation.wait()).unwrap();
        assert!(completed.operation().is_none() && completed.target_location().is_none());
        assert!(client.requests().is_empty());
    }
}

#[test]
fn progress_is_shown_if_the_service_reports_it() {
    let (client, mut operation) = started();
    let value = |apps: &str| {
        let value =
            json!({ "apps": [{ "Status": apps }], "channels": [{ "Status": "Succeeded" }] });
        json!({ "status": "inProgress", "Value": value.to_string() })
    };
    client
        .answer(testing::operation(&value("InProgress")))
        .answer(testing::operation(&value("Succeeded")))
        .answer(testing::operation(&json!({ "status": "inProgress", "Value": "{\"Status\":0}" })))
        .answer(testing::operation(&json!({ "status": "inProgress", "Value": 7 })));
    let mut progress =
        || block_on(operation.poll()).unwrap().progress().map(|p: Progress| (p.done(), p.total()));
    assert_eq!(progress(), Some((1, 2)));
    assert_eq!(progress(), Some((2, 2)));
    assert_eq!(progress(), None);
    assert_eq!(progress(), None);
}

#[test]
fn an_operation_that_does_not_change_is_stalled() {
    let (client, mut operation) = started();
    client.answer(attempt(1)).answer(attempt(1)).answer(attempt(1)).answer(attempt(2));
    let stalled: Vec<_> = (0..4)
        .map(|_| {
            client.advance(seconds(60));
            let update = block_on(operation.poll()).unwrap();
            (update.is_stalled(seconds(120)), update.unchanged_for())
        })
        .collect();
    assert_eq!(
        stalled,
        [(false, seconds(0)), (false, seconds(60)), (true, seconds(120)), (false, seconds(0))]
    );
}

#[test]
fn what_the_202_says_is_known_before_any_check() {
    for (location, id) in [
        ("/teams('1')/operations('2')", Some("2")),
        ("/teams/1/operations/2", Some("2")),
        ("/teams(1)/operations(2)", Some("2")),
        ("/sites/getOperationStatus(operationId='2')", None),
    ] {
        let client = testing::ScriptedClient::new();
        let answer = testing::with_header(testing::accepted(location), "request-id", "r");
        let answer = testing::with_header(answer, "client-request-id", "c");
        let operation = begin(&client, answer).unwrap();
        assert_eq!(operation.operation_id(), id, "{location}");
        assert_eq!((operation.request_id(), operation.client_request_id()), (Some("r"), Some("c")));
    }

    let (_, operation) = started();
    assert_eq!(operation.target_hint(), Some("/v1.0/teams('1')"));
    let answer =
        testing::with_header(testing::accepted(crate::LOCATION), "content-location", "/teams('9')");
    let operation = begin(&testing::ScriptedClient::new(), answer).unwrap();
    assert_eq!(operation.target_hint(), Some("/teams('9')"));
}

#[test]
fn nothing_shows_what_the_client_holds() {
    let (_, mut operation) = started();
    let shown = format!("{operation:?} {:?}", operation.update());
    let shown = format!("{shown} {:?}", operation.updates());
    assert!(!shown.contains("ScriptedClient"), "{shown}");
    let _: Option<&TeamsAsyncOperation> = operation.update().operation();
}

#[test]
fn an_update_is_written_with_whatever_could_be_read() {
    for body in [
        &b"\xEF\xBB\xBF{\"id\":\"1\",\"status\":\"inProgress\"}"[..],
        b"{\"id\":\"\xFF\",\"status\":\"inProgress\"}",
        br#"{"id":"\ud800","status":"inProgress"}"#,
    ] {
        let (client, mut operation) = started();
        let mut answer = status(200);
        *answer.body_mut() = bytes::Bytes::copy_from_slice(body);
        client.answer(answer);
        let update = block_on(operation.poll()).unwrap();
        let written = serde_json::to_value(&update).unwrap();
        assert_eq!(written["operation"]["status"], "inProgress", "{body:?}");
    }
}
