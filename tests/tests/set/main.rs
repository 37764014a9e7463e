//! Sets of operations in virtual time, with the scripted client and over HTTP.

#![allow(missing_docs)]
#![allow(clippy::unchecked_time_subtraction, reason = "a difference below zero is a failed test")]

mod answers;
mod blocking;
mod by_hand;
mod driving;
mod dropping;
mod guarded;
mod keys;
mod machine;
mod memory;
mod pace;
mod panics;
mod saved;
mod starts;
mod throttled;

use std::time::Duration;

use bytes::Bytes;
use graph_operation::testing::{ScriptedClient, block_on, json_answer};
use graph_operation::{Completed, Operation, OperationSet, Result};
use http::Response;
use serde_json::Value;

/// The address of an operation of a team of its own.
fn location(at: usize) -> String {
    format!("/teams('{at}')/operations('{at}')")
}

fn operation(client: &ScriptedClient, at: usize) -> Operation {
    Operation::from_location(client.clone(), location(at)).unwrap()
}

/// A set that follows `count` operations, each of a team of its own.
fn running(client: &ScriptedClient, count: usize) -> OperationSet<usize> {
    let mut set = OperationSet::new(client.clone());
    for at in 0..count {
        set.insert(at, operation(client, at)).unwrap();
    }
    set
}

type End<K> = (K, Result<Completed>);

/// Drives a set until it is empty.
fn ends<K: Clone + Eq + std::hash::Hash + Send>(set: &mut OperationSet<K>) -> Vec<End<K>> {
    block_on(async {
        let mut ends = Vec::new();
        while let Some(end) = set.next().await {
            ends.push(end);
        }
        ends
    })
}

/// The response to a batch, of these items.
fn batch(responses: &Value) -> Response<Bytes> {
    json_answer(200, &serde_json::json!({ "responses": responses }))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
