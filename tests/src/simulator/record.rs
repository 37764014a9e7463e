//! What has happened, for test code and for the control routes.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, Method, header};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{fault::Fault, operation::Operation, options::Behaviour, plan::Occasion};

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
    /// Its purpose, if the simulator knows the path.
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
    /// The status of the answer; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// What was wrong with the answer.
    pub fault: Option<Fault>,
    /// Whether it was refused for exceeding the rate.
    pub refused: bool,
    /// Its body; that of a request inside a batch is the item's.
    pub body: Bytes,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// Which token came: `token-1` for the first one that the simulator saw, and so on.
    pub token: Option<String>,
    /// Where it was in a batch, if it came in one.
    pub batch: Option<BatchItem>,
    /// Which origin it reached.
    pub origin: Origin,
}

/// An origin of the simulator that is meant to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The service's own.
    #[default]
    Service,
    /// That of the monitors of drive items, which takes no token.
    Monitor,
}

/// A request's place in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchItem {
    /// The index of the envelope among all recorded requests.
    pub envelope: usize,
    /// The request's id.
    pub id: String,
}

/// How many requests of each kind the simulator received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// HTTP requests to the service, a batch as one.
    pub requests: u64,
    /// Batches among them.
    pub batches: u64,
    /// Requests inside batches.
    pub items: u64,
    /// Requests that were refused for exceeding the rate, those inside batches included.
    pub refused: u64,
    /// Checks of operations, alone or inside batches, at the service or at a monitor.
    pub checks: u64,
    /// Starting requests, alone or inside batches.
    pub starts: u64,
    /// HTTP requests to the monitors of drive items.
    pub monitors: u64,
}

impl Counts {
    pub(super) fn of(requests: &[Recorded]) -> Self {
        let mut counts = Self::default();
        for request in requests {
            let one = |is: bool| u64::from(is);
            let is_service = request.origin == Origin::Service;
            counts.requests += one(is_service && request.batch.is_none());
            counts.batches += one(request.occasion == Some(Occasion::Batch));
            counts.items += one(request.batch.is_some());
            counts.refused += one(request.refused);
            counts.checks += one(request.occasion == Some(Occasion::Check));
            counts.starts += one(request.occasion == Some(Occasion::Start));
            counts.monitors += one(!is_service);
        }
        counts
    }

    pub(super) fn json(self) -> Value {
        json!({
            "requests": self.requests,
            "batches": self.batches,
            "items": self.items,
            "refused": self.refused,
            "checks": self.checks,
            "starts": self.starts,
            "monitors": self.monitors,
        })
    }
}

/// A request that reached the other origin, as none should.
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

/// An operation, and the counts of its checks.
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
    /// Decides the request's fault, unless its batch has given it one.
    pub(super) fn draw(
        &mut self,
        behaviour: &Behaviour,
        occasion: Occasion,
        subject: &str,
        salt: u64,
    ) {
        if self.fault.is_none()
            && let Some(plan) = &behaviour.faults
        {
            let fault = plan.fault_about(occasion, subject, self.nth, salt);
            self.fault = fault.filter(|fault| self.batch.is_some() || !fault.is_of_items());
        }
    }

    /// JSON as JSON, other text as text, nothing as null.
    fn shown_body(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned().into())
    }

    /// A token is named, not shown.
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
            "refused": self.refused,
            "body": self.shown_body(),
            "userAgent": self.user_agent,
            "token": self.token,
            "batch": self.batch.as_ref().map(|item| json!({ "envelope": item.envelope, "id": item.id })),
            "origin": match self.origin {
                Origin::Service => "service",
                Origin::Monitor => "monitor",
            },
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

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

pub(super) fn authorization(headers: &HeaderMap) -> Option<String> {
    text(headers, &header::AUTHORIZATION)
}
