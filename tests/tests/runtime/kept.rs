//! Requests that survive their callers, deadlines that bind them, and credentials that are renewed.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::testing::{
    accepted, block_on, graph_error, in_progress, interrupt, json_answer, status, succeeded,
    with_header,
};
use graph_operation::{Client, Error, ErrorKind, Operation, Polling, Result};
use http::{Request, Response, Uri};
use serde_json::{Value, json};

use crate::{LOCATION, seconds, started};

/// A client on tokio's paused clock whose responses take a while.
#[derive(Clone)]
struct Slow {
    root: Uri,
    sent: Arc<AtomicU32>,
    takes: Duration,
    script: Arc<Mutex<VecDeque<Response<Bytes>>>>,
    panics: Arc<AtomicBool>,
}

impl Slow {
    fn new(takes: Duration, script: impl IntoIterator<Item = Response<Bytes>>) -> Self {
        Slow {
            root: Uri::from_static("https://graph.microsoft.com/v1.0"),
            sent: Arc::default(),
            takes,
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            panics: Arc::default(),
        }
    }

    fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    async fn operation(&self) -> Operation {
        Operation::from_response(self.clone(), accepted(LOCATION)).await.unwrap()
    }
}

impl Client for Slow {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.root
    }

    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        assert!(!self.panics.load(Ordering::Relaxed), "a bug in the author's client");
        let next = self.script.lock().unwrap().pop_front();
        next.ok_or_else(|| Error::transport("the script has ended"))
    }

    fn random(&self) -> u64 {
        7
    }
}

const TICK: Duration = Duration::from_secs(1);

/// A caller who looks at something else each second.
#[tokio::test(start_paused = true)]
async fn an_impatient_caller_gets_the_answer_of_a_slow_service() {
    let client = Slow::new(Duration::from_millis(1_500), [succeeded("/teams('1')")]);
    let mut operation = client.operation().await;
    let completed = loop {
        if let Ok(completed) = tokio::time::timeout(TICK, operation.wait()).await {
            break completed.unwrap();
        }
    };
    assert_eq!(completed.target_location(), Some("/teams('1')"));
    assert_eq!((client.sent(), operation.update().checks()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_impatient_reader_of_updates_and_polls_resumes_the_request() {
    let client =
        Slow::new(Duration::from_millis(2_500), [in_progress(), in_progress(), succeeded("")]);
    let mut operation = client.operation().await;
    let mut seen = Vec::new();
    let mut updates = operation.updates();
    while seen.len() < 2 {
        if let Ok(update) = tokio::time::timeout(TICK, updates.next()).await {
            seen.push(update.unwrap().unwrap().checks());
        }
    }
    assert_eq!((seen, client.sent()), (vec![1, 2], 2));
    // A poll resumes what a wait has sent.
    while client.sent() < 3 {
        assert!(tokio::time::timeout(TICK, operation.wait()).await.is_err());
    }
    assert!(operation.poll().await.unwrap().is_terminal());
    assert_eq!(client.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_impatient_reader_of_the_target_keeps_its_pace_and_its_patience() {
    let target = || json_answer(200, &json!({"id": "1"}));
    let script = [succeeded("/teams('1')"), status(404), status(404), target(), target()];
    let client = Slow::new(Duration::from_millis(300), script);
    let mut operation = client.operation().await;
    let tick = Duration::from_millis(100);
    let value = loop {
        if let Ok(value) = tokio::time::timeout(tick, operation.target()).await {
            break value.unwrap();
        }
    };
    assert_eq!((value["id"].as_str(), client.sent()), (Some("1"), 4));

    let completed = operation.wait().await.unwrap();
    let start = tokio::time::Instant::now();
    client.script.lock().unwrap().extend(std::iter::repeat_with(|| status(404)).take(100));
    client.script.lock().unwrap().pop_front();
    let error = loop {
        if let Ok(value) = tokio::time::timeout(tick, completed.target()).await {
            break value.unwrap_err();
        }
    };
    assert_eq!(error.kind(), ErrorKind::TargetNotReady);
    assert!(start.elapsed() >= seconds(300) && start.elapsed() < seconds(310));
    assert!(client.sent() < 25, "{}", client.sent());
}

#[tokio::test(start_paused = true)]
async fn two_readers_of_one_target_do_not_wait_for_each_other() {
    let target = || json_answer(200, &json!({"id": "1"}));
    let client = Slow::new(seconds(2), [succeeded("/teams('1')"), target(), target()]);
    let completed = client.operation().await.wait().await.unwrap();
    let start = tokio::time::Instant::now();
    let (one, other) = tokio::join!(completed.target(), completed.target());
    assert_eq!((one.unwrap(), other.unwrap()), (json!({"id": "1"}), json!({"id": "1"})));
    assert_eq!((start.elapsed(), client.sent()), (seconds(2), 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_resumed_for_long_is_sent_again() {
    let client = Slow::new(seconds(2), [in_progress(), succeeded("/teams('1')")]);
    let mut operation = client.operation().await;
    assert!(tokio::time::timeout(seconds(7), operation.wait()).await.is_err());
    assert_eq!(client.sent(), 1);
    tokio::time::advance(seconds(101)).await;
    // The first response would have been stale news.
    client.script.lock().unwrap().pop_front();
    operation.wait().await.unwrap();
    assert_eq!(client.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_binds_a_send_that_never_returns() {
    for retries in [0, 10] {
        let client = Slow::new(Duration::from_secs(1_000_000), []);
        let mut operation = client.operation().await;
        operation.set_polling(Polling::default().timeout(seconds(1_200)).retries(retries));
        let start = tokio::time::Instant::now();
        let error = operation.wait().await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TimedOut, false));
        let elapsed = start.elapsed();
        assert!(elapsed >= seconds(1_200) && elapsed < seconds(1_201), "{elapsed:?}");
        assert_eq!((client.sent(), error.checks()), (1, Some(1)));
        // That does not change until the deadline is later.
        let error = operation.wait().await.unwrap_err();
        assert_eq!((error.kind(), client.sent()), (ErrorKind::TimedOut, 1));
        operation.set_polling(Polling::default());
        assert!(tokio::time::timeout(seconds(60), operation.wait()).await.is_err());
        assert_eq!(client.sent(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_nearer_deadline_binds_a_request_in_flight() {
    for before in [Polling::default(), Polling::default().no_timeout()] {
        let client = Slow::new(Duration::from_secs(1_000_000), []);
        let mut operation = client.operation().await;
        operation.set_polling(before);
        let begun = tokio::time::Instant::now();
        assert!(tokio::time::timeout(seconds(60), operation.wait()).await.is_err());
        operation.set_polling(Polling::default().timeout(seconds(1_200)));
        // A later deadline does not give it the time back.
        operation.set_polling(before);
        operation.set_polling(Polling::default().timeout(seconds(1_200)));
        let error = operation.wait().await.unwrap_err();
        assert_eq!((error.kind(), client.sent()), (ErrorKind::TimedOut, 1));
        let elapsed = begun.elapsed();
        assert!(elapsed >= seconds(1_200) && elapsed < seconds(1_201), "{elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn less_patience_binds_a_request_for_the_target() {
    let client = Slow::new(seconds(90), [succeeded("/teams('1')"), json_answer(200, &json!(1))]);
    let mut operation = client.operation().await;
    operation.wait().await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(tokio::time::timeout(TICK, operation.target()).await.is_err());
    operation.set_polling(Polling::default().target_patience(TICK));
    // A request has 30 seconds, whatever patience is left.
    assert_eq!(operation.target().await.unwrap_err().kind(), ErrorKind::Transport);
    assert!(begun.elapsed() <= seconds(31), "{:?}", begun.elapsed());
}

/// A client whose sleeps return at once and do not advance its clock, which may run by itself. Its
/// responses pend.
#[derive(Clone)]
struct Hasty {
    client: graph_operation::testing::ScriptedClient,
    /// The time, if the clock stands still.
    now: Option<Instant>,
}

impl Client for Hasty {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        self.client.service_root()
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        yield_often(5).await;
        self.client.send(request).await
    }

    async fn sleep(&self, _: Duration) {}

    fn now(&self) -> Instant {
        self.now.unwrap_or_else(Instant::now)
    }
}

async fn yield_often(mut times: u32) {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        times -= 1;
        if times == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn sleeps_that_take_no_time_cut_no_request_short() {
    for now in [Some(Instant::now()), None] {
        let (scripted, _) = started();
        scripted.answer(in_progress()).answer(succeeded("/teams('1')"));
        let client = Hasty { client: scripted.clone(), now };
        let mut operation = block_on(Operation::from_response(client, accepted(LOCATION))).unwrap();
        block_on(operation.wait()).unwrap();
        assert_eq!(scripted.requests().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_panics_is_counted_and_not_polled_again() {
    let client = Slow::new(seconds(1), [succeeded("/teams('1')")]);
    client.panics.store(true, Ordering::Relaxed);
    let mut operation = client.operation().await;
    {
        let mut panicking = pin!(operation.wait());
        let caught = poll_fn(|cx| {
            let poll = std::panic::AssertUnwindSafe(|| panicking.as_mut().poll(cx).is_ready());
            match std::panic::catch_unwind(poll) {
                Ok(ready) => {
                    assert!(!ready);
                    Poll::Pending
                }
                Err(_) => Poll::Ready(true),
            }
        });
        assert!(caught.await);
    }
    assert_eq!(operation.update().checks(), 1);
    client.panics.store(false, Ordering::Relaxed);
    let start = tokio::time::Instant::now();
    operation.wait().await.unwrap();
    assert_eq!(client.sent(), 2);
    assert!(start.elapsed() > seconds(28), "{:?}", start.elapsed());
}

/// A client whose credential can be renewed.
#[derive(Clone)]
struct Renewing {
    client: graph_operation::testing::ScriptedClient,
    asked: Arc<AtomicU32>,
    renews: bool,
}

impl Renewing {
    fn new(renews: bool) -> Self {
        let client = graph_operation::testing::ScriptedClient::new();
        Renewing { client, asked: Arc::default(), renews }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Client for Renewing {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        self.client.service_root()
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.client.send(request).await
    }

    async fn sleep(&self, duration: Duration) {
        self.client.sleep(duration).await;
    }

    fn now(&self) -> Instant {
        self.client.now()
    }

    // Its sleeps advance the clock.
    fn time_limit(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    async fn unauthorized(&self, response: &Response<Bytes>) -> bool {
        assert!(response.headers().contains_key("www-authenticate"));
        yield_often(2).await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.renews
    }
}

fn challenge() -> Response<Bytes> {
    let response = graph_error(401, "InvalidAuthenticationToken", "Expired.");
    with_header(response, "www-authenticate", "Bearer claims=\"e30=\"")
}

#[test]
fn a_renewed_credential_is_used_at_once_and_asked_for_once() {
    let client = Renewing::new(true);
    client
        .client
        .answer(challenge())
        .answer(accepted(LOCATION))
        .answer(challenge())
        .answer(in_progress())
        .answer(challenge())
        .answer(succeeded("/teams('1')"))
        .answer(challenge())
        .answer(json_answer(200, &json!({"id": "1"})));
    let request = client.request(http::Method::POST, ["teams", "1", "archive"]).unwrap();
    let mut operation = block_on(Operation::start(client.clone(), request)).unwrap();
    assert_eq!((client.asked(), client.client.elapsed()), (1, seconds(0)));
    assert_eq!(block_on(operation.target()).unwrap()["id"], "1");
    assert_eq!((client.asked(), client.client.requests().len()), (4, 8));
    let sent = client.client.sent_at();
    assert_eq!((sent[2], sent[4], sent[6]), (sent[3], sent[5], sent[7]));
    assert!(sent[4] - sent[3] > seconds(30));
}

#[test]
fn a_second_401_in_a_row_is_final_and_a_new_wait_asks_again() {
    let client = Renewing::new(true);
    for _ in 0..4 {
        client.client.answer(challenge());
    }
    let mut operation =
        block_on(Operation::from_response(client.clone(), accepted(LOCATION))).unwrap();
    for round in 1..3 {
        let error = block_on(operation.wait()).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Rejected, Some("InvalidAuthenticationToken"))
        );
        assert!(!error.is_retryable() && error.resume_token().is_some());
        assert_eq!(client.asked(), round);
    }

    let client = Renewing::new(false);
    client.client.answer(challenge());
    let mut operation =
        block_on(Operation::from_response(client.clone(), accepted(LOCATION))).unwrap();
    assert_eq!(block_on(operation.poll()).unwrap_err().status().unwrap(), 401);
    assert_eq!((client.asked(), client.client.requests().len()), (1, 1));
}

#[test]
fn renewing_can_be_dropped_at_every_await() {
    for polls in 0.. {
        let client = Renewing::new(true);
        client.client.answer(challenge()).answer(succeeded("/teams('1')"));
        let mut operation =
            block_on(Operation::from_response(client.clone(), accepted(LOCATION))).unwrap();
        let ended = interrupt(operation.wait(), polls).is_some();
        block_on(operation.wait()).unwrap();
        assert_eq!((client.asked(), client.client.requests().len()), (1, 2), "{polls}");
        if ended {
            return;
        }
    }
}

#[test]
fn a_retryable_error_never_makes_a_loop_that_sends_nothing_forever() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(40)));
    client.answer(in_progress()).answer(in_progress()).answer(in_progress());
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TimedOut, false));
}

#[test]
fn no_last_check_ignores_a_retry_after_that_extends_beyond_the_deadline() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(60)));
    client.answer(with_header(status(429), "retry-after", "120"));
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!((error.kind(), client.requests().len()), (ErrorKind::TimedOut, 1));
    assert_eq!(client.elapsed(), seconds(60));
    assert!(format!("{error:#}").contains("429"), "{error:#}");
}

#[test]
fn the_last_check_waits_for_a_retry_after_that_ends_before_the_deadline() {
    for _ in 0..20 {
        let (client, mut operation) = started();
        operation.set_polling(Polling::default().interval(seconds(600)).timeout(seconds(60)));
        client.answer(with_header(status(429), "retry-after", "47"));
        client.answer(in_progress()).answer(in_progress());
        assert_eq!(block_on(operation.wait()).unwrap_err().kind(), ErrorKind::TimedOut);
        let sent = client.sent_at();
        assert!(sent[1] >= sent[0] + seconds(47) && sent[1] <= seconds(60), "{sent:?}");
    }
}

#[test]
fn a_crowd_is_spread_at_its_first_check_and_at_its_deadline() {
    let (client, _) = started();
    let mut firsts = Vec::new();
    let mut lasts = Vec::new();
    for _ in 0..1_000 {
        let mut operation = Operation::from_location(client.clone(), LOCATION).unwrap();
        firsts.push(operation.update().next_check().unwrap());
        operation.set_polling(Polling::default().first_check(seconds(3_600)));
        lasts.push(operation.update().next_check().unwrap());
    }
    let spread = |times: &[Duration]| *times.iter().max().unwrap() - *times.iter().min().unwrap();
    assert!(firsts.iter().all(|&first| first > seconds(5)));
    assert!(spread(&firsts) >= seconds(1));
    assert!(lasts.iter().all(|&last| last <= seconds(3_600) && last >= seconds(3_597)));
    assert!(spread(&lasts) >= Duration::from_millis(2_900));
    let distinct: std::collections::HashSet<_> = firsts.iter().collect();
    assert!(distinct.len() > 200, "{}", distinct.len());
}

#[test]
fn an_authors_error_about_a_whole_operation_is_a_transport_error() {
    #[derive(Clone)]
    struct Confused(graph_operation::testing::ScriptedClient);

    impl Client for Confused {
        type Error = Error;

        fn service_root(&self) -> &Uri {
            self.0.service_root()
        }

        async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>> {
            let (other, mut operation) = started();
            other.answer(graph_operation::testing::failed("a", "b"));
            operation.wait().await?;
            unreachable!("it has failed")
        }

        async fn sleep(&self, duration: Duration) {
            self.0.sleep(duration).await;
        }

        fn now(&self) -> Instant {
            self.0.now()
        }
    }

    let client = Confused(graph_operation::testing::ScriptedClient::new());
    let mut operation = block_on(Operation::from_response(client, accepted(LOCATION))).unwrap();
    let error = block_on(operation.poll()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.resume_token().is_some());
}

#[test]
fn the_targets_request_has_time_whatever_patience_is_left() {
    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::default().target_patience(seconds(0)));
    client.answer(succeeded("/teams('1')")).answer(json_answer(200, &Value::Null));
    block_on(operation.target()).unwrap();
    let left = |at: usize| graph_operation::TimeLeft::of(&client.requests()[at]);
    assert_eq!(left(1), seconds(30));

    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::default().target_patience(seconds(90)));
    client.answer(succeeded("/teams('1')"));
    for _ in 0..20 {
        client.answer(status(404));
    }
    assert_eq!(block_on(operation.target()).unwrap_err().kind(), ErrorKind::TargetNotReady);
    let left: Vec<_> =
        client.requests().iter().skip(1).map(graph_operation::TimeLeft::of).collect();
    assert_eq!((left[0], *left.last().unwrap()), (seconds(90), seconds(30)));
    assert!(left.windows(2).all(|pair| pair[1] <= pair[0]));
}

#[test]
fn what_is_not_a_target_yet_is_read_again() {
    for body in ["", "<html></html>", "{\"id\": \"1\"", "[{\"id\": \"1", "503 Service Unavailable"]
    {
        let (client, operation) = started();
        let mut operation = operation.with_target::<std::collections::HashMap<String, String>>();
        client
            .answer(succeeded("/teams('1')"))
            .answer(Response::new(Bytes::from(body)))
            .answer(json_answer(200, &json!({"id": "1"})));
        assert_eq!(block_on(operation.target()).unwrap()["id"], "1", "{body}");
    }
}

/// A future that is polled again after another was dropped is not left without a waker.
#[test]
fn a_kept_request_wakes_the_next_caller() {
    let (client, _) = started();
    let client = client.yielding();
    let mut operation =
        block_on(Operation::from_response(client.clone(), accepted(LOCATION))).unwrap();
    client.answer(succeeded("/teams('1')"));
    operation.set_polling(Polling::default().first_check(seconds(0)));
    assert!(interrupt(operation.wait(), 1).is_none());
    let mut wait = pin!(operation.wait());
    let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
    assert_eq!(client.requests().len(), 1);
}

/// A client whose request takes a while to be refused, and that never gets a new credential.
#[derive(Clone)]
struct Unrenewable(Slow);

impl Client for Unrenewable {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.0.root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.0.send(request).await
    }

    async fn unauthorized(&self, _: &Response<Bytes>) -> bool {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn renewing_counts_towards_the_time_of_the_request() {
    let client = Unrenewable(Slow::new(seconds(90), [challenge()]));
    let polling = Polling::default().timeout(seconds(120));
    let mut operation =
        Operation::from_response(client, accepted(LOCATION)).await.unwrap().with_polling(polling);
    let start = tokio::time::Instant::now();
    let error = operation.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(start.elapsed() <= seconds(121), "{:?}", start.elapsed());
}
