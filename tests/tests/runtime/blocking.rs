//! The blocking handle implements the same protocol.

use graph_operation::blocking::Operation;
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, failed, graph_error, in_progress, json_answer, status,
    succeeded,
};
use graph_operation::{ErrorKind, Polling, ResumeToken};
use serde_json::json;

use crate::{LOCATION, assert_last_check, gaps, seconds};

fn started() -> (ScriptedClient, Operation) {
    let client = ScriptedClient::new();
    let operation = Operation::from_response(client.clone(), accepted(LOCATION)).unwrap();
    (client, operation)
}

#[test]
fn the_same_script_leads_to_the_same_requests_at_the_same_times() {
    let script = |client: &ScriptedClient| {
        client
            .answer(in_progress())
            .fail("connection reset")
            .answer(graph_error(503, "a", "b"))
            .answer(in_progress())
            .answer(succeeded("/teams('1')"))
            .answer(status(404))
            .answer(json_answer(200, &json!({"id": "1"})));
    };
    let (blocking, mut operation) = started();
    script(&blocking);
    assert_eq!(operation.target().unwrap(), json!({"id": "1"}));
    let (asynchronous, mut operation) = crate::started();
    script(&asynchronous);
    assert_eq!(block_on(operation.target()).unwrap(), json!({"id": "1"}));

    assert_eq!(blocking.sent_at(), asynchronous.sent_at());
    assert_eq!(blocking.waits(), asynchronous.waits());
    let uris = |client: &ScriptedClient| -> Vec<_> {
        client.requests().iter().map(|request| request.uri().clone()).collect()
    };
    assert_eq!(uris(&blocking), uris(&asynchronous));
}

#[test]
fn updates_are_an_iterator() {
    let (client, mut operation) = started();
    client.answer(in_progress()).answer(in_progress()).answer(failed("a", "b"));
    let statuses: Vec<_> = operation
        .updates()
        .map(|update| update.unwrap().operation().unwrap().status.to_string())
        .collect();
    assert_eq!(statuses, ["inProgress", "inProgress", "failed"]);
    assert!(gaps(&client).iter().all(|&gap| gap > seconds(30)));
    assert_eq!(operation.wait().unwrap_err().kind(), ErrorKind::Failed);
    assert!(operation.poll().unwrap().is_terminal());
    assert_eq!(client.requests().len(), 3);
}

#[test]
fn deadline_resumption_and_the_end_at_once() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(50)));
    client.answer(in_progress()).answer(in_progress()).answer(in_progress());
    let error = operation.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_last_check(&client, seconds(50), seconds(3));

    let token: ResumeToken = error.resume_token().unwrap().to_string().parse().unwrap();
    client.answer(succeeded("/teams('1')"));
    let completed = Operation::resume(client.clone(), token).unwrap().wait().unwrap();
    assert_eq!(completed.target_location(), Some("/teams('1')"));

    let mut operation =
        Operation::from_response(client.clone(), json_answer(201, &json!({"id": "2"}))).unwrap();
    assert_eq!(operation.target().unwrap(), json!({"id": "2"}));
    assert!(operation.updates().next().is_none());
    let operation = Operation::from_location(client, LOCATION).unwrap();
    assert_eq!(operation.operation_id(), Some("2"));
}

#[test]
fn an_error_ends_the_updates_and_new_ones_continue() {
    let (client, mut operation) = started();
    client.answer(status(403)).answer(succeeded("/teams('1')"));
    let mut updates = operation.updates();
    assert_eq!(updates.next().unwrap().unwrap_err().kind(), ErrorKind::Rejected);
    assert!(updates.next().is_none());
    assert_eq!(client.requests().len(), 1);
    assert!(operation.updates().next().unwrap().unwrap().is_terminal());
}

#[test]
fn a_client_behind_pointers_keeps_its_clock() {
    let client = ScriptedClient::new();
    let pointer = std::sync::Arc::new(Box::new(client.clone()));
    let mut operation = Operation::from_response(pointer, accepted(LOCATION)).unwrap();
    client.advance(seconds(60));
    client.answer(in_progress());
    let update = operation.poll().unwrap();
    assert_eq!(update.waited(), seconds(60));
}
