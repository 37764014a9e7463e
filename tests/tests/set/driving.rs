//! How a set is driven: its requests and its events.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use graph_operation::testing::{
    ScriptedClient, accepted, block_on, failed, graph_error, in_progress, succeeded,
};
use graph_operation::{
    Client, Error, ErrorKind, Operation, OperationSet, Polling, Result, SetEvent,
};
use http::{Method, Request, Response, Uri};

use crate::{ends, location, operation, running, seconds};

#[test]
fn what_falls_due_together_is_checked_in_requests_of_twenty() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 50);
    for _ in 0..50 {
        client.answer(in_progress());
    }
    for at in 0..50 {
        client.answer(succeeded(&format!("/teams('{at}')")));
    }
    let ends = block_on(async {
        let mut ends = Vec::new();
        while let Some((key, result)) = set.next().await {
            result.unwrap();
            ends.push(key);
        }
        ends
    });
    assert!(ends.iter().all(|key| *key < 50));
    assert_eq!(ends.len(), 50);
    let sizes: Vec<_> = client.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100, "{sizes:?}");
    assert!(client.requests().len() <= 6, "{sizes:?}");
    assert!(set.is_empty());
    assert_eq!(set.counts().succeeded, 50);
}

#[test]
fn starts_updates_and_ends() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    client.answer(accepted(&location(1))).answer(in_progress()).answer(in_progress());
    client.answer(graph_error(503, "x", "y")).answer(failed("code", "message"));
    let graph = client.clone();
    set.start("a", async move {
        let request = graph.request(Method::POST, ["teams", "1", "archive"])?;
        Operation::start(graph, request).await
    })
    .unwrap();
    assert_eq!(
        set.start("a", async { Err(std::io::Error::other("")) }).unwrap_err().kind(),
        ErrorKind::DuplicateKey
    );
    let events = block_on(async {
        let mut events = Vec::new();
        while let Some(event) = set.next_event().await {
            events.push(match event {
                SetEvent::Started(key) => format!("{key} started"),
                SetEvent::Update(key, update) => {
                    format!("{key} {:?} {:?}", update.state(), update.fault().map(Error::kind))
                }
                SetEvent::Ended(key, result) => format!("{key} {:?}", result.unwrap_err().kind()),
                other => panic!("{other:?}"),
            });
        }
        events
    });
    assert_eq!(
        events,
        ["a started", "a Running None", "a Running Some(Rejected)", "a Failed None", "a Failed",]
    );
    assert!(client.waits().iter().any(|wait| *wait > Duration::from_secs(30)));
}

/// Each operation counts its own checks, however many share a request.
#[test]
fn each_operation_counts_its_own_checks() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    client.answer(in_progress()).answer(in_progress());
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    let mut checks = Vec::new();
    block_on(async {
        while let Some(event) = set.next_event().await {
            if let SetEvent::Update(_, update) = event {
                checks.push(update.checks());
            }
        }
    });
    checks.sort_unstable();
    assert_eq!(checks, [1, 1, 2, 2]);
}

/// A client whose sleeps return at once, on the real clock.
#[derive(Clone)]
struct Hasty {
    client: ScriptedClient,
    sleeps: Arc<Mutex<Vec<Duration>>>,
}

impl Hasty {
    /// A set of `count` operations, each of which is checked three times.
    fn set(client: ScriptedClient, count: usize) -> (Self, OperationSet<usize>) {
        let hasty = Hasty { client, sleeps: Arc::default() };
        let mut set = OperationSet::new(hasty.clone());
        for at in 0..count {
            set.insert(at, operation(&hasty.client, at)).unwrap();
        }
        for answer in [in_progress(), in_progress(), succeeded("/a")] {
            for _ in 0..count {
                hasty.client.answer(answer.clone());
            }
        }
        (hasty, set)
    }
}

impl Client for Hasty {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(&self.client, request).await
    }

    async fn sleep(&self, time: Duration) {
        self.sleeps.lock().unwrap().push(time);
    }
}

#[test]
fn sleeps_that_take_no_time_cut_no_check_short() {
    for count in [1, 25] {
        let (_, mut set) = Hasty::set(ScriptedClient::new().yielding(), count);
        for (_, result) in ends(&mut set) {
            result.unwrap();
        }
        assert_eq!(set.counts().succeeded, count as u64);
    }
}

#[test]
fn a_finished_sleep_is_not_slept_again() {
    let (hasty, mut set) = Hasty::set(ScriptedClient::new(), 1);
    ends(&mut set).pop().unwrap().1.unwrap();
    let sleeps = hasty.sleeps.lock().unwrap();
    assert!(sleeps.iter().all(|sleep| *sleep <= seconds(35)), "{sleeps:?}");
    assert!(sleeps.iter().sum::<Duration>() > seconds(65), "{sleeps:?}");
}

/// The set's time is ahead of the clock, by the sleeps that took no time.
#[test]
fn an_operation_that_is_inserted_later_is_as_old_as_its_client_says() {
    let (hasty, mut set) = Hasty::set(ScriptedClient::new(), 1);
    ends(&mut set).pop().unwrap().1.unwrap();
    let polling = Polling::default().timeout(seconds(50));
    let followed = Operation::from_location(hasty.clone(), location(1)).unwrap();
    set.insert(1, followed.with_polling(polling)).unwrap();
    hasty.client.answer(in_progress()).answer(succeeded("/b"));
    ends(&mut set).pop().unwrap().1.unwrap();

    let request = hasty.request(Method::POST, ["teams", "2", "archive"]).unwrap();
    let started = Operation::start(hasty.clone(), request);
    set.start(2, async move { Ok::<_, Error>(started.await?.with_polling(polling)) }).unwrap();
    hasty.client.answer(accepted(&location(2))).answer(in_progress()).answer(succeeded("/c"));
    ends(&mut set).pop().unwrap().1.unwrap();
}

#[test]
fn sleeps_that_take_no_time_put_no_start_into_the_future() {
    let (hasty, mut set) = Hasty::set(ScriptedClient::new(), 1);
    ends(&mut set).pop().unwrap().1.unwrap();
    let request = hasty.request(Method::POST, ["teams", "1", "archive"]).unwrap();
    set.start_request(1, request).unwrap();
    hasty.client.answer(accepted(&location(1)));
    assert!(matches!(block_on(set.next_event()), Some(SetEvent::Started(1))));
    let started = set.token(&1).unwrap().started_at().unwrap();
    assert!(started <= SystemTime::now(), "{started:?}");
}

/// The handle's time is ahead of the clock, by the sleeps that took no time.
#[test]
fn an_operation_that_was_waited_for_keeps_its_age_in_the_set() {
    let (hasty, mut set) = Hasty::set(ScriptedClient::new(), 0);
    let mut followed = Operation::from_location(hasty.clone(), location(0)).unwrap();
    for _ in 0..3 {
        hasty.client.answer(in_progress());
    }
    let mut updates = followed.updates();
    for _ in 0..3 {
        block_on(updates.next()).unwrap().unwrap();
    }
    let before = hasty.sleeps.lock().unwrap().len();
    set.insert(0, followed).unwrap();
    hasty.client.answer(succeeded("/a"));
    ends(&mut set).pop().unwrap().1.unwrap();
    let slept: Duration = hasty.sleeps.lock().unwrap()[before..].iter().sum();
    assert!(slept <= seconds(35), "{slept:?}");
}

/// The set waits for the deadline while a request is in flight, and the request takes no time.
#[test]
fn a_yielding_client_is_checked_at_the_same_times() {
    let times = |client: ScriptedClient| {
        let mut set = running(&client, 3);
        for at in 0..3 {
            let team = at.to_string();
            let request = Client::request(&client, Method::POST, ["teams", &team, "archive"]);
            set.start_request(at + 3, request.unwrap()).unwrap();
            client.answer(accepted(&location(at + 3)));
        }
        for _ in 0..12 {
            client.answer(in_progress());
        }
        for _ in 0..6 {
            client.answer(succeeded("/a"));
        }
        assert!(ends(&mut set).iter().all(|(_, end)| end.is_ok()));
        client.sent_at()
    };
    assert_eq!(times(ScriptedClient::new().yielding()), times(ScriptedClient::new()));
}
