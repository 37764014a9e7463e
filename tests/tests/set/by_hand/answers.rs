//! The effects of the responses to checks.

use super::*;

#[test]
fn reports_come_in_the_order_of_the_events() {
    let mut now = Instant::now();
    let mut set = empty(now);
    let tickets: Vec<_> = [8, 9].into_iter().filter_map(|key| set.queue(key)).collect();
    for ticket in &tickets {
        let SetStep::Start(other) = set.next(now) else { panic!("{ticket:?} is to begin") };
        assert_eq!(other, *ticket);
    }
    for (key, ticket) in (8_usize..).zip(tickets) {
        let at = format!("{ROOT}{}", location(key)).parse().unwrap();
        let poller =
            Poller::new::<TeamsAsyncOperation>(Started::at(at), Polling::default(), now, 7);
        now += seconds(1);
        set.started(ticket, Ok(poller), now);
        assert_eq!(set.latest(), now);
    }
    assert_eq!(reports(&mut set, now), ["8 started", "9 started"]);
    assert!(set.remove(&8, now).is_some() && set.remove(&9, now).is_some());

    let begin = now;
    due(&mut set, 0..4, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let said = [(200, "inProgress"), (200, "succeeded"), (503, ""), (200, "inProgress")];
    receive(&mut set, envelope, answers(&said), now);
    assert_eq!(
        reports(&mut set, now),
        ["0 checked", "1 checked", "1 ended", "2 Rejected", "3 checked"]
    );
    // A response that says the same is not reported.
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 3);
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 3]), now);
    assert_eq!(reports(&mut set, now), ["2 checked"]);
    assert!(now - begin < seconds(40));

    // Two separate requests.
    set.set_batch(1);
    let first = sending(&mut set, &mut now).1;
    let second = sending(&mut set, &mut now).1;
    for envelope in [first, second] {
        receive(&mut set, envelope, json_answer(200, &json!({ "status": "notStarted" })), now);
    }
    let told = reports(&mut set, now);
    assert_eq!(told.len(), 2);
    assert!(told.is_sorted(), "{told:?}");
    set.set_batch(20);
    now += seconds(60);

    // Without a watcher.
    set.watch(false);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(
        &mut set,
        envelope,
        answers(&[(200, "notStarted"), (503, ""), (200, "succeeded")]),
        now,
    );
    assert_eq!(reports(&mut set, now).len(), 1);
}

#[test]
fn an_item_that_cannot_be_read_is_a_fault_of_that_item() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let response = batch(&json!([
        { "id": "1", "status": 200, "body": "<html>" },
        { "id": "2", "status": 200, "body": { "status": "inProgress" } },
    ]));
    receive(&mut set, envelope, response, now);
    assert_eq!(reports(&mut set, now), ["0 Decode", "1 checked"]);
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 2);
    // A batch whose response cannot be read is a fault of each item, with the facts of the response.
    receive(&mut set, envelope, with_header(status(200), "request-id", "r"), now);
    let fault = set.inspect(&0, |poller| poller.retried_fault().cloned()).unwrap().unwrap();
    assert_eq!((fault.kind(), fault.request_id()), (ErrorKind::Decode, Some("r")));
}

#[test]
fn a_retry_after_in_a_good_answer_of_a_batch_is_obeyed() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let begin = now;
    let running = json!({ "status": "inProgress" });
    let response = batch(&json!([
        { "id": "1", "status": 200, "headers": { "Retry-After": "100" }, "body": running },
        { "id": "2", "status": 200, "headers": { "Date": "x" }, "body": running },
    ]));
    receive(&mut set, envelope, response, now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert!(envelope.len() == 1 && now - begin < seconds(40), "{:?}", now - begin);
    drop(envelope);
    let next = set.inspect(&0, Poller::until_next).unwrap().unwrap();
    assert!(next > seconds(60) && next <= seconds(110), "{next:?}");
}

#[test]
fn a_new_credential_is_asked_for_after_each_other_answer() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    for between in [200, 503] {
        let (_, envelope) = sending(&mut set, &mut now);
        let said = answers(&[(401, ""), (200, "inProgress")]);
        let (envelope, refused) = unauthorized(&mut set, envelope, said, now);
        assert_eq!((envelope.len(), refused.status().as_u16()), (1, 401));
        now += seconds(1);
        set.authorized(envelope, &refused, true, now);
        assert_eq!(set.latest(), now);
        let (_, envelope) = sending(&mut set, &mut now);
        receive(
            &mut set,
            envelope,
            status(between).map(|_| Bytes::from("{\"status\":\"inProgress\"}")),
            now,
        );
        let (_, envelope) = sending(&mut set, &mut now);
        assert_eq!(envelope.len(), 1);
        drop(envelope);
        // Both are due together again.
        now += seconds(600);
    }
    // So is one after a batch that was read.
    for _ in 0..2 {
        let (_, envelope) = sending(&mut set, &mut now);
        let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
        assert_eq!(envelope.len(), 2);
        set.authorized(envelope, &refused, true, now);
        let (_, envelope) = sending(&mut set, &mut now);
        receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
        now += seconds(600);
    }
    // A 424 says nothing about the credential.
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(424, ""), (200, "inProgress")]), now);
    let fault = set.inspect(&0, |poller| poller.retried_fault().map(Error::is_retryable));
    assert_eq!(fault, Some(Some(true)));
}

#[test]
fn a_version_that_gets_no_batches_gets_none_again() {
    // `late` is the status of a batch that was in flight when another one turned batching off.
    for late in [400, 404] {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_rate(1_000);
        due(&mut set, 0..40, now);
        let first = sending(&mut set, &mut now).1;
        let second = sending(&mut set, &mut now).1;
        if late == 404 {
            // One operation that a batch contradicts.
            let mut said = [(200, "inProgress"); 20];
            said[0] = (404, "");
            receive(&mut set, first, answers(&said), now);
            let alone = sending(&mut set, &mut now).1;
            receive(&mut set, second, status(501), now);
            receive(&mut set, alone, in_progress(), now);
        } else {
            receive(&mut set, first, status(501), now);
            receive(&mut set, second, status(400), now);
        }
        for _ in 0..40 {
            let (request, envelope) = sending(&mut set, &mut now);
            assert!(!request.uri().path().ends_with("/$batch"), "{late}");
            receive(&mut set, envelope, in_progress(), now);
        }
    }
}

#[test]
fn a_version_whose_batches_are_refused_twice_in_a_row_gets_no_more() {
    // Good batches between two refused ones.
    for good in [0, 1] {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_rate(1_000);
        due(&mut set, 0..2, now);
        for round in 0..2 {
            let (request, envelope) = sending(&mut set, &mut now);
            assert!(request.uri().path().ends_with("/$batch"), "{round}");
            receive(&mut set, envelope, status(400), now);
            // Each is checked separately, at once, and then with the other again.
            for _ in 0..2 {
                let (request, envelope) = sending(&mut set, &mut now);
                assert!(!request.uri().path().ends_with("/$batch"));
                receive(&mut set, envelope, in_progress(), now);
            }
            now += seconds(60);
            for _ in 0..good {
                let (_, envelope) = sending(&mut set, &mut now);
                receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
                now += seconds(60);
            }
        }
        let (_, envelope) = sending(&mut set, &mut now);
        assert_eq!(envelope.len(), 1 + good);
        drop(envelope);
    }
}

/// A set of three operations, the first of which a batch did not find. The next request is for that
/// one only.
fn doubtful(now: &mut Instant) -> Set<u8> {
    let mut set = empty(*now);
    due(&mut set, 0..3, *now);
    let (_, envelope) = sending(&mut set, now);
    let said = [(404, ""), (200, "inProgress"), (200, "inProgress")];
    receive(&mut set, envelope, answers(&said), *now);
    set
}

#[test]
fn an_operation_that_a_batch_contradicts_is_checked_alone_from_then_on() {
    let mut now = Instant::now();
    let mut set = doubtful(&mut now);
    let (request, envelope) = sending(&mut set, &mut now);
    assert!(request.uri().path().contains("teams('0')"), "{}", request.uri());
    receive(&mut set, envelope, in_progress(), now);
    for _ in 0..3 {
        now += seconds(120);
        let mut sizes = Vec::new();
        for _ in 0..2 {
            let (_, envelope) = sending(&mut set, &mut now);
            sizes.push(envelope.len());
            let alone = envelope.len() == 1;
            let said = if alone { in_progress() } else { answers(&[(200, "inProgress"); 2]) };
            receive(&mut set, envelope, said, now);
        }
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 2]);
    }
}

#[test]
fn a_separate_request_that_fails_confirms_nothing() {
    let mut now = Instant::now();
    let mut set = doubtful(&mut now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(503), now);
    // The next contradiction is confirmed too, with a new credential if needed.
    assert!(set.remove(&0, now).is_some());
    let (_, envelope) = sending(&mut set, &mut now);
    let said = answers(&[(401, ""), (200, "inProgress")]);
    let (envelope, refused) = unauthorized(&mut set, envelope, said, now);
    set.authorized(envelope, &refused, true, now);
    now += seconds(60);
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 2);
    receive(&mut set, envelope, answers(&[(404, ""), (200, "inProgress")]), now);
    let (request, envelope) = sending(&mut set, &mut now);
    assert!(request.uri().path().contains("teams('1')"), "{}", request.uri());
    let _ = unauthorized(&mut set, envelope, status(401), now);
}

#[test]
fn a_refused_credential_shows_no_response() {
    let mut now = Instant::now();
    let mut set = empty(now);
    start(&mut set, 0, false, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let refused = with_header(status(401), "www-authenticate", "of-great-value");
    let shown = format!("{:?}", set.received(envelope, refused, now));
    assert!(shown.starts_with("Unauthorized(Envelope"), "{shown}");
    assert!(!shown.contains("of-great-value"), "{shown}");
}
