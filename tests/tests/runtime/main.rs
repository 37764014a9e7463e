//! The runtime against scripted answers, in virtual time.

#![allow(clippy::unchecked_time_subtraction, reason = "a difference below zero is a failed test")]

mod answers;
mod blocking;
mod bodies;
mod corpus;
mod defects;
mod documents;
mod dropping;
mod failures;
mod families;
mod kept;
mod locations;
mod machine;
mod pointers;
mod policy;
mod poller;
mod resuming;
mod saved;
mod secrets;
mod shown;
mod starts;
mod summaries;
mod target;
mod tracing;
mod updates;
mod verbs;

use std::time::Duration;

use bytes::Bytes;
use graph_operation::testing::{self, ScriptedClient, accepted, block_on};
use graph_operation::{Client, Operation, Result};
use http::{Request, Response, Uri};

const LOCATION: &str = "/teams('1')/operations('2')";
const OPERATION: &str = "https://graph.microsoft.com/v1.0/teams('1')/operations('2')";

/// An operation that was just accepted, and the client that its checks are scripted on.
fn started() -> (ScriptedClient, Operation) {
    let client = ScriptedClient::new();
    let operation = begin(&client, accepted(LOCATION)).expect("a 202 with a Location");
    (client, operation)
}

fn begin(client: &ScriptedClient, answer: Response<Bytes>) -> Result<Operation> {
    block_on(Operation::from_response(client.clone(), answer))
}

/// A client whose sleeps return at once, on the real clock.
#[derive(Clone)]
struct Sleepless {
    client: ScriptedClient,
    /// Calls every error final.
    stubborn: bool,
}

impl Sleepless {
    fn of(client: &ScriptedClient) -> Self {
        Sleepless { client: client.clone(), stubborn: false }
    }
}

impl Client for Sleepless {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(&self.client, request).await
    }

    async fn sleep(&self, _: Duration) {}

    fn is_transient(&self, _: &graph_operation::Error) -> bool {
        !self.stubborn
    }
}

/// The times between the requests of a client.
fn gaps(client: &ScriptedClient) -> Vec<Duration> {
    client.sent_at().windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Uses up what is left of a script.
fn drain(client: &ScriptedClient) {
    while client.remaining() > 0 {
        let _ = block_on(Client::send(client, Request::new(Bytes::new())));
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A check that finds the operation in another state than the one before did.
fn attempt(count: u32) -> Response<Bytes> {
    testing::operation(&serde_json::json!({ "status": "inProgress", "attemptsCount": count }))
}

/// The last check is made at the deadline, or at most `early` before it.
fn assert_last_check(client: &ScriptedClient, deadline: Duration, early: Duration) {
    let last = client.sent_at().pop().expect("a check");
    assert!(last <= deadline && last >= deadline - early, "{last:?} of {deadline:?}");
}
