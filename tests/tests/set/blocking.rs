//! The blocking set.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use graph_operation::blocking::{Client, Next, Operation, OperationSet, SetEvent};
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, failed, graph_error, in_progress, status, succeeded,
    with_header,
};
use graph_operation::{Error, ErrorKind, Polling, RateLimit, Result, ResumeToken};
use http::{Method, Request, Response, Uri};

use crate::{location, seconds};

fn operation(client: &ScriptedClient, at: usize) -> Operation {
    Operation::from_location(client.clone(), location(at)).unwrap()
}

fn running(client: &ScriptedClient, count: usize) -> OperationSet<usize> {
    let mut set = OperationSet::new(client.clone());
    for at in 0..count {
        set.insert(at, operation(client, at)).unwrap();
    }
    set
}

fn archive(client: &ScriptedClient, at: usize) -> Request<Bytes> {
    Client::request(client, Method::POST, ["teams", &at.to_string(), "archive"]).unwrap()
}

/// The responses for a set of three operations and three starts: a refused batch, a start that is
/// throttled, one that is rejected, and faults.
fn script(client: &ScriptedClient) {
    client.answer_batch(with_header(status(503), "retry-after", "1")); // the starts
    client.answer(accepted(&location(3)));
    client.answer(with_header(status(429), "retry-after", "1")); // the starts again
    client.answer(graph_error(403, "Forbidden", "No."));
    client.answer(accepted(&location(4)));
    client.answer(status(500)).answer(in_progress()); // the first checks
    client.answer(graph_error(400, "x", "Alone.")).answer(in_progress());
    for _ in 0..2 {
        client.answer(in_progress());
    }
    for at in 0..4 {
        client.answer(succeeded(&format!("/teams('{at}')")));
    }
    client.answer(failed("code", "message"));
}

macro_rules! describe {
    ($event:expr, $SetEvent:ident) => {
        match $event {
            $SetEvent::Started(key) => format!("{key} started"),
            $SetEvent::Update(key, update) => {
                format!("{key} {:?} {:?}", update.state(), update.fault().map(Error::kind))
            }
            $SetEvent::Ended(key, Ok(end)) => format!("{key} {:?}", end.target_location()),
            $SetEvent::Ended(key, Err(error)) => format!("{key} {error:#}"),
            other => panic!("{other:?}"),
        }
    };
}

type Requests = Vec<(Uri, Bytes, Duration)>;

fn requests(client: &ScriptedClient) -> Requests {
    let requests = client.requests().into_iter().zip(client.sent_at());
    requests.map(|(request, at)| (request.uri().clone(), request.into_body(), at)).collect()
}

fn events_of_the_blocking_set() -> (Vec<String>, Requests) {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    let graph = client.clone();
    set.start(3, move || Operation::start(graph.clone(), archive(&graph, 3))).unwrap();
    for at in 4..6 {
        set.start_request_idempotent(at, archive(&client, at)).unwrap();
    }
    script(&client);
    let mut told = Vec::new();
    while let Some(event) = set.next_event() {
        told.push(describe!(event, SetEvent));
    }
    assert_eq!((set.counts().succeeded, set.counts().failed), (4, 2), "{told:#?}");
    (told, requests(&client))
}

fn events_of_the_asynchronous_set() -> (Vec<String>, Requests) {
    use graph_operation::{Operation, OperationSet, SetEvent};

    let client = ScriptedClient::new();
    let set = OperationSet::new(client.clone());
    let mut set = set.requests_at_once(1).starts_at_once(1);
    for at in 0..3 {
        set.insert(at, crate::operation(&client, at)).unwrap();
    }
    let graph = client.clone();
    set.start(3, async move { Operation::start(graph.clone(), archive(&graph, 3)).await }).unwrap();
    for at in 4..6 {
        set.start_request_idempotent(at, archive(&client, at)).unwrap();
    }
    script(&client);
    let mut told = Vec::new();
    block_on(async {
        while let Some(event) = set.next_event().await {
            told.push(describe!(event, SetEvent));
        }
    });
    (told, requests(&client))
}

#[test]
fn both_sets_report_and_send_the_same() {
    let (told, requests) = events_of_the_blocking_set();
    let (told_expected, requests_expected) = events_of_the_asynchronous_set();
    assert_eq!(told, told_expected);
    assert_eq!(requests, requests_expected);
}

#[test]
fn a_time_limit_is_reported_and_nothing_is_lost() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    for _ in 0..3 {
        client.answer(in_progress());
    }
    client.answer(succeeded("/a")).answer(succeeded("/b")).answer(failed("code", "message"));
    assert!(matches!(set.next_within(seconds(20)), Next::TimeUp));
    assert_eq!((client.elapsed(), set.tokens().count()), (seconds(20), 3));
    let ends: Vec<_> = set.by_ref().map(|(key, result)| (key, result.is_ok())).collect();
    assert_eq!(ends.len(), 3);
    assert_eq!((set.counts().succeeded, set.counts().failed), (2, 1));
    assert!(matches!(set.next_within(seconds(0)), Next::Empty));
    assert_eq!(client.batches().len(), 2);
}

/// However short the limits are, the same requests are sent as without them.
#[test]
fn short_time_limits_make_progress() {
    for millis in [0, 1, 700, 40_000] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 2);
        client.answer(in_progress()).answer(in_progress());
        client.answer(succeeded("/a")).answer(succeeded("/b"));
        let mut ended = 0;
        loop {
            match set.next_within(Duration::from_millis(millis)) {
                Next::Ended(_, end) => drop(end.unwrap()),
                // The caller also spends time between the calls.
                Next::TimeUp => client.advance(Duration::from_millis(10)),
                Next::Empty => break,
            }
            ended += 1;
            assert!(ended < 100_000);
        }
        assert_eq!((client.requests().len(), set.counts().succeeded), (2, 2), "{millis}");
    }
}

/// A client whose sleeps return at once, on the real clock, and how long it was asked to sleep.
#[derive(Clone)]
struct Hasty(ScriptedClient, Arc<Mutex<Vec<Duration>>>);

impl Client for Hasty {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.0)
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(&self.0, request)
    }

    fn sleep(&self, time: Duration) {
        self.1.lock().unwrap().push(time);
    }
}

#[test]
fn a_time_limit_ends_even_if_sleeps_return_at_once() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(Hasty(client.clone(), Arc::default()));
    set.insert(0, operation(&client, 0)).unwrap();
    client.answer(in_progress()).answer(succeeded("/a"));
    let mut ups = 0;
    while !matches!(set.next_within(seconds(10)), Next::Ended(0, Ok(_))) {
        ups += 1;
        assert!(ups < 10);
    }
    // The first check after 5 s or a little more, the second one more than 30 s later.
    assert!((3..=4).contains(&ups), "{ups}");
}

#[test]
fn a_check_shortens_the_rest_of_the_time_limit() {
    let client = ScriptedClient::new();
    let slept = Arc::default();
    let mut set = OperationSet::new(Hasty(client.clone(), Arc::clone(&slept)));
    set.insert(0, operation(&client, 0)).unwrap();
    client.answer(in_progress());
    assert!(matches!(set.next_within(seconds(20)), Next::TimeUp));
    assert_eq!(client.requests().len(), 1);
    let slept: Duration = slept.lock().unwrap().iter().sum();
    // The real clock advances a little in the meantime.
    assert!(slept <= seconds(20), "{slept:?}");
}

#[test]
fn starts_are_called_one_by_one_in_turn() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone()).rate(1);
    for at in 0..22 {
        let graph = client.clone();
        set.start(at, move || {
            assert_eq!(graph.requests().len(), at, "the ones before have been made");
            Operation::start(graph.clone(), archive(&graph, at))
        })
        .unwrap();
        client.answer(status(204));
    }
    assert_eq!((set.counts().queued, client.requests().len()), (22, 0));
    assert!(set.remove(&21).is_none());
    assert_eq!(set.by_ref().filter(|(_, end)| end.is_ok()).count(), 21);
    assert_eq!(client.requests().len(), 21, "what was removed is not started");
    // 20 at once, and then one a second.
    assert_eq!(client.elapsed(), seconds(1));
}

#[test]
fn an_error_of_another_type_is_the_source_of_not_started() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client);
    set.start(0, || Err("text")).unwrap();
    let (_, end) = set.next().unwrap();
    let error = end.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotStarted);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "text");
}

#[test]
fn a_key_is_added_once_and_its_operation_is_returned_as_it_was() {
    let client = ScriptedClient::new();
    let polling = Polling::default().first_check(seconds(100));
    let mut set = OperationSet::new(client.clone()).polling(polling);
    set.insert(0, operation(&client, 0)).unwrap();
    let back = set.insert(0, operation(&client, 7)).unwrap_err();
    assert!(back.location().unwrap().path().ends_with(&location(7)));
    let token = back.resume_token().unwrap();
    assert_eq!(set.resume(0, token.clone()).unwrap_err().kind(), ErrorKind::DuplicateKey);
    let duplicate = set.start(0, || Err("not called")).unwrap_err();
    assert_eq!(duplicate.kind(), ErrorKind::DuplicateKey);
    let duplicate = set.start_request(0, archive(&client, 0)).unwrap_err();
    assert_eq!(duplicate.kind(), ErrorKind::DuplicateKey);
    let elsewhere = Request::post("https://evil.example/v1.0/teams").body(Bytes::new());
    let foreign = set.start_request(1, elsewhere.unwrap()).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::ForeignLocation);

    set.resume(7, token).unwrap();
    let mut tokens: Vec<(usize, ResumeToken)> = set.tokens().map(|(k, t)| (*k, t)).collect();
    tokens.sort_by_key(|(key, _)| *key);
    assert_eq!(tokens.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [0, 7]);
    assert!(tokens[1].1.location().path().ends_with(&location(7)));
    assert_eq!((set.len(), set.keys().count(), set.counts().running), (2, 2, 2));

    client.answer(succeeded("/teams('0')"));
    let mut removed = set.remove(&0).unwrap();
    assert!(set.remove(&0).is_none());
    removed.wait().unwrap();
    client.answer(succeeded("/teams('7')"));
    let (key, end) = set.next().unwrap();
    assert_eq!((key, end.unwrap().target_location()), (7, Some("/teams('7')")));
    // Resumed operations have the policy of the set.
    assert!(client.elapsed() >= seconds(100), "{:?}", client.elapsed());
    assert!(set.is_empty() && set.next().is_none());
}

#[test]
fn a_target_is_read_through_the_sets_client() {
    let (own, client) = (ScriptedClient::new(), ScriptedClient::new());
    let mut set = OperationSet::new(client.clone());
    set.insert(0, operation(&own, 0)).unwrap();
    client.answer(succeeded("/teams('0')"));
    let completed = set.next().unwrap().1.unwrap();
    client.answer(graph_operation::testing::json_answer(200, &serde_json::json!({ "id": "0" })));
    assert_eq!(completed.target().unwrap()["id"], "0");
    assert_eq!((own.requests().len(), client.requests().len()), (0, 2));
}

#[test]
fn a_blocking_send_waits_for_the_rate() {
    let times = |admit: fn(&RateLimit, &ScriptedClient)| {
        let (limit, client) = (RateLimit::new(2), ScriptedClient::new());
        let admitted = (0..30).map(|_| {
            admit(&limit, &client);
            client.elapsed()
        });
        admitted.collect::<Vec<_>>()
    };
    let blocking = times(|limit, client| limit.admit_blocking(client, &Request::new(())));
    assert_eq!(blocking, times(|limit, client| block_on(limit.admit(client, &Request::new(())))));
    assert!(blocking[29] >= seconds(5), "{blocking:?}");
}
