//! Sets that are saved and restored.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{
    Poller, RateLimit, Received, Recorded, Report, SavedSet, Set, SetStep, Start, Started,
};
use graph_operation::testing::{accepted, json_answer, with_header};
use graph_operation::{Error, ErrorKind, Polling, Result, TeamsAsyncOperation};
use graph_operation_tests::set::saved::{drive, reread};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::by_hand::{Taken, empty, end, insert, of_a_team, root, sending, start, take};
use crate::{batch, seconds};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_set_that_was_saved_behaves_as_the_one_that_was_not(bytes in vec(any::<u8>(), 0..8_000)) {
        drive(&bytes);
    }
}

/// The inputs that the property test has found, one file each.
#[test]
fn the_kept_cases_hold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/kept/set");
    let mut kept = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        drive(&std::fs::read(file.unwrap().path()).unwrap());
        kept += 1;
    }
    assert!(kept >= 1);
}

fn restored(saved: Value, now: Instant) -> Result<Set<u8>> {
    let saved = serde_json::from_value(saved).map_err(|_| Error::transport("no set at all"))?;
    Set::restore::<TeamsAsyncOperation>(saved, root(), now)
}

#[test]
fn what_was_in_flight_counts_as_sent_and_is_checked_again_after_its_interval() {
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
fn a_start_that_was_in_flight_may_have_been_carried_out() {
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
fn the_interval_counts_from_when_the_journaled_request_was_sent() {
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
fn an_end_that_was_not_reported_is_reported_after_the_restore() {
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
fn a_set_with_another_root_model_or_version_is_refused() {
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

/// A set with all kinds of state to save.
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
                    // An instant cannot be thousands of years away.
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

/// A response to a request, whose items have these statuses in turn.
fn in_turn(request: &Request<Bytes>, turn: &mut usize) -> Response<Bytes> {
    const WHOLE: [u16; 13] = [200, 200, 429, 200, 200, 400, 200, 200, 200, 503, 200, 200, 500];
    const ITEMS: [u16; 11] = [200, 200, 404, 200, 429, 200, 200, 401, 200, 503, 200];
    const STARTS: [u16; 5] = [429, 202, 202, 401, 202];
    let mut next = |statuses: &[u16]| {
        *turn += 1;
        statuses[*turn % statuses.len()]
    };
    let mut item = |id: usize, method: &Value| {
        let status = next(if method == "POST" { &STARTS } else { &ITEMS });
        let headers = if status == 429 { json!({ "Retry-After": "7" }) } else { json!({}) };
        let headers =
            if status == 202 { json!({ "Location": crate::location(500 + id) }) } else { headers };
        let body = json!({ "status": "inProgress", "attemptsCount": id });
        json!({ "id": id.to_string(), "status": status, "headers": headers, "body": body })
    };
    if request.uri().path().ends_with("/$batch") {
        let written: Value = serde_json::from_slice(request.body()).unwrap();
        let items = written["requests"].as_array().unwrap();
        let items = (1..).zip(items).map(|(id, request)| item(id, &request["method"]));
        let mut response = batch(&Value::Array(items.collect()));
        *response.status_mut() = StatusCode::from_u16(next(&WHOLE)).unwrap();
        return response;
    }
    let item = item(1, &json!(request.method().as_str()));
    let mut response =
        json_answer(u16::try_from(item["status"].as_u64().unwrap()).unwrap(), &item["body"]);
    for (name, value) in item["headers"].as_object().unwrap() {
        response = with_header(response, name, value.as_str().unwrap());
    }
    response
}

/// A step, and the request that it sends.
fn told(taken: &Taken) -> String {
    match taken {
        Taken::Sent(request, _) => format!("{} {:?}", request.uri(), request.body()),
        Taken::Event(Report::Ended(key, Err(error))) => format!("{key} {:?}", error.kind()),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_set_continues_from_whatever_state_it_is_in() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.watch(false);
    set.set_batch(6);
    set.set_rate(3);
    set.set_requests_at_once(2);
    set.set_starts_at_once(3);
    set.set_wall_clock(UNIX_EPOCH + seconds(1_000), now);
    for key in 0..16 {
        let polling = Polling::default().first_check(seconds(u64::from(key) / 4));
        let timeout = seconds([100, 300, 900, 3_600][usize::from(key) % 4]);
        insert(&mut set, key, polling.timeout(timeout), now);
    }
    // Operations of two teams, each of which is checked four times a second.
    for key in 16..32 {
        let team = 98 + key % 2;
        let at =
            format!("https://graph.microsoft.com/v1.0/teams('{team}')/x('{key}')/operations('1')");
        let started = Started::at(at.parse().unwrap());
        let polling = Polling::default().first_check(Duration::ZERO).timeout(seconds(700));
        let poller = Poller::new::<TeamsAsyncOperation>(started, polling, now, key.into());
        set.insert(key, poller, now).unwrap();
    }
    for key in 40..52 {
        start(&mut set, key, key % 2 == 0, now);
    }
    let (mut turn, mut requests) = (0, 0);
    // The same set, saved during the wait before this step.
    let mut twin: Option<Set<u8>> = None;
    for step in 0..2_000 {
        let taken = take(&mut set, now);
        if let Some(mut twin) = twin.take() {
            assert_eq!(told(&take(&mut twin, now)), told(&taken), "{step}");
        }
        match taken {
            Taken::Wait(pause) => {
                let restored = twin.insert(reread(&set, root(), now));
                assert_eq!(restored.counts(), set.counts(), "{step}");
                now += if step % 2 == 0 { pause } else { pause / 2 };
            }
            Taken::Sent(request, envelope) => {
                requests += 1;
                now += Duration::from_millis(100);
                if requests % 4 == 0 {
                    drop(reread(&set, root(), now));
                }
                let response = in_turn(&request, &mut turn);
                if let Received::Unauthorized(envelope, response) =
                    set.received(envelope, response, now)
                {
                    set.authorized(envelope, &response, turn % 3 > 0, now);
                }
            }
            Taken::Event(_) => {}
            Taken::Nothing => break,
        }
    }
    assert!(set.is_empty() && set.counts().failed == 44 && requests > 150, "{requests}: {set:?}");
}

#[test]
fn tokens_earned_while_nothing_was_sent_are_not_lost() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_rate(1);
    let at_once = Polling::default().first_check(Duration::ZERO);
    for key in 0..20 {
        insert(&mut set, key, at_once, now);
    }
    let (_, _envelope) = sending(&mut set, &mut now);
    now += seconds(10);
    assert!(matches!(set.next(now), SetStep::Wait(..)));
    let saved = serde_json::to_value(set.save()).unwrap();
    assert_eq!(saved["members"].as_array().map(Vec::len), Some(set.save().len()));
    let mut set = restored(saved.clone(), now).unwrap();
    set.set_batch(1);
    for key in 20..31 {
        insert(&mut set, key, at_once, now);
    }
    set.set_requests_at_once(100);
    let mut in_flight = Vec::new();
    while let Taken::Sent(_, envelope) = take(&mut set, now) {
        in_flight.push(envelope);
    }
    assert_eq!(in_flight.len(), 10);

    // No saved bucket holds more than a full one.
    let mut changed = saved;
    changed["limit"]["tokens"] = json!(u64::MAX);
    let again = serde_json::to_value(restored(changed, now).unwrap().save()).unwrap();
    assert_eq!(again["limit"]["tokens"], json!(20_000_000_000_u64));
}

#[test]
fn an_empty_set_is_saved_as_one() {
    let now = Instant::now();
    let mut set = empty(now);
    assert!(set.save().is_empty());
    insert(&mut set, 1, Polling::default(), now);
    assert_eq!((set.save().len(), set.save().is_empty()), (1, false));
}

#[test]
fn a_header_that_is_marked_as_a_secret_is_not_saved() {
    let now = Instant::now();
    let mut set = empty(now);
    let mut request = Request::post("https://graph.microsoft.com/v1.0/teams/1/archive")
        .body(Bytes::new())
        .unwrap();
    let mut value = HeaderValue::from_static("secret");
    value.set_sensitive(true);
    request.headers_mut().insert("x-key", value);
    let polling = Polling::default();
    let start = Start::new::<TeamsAsyncOperation>(&root(), request, false, polling, now, 7);
    set.queue_request(1, start.unwrap()).unwrap();
    let written = serde_json::to_string(&set.save()).unwrap();
    assert!(!written.contains("secret"), "{written}");
}

#[test]
fn a_start_counts_from_when_the_journaled_request_was_sent() {
    let mut now = Instant::now();
    let mut set = empty(now);
    start(&mut set, 1, false, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let wall = |after: u64| UNIX_EPOCH + seconds(1_000 + after);
    let instant = |time: SystemTime| now + time.duration_since(wall(0)).unwrap();
    let recorded = Recorded::new(&Ok(accepted(&crate::location(1))), wall(7), wall(9));
    assert!(matches!(set.replay(envelope, recorded, instant), Received::Done));
    assert_eq!(set.inspect(&1, Poller::waited_for), Some(seconds(9)));
}

#[test]
fn an_operation_that_nothing_holds_back_is_due() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..6 {
        let polling = Polling::default().first_check(Duration::ZERO);
        set.insert(key, of_a_team(key, polling, now), now).unwrap();
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 4);
    let mut saved = serde_json::to_value(set.save()).unwrap();
    saved["owners"] = json!([]);
    let mut set = restored(saved, now).unwrap();
    let before = now;
    assert_eq!(sending(&mut set, &mut now).1.len(), 2);
    assert!(now - before <= seconds(2), "{:?}", now - before);
}

/// The response to a batch of checks, with these statuses.
fn answers(statuses: &[u16]) -> Response<Bytes> {
    let items = (1..).zip(statuses).map(|(id, status)| {
        json!({ "id": id.to_string(), "status": status, "body": { "status": "inProgress" } })
    });
    batch(&Value::Array(items.collect()))
}

#[test]
fn a_pause_is_saved_and_so_is_how_often_it_was_doubled() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..40 {
        insert(&mut set, key, Polling::default().first_check(Duration::ZERO), now);
    }
    let throttled = || Response::builder().status(429).body(Bytes::new()).unwrap();
    let (_, first) = sending(&mut set, &mut now);
    let (_, second) = sending(&mut set, &mut now);
    assert!(matches!(set.received(first, throttled(), now), Received::Done));
    // After a good batch the pause continues, and the next one starts from the beginning.
    assert!(matches!(set.received(second, answers(&[200; 20]), now), Received::Done));
    while matches!(set.next(now), SetStep::Event(_)) {}
    let mut pauses = Vec::new();
    for _ in 0..3 {
        set = reread(&set, root(), now);
        let Taken::Wait(pause) = take(&mut set, now) else { panic!("the set is paused") };
        pauses.push(pause.as_secs());
        now += pause;
        assert!(matches!(set.next(now), SetStep::Send(_)));
        set = reread(&set, root(), now);
        let (_, envelope) = sending(&mut set, &mut now);
        assert!(matches!(set.received(envelope, throttled(), now), Received::Done));
        while matches!(set.next(now), SetStep::Event(_)) {}
    }
    assert_eq!(pauses, [3, 3, 6]);
}

#[test]
fn contradictions_of_batches_are_saved() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..5 {
        insert(&mut set, key, Polling::default().first_check(Duration::ZERO), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    let said = answers(&[404, 404, 404, 200, 200]);
    assert!(matches!(set.received(envelope, said, now), Received::Done));
    for _ in 0..3 {
        set = reread(&set, root(), now);
        let (request, envelope) = sending(&mut set, &mut now);
        assert_eq!((envelope.len(), request.uri().path().ends_with("/$batch")), (1, false));
        let running = json_answer(200, &json!({ "status": "inProgress" }));
        assert!(matches!(set.received(envelope, running, now), Received::Done));
    }
    now += seconds(60);
    assert_eq!(sending(&mut set, &mut now).1.len(), 1, "three contradictions end the batches");
}

#[test]
fn a_rejected_operation_and_starts_that_are_sent_separately_are_saved() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        insert(&mut set, key, Polling::default().first_check(Duration::ZERO), now);
        start(&mut set, 10 + key, false, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    let malformed = Response::builder().status(400).body(Bytes::new()).unwrap();
    assert!(matches!(set.received(envelope, malformed, now), Received::Done));
    set = reread(&set, root(), now);
    let mut in_flight = Vec::new();
    for key in 10..12 {
        let (request, envelope) = sending(&mut set, &mut now);
        assert_eq!(request.uri().path(), format!("/v1.0/teams/{key}/archive"));
        in_flight.push(envelope);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 2);
    assert!(matches!(set.received(envelope, answers(&[403, 200]), now), Received::Done));
    set = reread(&set, root(), now);
    let (key, result) = end(&mut set, &mut now);
    assert_eq!((key, result.unwrap_err().kind()), (0, ErrorKind::Rejected));
}

#[test]
fn starts_that_are_due_for_a_retry_keep_their_place_before_the_others() {
    let urls = |is_saved: bool| {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_batch(2);
        for key in 0..3 {
            start(&mut set, key, false, now);
        }
        let (_, envelope) = sending(&mut set, &mut now);
        let Received::Unauthorized(envelope, refused) =
            set.received(envelope, answers(&[401, 401]), now)
        else {
            panic!("the credential was refused")
        };
        set.authorized(envelope, &refused, true, now);
        if is_saved {
            set = reread(&set, root(), now);
        }
        let (request, _envelope) = sending(&mut set, &mut now);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        [0, 1].map(|at| body["requests"][at]["url"].as_str().unwrap().to_owned())
    };
    assert_eq!(urls(true), urls(false));
    assert_eq!(urls(true), ["/teams/1/archive", "/teams/0/archive"]);
}
