//! A machine of the protocol, driven by the steps of a journal.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{Event, Machine, Recorded, Step};
use graph_operation::{Client, Error};
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the worker needs from an engine.
pub trait Journal: Sync {
    /// Why the engine stops the invocation.
    type Error: Send;

    /// Does `work`, unless the journal has its result from before a crash. The result is journaled
    /// before it is returned.
    fn step<T, F>(
        &self,
        name: &'static str,
        work: F,
    ) -> impl Future<Output = Result<T, Self::Error>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = T> + Send + 'static;

    /// Sleeps, even across crashes.
    fn sleep(&self, pause: Duration) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Converts between the journal's wall-clock times and instants. Only differences matter, so the
/// base is arbitrary.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    at: SystemTime,
    instant: Instant,
}

impl Clock {
    /// A clock whose arbitrary instant is `at`, since the Unix epoch.
    #[must_use]
    pub fn since(at: Duration) -> Self {
        Self { at: UNIX_EPOCH + at, instant: Instant::now() }
    }

    /// The instant of a wall-clock time.
    #[must_use]
    pub fn instant(&self, time: SystemTime) -> Instant {
        self.instant + time.duration_since(self.at).unwrap_or_default()
    }

    /// The wall-clock time at an instant, since the Unix epoch.
    #[must_use]
    pub fn wall(&self, instant: Instant) -> Duration {
        let time = self.at + instant.saturating_duration_since(self.instant);
        time.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The instant of the clock's base.
    #[must_use]
    pub fn base(&self) -> Instant {
        self.instant
    }
}

/// What a machine did in one turn.
#[derive(Debug)]
pub enum Asked<A> {
    /// Nothing is due for this long.
    Wait(Duration),
    /// A request was sent, or may have been.
    Sent(Event<A>),
    /// There is nothing more to do.
    Done(Result<(), Error>),
}

/// The wall-clock time, read inside a step.
pub(crate) async fn now<J: Journal>(journal: &J) -> Result<Duration, J::Error> {
    journal.step("now", async { UNIX_EPOCH.elapsed().unwrap_or_default() }).await
}

/// The intent to send a request.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The time, since the Unix epoch.
    pub(crate) at: Duration,
    /// Whether this process wrote it, instead of one that has died.
    here: Arc<AtomicBool>,
}

/// Journals the intent to send what is due, with its time.
pub(crate) async fn intend<J: Journal>(journal: &J) -> Result<Intent, J::Error> {
    let here = Arc::new(AtomicBool::new(false));
    let written = Arc::clone(&here);
    let intent = async move {
        written.store(true, Ordering::Relaxed);
        UNIX_EPOCH.elapsed().unwrap_or_default()
    };
    Ok(Intent { at: journal.step("intent", intent).await?, here })
}

/// Sends a request, and journals its result.
///
/// If the journal has the intent but not the response, the process that wrote the intent has died.
/// It is unknown whether it sent the request, so the request is not retried at once: the machine is
/// told that it failed, and decides. No two checks are closer than the policy allows, and a request
/// that is not idempotent is not retried blindly.
pub(crate) async fn send<C: Client<Error = Error>, J: Journal>(
    journal: &J,
    client: &C,
    intent: &Intent,
    request: Request<Bytes>,
) -> Result<Recorded, J::Error> {
    let (here, client) = (Arc::clone(&intent.here), client.clone());
    let send = async move {
        let outcome = if here.load(Ordering::Relaxed) {
            client.send(request).await
        } else {
            Err(Error::transport("the worker died, perhaps while sending"))
        };
        // The interval counts from the latest time at which the service can have received the
        // request, so that the next check does not follow a slow request too closely.
        let now = SystemTime::now();
        Recorded::new(&outcome, now, now)
    };
    journal.step("send", send).await
}

/// Renews the credential that a response refused, if it can be renewed.
pub(crate) async fn renew<C: Client<Error = Error>, J: Journal>(
    journal: &J,
    client: &C,
    response: &Response<Bytes>,
) -> Result<bool, J::Error> {
    let (client, response) = (client.clone(), response.clone());
    journal.step("renew", async move { client.unauthorized(&response).await }).await
}

/// Sends what is due, in two steps: the intent with its time, and the request.
///
/// # Errors
///
/// The journal's.
pub async fn ask<C: Client<Error = Error>, M: Machine + Send, J: Journal>(
    journal: &J,
    client: &C,
    machine: &mut M,
    clock: Clock,
) -> Result<Asked<M::Answer>, J::Error>
where
    M::Answer: Send,
{
    let intent = intend(journal).await?;
    let request = match machine.next(clock.instant(UNIX_EPOCH + intent.at)) {
        Step::Wait(pause, _) => return Ok(Asked::Wait(pause)),
        Step::Done(result) => return Ok(Asked::Done(result)),
        Step::Send(check) => check.request(),
    };
    let recorded = send(journal, client, &intent, request).await?;
    let event = machine.replay(recorded, |time| clock.instant(time));
    let Event::Unauthorized(response) = event else { return Ok(Asked::Sent(event)) };
    let renewed = renew(journal, client, &response).await?;
    let now = machine.latest();
    Ok(Asked::Sent(machine.authorized(&response, renewed, now)))
}
