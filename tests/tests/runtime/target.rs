//! Reading what the operation created.

use graph_operation::testing::{
    self, ScriptedClient, block_on, graph_error, json_answer, operation, status, succeeded,
};
use graph_operation::{ErrorKind, Operation, Polling, TeamsAsyncOperation};
use http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{LOCATION, Sleepless, begin, drain, gaps, seconds, started};

#[derive(Debug, Deserialize, PartialEq)]
struct Team {
    id: String,
}

#[test]
fn the_target_is_read_at_its_opaque_location() {
    for (location, uri) in [
        ("/teams('1')", "https://graph.microsoft.com/v1.0/teams('1')"),
        ("/groups('1')/team", "https://graph.microsoft.com/v1.0/groups('1')/team"),
        ("https://graph.microsoft.com/beta/teams/1", "https://graph.microsoft.com/beta/teams/1"),
    ] {
        let (client, operation) = started();
        client.answer(succeeded(location)).answer(json_answer(200, &json!({"id": "1"})));
        let team = block_on(operation.with_target::<Team>().target()).unwrap();
        assert_eq!(team, Team { id: "1".into() });
        assert_eq!(client.requests()[1].uri(), uri);
    }
}

#[test]
fn a_relative_target_takes_the_version_of_its_operation() {
    let client = ScriptedClient::new();
    let location = "https://graph.microsoft.com/beta/chats('19:x@y')/operations('1')";
    let mut operation = Operation::from_location(client.clone(), location).unwrap();
    client.answer(succeeded("/chats('19:x@y')")).answer(json_answer(200, &json!({})));
    block_on(operation.target()).unwrap();
    assert_eq!(client.requests()[1].uri(), "https://graph.microsoft.com/beta/chats('19:x@y')");
}

#[test]
fn a_target_that_is_not_found_yet_is_waited_for() {
    let (client, mut operation) = started();
    client.answer(succeeded("/teams('1')"));
    for _ in 0..6 {
        client.answer(graph_error(404, "NotFound", "No team found with Group Id 1"));
    }
    client.answer(json_answer(200, &json!({"id": "1"})));
    assert_eq!(block_on(operation.target()).unwrap(), json!({"id": "1"}));
    let least = [0, 2, 4, 8, 16, 30, 30].map(seconds);
    assert!(
        gaps(&client).iter().zip(least).all(|(&gap, least)| gap >= least && gap <= least * 11 / 10)
    );
}

#[test]
fn patience_ends() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().target_patience(seconds(60)));
    client.answer(succeeded("/teams('1')"));
    for _ in 0..20 {
        client.answer(graph_error(404, "NotFound", "No team found with Group Id 1"));
    }
    let completed = block_on(operation.wait()).unwrap();
    let start = client.elapsed();
    let error = block_on(completed.target()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetNotReady);
    assert_eq!(
        client.elapsed() - start,
        seconds(60),
        "the last request is sent when patience ends"
    );
    assert_eq!(error.status(), Some(http::StatusCode::NOT_FOUND));
    assert_eq!(error.resume_token(), operation.resume_token());
    assert!(error.operation::<TeamsAsyncOperation>().unwrap().target_resource_id.is_some());
    assert!(format!("{error:#}").contains("No team found"), "{error:#}");

    // Nothing is lost.
    drain(&client);
    client.answer(json_answer(200, &json!({"id": "1"})));
    block_on(completed.target()).unwrap();
}

#[test]
fn transient_faults_are_retried_and_others_are_not() {
    let (client, mut operation) = started();
    client
        .answer(succeeded("/teams('1')"))
        .fail("connection reset")
        .answer(testing::with_header(status(429), "retry-after", "50"))
        .answer(status(503))
        .answer(json_answer(200, &json!({"id": "1"})));
    block_on(operation.target()).unwrap();
    assert!(gaps(&client)[2] >= seconds(50));

    for code in [400, 401, 403, 410, 302] {
        let (client, mut operation) = started();
        client.answer(succeeded("/teams('1')")).answer(status(code));
        let error = block_on(operation.target()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert_eq!(client.requests().len(), 2);
    }

    let (client, mut operation) = started();
    operation.set_polling(Polling::default().retries(2));
    client
        .answer(succeeded("/teams('1')"))
        .answer(status(502))
        .answer(status(502))
        .answer(status(502));
    let error = block_on(operation.target()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Rejected, Some(3)));
}

#[test]
fn a_client_that_knows_better_stops_the_retries() {
    let client = ScriptedClient::new();
    client.answer(succeeded("/teams('1')")).fail("connection reset");
    let mut operation =
        Operation::from_location(Sleepless { stubborn: true, ..Sleepless::of(&client) }, LOCATION)
            .unwrap();
    let error = block_on(operation.target()).unwrap_err();
    assert_eq!((error.kind(), client.requests().len()), (ErrorKind::Transport, 2));
    assert!(!error.is_retryable());
}

#[test]
fn no_target_is_read_anywhere_else() {
    for (location, kind) in [
        ("https://evil.example/teams('1')", ErrorKind::ForeignLocation),
        ("//evil.example/teams('1')", ErrorKind::ForeignLocation),
        ("http://graph.microsoft.com/v1.0/teams", ErrorKind::ForeignLocation),
        ("Target Resource Location value", ErrorKind::InvalidLocation),
        ("/../teams", ErrorKind::InvalidLocation),
        ("", ErrorKind::MissingLocation),
    ] {
        let (client, mut operation) = started();
        client.answer(succeeded(location));
        let error = block_on(operation.target()).unwrap_err();
        assert_eq!(error.kind(), kind, "{location}");
        assert_eq!(
            error.operation::<TeamsAsyncOperation>().unwrap().target_resource_location.as_deref(),
            Some(location)
        );
        assert_eq!(error.resume_token(), operation.resume_token());
        assert_eq!(client.requests().len(), 1);
    }

    let (client, mut op) = started();
    client.answer(operation(&json!({"status": "succeeded", "targetResourceLocation": null})));
    let error = block_on(op.target()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingLocation);
    assert!(error.to_string().contains("00000000-0000-0000-0000-000000000001"), "{error}");
    let completed = block_on(op.wait()).unwrap();
    assert_eq!(completed.target_id(), Some("00000000-0000-0000-0000-000000000001"));
    client.answer(json_answer(200, &json!({"id": "1"})));
    block_on(completed.target_at(|id| format!("/teams/{id}"))).unwrap();

    // An empty id does not count.
    let (client, mut op) = started();
    let unnamed =
        json!({"status": "succeeded", "targetResourceId": "", "targetResourceLocation": ""});
    client.answer(operation(&unnamed));
    let completed = block_on(op.wait()).unwrap();
    for outcome in
        [block_on(completed.target()), block_on(completed.target_at(|id| format!("/teams/{id}")))]
    {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::MissingLocation);
    }
    assert_eq!(client.requests().len(), 1);
}

#[test]
fn a_target_that_came_at_once_is_read_from_the_answer() {
    let client = ScriptedClient::new();
    let operation = begin(&client, json_answer(201, &json!({"id": "19:channel"}))).unwrap();
    let channel = block_on(operation.with_target::<Team>().target()).unwrap();
    assert_eq!(channel.id, "19:channel");

    let mut operation = begin(&client, status(204)).unwrap().with_target::<()>();
    block_on(operation.target()).unwrap();
    let mut operation = begin(&client, status(204)).unwrap();
    assert_eq!(block_on(operation.target()).unwrap(), Value::Null);
    assert!(client.requests().is_empty());
}

#[test]
fn a_target_of_another_type_is_a_clear_error() {
    let (client, operation) = started();
    let answer = testing::with_header(json_answer(200, &json!({"name": 1})), "request-id", "r");
    client.answer(succeeded("/teams('1')")).answer(answer);
    let error = block_on(operation.with_target::<Team>().target()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(
        format!("{error:#}")
            .contains("the JSON does not have the expected shape (line 1, column 10)"),
        "{error:#}"
    );
    assert!(error.resume_token().is_some());
    assert!(error.operation::<TeamsAsyncOperation>().is_some());
    assert_eq!((error.request_id(), error.status()), (Some("r"), Some(http::StatusCode::OK)));
}

/// It is JSON, so another request would not help.
#[test]
fn a_target_that_no_value_can_hold_is_read_once() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for body in ["{\"size\":1e400}", &deep] {
        let (client, mut operation) = started();
        client.answer(succeeded("/teams('1')")).answer(status(200).map(|_| body.to_owned().into()));
        let error = block_on(operation.target()).unwrap_err();
        assert_eq!((error.kind(), client.requests().len()), (ErrorKind::Decode, 2), "{error:#}");
        assert!(
            format!("{error:#}").contains("the JSON does not have the expected shape (line 1"),
            "{error:#}"
        );
    }
}

/// As in the operation itself, a character that no string can hold is replaced.
#[test]
fn a_target_with_odd_text_is_read_at_once() {
    for (body, id) in [
        (&b"\xEF\xBB\xBF{\"id\":\"1\"}"[..], "1"),
        (b"{\"id\":\"\xFF\"}", "\u{FFFD}"),
        (br#"{"id":"\ud800"}"#, "\u{FFFD}"),
    ] {
        let (client, operation) = started();
        client.answer(succeeded("/teams('1')")).answer(status(200).map(|_| body.into()));
        let team = block_on(operation.with_target::<Team>().target()).unwrap();
        assert_eq!((&*team.id, client.requests().len()), (id, 2));

        let operation = begin(&client, status(201).map(|_| body.into())).unwrap();
        let team = block_on(operation.with_target::<Team>().target()).unwrap();
        assert_eq!(team.id, id);
    }
}

#[test]
fn another_service_root_keeps_its_own_path() {
    let root = Uri::from_static("http://localhost:8080/proxy/v1.0");
    let client = ScriptedClient::with_service_root(root);
    let mut operation = begin(&client, testing::accepted(LOCATION)).unwrap();
    client.answer(succeeded("/teams('1')")).answer(json_answer(200, &json!({})));
    block_on(operation.target()).unwrap();
    let uris: Vec<_> = client.requests().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(
        uris,
        [
            "http://localhost:8080/proxy/v1.0/teams('1')/operations('2')",
            "http://localhost:8080/proxy/v1.0/teams('1')",
        ]
    );
}

#[test]
fn a_longer_retry_after_than_patience_is_not_cut() {
    let (client, mut operation) = started();
    client.answer(succeeded("/teams('1')")).answer(testing::with_header(
        status(429),
        "retry-after",
        "600",
    ));
    let completed = block_on(operation.wait()).unwrap();
    let start = client.elapsed();
    let error = block_on(completed.target()).unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Rejected, Some(seconds(600))));
    assert_eq!((client.elapsed(), client.requests().len()), (start, 2));

    // A caller who continues still waits for that long.
    client.answer(json_answer(200, &json!({"id": "1"})));
    block_on(completed.target()).unwrap();
    assert!(gaps(&client)[1] >= seconds(600));
}

#[test]
fn a_new_policy_applies_to_a_target_that_is_being_read() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().target_patience(seconds(10)));
    client.answer(succeeded("/teams('1')"));
    for _ in 0..10 {
        client.answer(graph_error(404, "NotFound", "No team found with Group Id 1"));
    }
    let error = block_on(operation.target()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetNotReady);

    operation.set_polling(Polling::default().target_patience(seconds(3_600)));
    client.answer(json_answer(200, &json!({"id": "1"})));
    assert_eq!(block_on(operation.target()).unwrap()["id"], "1");
}

/// No request can change it, so a loop that retries would never end.
#[test]
fn a_target_that_came_at_once_and_cannot_be_read_is_final() {
    for body in ["", "<html>", r#"{"name":1}"#] {
        let client = ScriptedClient::new();
        let mut answer = testing::with_header(status(201), "request-id", "r");
        *answer.body_mut() = body.into();
        let mut operation = begin(&client, answer).unwrap().with_target::<Team>();
        let completed = block_on(operation.wait()).unwrap();
        for error in
            [block_on(operation.target()).unwrap_err(), block_on(completed.target()).unwrap_err()]
        {
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Decode, false), "{body}");
            assert_eq!(error.status(), Some(http::StatusCode::CREATED));
            assert_eq!(error.request_id(), Some("r"));
        }
    }
}
