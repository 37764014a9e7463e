//! Starts that the set sends itself, and those that it polls.

use bytes::Bytes;
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, graph_error, interrupt, status, succeeded, with_header,
};
use graph_operation::{Client, Error, ErrorKind, Operation, OperationSet, Polling, SetEvent};
use graph_operation_tests::wrapped::Wrapped;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::guarded::{Guarded, refused};
use crate::{batch, ends, location, seconds};

fn archive(client: &ScriptedClient, at: usize) -> Request<Bytes> {
    Client::request(client, Method::POST, ["teams", &at.to_string(), "archive"]).unwrap()
}

fn starting(client: &ScriptedClient, count: usize, idempotent: bool) -> OperationSet<usize> {
    let mut set = OperationSet::new(client.clone());
    for at in 0..count {
        if idempotent {
            set.start_request_idempotent(at, archive(client, at)).unwrap();
        } else {
            set.start_request(at, archive(client, at)).unwrap();
        }
    }
    set
}

#[test]
fn twenty_starts_go_in_one_request() {
    let client = ScriptedClient::new();
    let mut set = starting(&client, 20, false);
    assert_eq!((set.counts().queued, set.counts().running), (20, 0));
    for at in 0..20 {
        client.answer(accepted(&location(at)));
    }
    for _ in 0..20 {
        client.answer(succeeded("/a"));
    }
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    let requests = client.requests();
    assert_eq!((requests.len(), client.batches()[0].len()), (2, 20));
    let body: Value = serde_json::from_slice(requests[0].body()).unwrap();
    let first = &body["requests"][0];
    assert_eq!((&first["method"], &first["body"]), (&json!("POST"), &json!({})));
    assert_eq!(first["headers"]["content-type"], "application/json");
    assert_eq!(first["url"], "/teams/0/archive");
}

#[test]
fn what_was_refused_is_retried_and_what_may_have_been_carried_out_only_if_idempotent() {
    for idempotent in [false, true] {
        for code in [408, 429, 500, 502, 503, 504] {
            let client = ScriptedClient::new();
            let mut set = starting(&client, 2, idempotent);
            client.answer(accepted(&location(0))).answer(status(code));
            let repeated = idempotent || [429, 503].contains(&code);
            if repeated {
                client.answer(accepted(&location(1))).answer(succeeded("/b"));
            }
            client.answer(succeeded("/a"));
            let ends = ends(&mut set);
            assert_eq!(ends.len(), 2);
            let failed: Vec<_> = ends.iter().filter_map(|(_, end)| end.as_ref().err()).collect();
            assert_eq!(failed.is_empty(), repeated, "{code}, {idempotent}: {failed:?}");
            for error in failed {
                assert!(!error.is_retryable() && error.status().unwrap() == code);
                assert!(error.to_string().contains("may have been carried out"), "{error}");
            }
            assert_eq!(client.remaining(), 0);
        }
    }
}

#[test]
fn a_start_without_a_response_is_retried_only_if_idempotent() {
    for idempotent in [false, true] {
        let client = ScriptedClient::new();
        let mut set = starting(&client, 2, idempotent);
        client.fail_batch("connection reset");
        if idempotent {
            for at in 0..2 {
                client.answer(accepted(&location(at)));
            }
            client.answer(succeeded("/a")).answer(succeeded("/b"));
        }
        for (_, end) in ends(&mut set) {
            assert_eq!(end.is_ok(), idempotent, "{end:?}");
        }
    }
}

#[test]
fn a_retried_start_obeys_its_own_retry_after() {
    let client = ScriptedClient::new();
    let mut set = starting(&client, 2, false);
    client.answer(with_header(status(429), "retry-after", "50")).answer(accepted(&location(1)));
    client.answer(succeeded("/b")).answer(accepted(&location(0))).answer(succeeded("/a"));
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    let starts = |request: &&(Request<Bytes>, std::time::Duration)| {
        String::from_utf8_lossy(request.0.body()).contains("archive")
            || request.0.uri().path().ends_with("archive")
    };
    let made: Vec<_> = client.requests().into_iter().zip(client.sent_at()).collect();
    let times: Vec<_> = made.iter().filter(starts).map(|(_, at)| *at).collect();
    assert!(times.len() == 2 && times[1] - times[0] >= seconds(50), "{times:?}");
}

/// A retry is not an update, because an update shows an operation, and there is none yet.
#[test]
fn a_retried_start_is_not_an_event_of_the_set() {
    let client = ScriptedClient::new();
    let mut set = starting(&client, 1, false);
    client.answer(status(429)).answer(accepted(&location(0))).answer(succeeded("/a"));
    let mut events = Vec::new();
    while let Some(event) = block_on(set.next_event()) {
        events.push(match event {
            SetEvent::Started(_) => "started",
            SetEvent::Update(..) => "update",
            SetEvent::Ended(..) => "ended",
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(events, ["started", "update", "ended"]);
}

#[test]
fn a_refused_batch_of_starts_was_not_sent() {
    for code in [429, 503, 400, 404, 405, 501] {
        let client = ScriptedClient::new();
        let mut set = starting(&client, 2, false);
        client.answer_batch(graph_error(code, "x", "y"));
        for at in 0..2 {
            client.answer(accepted(&location(at)));
        }
        client.answer(succeeded("/a")).answer(succeeded("/b"));
        for (_, end) in ends(&mut set) {
            assert!(end.is_ok(), "{code}: {end:?}");
        }
        assert_eq!(client.remaining(), 0);
    }
}

#[test]
fn a_start_that_is_rejected_ends_alone() {
    let client = ScriptedClient::new();
    let mut set = starting(&client, 2, false);
    client.answer(graph_error(403, "Forbidden", "No.")).answer(accepted(&location(1)));
    client.answer(succeeded("/b"));
    let ends = ends(&mut set);
    assert_eq!(ends[0].1.as_ref().unwrap_err().code(), Some("Forbidden"));
    assert!(ends[1].1.is_ok());
}

#[test]
fn a_header_without_a_value_names_no_operation() {
    let client = ScriptedClient::new();
    let mut set = starting(&client, 2, false);
    client.answer_batch(batch(&json!([
        { "id": "1", "status": 202, "headers": { "Location": location(0) } },
        { "id": "2", "status": 202, "headers": { "Location": null } },
    ])));
    client.answer(succeeded("/a"));
    let ends = ends(&mut set);
    assert_eq!(ends[0].1.as_ref().unwrap_err().kind(), ErrorKind::MissingLocation);
    assert!(ends[1].1.is_ok());
}

fn answer_all(client: &ScriptedClient, answers: impl Iterator<Item = Response<Bytes>>) {
    for answer in answers {
        client.answer(answer);
    }
}

/// A start whose credential is refused, alone or in a batch, is sent again with a new one, once.
#[test]
fn a_start_asks_for_a_new_credential_once() {
    for (count, whole) in [(1, false), (3, false), (3, true)] {
        for (renews, refusals) in [(true, 1), (true, 2), (false, 1)] {
            let client = ScriptedClient::new();
            let guard = Guarded::new(&client, renews);
            let mut set = OperationSet::<usize>::new(guard.clone());
            for at in 0..count {
                set.start_request(at, archive(&client, at)).unwrap();
            }
            for _ in 0..refusals {
                if whole {
                    client.answer_batch(refused());
                } else {
                    answer_all(&client, (0..count).map(|_| refused()));
                }
            }
            let made = renews && refusals == 1;
            if made {
                answer_all(&client, (0..count).map(|at| accepted(&location(at))));
                answer_all(&client, (0..count).map(|_| succeeded("/a")));
            }
            let ends = ends(&mut set);
            assert_eq!(ends.len(), count);
            for (_, end) in ends {
                match end {
                    Ok(_) => assert!(made),
                    Err(error) => {
                        assert!(!made, "{error}");
                        assert_eq!(error.status().unwrap().as_u16(), 401);
                        assert_eq!(error.code(), Some("InvalidAuthenticationToken"));
                    }
                }
            }
            assert_eq!(guard.asked().len(), 1, "{count} {whole} {renews}");
            assert_eq!((client.remaining(), set.counts().starting), (0, 0));
            // The start, the start again, and the check.
            let requests = 1 + usize::from(renews) + usize::from(made);
            assert_eq!(client.requests().len(), requests, "{count} {whole} {renews}");
        }
    }
}

#[test]
fn a_start_to_another_origin_is_refused_before_it_is_sent() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    let request = Request::post("https://evil.example/v1.0/teams").body(Bytes::new()).unwrap();
    assert_eq!(set.start_request(0, request).unwrap_err().kind(), ErrorKind::ForeignLocation);
    assert!(set.is_empty() && client.requests().is_empty());
}

#[test]
fn what_the_set_starts_has_the_policy_of_the_set() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone())
        .polling(Polling::default().first_check(seconds(100)));
    set.start_request(0, archive(&client, 0)).unwrap();
    client.answer(accepted(&location(0))).answer(succeeded("/a"));
    assert_eq!(ends(&mut set).len(), 1);
    let times = client.sent_at();
    assert!(times[1] - times[0] >= seconds(100), "{times:?}");
}

#[test]
fn an_error_of_another_type_is_the_source_of_not_started() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    let throttled = with_header(graph_error(429, "Throttled", "Later."), "retry-after", "9");
    let rejected = || {
        block_on(Operation::from_response(ScriptedClient::new(), throttled.clone())).unwrap_err()
    };
    let (plain, wrapped) = (rejected(), Wrapped(rejected()));
    let io = std::io::Error::from(rejected());
    set.start(0, async move { Err(plain) }).unwrap();
    set.start(1, async move { Err(wrapped) }).unwrap();
    set.start(2, async move { Err(io) }).unwrap();
    set.start(3, async { Err("text") }).unwrap();
    let mut ends = ends(&mut set);
    ends.sort_by_key(|(key, _)| *key);
    let errors: Vec<_> = ends.iter().map(|(_, end)| end.as_ref().unwrap_err()).collect();
    assert_eq!(errors[0].kind(), ErrorKind::Rejected);
    for error in &errors[1..] {
        assert_eq!(error.kind(), ErrorKind::NotStarted);
    }
    for error in &errors[..3] {
        assert_eq!((error.status().unwrap().as_u16(), error.code()), (429, Some("Throttled")));
        assert_eq!(error.retry_after(), Some(seconds(9)));
        assert!(error.is_retryable());
    }
    assert!(!errors[3].is_retryable());
    assert_eq!(set.counts().failed, 4);
}

#[test]
fn few_starts_are_in_flight_at_once() {
    let client = ScriptedClient::new().yielding();
    let mut set = OperationSet::<usize>::new(client.clone()).starts_at_once(2);
    for at in 0..5 {
        let graph = client.clone();
        let start = async move {
            let request = archive(&graph, at);
            let operation = Operation::start(graph, request).await?;
            Ok::<_, Error>(operation.with_polling(Polling::default().no_timeout()))
        };
        set.start(at, start).unwrap();
        client.answer(accepted(&location(at)));
    }
    for _ in 0..5 {
        client.answer(succeeded("/a"));
    }
    let mut most = 0;
    loop {
        let next = interrupt(set.next(), 1);
        most = most.max(set.counts().starting);
        match next {
            Some(Some((_, end))) => drop(end.unwrap()),
            Some(None) => break,
            None => {}
        }
    }
    assert_eq!((most, set.counts().succeeded), (2, 5));
}
