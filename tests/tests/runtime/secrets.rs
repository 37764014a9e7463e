//! Secrets in what a service or a client sends, and everything that an operation shows.

use std::fmt::Write as _;

use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, Poller, Started, Target, accept};
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, in_progress, json_answer, status, succeeded, with_header,
};
use graph_operation::{Error, Operation, Polling, Result, TeamsAsyncOperation};
use http::{Response, Uri};
use serde_json::json;

use crate::tracing::log_of;
use crate::{LOCATION, OPERATION, begin, drain};

const SECRET: &str = "of-great-value";

/// Addresses with the secret in each place that can hold one.
fn addresses() -> Vec<String> {
    [
        "/teams('1')/operations('2')?sessionId=SECRET",
        "https://graph.microsoft.com/v1.0/operations('2')?tempauth=SECRET",
        "https://graph.microsoft.com/v1.0/operations('2')?tempauth=SECRET#SECRET",
        "https://user:SECRET@graph.microsoft.com/v1.0/operations('2')",
        "https://SECRET@elsewhere.example/operations('2')",
        "https://elsewhere.example/operations('2')?tempauth=SECRET",
        "https:\\\\user:SECRET@elsewhere.example\\operations('2')?tempauth=SECRET",
        "//user:SECRET@elsewhere.example/operations('2')",
        "http://[not an address/operations?tempauth=SECRET",
        "/operations('2')/../..?tempauth=SECRET",
    ]
    .map(|address| address.replace("SECRET", SECRET))
    .into()
}

/// Responses that hold the secret in a header, or in a body that is not read.
fn responses() -> Vec<Response<Bytes>> {
    let header = |response, name| with_header(response, name, SECRET);
    let body = |text: &str| Response::new(Bytes::from(text.replace("SECRET", SECRET)));
    let mut responses = vec![
        header(in_progress(), "set-cookie"),
        header(status(401), "www-authenticate"),
        header(status(503), "x-ms-diagnostics"),
        header(status(429), "retry-after"),
        header(status(204), "set-cookie"),
        body("<html>SECRET</html>"),
        body(r#"{"status":{"SECRET":1}}"#),
        body(r#"{"status":"running","SECRET"}"#),
        body(r#"["SECRET"]"#),
        body("\"SECRET\""),
    ];
    for address in addresses() {
        responses.push(with_header(status(307), "location", &address));
        responses.push(json_answer(
            200,
            &json!({ "status": "succeeded", "targetResourceLocation": address }),
        ));
    }
    responses
}

fn show_error(shown: &mut String, error: &Error) {
    let _ = writeln!(shown, "{error} {error:#} {error:?} {:?}", error.location());
    let _ = writeln!(shown, "{:?} {:?}", error.resume_token(), error.graph_error());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let _ = writeln!(shown, "{error} {error:?}");
        source = error.source();
    }
}

fn show_outcome<T>(shown: &mut String, outcome: Result<T>) -> Option<T> {
    outcome.inspect_err(|error| show_error(shown, error)).ok()
}

/// Follows an operation to its target, and shows everything on the way.
fn follow(shown: &mut String, mut operation: Operation) {
    for _ in 0..2 {
        let _ = writeln!(shown, "{operation:?} {:?}", operation.resume_token());
        let update = block_on(operation.poll());
        let _ = show_outcome(shown, update.map(|update| format!("{update:?}")));
        let _ = writeln!(shown, "{:?}", operation.update().fault());
    }
    operation.set_polling(Polling::default().retries(1).target_patience(crate::seconds(9)));
    let _ = show_outcome(shown, block_on(operation.wait()));
    if let Some(completed) = show_outcome(shown, block_on(operation.into_future())) {
        let _ = writeln!(shown, "{completed:?}");
        let _ = show_outcome(shown, block_on(completed.target()));
    }
}

/// The machine as plain data, without a handle.
fn show_protocol(shown: &mut String, response: &Response<Bytes>) {
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let answer = Answer::from(response.clone());
    let _ = writeln!(shown, "{answer:?}");
    let Some(accepted) = show_outcome(shown, accept(&root, answer)) else { return };
    let _ = writeln!(shown, "{accepted:?}");
    if let Accepted::Started(started) = accepted {
        let now = std::time::Instant::now();
        let poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 1);
        let _ = writeln!(shown, "{poller:?}");
    }
}

/// What the machines make of a response to a check and to a request for the target.
fn show_events(shown: &mut String, response: &Response<Bytes>) {
    let (address, now) = (Uri::from_static(OPERATION), std::time::Instant::now());
    let mut target = Target::new(address.clone(), Polling::default(), now, 1);
    let _ = writeln!(shown, "{:?}", target.received(response.clone(), now));
    let started = Started::at(address);
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 1);
    let _ = writeln!(shown, "{:?}", poller.received(response.clone(), now));
}

fn assert_hidden(shown: &str, of: &dyn std::fmt::Debug) {
    assert!(!shown.contains(SECRET), "{of:?}:\n{shown}");
}

#[test]
fn no_address_of_an_operation_is_shown_with_its_secrets() {
    for address in addresses() {
        let mut shown = String::new();
        let log = log_of(|| {
            let response = with_header(accepted(&address), "set-cookie", SECRET);
            show_protocol(&mut shown, &response);
            let client = ScriptedClient::new();
            if let Some(operation) = show_outcome(&mut shown, begin(&client, response)) {
                client.answer(in_progress()).fail("connection reset");
                client.answer(succeeded("/teams('1')")).answer(status(403));
                follow(&mut shown, operation);
            }
            let client = ScriptedClient::new();
            let located = Operation::from_location(client, &address);
            let _ = show_outcome(&mut shown, located.map(|operation| format!("{operation:?}")));
        });
        assert_hidden(&shown, &address);
        assert_hidden(&log, &address);
    }
}

#[test]
fn no_response_is_shown_with_its_secrets() {
    for response in responses() {
        let mut shown = String::new();
        let log = log_of(|| {
            show_protocol(&mut shown, &response);
            show_events(&mut shown, &response);
            let client = ScriptedClient::new();
            let _ = show_outcome(
                &mut shown,
                begin(&client, response.clone()).map(|operation| format!("{operation:?}")),
            );
            let operation = begin(&client, accepted(LOCATION)).expect("a 202 with a Location");
            for _ in 0..4 {
                client.answer(response.clone());
            }
            follow(&mut shown, operation);
            drain(&client);

            // The same response to the request for the target.
            let mut operation = begin(&client, accepted(LOCATION)).expect("a 202 with a Location");
            client.answer(succeeded("/teams('1')")).answer(response.clone());
            let target: Result<serde_json::Value> = block_on(operation.target());
            let _ = show_outcome(&mut shown, target);
        });
        assert_hidden(&shown, &response.status());
        assert_hidden(&log, &response.status());
    }
}
