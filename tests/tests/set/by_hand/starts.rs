//! Starts that a set sends itself.

use super::*;

/// A start with a policy of its own.
fn timed(set: &mut Set<u8>, key: u8, polling: Polling, now: Instant) {
    let request = Request::post(format!("{ROOT}/teams/{key}/archive")).body(Bytes::new());
    let start = Start::new::<TeamsAsyncOperation>(&root(), request.unwrap(), true, polling, now, 7);
    set.queue_request(key, start.unwrap()).unwrap();
}

fn timeout(secs: u64) -> Polling {
    Polling::default().timeout(seconds(secs))
}

#[test]
fn starts_of_a_refused_batch_are_sent_one_by_one_in_their_order() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..3 {
        start(&mut set, key, false, now);
    }
    let (request, envelope) = sending(&mut set, &mut now);
    assert!(request.uri().path().ends_with("/$batch") && envelope.len() == 3);
    now += seconds(1);
    receive(&mut set, envelope, status(400), now);
    for key in 0..3 {
        let (request, envelope) = sending(&mut set, &mut now);
        assert_eq!(request.uri().path(), format!("/v1.0/teams/{key}/archive"));
        receive(&mut set, envelope, status(403), now);
        let SetStep::Event(Report::Ended(ended, Err(error))) = set.next(now) else {
            panic!("it was rejected")
        };
        // What was not sent does not count.
        assert_eq!((ended, error.checks(), error.waited()), (key, Some(1), Some(Duration::ZERO)));
    }
}

#[test]
fn starts_of_a_throttled_batch_are_sent_together_again() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        start(&mut set, key, false, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(429), now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 2);
    // What was started separately is checked with others.
    receive(&mut set, envelope, status(400), now);
    for key in 0..2 {
        let (_, envelope) = sending(&mut set, &mut now);
        assert_eq!(envelope.len(), 1);
        let accepted = with_header(accepted(&location(key)), "retry-after", "60");
        receive(&mut set, envelope, accepted, now);
    }
    assert_eq!((set.counts().running, set.counts().queued), (2, 0));
    set = saved::reread(&set, root(), now);
    assert_eq!((set.counts().running, set.counts().starting), (2, 0));
    now += seconds(100);
    assert_eq!(sending(&mut set, &mut now).1.len(), 2);
}

/// A retried start goes before those that have not been sent yet.
#[test]
fn a_start_that_is_retried_comes_first_and_a_batch_of_starts_counts_as_one() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_starts_at_once(1);
    set.set_rate(1_000);
    for key in 0..45 {
        start(&mut set, key, false, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 20);
    assert_eq!(wait(&mut set, now).1, Reason::Deadline);
    let mut said = [(403, ""); 20];
    said[7] = (429, "");
    receive(&mut set, envelope, answers(&said), now);
    reports(&mut set, now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert!(matches!(take(&mut set, now), Taken::Wait(_)));
    now += seconds(4);
    receive(&mut set, envelope, answers(&[(403, ""); 20]), now);
    reports(&mut set, now);
    let (request, envelope) = sending(&mut set, &mut now);
    let text = String::from_utf8_lossy(request.body()).into_owned();
    assert_eq!(envelope.len(), 6);
    assert!(text.contains(r#"{"id":"1","method":"POST","url":"/teams/7/archive""#), "{text}");
}

#[test]
fn a_start_that_waits_for_a_credential_or_was_dropped_frees_its_place_when_that_is_over() {
    for is_dropped in [false, true] {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_starts_at_once(1);
        set.set_requests_at_once(1);
        set.set_batch(1);
        start(&mut set, 1, false, now);
        start(&mut set, 2, false, now);
        let (_, envelope) = sending(&mut set, &mut now);
        if is_dropped {
            drop(envelope);
            assert_eq!(reports(&mut set, now), ["1 ended Transport"]);
        } else {
            let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
            assert!(matches!(set.next(now), SetStep::Pending));
            set.authorized(envelope, &refused, false, now);
            assert_eq!(reports(&mut set, now), ["1 ended Rejected"]);
        }
        let (request, _start) = sending(&mut set, &mut now);
        assert!(request.uri().path().contains("/teams/2/"), "{}", request.uri());
        due(&mut set, [3], now);
        let (request, _check) = sending(&mut set, &mut now);
        assert!(request.uri().path().contains("teams('3')"), "{}", request.uri());
    }
}

#[test]
fn a_start_that_is_retried_is_reported_to_those_who_watch() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..3 {
        start(&mut set, key, key == 0, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(500, ""), (403, ""), (429, "")]), now);
    let retried = ["0 retrying Rejected", "1 ended Rejected", "2 retrying Rejected"];
    assert_eq!(reports(&mut set, now), retried);

    // No request was carried out in a refused batch, so no start has failed.
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(429), now);
    assert!(reports(&mut set, now).is_empty());

    // The same for a credential that is renewed.
    let (_, envelope) = sending(&mut set, &mut now);
    let (envelope, refused) =
        unauthorized(&mut set, envelope, answers(&[(401, ""), (401, "")]), now);
    set.authorized(envelope, &refused, true, now);
    assert!(reports(&mut set, now).is_empty());

    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(503, ""), (503, "")]), now);
    set.watch(false);
    assert!(reports(&mut set, now).is_empty());
    set.watch(true);

    // One that was not sent, or may be carried out twice, is retried without a response.
    let (_, envelope) = sending(&mut set, &mut now);
    set.failed(envelope, &Error::not_sent("connection refused"), now);
    let mut retried = reports(&mut set, now);
    retried.sort();
    assert_eq!(retried, ["0 retrying Transport", "2 retrying Transport"]);
    let (_, envelope) = sending(&mut set, &mut now);
    drop(envelope);
    let mut retried = reports(&mut set, now);
    retried.sort();
    assert_eq!(retried, ["0 retrying Transport", "2 ended Transport"]);
    assert_eq!(set.counts().starting, 1);
}

#[test]
fn the_wait_for_a_retry_says_whether_the_service_asked_for_it() {
    for (refused, least, reason) in [
        (status(429), 3, Reason::Backoff),
        (with_header(status(429), "retry-after", "50"), 50, Reason::RetryAfter),
    ] {
        let mut now = Instant::now();
        let mut set = empty(now);
        start(&mut set, 1, false, now);
        let (_, envelope) = sending(&mut set, &mut now);
        receive(&mut set, envelope, refused, now);
        assert_eq!(reports(&mut set, now), ["1 retrying Rejected"]);
        let (pause, why) = wait(&mut set, now);
        assert!(pause >= seconds(least) && why == reason, "{pause:?} {why:?}");
    }
}

#[test]
fn an_item_without_a_response_does_not_wait_for_the_batchs_retry_after() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        start(&mut set, key, true, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, with_header(batch(&json!([])), "retry-after", "1"), now);
    assert_eq!(reports(&mut set, now), ["0 retrying Decode", "1 retrying Decode"]);
    let (wait, why) = wait(&mut set, now);
    assert!(wait >= seconds(3) && why == Reason::Backoff, "{wait:?} {why:?}");
}

#[test]
fn a_start_has_the_time_that_its_own_deadline_leaves() {
    let begin = Instant::now();
    let mut set = empty(begin);
    timed(&mut set, 1, timeout(40), begin);
    timed(&mut set, 2, timeout(70), begin);
    // Time counts from the first request.
    let mut now = begin + seconds(1_000);
    let (request, envelope) = sending(&mut set, &mut now);
    assert_eq!((envelope.len(), TimeLeft::of(&request)), (2, seconds(70)));
    let first = now;
    let said = batch(&json!([
        { "id": "1", "status": 429, "headers": { "Retry-After": "35" } },
        { "id": "2", "status": 403 },
    ]));
    receive(&mut set, envelope, said, now);
    assert_eq!(reports(&mut set, now), ["1 retrying Rejected", "2 ended Rejected"]);
    let (request, envelope) = sending(&mut set, &mut now);
    let left = seconds(40).saturating_sub(now - first);
    assert_eq!(TimeLeft::of(&request), left.max(seconds(4)));
    assert!(now - first >= seconds(35), "{:?}", now - first);
    receive(&mut set, envelope, with_header(status(429), "retry-after", "9"), now);
    let SetStep::Event(Report::Ended(1, Err(error))) = set.next(now) else {
        panic!("it cannot be retried before its deadline")
    };
    assert_eq!((error.checks(), error.waited()), (Some(2), Some(now - first)));
}

#[test]
fn a_start_of_a_copy_is_sent_with_the_credential() {
    let mut now = Instant::now();
    let mut set = Set::<u8>::new::<DriveItemCopy>(root(), now, 7);
    let request = Request::post(format!("{ROOT}/me/drive/items/1/copy")).body(Bytes::new());
    let polling = Polling::default();
    let start =
        Start::new::<DriveItemCopy>(&root(), request.unwrap(), false, polling, now, 7).unwrap();
    set.queue_request(1, start).unwrap();
    let SetStep::Send(dispatch) = set.next(now) else { panic!("it is to be sent") };
    assert!(dispatch.is_start() && !dispatch.is_anonymous());
    let (_, envelope) = dispatch.request();
    let at = "https://contoso.sharepoint.com/_api/v2.0/monitor/1";
    receive(&mut set, envelope, accepted(at), now);
    let (request, _envelope) = sending(&mut set, &mut now);
    assert_eq!(request.uri(), at);
}

/// The starts go to the service, and only the monitors are elsewhere.
#[test]
fn starts_of_copies_are_sent_in_a_batch_and_their_monitors_are_read_one_by_one() {
    let mut now = Instant::now();
    let mut set = Set::<u8>::new::<DriveItemCopy>(root(), now, 7);
    for key in 0..2 {
        let request = Request::post(format!("{ROOT}/me/drive/items/{key}/copy")).body(Bytes::new());
        let (request, polling) = (request.unwrap(), Polling::default());
        let start = Start::new::<DriveItemCopy>(&root(), request, false, polling, now, 7);
        set.queue_request(key, start.unwrap()).unwrap();
    }
    set = Set::restore::<DriveItemCopy>(set.save(), root(), now).unwrap();
    let SetStep::Send(dispatch) = set.next(now) else { panic!("they are to be sent") };
    assert!(dispatch.is_start() && !dispatch.is_anonymous());
    let (request, envelope) = dispatch.request();
    assert_eq!((request.uri().path(), envelope.len()), ("/v1.0/$batch", 2));
    let at = |key| format!("https://contoso.sharepoint.com/v1.0/monitor/{key}");
    let said =
        [1, 2].map(|id| json!({ "id": id, "status": 202, "headers": { "Location": at(id) } }));
    receive(&mut set, envelope, batch(&json!(said)), now);
    let mut read = [(); 2].map(|()| sending(&mut set, &mut now).0.uri().to_string());
    read.sort();
    assert_eq!(read, [1, 2].map(at));
}

#[test]
fn a_token_says_when_the_start_was_first_sent() {
    let begin = Instant::now();
    let mut now = begin;
    let mut set = empty(now);
    let wall = UNIX_EPOCH + seconds(1_767_225_600);
    set.set_wall_clock(wall, now);
    now += seconds(100);
    start(&mut set, 1, false, now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, with_header(status(429), "retry-after", "50"), now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert!(now >= begin + seconds(150));
    receive(&mut set, envelope, accepted(&location(1)), now);
    let token = set.token(&1).unwrap();
    assert_eq!(token.started_at(), Some(wall + seconds(100)));
    // Its deadline counts from there too.
    assert_eq!(set.inspect(&1, Poller::waited_for), Some(now - begin - seconds(100)));
}

#[test]
fn starts_are_made_without_a_watcher() {
    let now = Instant::now();
    let mut set = empty(now);
    set.watch(false);
    let ticket = begin_start(&mut set, 1, now);
    let at = format!("{ROOT}{}", location(1)).parse().unwrap();
    let poller = Poller::new::<TeamsAsyncOperation>(Started::at(at), Polling::default(), now, 7);
    set.started(ticket, Ok(poller), now + seconds(3));
    assert_eq!(set.inspect(&1, Poller::waited_for), Some(seconds(3)));
    assert!(matches!(set.next(now), SetStep::Wait(..)));
}

#[test]
fn a_start_in_a_refused_batch_does_not_count_as_sent() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        start(&mut set, key, false, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(429, ""); 2]), now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(429), now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(403, ""); 2]), now);
    for _ in 0..2 {
        let SetStep::Event(Report::Ended(_, Err(error))) = set.next(now) else {
            panic!("both were rejected")
        };
        assert_eq!(error.checks(), Some(2));
    }
}

#[test]
fn a_start_in_an_unanswered_batch_ends_at_its_own_deadline() {
    let mut now = Instant::now();
    let mut set = empty(now);
    let policies = [timeout(40), timeout(70), Polling::default().no_timeout()];
    for (key, polling) in (1..).zip(policies) {
        timed(&mut set, key, polling, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 3);
    let begun = now;
    for (key, time) in [(1, 40), (2, 70)] {
        let (ended, end) = end(&mut set, &mut now);
        assert_eq!((ended, now - begun), (key, seconds(time)));
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Transport);
    }
    assert!(matches!(set.next(now), SetStep::Pending));
    // Their responses come too late, and that of the other does not.
    let said = json!({ "Location": location(3) });
    let said = [1, 2, 3].map(|id| json!({ "id": id, "status": 202, "headers": said }));
    receive(&mut set, envelope, batch(&json!(said)), now);
    assert_eq!(reports(&mut set, now), ["3 started"]);
}

#[test]
fn a_start_that_waits_for_a_retry_is_not_ended_by_the_deadline_of_its_first_request() {
    let mut now = Instant::now();
    let mut set = empty(now);
    timed(&mut set, 1, timeout(40), now);
    let (_, envelope) = sending(&mut set, &mut now);
    let begun = now;
    receive(&mut set, envelope, with_header(status(429), "retry-after", "38"), now);
    let (_, envelope) = sending(&mut set, &mut now);
    assert!(now - begun < seconds(40));
    // A request has four seconds at least.
    let again = now;
    let (_, end) = end(&mut set, &mut now);
    assert_eq!(now - again, seconds(4));
    assert_eq!(end.unwrap_err().checks(), Some(2));
    drop(envelope);
}

#[test]
fn starts_whose_batches_are_always_refused_end_by_their_deadline() {
    for retry_after in [None, Some("7")] {
        let mut now = Instant::now();
        let mut set = empty(now);
        for key in 0..2 {
            timed(&mut set, key, timeout(60), now);
        }
        let begun = now;
        let (mut refused, mut ended) = (0, 0);
        while !set.is_empty() {
            match take(&mut set, now) {
                Taken::Wait(pause) => now += pause,
                Taken::Sent(_, envelope) => {
                    refused += 1;
                    assert!(now - begun <= seconds(60), "{:?}", now - begun);
                    let mut refusal = status(429);
                    if let Some(after) = retry_after {
                        refusal = with_header(refusal, "retry-after", after);
                    }
                    receive(&mut set, envelope, refusal, now);
                    set = saved::reread(&set, root(), now);
                }
                Taken::Event(Report::Ended(_, Err(_))) => ended += 1,
                step => panic!("{step:?}"),
            }
        }
        assert!(refused > 2 && ended == 2, "{refused} {ended}");
    }
}

#[test]
fn a_start_whose_batch_was_refused_has_the_deadline_of_the_first() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for key in 0..2 {
        timed(&mut set, key, timeout(60), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    let begun = now;
    receive(&mut set, envelope, with_header(status(503), "retry-after", "45"), now);
    let (request, envelope) = sending(&mut set, &mut now);
    assert_eq!(TimeLeft::of(&request), seconds(60).saturating_sub(now - begun).max(seconds(6)));
    receive(&mut set, envelope, with_header(status(503), "retry-after", "45"), now);
    for _ in 0..2 {
        let SetStep::Event(Report::Ended(_, Err(error))) = set.next(now) else {
            panic!("it cannot be retried before its deadline")
        };
        assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
        assert!(error.is_retryable());
        assert_eq!(error.waited(), Some(now - begun));
    }
}

/// Two batches of two starts in flight. All have a deadline of a minute, except key 1.
fn two_batches(now: &mut Instant) -> (Set<u8>, [Envelope; 2]) {
    let mut set = empty(*now);
    set.set_batch(2);
    for key in 0..4 {
        timed(&mut set, key, timeout(if key == 1 { 600 } else { 60 }), *now);
    }
    let batches = [(); 2].map(|()| sending(&mut set, now).1);
    (set, batches)
}

/// A response to a batch in which each of two items is throttled.
fn throttled_items() -> Response<Bytes> {
    let said = [1, 2].map(
        |id| json!({ "id": id.to_string(), "status": 429, "headers": { "Retry-After": "20" } }),
    );
    batch(&json!(said))
}

#[test]
fn a_start_that_waits_for_a_retry_does_not_wait_for_a_pause_beyond_its_deadline() {
    let mut now = Instant::now();
    let (mut set, [first, second]) = two_batches(&mut now);
    receive(&mut set, first, throttled_items(), now);
    let retries = ["0 retrying Rejected", "1 retrying Rejected"];
    assert_eq!(reports(&mut set, now), retries);
    receive(&mut set, second, with_header(status(429), "retry-after", "100"), now);
    let mut ended = reports(&mut set, now);
    ended.sort();
    assert_eq!(ended, ["0 ended Rejected", "2 ended Rejected", "3 ended Rejected"]);
    assert_eq!(sending(&mut set, &mut now).1.len(), 1);
}

#[test]
fn a_start_that_begins_to_wait_during_a_pause_does_not_wait_beyond_its_deadline() {
    let mut now = Instant::now();
    let (mut set, [first, second]) = two_batches(&mut now);
    receive(&mut set, second, with_header(status(429), "retry-after", "100"), now);
    assert_eq!(reports(&mut set, now), ["2 ended Rejected", "3 ended Rejected"]);
    receive(&mut set, first, throttled_items(), now);
    let mut ended = reports(&mut set, now);
    ended.sort();
    assert_eq!(ended, ["0 ended Rejected", "1 retrying Rejected"]);
}

#[test]
fn the_time_for_a_request_does_not_end_a_start_that_waits_for_a_credential() {
    let mut now = Instant::now();
    let mut set = empty(now);
    let request = Request::post(format!("{ROOT}/teams/0/archive")).body(Bytes::new()).unwrap();
    let start = Start::new::<TeamsAsyncOperation>(&root(), request, false, timeout(60), now, 7);
    set.queue_request(0, start.unwrap()).unwrap();
    let (_, envelope) = sending(&mut set, &mut now);
    now += seconds(5);
    let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
    now += seconds(100);
    assert!(reports(&mut set, now).is_empty());
    set.authorized(envelope, &refused, false, now);
    let SetStep::Event(Report::Ended(0, Err(error))) = set.next(now) else {
        panic!("the credential was refused")
    };
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert!(!error.to_string().contains("carried out"), "{error}");
}

/// A batch ignores this preference, and a request that needs it is refused there.
#[test]
fn a_start_that_asks_for_an_asynchronous_response_is_sent_alone() {
    let mut now = Instant::now();
    let mut set = empty(now);
    for (key, prefer) in
        (0..).zip(["respond-async", "x=1, Respond-Async", "wait=5", "return=minimal"])
    {
        let request = Request::patch(format!("{ROOT}/drives/1/items/{key}"));
        let request = request.header("Prefer", prefer).body(Bytes::new()).unwrap();
        let polling = Polling::default();
        let start = Start::new::<TeamsAsyncOperation>(&root(), request, false, polling, now, 7);
        set.queue_request(key, start.unwrap()).unwrap();
    }
    for path in ["/v1.0/drives/1/items/0", "/v1.0/drives/1/items/1", "/v1.0/$batch"] {
        set = saved::reread(&set, root(), now);
        let (request, envelope) = sending(&mut set, &mut now);
        assert_eq!(request.uri().path(), path);
        if envelope.len() == 1 {
            receive(&mut set, envelope, accepted(&location(1)), now);
        } else {
            assert_eq!(envelope.len(), 2);
        }
    }
}
