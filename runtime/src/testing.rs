//! A scripted client with a virtual clock, for tests of annotated functions without a network, a
//! runtime or delays.
//!
//! ```
//! # #[cfg(not(feature = "macros"))]
//! # fn main() {}
//! # #[cfg(feature = "macros")]
//! # fn main() -> graph_operation::Result<()> {
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use graph_operation::testing::{self, ScriptedClient};
//! use graph_operation::{Client, ErrorKind, Result, async_operation};
//! use http::{Method, Request};
//!
//! // The code under test: a library's client, over whatever sends its requests.
//! struct Teams<C> {
//!     client: C,
//! }
//!
//! impl<C: Client> Teams<C> {
//!     #[async_operation(client = self.client)]
//!     async fn archive(&self, team_id: &str) -> Result<Request<Bytes>> {
//!         self.client.request(Method::POST, ["teams", team_id, "archive"])
//!     }
//! }
//!
//! // A test: what the service answers, in order.
//! let client = ScriptedClient::new();
//! client
//!     .answer(testing::accepted("/teams('1')/operations('2')"))
//!     .answer(testing::in_progress())
//!     .fail("connection reset")
//!     .answer(testing::succeeded("/teams('1')"));
//! let teams = Teams { client: client.clone() };
//!
//! let completed = testing::block_on(async { teams.archive("1").await?.await })?;
//!
//! assert_eq!(completed.target_location(), Some("/teams('1')"));
//! let requests = client.requests();
//! assert_eq!(requests.len(), 4); // the request, and three checks
//! assert_eq!(requests[0].uri(), "https://graph.microsoft.com/v1.0/teams/1/archive");
//! assert!(client.waits()[1..].iter().all(|&wait| wait > Duration::from_secs(30)));
//!
//! // Another: the operation fails.
//! client
//!     .answer(testing::accepted("/teams('1')/operations('3')"))
//!     .answer(testing::failed("TeamUnavailable", "The team was not found."));
//! let error = testing::block_on(async { teams.archive("1").await?.await }).unwrap_err();
//! assert_eq!((error.kind(), error.code()), (ErrorKind::Failed, Some("TeamUnavailable")));
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use crate::protocol::base64::encode;
use crate::{Client, Error, Result};

/// A client that answers from a script and sleeps in virtual time.
///
/// Clones share the script, the clock and the records. A request for which the script has no answer
/// left fails, and is not retried.
#[derive(Clone)]
pub struct ScriptedClient {
    service_root: Uri,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    start: Instant,
    elapsed: Duration,
    script: VecDeque<Scripted>,
    batch_script: VecDeque<Scripted>,
    requests: Vec<Request<Bytes>>,
    batches: Vec<Vec<Request<Bytes>>>,
    sent_at: Vec<Duration>,
    waits: Vec<Duration>,
    seeds: u64,
    yielding: bool,
    /// Requests that pend.
    in_flight: usize,
}

enum Scripted {
    Answer(Response<Bytes>),
    Failure(String),
}

impl ScriptedClient {
    /// A client of `https://graph.microsoft.com/v1.0` with an empty script.
    pub fn new() -> Self {
        Self::with_service_root(Uri::from_static("https://graph.microsoft.com/v1.0"))
    }

    /// A client of another service root.
    pub fn with_service_root(service_root: Uri) -> Self {
        ScriptedClient {
            service_root,
            shared: Arc::new(Mutex::new(Shared {
                start: Instant::now(),
                elapsed: Duration::ZERO,
                script: VecDeque::new(),
                batch_script: VecDeque::new(),
                requests: Vec::new(),
                batches: Vec::new(),
                sent_at: Vec::new(),
                waits: Vec::new(),
                seeds: 0,
                yielding: false,
                in_flight: 0,
            })),
        }
    }

    /// Makes every sleep and every request of the asynchronous client pend once, halfway through.
    /// [`interrupt`] can then drop a future at every await.
    #[must_use]
    pub fn yielding(self) -> Self {
        self.lock().yielding = true;
        self
    }

    /// Adds an answer to the script: the response to the next request that has none yet.
    pub fn answer(&self, answer: Response<Bytes>) -> &Self {
        self.lock().script.push_back(Scripted::Answer(answer));
        self
    }

    /// Adds a failure to the script, as from a broken connection.
    pub fn fail(&self, reason: impl Into<String>) -> &Self {
        self.lock().script.push_back(Scripted::Failure(reason.into()));
        self
    }

    /// Adds a response to a whole batch to the script, such as that of a service that refuses the
    /// batch.
    ///
    /// Without this, each item of a batch takes the next answer of the script; an item that would fail
    /// has no response in the batch.
    pub fn answer_batch(&self, answer: Response<Bytes>) -> &Self {
        self.lock().batch_script.push_back(Scripted::Answer(answer));
        self
    }

    /// Adds the failure of a whole batch to the script, as from a broken connection.
    pub fn fail_batch(&self, reason: impl Into<String>) -> &Self {
        self.lock().batch_script.push_back(Scripted::Failure(reason.into()));
        self
    }

    /// The requests so far; a batch is one.
    ///
    /// ```
    /// use graph_operation::testing::{ScriptedClient, block_on, succeeded};
    /// use graph_operation::{Operation, OperationSet};
    ///
    /// # fn main() -> graph_operation::Result<()> {
    /// let client = ScriptedClient::new();
    /// let mut set = OperationSet::new(client.clone());
    /// for team in ["1", "2"] {
    ///     let location = format!("/teams('{team}')/operations('3')");
    ///     set.insert(team, Operation::from_location(client.clone(), location)?).unwrap();
    ///     client.answer(succeeded(&format!("/teams('{team}')")));
    /// }
    /// block_on(async { while set.next().await.is_some() {} });
    /// assert_eq!(client.requests().len(), 1);
    /// assert_eq!(client.batches()[0].len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.lock().requests.clone()
    }

    /// The batches so far, each as the requests in it.
    pub fn batches(&self) -> Vec<Vec<Request<Bytes>>> {
        self.lock().batches.clone()
    }

    /// When the requests were sent, by the virtual clock, counted from the client's creation.
    pub fn sent_at(&self) -> Vec<Duration> {
        self.lock().sent_at.clone()
    }

    /// The sleeps so far.
    pub fn waits(&self) -> Vec<Duration> {
        self.lock().waits.clone()
    }

    /// How far the virtual clock has advanced.
    pub fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    /// Advances the virtual clock.
    pub fn advance(&self, time: Duration) {
        let mut shared = self.lock();
        shared.elapsed = shared.elapsed.saturating_add(time);
    }

    /// How many answers the script still has.
    pub fn remaining(&self) -> usize {
        self.lock().script.len()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request, and the items of a batch. Returns the ids of the items.
    fn record(&self, request: Request<Bytes>) -> Option<Vec<Value>> {
        let items = batch_items(&request);
        let mut shared = self.lock();
        let elapsed = shared.elapsed;
        shared.sent_at.push(elapsed);
        if let Some(items) = &items {
            let base = request.uri().to_string();
            let base = base.strip_suffix("/$batch").unwrap_or_default();
            shared.batches.push(items.iter().map(|item| item_request(base, item)).collect());
        }
        shared.requests.push(request);
        items.map(|items| items.into_iter().map(|mut item| item["id"].take()).collect())
    }

    fn reply(&self, batch: Option<Vec<Value>>) -> Result<Response<Bytes>> {
        let mut shared = self.lock();
        let Some(ids) = batch else {
            return match shared.script.pop_front() {
                Some(Scripted::Answer(answer)) => Ok(answer),
                Some(Scripted::Failure(reason)) => Err(Error::transport(reason)),
                None => {
                    let sent = shared.requests.last();
                    let sent = sent.map(|last| format!("{} {}", last.method(), last.uri()));
                    let reason =
                        format!("the script has no answer to {}", sent.unwrap_or_default());
                    Err(Error::transport(reason).with_retryable(false))
                }
            };
        };
        match shared.batch_script.pop_front() {
            Some(Scripted::Answer(answer)) => return Ok(answer),
            Some(Scripted::Failure(reason)) => return Err(Error::transport(reason)),
            None => {}
        }
        let responses = ids.into_iter().filter_map(|id| match shared.script.pop_front() {
            Some(Scripted::Answer(answer)) => Some(item_response(&id, &answer)),
            Some(Scripted::Failure(_)) => None,
            // A status that is not retried.
            None => {
                let error = graph_error(501, "noAnswer", "The script has no answer to this.");
                Some(item_response(&id, &error))
            }
        });
        let responses: Vec<_> = responses.collect();
        Ok(json_answer(200, &json!({ "responses": responses })))
    }

    fn slept(&self, time: Duration) {
        self.lock().waits.push(time);
        self.advance(time);
    }

    fn time(&self) -> Instant {
        let shared = self.lock();
        shared.start.checked_add(shared.elapsed).unwrap_or(shared.start)
    }

    /// The virtual clock as a wall clock, which starts at the beginning of 2026.
    fn wall_clock(&self) -> SystemTime {
        let start = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        start.checked_add(self.lock().elapsed).unwrap_or(start)
    }

    fn seed(&self) -> u64 {
        let mut shared = self.lock();
        shared.seeds += 1;
        shared.seeds
    }
}

impl Default for ScriptedClient {
    fn default() -> Self {
        Self::new()
    }
}

impl Client for ScriptedClient {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let batch = self.record(request);
        if self.lock().yielding {
            let _in_flight = InFlight::new(self);
            yield_once().await;
        }
        self.reply(batch)
    }

    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(self, request).await
    }

    async fn sleep(&self, duration: Duration) {
        if self.lock().yielding {
            // A request that was sent before takes no time.
            if self.lock().in_flight > 0 {
                yield_once().await;
            }
            let rest = duration / 2;
            self.advance(duration.saturating_sub(rest));
            yield_once().await;
            self.lock().waits.push(duration);
            self.advance(rest);
        } else {
            self.slept(duration);
        }
    }

    // Only sleeps advance the clock, so a request takes no time.
    fn time_limit(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    fn now(&self) -> Instant {
        self.time()
    }

    fn system_time(&self) -> SystemTime {
        self.wall_clock()
    }

    fn is_transient(&self, error: &Error) -> bool {
        error.is_retryable()
    }

    fn random(&self) -> u64 {
        self.seed()
    }
}

#[cfg(feature = "blocking")]
impl crate::blocking::Client for ScriptedClient {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let batch = self.record(request);
        self.reply(batch)
    }

    fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        crate::blocking::Client::send(self, request)
    }

    fn sleep(&self, duration: Duration) {
        self.slept(duration);
    }

    fn now(&self) -> Instant {
        self.time()
    }

    fn system_time(&self) -> SystemTime {
        self.wall_clock()
    }

    fn is_transient(&self, error: &Error) -> bool {
        error.is_retryable()
    }

    fn random(&self) -> u64 {
        self.seed()
    }
}

impl fmt::Debug for ScriptedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("ScriptedClient")
            .field("service_root", &self.service_root)
            .field("elapsed", &shared.elapsed)
            .field("requests", &shared.requests.len())
            .field("remaining", &shared.script.len())
            .finish_non_exhaustive()
    }
}

/// Counts a request as in flight.
struct InFlight<'a>(&'a ScriptedClient);

impl<'a> InFlight<'a> {
    fn new(client: &'a ScriptedClient) -> Self {
        client.lock().in_flight += 1;
        InFlight(client)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

/// The items of a batch; `None` for any other request.
fn batch_items(request: &Request<Bytes>) -> Option<Vec<Value>> {
    if request.method() != Method::POST || !request.uri().path().ends_with("/$batch") {
        return None;
    }
    match serde_json::from_slice::<Value>(request.body()).ok()?.get_mut("requests")?.take() {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// An item of a batch as the request that it stands for.
fn item_request(base: &str, item: &Value) -> Request<Bytes> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = match &item["body"] {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let mut request = Request::builder()
        .method(text(&item["method"]).as_str())
        .uri(format!("{base}{}", text(&item["url"])));
    for (name, value) in item["headers"].as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    request.body(body).unwrap_or_default()
}

/// A response as an item of a batch response.
fn item_response(id: &Value, answer: &Response<Bytes>) -> Value {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers = serde_json::Map::new();
    for name in answer.headers().keys() {
        let values: Vec<_> = answer.headers().get_all(name).iter().map(text).collect();
        headers.insert(name.to_string(), values.join(", ").into());
    }
    let mut item = json!({ "id": id, "status": answer.status().as_u16(), "headers": headers });
    if !answer.body().is_empty() {
        item["body"] =
            serde_json::from_slice(answer.body()).unwrap_or_else(|_| encode(answer.body()).into());
    }
    item
}

/// A 202 with this `Location`.
pub fn accepted(location: &str) -> Response<Bytes> {
    with_header(status(202), "location", location)
}

/// A response to a check: a `teamsAsyncOperation` in progress.
pub fn in_progress() -> Response<Bytes> {
    operation(&json!({ "status": "inProgress" }))
}

/// A response to a check: a `teamsAsyncOperation` that has succeeded, with its target at this
/// address.
pub fn succeeded(target_location: &str) -> Response<Bytes> {
    operation(&json!({ "status": "succeeded", "targetResourceLocation": target_location }))
}

/// A response to a check: a `teamsAsyncOperation` that has failed.
pub fn failed(code: &str, message: &str) -> Response<Bytes> {
    operation(&json!({ "status": "failed", "error": { "code": code, "message": message } }))
}

/// A response to a check: a `teamsAsyncOperation` with these properties besides the usual ones.
pub fn operation(properties: &Value) -> Response<Bytes> {
    let mut operation = json!({
        "id": "00000000-0000-0000-0000-000000000002",
        "operationType": "archiveTeam",
        "createdDateTime": "2026-01-01T00:00:00.0000001Z",
        "status": "notStarted",
        "lastActionDateTime": "2026-01-01T00:00:00.0000001Z",
        "attemptsCount": 1,
        "targetResourceId": "00000000-0000-0000-0000-000000000001",
        "targetResourceLocation": "/teams('00000000-0000-0000-0000-000000000001')",
        "error": null,
    });
    if let (Some(all), Some(properties)) = (operation.as_object_mut(), properties.as_object()) {
        all.extend(properties.clone());
    }
    json_answer(200, &operation)
}

/// A response with this status, a `StatusCode` or a number, and this JSON body.
///
/// # Panics
///
/// If the number is not a status.
pub fn json_answer(code: impl TryInto<StatusCode>, body: &Value) -> Response<Bytes> {
    let answer = status(code).map(|_| Bytes::from(body.to_string()));
    with_header(answer, "content-type", "application/json")
}

/// A Graph error response with this status, a `StatusCode` or a number.
///
/// # Panics
///
/// If the number is not a status.
pub fn graph_error(code: impl TryInto<StatusCode>, error: &str, message: &str) -> Response<Bytes> {
    json_answer(code, &json!({ "error": { "code": error, "message": message } }))
}

/// A response with this status, a `StatusCode` or a number, and an empty body.
///
/// # Panics
///
/// If the number is not a status.
pub fn status(code: impl TryInto<StatusCode>) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    let code = code.try_into().ok();
    *answer.status_mut() = code.expect("a test names a valid status");
    answer
}

/// The answer with an additional header.
///
/// # Panics
///
/// If the name or the value is not valid in a header.
#[must_use]
pub fn with_header(mut answer: Response<Bytes>, name: &str, value: &str) -> Response<Bytes> {
    let name: http::HeaderName = name.parse().expect("a test names a valid header");
    let value = value.parse().expect("a test gives a header a valid value");
    answer.headers_mut().append(name, value);
    answer
}

/// Runs a future to completion. It may only wait for a [`ScriptedClient`].
pub fn block_on<F: Future>(future: F) -> F::Output {
    crate::block_on::block_on(future)
}

/// Polls a future `polls` times and then drops it; returns `Some` if it completed before.
///
/// With a [`yielding`](ScriptedClient::yielding) client, counting up from 0 until it returns `Some`
/// drops the future at every await.
pub fn interrupt<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
