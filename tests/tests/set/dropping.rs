//! The future of `next` or `next_event`, dropped at any point.

use std::time::Duration;

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, graph_error, in_progress, interrupt, status, succeeded,
    with_header,
};
use graph_operation::{Client, Error, Operation, OperationSet, Polling, SetEvent};
use http::Method;

use crate::guarded::{Guarded, refused};
use crate::{ends, location, operation, running, seconds};

/// The requests of a client, and when they were sent.
fn trace(client: &ScriptedClient) -> Vec<(String, Duration)> {
    let describe = |request: &http::Request<bytes::Bytes>| {
        let body = String::from_utf8_lossy(request.body());
        format!("{} {} {body}", request.method(), request.uri())
    };
    client.requests().iter().map(describe).zip(client.sent_at()).collect()
}

/// While a sleep pends halfway, the virtual clock advances past any deadline.
fn unhurried() -> Polling {
    Polling::default().no_timeout()
}

/// A set with many events: starts of both kinds, a refused batch, a start and a check whose
/// credential is refused, a check that a separate request confirms, one that is throttled, and
/// ends.
fn eventful() -> (ScriptedClient, Guarded, OperationSet<usize>) {
    let client = ScriptedClient::new().yielding();
    let guard = Guarded::new(&client, true);
    let mut set = OperationSet::new(guard.clone()).polling(unhurried());
    for at in 0..3 {
        set.insert(at, operation(&client, at).with_polling(unhurried())).unwrap();
    }
    let graph = client.clone();
    let starting = async move {
        let request = graph.request(Method::POST, ["teams", "3", "archive"])?;
        Ok::<_, Error>(Operation::start(graph, request).await?.with_polling(unhurried()))
    };
    set.start(3, starting).unwrap();
    for at in 4..6 {
        let team = at.to_string();
        let request = client.request(Method::POST, ["teams", &team, "archive"]).unwrap();
        set.start_request(at, request).unwrap();
    }
    client.answer_batch(with_header(status(429), "retry-after", "2")); // the starts
    client.answer(accepted(&location(3)));
    client.answer(refused()).answer(accepted(&location(5))); // the starts again
    client.answer(accepted(&location(4)));
    client.answer(refused()).answer(in_progress()); // the first checks
    client.answer(graph_error(404, "NotFound", "Not in a batch."));
    client.answer(with_header(status(503), "retry-after", "3"));
    for _ in 0..4 {
        client.answer(in_progress());
    }
    for at in 0..6 {
        client.answer(succeeded(&format!("/teams('{at}')")));
    }
    (client, guard, set)
}

/// Drives a set to its end, and records its events.
async fn told(set: &mut OperationSet<usize>, events: bool, told: &mut Vec<String>) {
    if !events {
        while let Some((key, end)) = set.next().await {
            told.push(format!("{key} ended: {}", end.is_ok()));
        }
        return;
    }
    while let Some(event) = set.next_event().await {
        told.push(match event {
            SetEvent::Started(key) => format!("{key} started"),
            SetEvent::Update(key, update) => format!("{key} {:?}", update.state()),
            SetEvent::Ended(key, end) => format!("{key} ended: {}", end.is_ok()),
            other => panic!("{other:?}"),
        });
    }
}

/// The future is dropped once: at its first poll, at its second, and so on. Each time the set reports
/// and sends the same, at the same time, as one whose future is not dropped.
#[test]
fn one_drop_at_every_poll_changes_nothing() {
    for events in [false, true] {
        let (client, guard, mut set) = eventful();
        let mut expected = Vec::new();
        block_on(told(&mut set, events, &mut expected));
        assert_eq!((client.remaining(), guard.asked().len()), (0, 2));
        assert_eq!(set.counts().succeeded, 6, "{expected:?}");
        let trace_expected = trace(&client);

        for polls in 0.. {
            let (client, _, mut set) = eventful();
            let mut heard = Vec::new();
            let ended = interrupt(told(&mut set, events, &mut heard), polls).is_some();
            if !ended {
                block_on(told(&mut set, events, &mut heard));
            }
            assert_eq!(heard, expected, "dropped after {polls} polls");
            assert_eq!(trace(&client), trace_expected, "dropped after {polls} polls");
            if ended {
                assert!(polls > 10, "{polls}");
                break;
            }
        }
    }
}

/// The future is dropped after every few polls.
#[test]
fn many_drops_change_nothing() {
    for events in [false, true] {
        let (client, _, mut set) = eventful();
        let mut expected = Vec::new();
        block_on(told(&mut set, events, &mut expected));
        let trace_expected = trace(&client);
        for polls in 1..6 {
            let (client, _, mut set) = eventful();
            let mut heard = Vec::new();
            let mut drops = 0;
            while interrupt(told(&mut set, events, &mut heard), polls).is_none() {
                drops += 1;
                assert!(drops < 10_000, "{set:?}");
            }
            assert_eq!(heard, expected, "{polls} polls at a time");
            assert_eq!(trace(&client), trace_expected, "{polls} polls at a time");
        }
    }
}

#[test]
fn a_stale_request_is_sent_again() {
    let client = ScriptedClient::new().yielding();
    let mut set = running(&client, 2);
    while client.requests().is_empty() {
        assert!(interrupt(set.next(), 1).is_none());
    }
    client.advance(seconds(101));
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    assert_eq!(ends(&mut set).len(), 2);
    assert_eq!(client.batches().len(), 2);
}

/// It may have been carried out, and its response may have arrived long ago.
#[test]
fn a_stale_start_is_resumed() {
    let client = ScriptedClient::new().yielding();
    let mut set: OperationSet<usize> = OperationSet::new(client.clone()).polling(unhurried());
    for at in 0..2 {
        let team = at.to_string();
        let request = client.request(Method::POST, ["teams", &team, "archive"]).unwrap();
        set.start_request(at, request).unwrap();
    }
    while client.requests().is_empty() {
        assert!(interrupt(set.next(), 1).is_none());
    }
    client.advance(seconds(101));
    client.answer(accepted(&location(0))).answer(accepted(&location(1)));
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    let ends = ends(&mut set);
    assert!(ends.iter().all(|(_, end)| end.is_ok()), "{ends:?}");
    assert_eq!(client.batches().len(), 2);
}
