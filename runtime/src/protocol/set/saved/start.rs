//! A start of a saved set.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Reader;
use crate::protocol::attempts::Attempts;
use crate::protocol::backoff::Jitter;
use crate::protocol::clock::Clock;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::location;
use crate::protocol::polling::Polling;
use crate::protocol::recorded::{SavedBody, invalid_data};
use crate::protocol::saved::is_default;
use crate::protocol::start::Start;
use crate::protocol::step::Reason;

/// A start that the set sends itself. Its times count from the first request.
#[allow(clippy::struct_excessive_bools, reason = "they are those of the machine")]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedStart {
    method: String,
    url: String,
    headers: Vec<(String, SavedBody)>,
    #[serde(default, skip_serializing_if = "is_default")]
    body: SavedBody,
    idempotent: bool,
    pub(super) policy: u32,
    pub(super) age: Elapsed,
    now: Elapsed,
    pub(super) due: Elapsed,
    asked: bool,
    sent: u32,
    faults: u32,
    renewed: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    begun: bool,
    jitter: u64,
    /// Whether it is sent as a separate request.
    pub(super) alone: bool,
    pub(super) turn: SavedTurn,
}

/// The progress of a start.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SavedTurn {
    /// It has not been sent yet.
    Queued,
    /// It waits for a retry.
    Again,
    UnderWay,
}

impl SavedStart {
    pub(super) fn of(
        start: &Start,
        policy: u32,
        now: Instant,
        alone: bool,
        turn: SavedTurn,
    ) -> Self {
        let request = &start.request;
        let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
        let headers = request.headers().iter();
        let headers =
            headers.filter(|(name, value)| !secret.contains(name) && !value.is_sensitive());
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), (&Bytes::copy_from_slice(value.as_bytes())).into())
        });
        let attempts = &start.attempts;
        SavedStart {
            method: request.method().to_string(),
            url: request.uri().to_string(),
            headers: headers.collect(),
            body: request.body().into(),
            idempotent: start.idempotent,
            policy,
            age: attempts.clock.elapsed(now),
            now: attempts.now,
            due: attempts.due,
            asked: attempts.why == Reason::RetryAfter,
            sent: attempts.sent,
            faults: attempts.faults,
            renewed: attempts.renewed,
            begun: start.begun,
            jitter: attempts.jitter.state(),
            alone,
            turn,
        }
    }

    pub(super) fn restored(
        self,
        reader: &'static Reader,
        root: &Uri,
        policy: Polling,
        now: Instant,
    ) -> Result<Start, Error> {
        let mut request = Request::new(self.body.into());
        *request.method_mut() = self.method.parse::<Method>().map_err(|_| unusable())?;
        *request.uri_mut() = self.url.parse::<Uri>().map_err(|_| unusable())?;
        for (name, value) in self.headers {
            let name = name.parse::<HeaderName>().map_err(|_| unusable())?;
            let value = HeaderValue::from_maybe_shared(Bytes::from(value));
            request.headers_mut().append(name, value.map_err(|_| unusable())?);
        }
        location::check(root, request.uri()).map_err(|error| unusable().with_source(error))?;
        Ok(Start {
            root: root.clone(),
            monitor: reader.monitor,
            request: Arc::new(request),
            idempotent: self.idempotent,
            policy,
            attempts: Attempts {
                clock: Clock::new(now, self.age),
                now: self.now,
                due: self.due,
                why: if self.asked { Reason::RetryAfter } else { Reason::Backoff },
                sent: self.sent,
                faults: self.faults,
                renewed: self.renewed,
                jitter: Jitter::new(self.jitter),
            },
            begun: self.begun,
            done: None,
        })
    }
}

fn unusable() -> Error {
    invalid_data("the request of a start is not usable")
}
