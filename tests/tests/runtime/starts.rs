//! Starts that the library sends: what is retried, when, and what is not.

use std::time::Duration;

use bytes::Bytes;
use graph_operation::testing::{
    self, ScriptedClient, accepted, block_on, graph_error, interrupt, status, succeeded,
    with_header,
};
use graph_operation::{Client, ErrorKind, Operation, Polling, Result, TimeLeft, async_operation};
use http::{Method, Request};

use crate::{LOCATION, gaps, seconds};

fn archive(client: &ScriptedClient) -> Request<Bytes> {
    client.request(Method::POST, ["teams", "1", "archive"]).unwrap()
}

fn start(client: &ScriptedClient, idempotent: bool) -> Result<Operation> {
    let request = archive(client);
    block_on(async {
        if idempotent {
            Operation::start_idempotent(client.clone(), request).await
        } else {
            Operation::start(client.clone(), request).await
        }
    })
}

#[test]
fn what_was_refused_is_retried_and_what_may_have_been_carried_out_only_if_idempotent() {
    for idempotent in [false, true] {
        for code in [408, 429, 500, 502, 503, 504, 509] {
            let client = ScriptedClient::new();
            client.answer(status(code)).answer(accepted(LOCATION));
            let refused = [429, 503, 509].contains(&code);
            let started = start(&client, idempotent);
            assert_eq!(started.is_ok(), refused || idempotent, "{code}: {started:?}");
            assert_eq!(client.requests().len(), if started.is_ok() { 2 } else { 1 });
            if let Err(error) = started {
                assert!(!error.is_retryable() && error.status().unwrap() == code);
                assert!(error.to_string().contains("may have been carried out"), "{error}");
                assert!(error.resume_token().is_none());
            }
        }
        let client = ScriptedClient::new();
        client.fail("connection reset").answer(accepted(LOCATION));
        let started = start(&client, idempotent);
        assert_eq!(started.is_ok(), idempotent);
        assert!(started.is_ok_and(|_| true) || client.requests().len() == 1);

        for code in [400, 401, 403, 404, 409, 501] {
            let client = ScriptedClient::new();
            client.answer(graph_error(code, "BadRequest", "No."));
            assert_eq!(start(&client, idempotent).unwrap_err().code(), Some("BadRequest"));
            assert_eq!(client.requests().len(), 1);
        }
    }
}

#[test]
fn a_function_that_sends_its_request_gets_the_same_errors() {
    for (code, retryable) in [(408, false), (429, true), (500, false), (503, true), (504, false)] {
        let client = ScriptedClient::new();
        let response = status(code);
        let error = block_on(Operation::from_response(client, response)).unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{code}");
    }
}

#[test]
fn retries_of_a_start_wait_for_the_backoff() {
    let client = ScriptedClient::new();
    for _ in 0..9 {
        client.answer(status(503));
    }
    client.answer(accepted(LOCATION));
    drop(start(&client, false).unwrap());
    let least = [3, 6, 12, 24, 48, 96, 180, 180, 180].map(seconds);
    assert_eq!(gaps(&client).len(), least.len());
    for (gap, least) in gaps(&client).into_iter().zip(least) {
        assert!(gap > least && gap <= least * 11 / 10, "{gap:?} {least:?}");
    }

    // `Retry-After` takes the place of the backoff, shorter or longer.
    let client = ScriptedClient::new();
    for asked in ["1", "40", "2.5"] {
        client.answer(with_header(status(429), "retry-after", asked));
    }
    client.answer(accepted(LOCATION));
    drop(start(&client, false).unwrap());
    for (gap, least) in gaps(&client).into_iter().zip([1_000, 40_000, 2_500]) {
        let least = Duration::from_millis(least);
        assert!(gap > least && gap <= least * 11 / 10, "{gap:?} {least:?}");
    }
}

struct Teams(ScriptedClient);

impl Teams {
    #[async_operation(client = self.0, timeout = "60s")]
    async fn archive(&self) -> Result<Request<Bytes>> {
        Ok(archive(&self.0))
    }

    #[async_operation(client = self.0, polling = Polling::default().retries(2))]
    async fn archive_thrice(&self) -> Result<Request<Bytes>> {
        Ok(archive(&self.0))
    }
}

#[test]
fn a_wait_that_would_end_after_the_deadline_does_not_start() {
    let client = ScriptedClient::new();
    client.answer(with_header(status(429), "retry-after", "40")).answer(with_header(
        status(429),
        "retry-after",
        "40",
    ));
    let error = block_on(Teams(client.clone()).archive()).unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Rejected, 429));
    assert!(error.is_retryable());
    assert_eq!((client.requests().len(), error.checks()), (2, Some(2)));
    assert!(client.elapsed() < seconds(45) && error.waited() == Some(client.elapsed()));
    // Each request carried the time that it had.
    let left: Vec<_> = client.requests().iter().map(TimeLeft::of).collect();
    assert_eq!(left[0], seconds(60));
    assert!(left[1] < seconds(20) && left[1] >= seconds(6), "{left:?}");
}

#[test]
fn there_are_no_more_retries_in_a_row_than_the_policy_allows() {
    let client = ScriptedClient::new();
    for _ in 0..5 {
        client.answer(status(503));
    }
    assert!(block_on(Teams(client.clone()).archive_thrice()).is_err());
    assert_eq!(client.requests().len(), 3);
}

#[test]
fn the_wait_counts_from_the_first_request_and_the_first_check_from_the_202() {
    let client = ScriptedClient::new();
    client
        .answer(with_header(status(429), "retry-after", "20"))
        .answer(accepted(LOCATION))
        .answer(testing::in_progress())
        .answer(testing::in_progress());
    let mut operation = block_on(Teams(client.clone()).archive()).unwrap();
    let started = client.elapsed();
    assert_eq!(operation.update().waited(), started);
    assert!(operation.resume_token().unwrap().started_at().is_some());
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(client.sent_at()[2] - started > seconds(5));
    assert!(*client.sent_at().last().unwrap() <= seconds(60));
    assert!(error.waited().unwrap() >= seconds(57), "{error:?}");
}

#[test]
fn nothing_is_sent_to_another_origin() {
    for url in [
        "https://evil.example/v1.0/teams",
        "http://graph.microsoft.com/v1.0/teams",
        "https://graph.microsoft.com:444/v1.0/teams",
        "https://graph.microsoft.com@evil.example/v1.0/teams",
    ] {
        let client = ScriptedClient::new();
        let request = Request::post(url).body(Bytes::new()).unwrap();
        let error = block_on(Operation::start(client.clone(), request)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignLocation, "{url}");
        assert!(client.requests().is_empty());
    }
    let client = ScriptedClient::new();
    let request = Request::post("https://graph.microsoft.com/v1.0/../x").body(Bytes::new());
    let error = block_on(Operation::start(client.clone(), request.unwrap())).unwrap_err();
    assert_eq!((error.kind(), client.requests().len()), (ErrorKind::InvalidLocation, 0));
}

#[test]
fn a_start_can_be_dropped_at_every_await() {
    for polls in 0.. {
        let client = ScriptedClient::new().yielding();
        client.answer(status(503)).answer(accepted(LOCATION)).answer(succeeded("/teams('1')"));
        let request = archive(&client);
        let started = interrupt(Operation::start(client.clone(), request), polls);
        assert!(client.requests().len() <= 2);
        if let Some(started) = started {
            block_on(started.unwrap().into_future()).unwrap();
            assert!(polls > 2, "every await was reached");
            return;
        }
    }
}
