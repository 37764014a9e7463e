//! Sets that are saved and restored.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{RateLimit, Received, Recorded, Report, SavedSet, Set, SetStep};
use graph_operation::{Error, ErrorKind, Polling, Result, TeamsAsyncOperation};
use graph_operation_tests::set::saved::{drive, reread};
use http::{Response, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::by_hand::{Taken, empty, end, insert, root, sending, start, take};
use crate::{batch, seconds};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_set_that_was_saved_behaves_as_the_one_that_was_not(bytes in vec(any::<u8>(), 0..8_000)) {
        drive(&bytes);
    }
}

fn restored(saved: Value, now: Instant) -> Result<Set<u8>> {
    let saved = serde_json::from_value(saved).map_err(|_| Error::transport("no set at all"))?;
    Set::restore::<TeamsAsyncOperation>(saved, root(), now)
}

#[test]
fn what_was_under_way_counts_as_sent_and_is_checked_again_after_its_interval() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..3 {
        insert(&mut set, key, Polling::default(), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 3);
    let begun = now;
    now += seconds(1);
    assert!(matches!(set.next(now), SetStep::Wait(..)));
    let mut set = reread(&set, root(), now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 3);
    assert!(now - begun >= seconds(30), "{:?}", now - begun);
}

#[test]
fn of_a_start_under_way_nobody_knows_whether_it_was_carried_out() {
    for idempotent in [false, true] {
        let mut now = Instant::now();
        let mut set = empty(now);
        start(&mut set, 1, idempotent, now);
        let (request, _envelope) = sending(&mut set, &mut now);
        assert_eq!(request.headers()["authorization"], "Bearer secret");
        let mut set = reread(&set, root(), now);
        if idempotent {
            let begun = now;
            let (request, _) = sending(&mut set, &mut now);
            assert!(now - begun >= seconds(3) && request.uri().path().ends_with("/1/archive"));
        } else {
            let (key, result) = end(&mut set, &mut now);
            let error = result.unwrap_err();
            assert!(key == 1 && error.to_string().contains("may have been carried out"), "{error}");
        }
    }
}

#[test]
fn a_start_that_waits_is_saved_without_its_credential() {
    let mut now = Instant::now();
    let mut set = empty(now);
    start(&mut set, 1, false, now);
    let written = serde_json::to_string(&set.save()).unwrap();
    assert!(!written.contains("secret"), "{written}");
    let mut set = reread(&set, root(), now);
    assert_eq!((set.counts().queued, set.counts().starting), (1, 0));
    let (request, _) = sending(&mut set, &mut now);
    assert_eq!((request.method().as_str(), request.body().as_ref()), ("POST", &b"{}"[..]));
    assert_eq!(request.headers()["x-plain"], "kept");
    assert!(!request.headers().contains_key("authorization"));
}

#[test]
fn the_interval_counts_from_the_sending_that_the_journal_has() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        insert(&mut set, key, Polling::default(), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    let intended = now;
    let wall = |after: u64| UNIX_EPOCH + seconds(1_000 + after);
    let instant = |time: SystemTime| intended + time.duration_since(wall(0)).unwrap();
    let running = json!({ "status": "inProgress" });
    let response = batch(&json!([{ "id": "1", "status": 200, "body": running }]));
    let recorded = Recorded::new(&Ok(response), wall(7), wall(8));
    assert!(matches!(set.replay(envelope, recorded, instant), Received::Done));
    assert_eq!(set.latest(), intended + seconds(8));
    let (_, envelope) = sending(&mut set, &mut now);
    assert!(now - intended >= seconds(37), "{:?}", now - intended);

    let failed = Recorded::new(&Err(Error::transport("reset")), wall(100), wall(101));
    assert!(matches!(set.replay(envelope, failed, instant), Received::Done));
    let fault = set.inspect(&0, |poller| poller.retried_fault().map(Error::kind)).unwrap();
    assert_eq!(fault, Some(ErrorKind::Transport));
}

#[test]
fn the_deadline_counts_from_the_start_of_the_operation() {
    let begun = Instant::now();
    let mut now = begun;
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default().timeout(seconds(100)), now);
    let error = loop {
        match take(&mut set, now) {
            Taken::Wait(pause) => {
                set = reread(&set, root(), now);
                now += pause;
            }
            Taken::Sent(_, envelope) => {
                set.failed(envelope, &Error::transport("connection reset"), now);
            }
            Taken::Event(Report::Ended(1, result)) => break result.unwrap_err(),
            Taken::Event(_) => {}
            Taken::Nothing => panic!("an operation was lost"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let waited = now - begun;
    assert!((seconds(95)..seconds(101)).contains(&waited), "{waited:?}");
}

#[test]
fn an_end_that_was_not_told_is_told_after_the_restoring() {
    let mut now = Instant::now();
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default(), now);
    insert(&mut set, 2, Polling::default(), now);
    start(&mut set, 3, false, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let forbidden = Response::builder().status(403).body(Bytes::new()).unwrap();
    assert!(matches!(set.received(envelope, forbidden, now), Received::Done));
    let mut set = reread(&set, root(), now);
    let (key, result) = end(&mut set, &mut now);
    assert_eq!((key, result.unwrap_err().kind()), (3, ErrorKind::Rejected));
    assert_eq!((set.counts().failed, set.len()), (1, 2));
    let (_, envelope) = sending(&mut set, &mut now);
    let bodies = json!([{ "id": "1", "status": 200, "body": { "status": "succeeded" } },
        { "id": "2", "status": 200, "body": { "status": "failed", "error": { "code": "x" } } }]);
    assert!(matches!(set.received(envelope, batch(&bodies), now), Received::Done));
    let mut set = reread(&set, root(), now);
    let ends = [end(&mut set, &mut now), end(&mut set, &mut now)];
    assert!(ends[0].0 == 1 && ends[0].1.is_ok());
    assert_eq!(ends[1].1.as_ref().unwrap_err().kind(), ErrorKind::Failed);
    assert_eq!((set.counts().succeeded, set.counts().failed), (1, 2));
}

#[test]
fn a_rate_is_not_renewed_and_a_shared_one_is_shared_again() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_rate_limit(RateLimit::new(1));
    for key in 0..40 {
        insert(&mut set, key, Polling::default(), now);
    }
    drop(sending(&mut set, &mut now));
    let begun = now;
    assert!(matches!(set.next(now), SetStep::Wait(..)));
    let mut set = reread(&set, root(), now);
    let (request, envelope) = sending(&mut set, &mut now);
    assert!(now - begun >= seconds(19), "{:?}", now - begun);
    assert!(envelope.len() == 20 && request.extensions().is_empty());

    let shared = RateLimit::new(1);
    let mut set = reread(&set, root(), now);
    set.set_rate_limit(shared);
    let (request, _) = sending(&mut set, &mut now);
    assert!(!request.extensions().is_empty(), "the client is told that the rate admits it");
}

#[test]
fn what_is_of_another_root_model_or_version_is_refused() {
    let now = Instant::now();
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default(), now);
    start(&mut set, 2, false, now);
    let saved = serde_json::to_value(set.save()).unwrap();
    assert!(restored(saved.clone(), now).is_ok());
    let other = Uri::from_static("https://graph.microsoft.us/v1.0");
    let read: SavedSet<u8> = serde_json::from_value(saved.clone()).unwrap();
    let error = Set::restore::<TeamsAsyncOperation>(read, other, now).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    let twice = saved["members"][0].clone();
    for (pointer, value) in [
        ("/version", json!(2)),
        ("/model", json!("other")),
        ("/members/1", twice),
        ("/policies", json!([])),
        ("/queues/1/base", json!("/../v1.0")),
        ("/members/0/machine/start/url", json!("https://evil.example/v1.0/teams")),
        ("/members/0/machine/start/method", json!("G T")),
        ("/members/1/machine/operation/subject/operation/location", json!("https://evil.example")),
    ] {
        let mut changed = saved.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {saved}")) = value;
        let error = restored(changed, now).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{pointer}");
    }
}

/// The places of all numbers, texts and truth values.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            (0..)
                .zip(items)
                .for_each(|(number, item)| leaves(item, &format!("{at}/{number}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// A set of which all sorts of things are to be saved.
fn busy(now: &mut Instant) -> Set<u8> {
    let mut set = empty(*now);
    set.set_rate(2);
    for key in 0..30 {
        insert(&mut set, key, Polling::default().timeout(seconds(300)), *now);
    }
    start(&mut set, 100, true, *now);
    let (_, envelope) = sending(&mut set, now);
    set.failed(envelope, &Error::transport("connection reset"), *now);
    let (_, envelope) = sending(&mut set, now);
    let throttled = Response::builder().status(429).header("Retry-After", "9");
    let throttled = throttled.body(Bytes::new()).unwrap();
    assert!(matches!(set.received(envelope, throttled, *now), Received::Done));
    start(&mut set, 101, false, *now);
    set
}

#[test]
fn a_saved_set_that_was_tampered_with_causes_no_panic() {
    let extremes = [
        json!(0),
        json!(1),
        json!(-1),
        json!(u64::MAX),
        json!(u64::from(u32::MAX)),
        json!(null),
        json!(""),
        json!("aside"),
        json!(true),
        json!([]),
    ];
    let mut begun = Instant::now();
    let saved = serde_json::to_value(busy(&mut begun).save()).unwrap();
    let mut places = Vec::new();
    leaves(&saved, "", &mut places);
    let mut read = 0;
    for place in places {
        for extreme in &extremes {
            let mut changed = saved.clone();
            *changed.pointer_mut(&place).unwrap() = extreme.clone();
            let Ok(mut set) = restored(changed, begun) else { continue };
            read += 1;
            let mut now = begun;
            for _ in 0..30 {
                match take(&mut set, now) {
                    // A clock shows no instant in thousands of years.
                    Taken::Wait(pause) => now += pause.min(seconds(1 << 32)),
                    Taken::Sent(_, envelope) => {
                        set.failed(envelope, &Error::transport("connection reset"), now);
                    }
                    Taken::Event(_) => {}
                    Taken::Nothing => break,
                }
            }
            let _ = serde_json::to_string(&set.save()).unwrap();
        }
    }
    assert!(read > 500, "{read} were read");
}
