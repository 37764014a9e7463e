//! What has happened, for test code and for the report of a separate process.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, Method, header};
use serde_json::{Value, json};

use super::{fault::Fault, operation::Operation, plan::Occasion};

/// A request that the simulator received, and how it was answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// When it was received.
    pub at: Instant,
    /// Its method.
    pub method: Method,
    /// Its path and query, as sent.
    pub path: String,
    /// What it was about, where the simulator knows the path.
    pub occasion: Option<Occasion>,
    /// Which request of its occasion and subject it was, counted from one.
    pub nth: u64,
    /// The id of the operation that it started or read.
    pub operation: Option<String>,
    /// Its `Authorization`.
    pub authorization: Option<String>,
    /// Its `Prefer`.
    pub prefer: Option<String>,
    /// Its `client-request-id`.
    pub client_request_id: Option<String>,
    /// The `request-id` that it was answered with.
    pub request_id: String,
    /// The status of the answer; `None` where the connection was closed without one.
    pub status: Option<u16>,
    /// What was wrong with the answer.
    pub fault: Option<Fault>,
}

/// A request that reached the other origin: nothing should.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ForeignRequest {
    /// When it was received.
    pub at: Instant,
    /// Its method.
    pub method: Method,
    /// Its path and query, as sent.
    pub path: String,
    /// The `Authorization` that it gave away.
    pub authorization: Option<String>,
}

/// An operation, and what its checks amounted to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationReport {
    /// Its id.
    pub id: String,
    /// Its type, as a client that asks for all members of the enumeration reads it.
    pub operation_type: &'static str,
    /// The id of what it is about.
    pub target_id: String,
    /// When it was started.
    pub started: Instant,
    /// The checks, faulty ones included.
    pub checks: u64,
    /// The checks that were answered with a fault.
    pub faults: u64,
    /// The true answers that showed the operation's end.
    pub ends: u64,
    /// The status that the last true answer showed.
    pub last_status: Option<String>,
    /// The shortest time between two checks.
    pub closest_checks: Option<Duration>,
}

impl OperationReport {
    pub(super) fn of(operation: &Operation) -> Self {
        let tally = operation.tally.clone();
        Self {
            id: operation.id().to_owned(),
            operation_type: operation.kind.name(),
            target_id: operation.target.key().to_owned(),
            started: operation.started,
            checks: tally.checks,
            faults: tally.faults,
            ends: tally.ends,
            last_status: tally.told,
            closest_checks: tally.closest,
        }
    }

    pub(super) fn json(&self, epoch: Instant) -> Value {
        json!({
            "id": self.id,
            "operationType": self.operation_type,
            "targetId": self.target_id,
            "startedMs": millis(self.started.saturating_duration_since(epoch)),
            "checks": self.checks,
            "faults": self.faults,
            "ends": self.ends,
            "lastStatus": self.last_status,
            "closestChecksMs": self.closest_checks.map(millis),
        })
    }
}

impl Recorded {
    /// In the report, credentials are told of by their presence alone.
    pub(super) fn json(&self, epoch: Instant) -> Value {
        json!({
            "atMs": millis(self.at.saturating_duration_since(epoch)),
            "method": self.method.as_str(),
            "path": self.path,
            "occasion": self.occasion.map(Occasion::name),
            "nth": self.nth,
            "operation": self.operation,
            "authorized": self.authorization.is_some(),
            "prefer": self.prefer,
            "clientRequestId": self.client_request_id,
            "requestId": self.request_id,
            "status": self.status,
            "fault": self.fault.as_ref().map(ToString::to_string),
        })
    }
}

impl ForeignRequest {
    pub(super) fn json(&self, epoch: Instant) -> Value {
        json!({
            "atMs": millis(self.at.saturating_duration_since(epoch)),
            "method": self.method.as_str(),
            "path": self.path,
            "authorized": self.authorization.is_some(),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

pub(super) fn authorization(headers: &HeaderMap) -> Option<String> {
    text(headers, &header::AUTHORIZATION)
}
