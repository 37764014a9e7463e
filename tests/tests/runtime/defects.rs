//! The defects that other pollers of this service have, each by its name.

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, in_progress, interrupt, operation, status, succeeded,
    with_header,
};
use graph_operation::{ErrorKind, Polling};
use serde_json::json;

use crate::{LOCATION, OPERATION, assert_last_check, begin, gaps, seconds, started};

#[test]
fn an_endless_loop_on_failed_with_a_null_error() {
    let (client, mut handle) = started();
    client.answer(operation(&json!({ "status": "failed", "error": null })));
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(error.to_string(), "archiveTeam ended as failed: no reason given");
    assert_eq!((error.code(), error.message(), error.failure()), (None, None, None));
}

#[test]
fn a_failure_with_a_bare_string_for_its_error() {
    let (client, mut handle) = started();
    client.answer(operation(&json!({ "status": "failed", "error": "An error has occurred" })));
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!((error.code(), error.message()), (None, Some("An error has occurred")));
}

#[test]
fn an_error_property_taken_for_a_failure() {
    let (client, mut handle) = started();
    client
        .answer(operation(&json!({ "status": "inProgress", "error": { "code": "x" } })))
        .answer(operation(&json!({ "status": "succeeded", "error": { "code": "x" } })));
    block_on(handle.wait()).unwrap();
    assert_eq!(client.requests().len(), 2);
}

#[test]
fn invalid_taken_for_success() {
    let (client, mut handle) = started();
    client.answer(operation(&json!({ "status": "invalid" })));
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(error.to_string(), "archiveTeam ended as invalid: no reason given");
}

#[test]
fn any_2xx_but_202_taken_for_finished() {
    for code in [200, 201, 202, 203, 206] {
        let (client, mut handle) = started();
        let mut running = in_progress();
        *running.status_mut() = http::StatusCode::from_u16(code).unwrap();
        client.answer(running).answer(succeeded("/teams('1')"));
        block_on(handle.wait()).unwrap();
        assert_eq!(client.requests().len(), 2, "{code}");
    }
}

#[test]
fn a_hard_coded_version() {
    let client =
        ScriptedClient::with_service_root("https://graph.microsoft.us/beta".parse().unwrap());
    let operation = begin(&client, accepted(LOCATION)).unwrap();
    assert_eq!(
        operation.location().unwrap(),
        "https://graph.microsoft.us/beta/teams('1')/operations('2')"
    );
}

#[test]
fn a_version_lost_to_rfc_3986() {
    let (_, operation) = started();
    assert_eq!(operation.location().unwrap(), OPERATION);
}

#[test]
fn a_retry_after_date_read_as_a_number() {
    let (client, mut handle) = started();
    let throttled = with_header(status(429), "date", "Wed, 15 Dec 2021 08:57:50 GMT");
    let throttled = with_header(throttled, "retry-after", "Wed, 15 Dec 2021 08:59:50 GMT");
    client.answer(throttled).answer(succeeded("/teams('1')"));
    block_on(handle.wait()).unwrap();
    assert!(gaps(&client)[0] >= seconds(120) && gaps(&client)[0] <= seconds(132));
}

#[test]
fn no_deadline() {
    let (client, mut handle) = started();
    for _ in 0..150 {
        client.answer(in_progress());
    }
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!((error.kind(), error.waited()), (ErrorKind::TimedOut, client.sent_at().pop()));
    assert_last_check(&client, seconds(3_600), seconds(3));
}

#[test]
fn the_token_sent_to_whatever_host_the_header_names() {
    for location in
        ["https://evil.example/x", "//evil.example/x", "https://graph.microsoft.com@evil.example/x"]
    {
        let client = ScriptedClient::new();
        let error = begin(&client, accepted(location)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignLocation);
        assert!(client.requests().is_empty());
    }
}

#[test]
fn the_operation_lost_when_a_poll_is_cancelled() {
    let client = ScriptedClient::new().yielding();
    let mut handle = begin(&client, accepted(LOCATION)).unwrap();
    client.answer(succeeded("/teams('1')"));
    assert!(interrupt(handle.poll(), 1).is_none());
    assert_eq!(handle.resume_token().unwrap().location(), OPERATION);
    block_on(handle.wait()).unwrap();
}

#[test]
fn a_panic_on_a_negative_retry_after() {
    for value in
        ["-1", "-99999999999999999999", "NaN", "1e999", "\u{7f}".trim_end_matches('\u{7f}')]
    {
        let (client, mut handle) = started();
        client
            .answer(with_header(status(429), "retry-after", value))
            .answer(succeeded("/teams('1')"));
        block_on(handle.wait()).unwrap();
        assert!(gaps(&client)[0] <= seconds(33));
    }
}

#[test]
fn thousands_polling_in_step() {
    let client = ScriptedClient::new();
    let mut second = std::collections::HashSet::new();
    for _ in 0..50 {
        client.answer(in_progress());
        let mut operation = begin(&client, accepted(LOCATION)).unwrap();
        second.insert(block_on(operation.poll()).unwrap().next_check());
    }
    assert!(second.len() > 30, "{}", second.len());
}

#[test]
fn a_transient_fault_that_ends_the_wait() {
    let (client, mut handle) = started();
    client
        .fail("connection reset")
        .answer(status(502))
        .answer(status(200).map(|_| bytes::Bytes::from_static(b"<html></html>")))
        .answer(succeeded("/teams('1')"));
    block_on(handle.wait()).unwrap();
}

#[test]
fn an_outage_with_empty_status_values() {
    let (client, mut handle) = started();
    client.answer(operation(&json!({ "status": "" }))).answer(succeeded("/teams('1')"));
    block_on(handle.wait()).unwrap();
}

#[test]
fn a_target_read_before_it_is_there() {
    let (client, mut handle) = started();
    handle.set_polling(Polling::default());
    client
        .answer(succeeded("/teams('1')"))
        .answer(status(404))
        .answer(graph_operation::testing::json_answer(200, &json!({ "id": "1" })));
    assert_eq!(block_on(handle.target()).unwrap()["id"], "1");
}
