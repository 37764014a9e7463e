//! When a set sends: batches that fill, the rate, pauses, deadlines.

use super::*;

#[test]
fn what_is_due_is_sent_with_what_falls_due_within_a_twentieth_of_the_interval() {
    for (interval, slack) in [(10, 500), (30, 1_500), (600, 2_000)] {
        let now = Instant::now();
        let mut set = empty(now);
        insert(&mut set, 1, at_once().interval(seconds(interval)), now);
        assert_eq!(wait(&mut set, now), (Duration::from_millis(slack), Reason::Batch));
        // A full batch does not wait.
        due(&mut set, 2..21, now);
        let Taken::Sent(_, envelope) = take(&mut set, now) else { panic!("a full batch is due") };
        assert_eq!(envelope.len(), 20);
    }
    // A batch that can have two items waits for the other one.
    let now = Instant::now();
    let mut set = empty(now);
    set.set_batch(2);
    due(&mut set, [1], now);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(1_500), Reason::Batch));
    // A batch of one has nothing to wait for.
    let now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    due(&mut set, [1], now);
    assert!(matches!(set.next(now), SetStep::Send(_)));
}

#[test]
fn each_answer_is_followed_by_the_interval() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..3, now);
    let mut times = Vec::new();
    for _ in 0..4 {
        let (request, envelope) = sending(&mut set, &mut now);
        assert!(request.extensions().is_empty());
        times.push(now);
        now += seconds(1);
        receive(&mut set, envelope, answers(&[(200, "inProgress"); 3]), now);
    }
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > seconds(30) && gap <= seconds(35), "{gap:?}");
    }
    assert_eq!(checks(&mut set, 0), 4);
}

#[test]
fn the_wait_ends_when_the_driver_says_so() {
    let now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    insert(&mut set, 1, Polling::default(), now);
    let (pause, why) = wait(&mut set, now);
    assert_eq!(why, Reason::FirstCheck);
    set.waited();
    assert_eq!(set.latest(), now + pause);
    assert!(matches!(set.next(now), SetStep::Send(_)));
    // A failure advances the time too.
    let (_, envelope) = sending(&mut set, &mut (now + pause));
    set.failed(envelope, &Error::transport("connection reset"), now + seconds(100));
    assert_eq!(set.latest(), now + seconds(100));
    // Each wait ends once, and `waited` without a wait has no effect.
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default(), now);
    wait(&mut set, now);
    assert!(set.queue(2).is_some());
    assert!(matches!(set.next(now), SetStep::Start(_)));
    set.waited();
    assert_eq!(set.latest(), now);
}

#[test]
fn a_request_has_no_more_items_than_were_reserved() {
    let begin = Instant::now();
    let drained = || {
        let mut set = empty(begin);
        set.set_rate(1);
        set.set_starts_at_once(100);
        for key in 100..120 {
            begin_start(&mut set, key, begin);
        }
        set
    };
    let (mut set, mut now) = (drained(), begin);
    start(&mut set, 1, false, now);
    assert_eq!(wait(&mut set, now), (seconds(1), Reason::Rate));
    for key in 2..6 {
        start(&mut set, key, false, now);
    }
    // Another call of `next` does not restart the wait.
    now += Duration::from_millis(500);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(500), Reason::Rate));
    let (_, one) = sending(&mut set, &mut now);
    assert_eq!((one.len(), now), (1, begin + seconds(1)));
    let (_, others) = sending(&mut set, &mut now);
    assert_eq!((others.len(), now), (4, begin + seconds(5)));

    let (mut set, mut now) = (drained(), begin);
    due(&mut set, [1], now);
    // It waits for the batch to fill, and then for the rate.
    now += seconds(1);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(500), Reason::Batch));
    begin_start(&mut set, 120, now);
    now += Duration::from_millis(500);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(500), Reason::Rate));
    due(&mut set, 2..6, now);
    now += Duration::from_millis(100);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(400), Reason::Rate));
    let (_, one) = sending(&mut set, &mut now);
    assert_eq!((one.len(), now), (1, begin + seconds(2)));
    let (_, others) = sending(&mut set, &mut now);
    assert_eq!((others.len(), now), (4, begin + seconds(6)));
}

#[test]
fn a_set_that_is_not_driven_holds_up_another_only_once() {
    let mut now = Instant::now();
    let limit = RateLimit::new(1);
    let [mut idle, mut driven] = [(); 2].map(|()| {
        let mut set = empty(now);
        set.set_rate_limit(limit.clone());
        due(&mut set, 0..60, now);
        set
    });
    let (_, _in_flight) = sending(&mut idle, &mut now);
    // It has reserved the tokens for its next request.
    assert_eq!(wait(&mut idle, now), (seconds(20), Reason::Rate));
    let begun = now;
    let requests = [(); 3].map(|()| {
        let (_, envelope) = sending(&mut driven, &mut now);
        (envelope, now - begun)
    });
    assert!(requests.iter().all(|(envelope, _)| envelope.len() == 20));
    assert_eq!(requests.map(|(_, at)| at), [40, 60, 80].map(seconds));
    // When it is driven again, it is served after the others.
    let (_, _in_flight) = sending(&mut idle, &mut now);
    assert_eq!(now - begun, seconds(100));
}

#[test]
fn a_new_rate_applies_at_once() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_rate(1);
    due(&mut set, 0..40, now);
    let (_, _envelope) = sending(&mut set, &mut now);
    assert_eq!(wait(&mut set, now), (seconds(20), Reason::Rate));
    set.set_rate(20);
    let (request, _other) = match take(&mut set, now) {
        Taken::Sent(request, envelope) => (request, envelope),
        step => panic!("{step:?}"),
    };
    assert!(request.extensions().is_empty(), "nobody shares the rate");
    for key in 100..121 {
        assert!(set.queue(key).is_some());
    }
    set.set_starts_at_once(100);
    set.set_rate(1);
    for _ in 0..20 {
        assert!(matches!(set.next(now), SetStep::Start(_)));
    }
    assert_eq!(wait(&mut set, now), (seconds(1), Reason::Rate));
    set.set_rate(20);
    assert!(matches!(set.next(now), SetStep::Start(_)));
}

#[test]
fn a_separate_answer_that_is_not_a_refusal_leaves_the_rate() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    due(&mut set, [1], now);
    let pace = set.pace(now);
    for (code, factor) in [(200, 1), (503, 1), (429, 2)] {
        let (_, envelope) = sending(&mut set, &mut now);
        receive(&mut set, envelope, status(code), now);
        assert_eq!(set.pace(now), pace * factor, "{code}");
    }
}

#[test]
fn the_pause_after_refused_batches_doubles_until_a_good_one() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_rate(1_000);
    due(&mut set, 0..2, now);
    let refuse = |set: &mut Set<u8>, now: &mut Instant, response: Response<Bytes>| {
        let (_, envelope) = sending(set, now);
        receive(set, envelope, response, *now);
        reports(set, *now);
        wait(set, *now)
    };
    let assert_pause = |(pause, why): (Duration, Reason), least: u64, reason| {
        assert!(pause > seconds(least) && pause <= seconds(least) * 11 / 10, "{pause:?}");
        assert_eq!(why, reason);
    };
    assert_eq!(set.pace(now), Duration::from_millis(2));
    assert_pause(refuse(&mut set, &mut now, status(429)), 3, Reason::Backoff);
    assert_eq!(set.pace(now), Duration::from_millis(4), "the rate is halved");
    assert_pause(refuse(&mut set, &mut now, status(503)), 6, Reason::Backoff);
    let asked = with_header(status(429), "retry-after", "40");
    assert_pause(refuse(&mut set, &mut now, asked), 40, Reason::RetryAfter);
    assert_pause(refuse(&mut set, &mut now, status(509)), 24, Reason::Backoff);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
    assert_pause(refuse(&mut set, &mut now, status(429)), 3, Reason::Backoff);
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..40, now);
    let envelopes = [sending(&mut set, &mut now).1, sending(&mut set, &mut now).1];
    for (envelope, asked) in envelopes.into_iter().zip(["60", "5"]) {
        receive(&mut set, envelope, with_header(status(429), "retry-after", asked), now);
    }
    reports(&mut set, now);
    let (pause, why) = wait(&mut set, now);
    assert!(pause >= seconds(60) && why == Reason::RetryAfter, "{pause:?} {why:?}");
    // Both count.
    now += pause;
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(429), now);
    let (pause, _) = wait(&mut set, now);
    assert!(pause > seconds(12) && pause < seconds(14), "{pause:?}");
}

#[test]
fn a_start_that_the_driver_makes_does_not_wait_for_the_end_of_a_pause() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, with_header(status(429), "retry-after", "60"), now);
    assert!(set.queue(10).is_some());
    assert!(matches!(set.next(now), SetStep::Start(_)));
    start(&mut set, 11, false, now);
    let (pause, why) = wait(&mut set, now);
    assert!(pause >= seconds(60) && why == Reason::RetryAfter, "{pause:?} {why:?}");
}

#[test]
fn starts_wait_for_the_end_of_a_pause_unless_the_driver_makes_them() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(429), now);
    start(&mut set, 10, false, now);
    let (pause, why) = wait(&mut set, now);
    assert!(pause > seconds(3) && why == Reason::Backoff, "{pause:?} {why:?}");
    assert!(set.queue(11).is_some());
    now += pause;
    let (request, envelope) = sending(&mut set, &mut now);
    assert!(request.uri().path().ends_with("/archive"));
    receive(&mut set, envelope, accepted(&location(10)), now);
    assert!(matches!(set.next(now), SetStep::Event(Report::Started(10))));
    assert!(matches!(set.next(now), SetStep::Start(_)));
}

#[test]
fn a_check_in_flight_is_abandoned_when_its_time_is_up() {
    let mut now = Instant::now();
    let begin = now;
    let mut set = empty(now);
    insert(&mut set, 1, at_once().timeout(seconds(10)), now);
    let (request, _envelope) = sending(&mut set, &mut now);
    assert!(now <= begin + seconds(2));
    assert_eq!(TimeLeft::of(&request), seconds(10) - (now - begin));
    let (wait, why) = wait(&mut set, now);
    assert_eq!((now + wait, why), (begin + seconds(10), Reason::Deadline));
    now += wait;
    assert_eq!(reports(&mut set, now), ["1 Transport", "1 ended TimedOut"]);
}

#[test]
fn the_last_check_does_not_wait_for_a_batch_to_fill_beyond_the_deadline() {
    for key in 0..20 {
        let mut now = Instant::now();
        let begin = now;
        let mut set = empty(now);
        let polling = Polling::default().first_check(seconds(600)).timeout(seconds(10));
        let at = format!("{ROOT}{}", location(1)).parse().unwrap();
        let started = Started::at(at);
        let poller = Poller::new::<TeamsAsyncOperation>(started, polling, now, key);
        set.insert(1, poller, now).unwrap();
        let (request, envelope) = sending(&mut set, &mut now);
        assert!((seconds(9)..=seconds(10)).contains(&(now - begin)), "{:?}", now - begin);
        // It still has at least a second.
        assert!(TimeLeft::of(&request) >= seconds(1));
        receive(&mut set, envelope, in_progress(), now);
        let (key, error) = end(&mut set, &mut now);
        assert_eq!((key, error.unwrap_err().kind()), (1, ErrorKind::TimedOut));
    }
}

#[test]
fn a_retry_after_beyond_the_deadline_ends_an_operation_there() {
    let mut now = Instant::now();
    let begin = now;
    let mut set = empty(now);
    for key in 0..2 {
        insert(&mut set, key, at_once().timeout(seconds(60)), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    let asked = json!({ "Retry-After": "3000" });
    let response = batch(&json!([
        { "id": "1", "status": 503, "headers": asked },
        { "id": "2", "status": 200, "body": { "status": "succeeded" } },
    ]));
    receive(&mut set, envelope, response, now);
    assert_eq!(reports(&mut set, now), ["0 Rejected", "1 checked", "1 ended"]);
    let (wait, why) = wait(&mut set, now);
    assert_eq!((now + wait, why), (begin + seconds(60), Reason::Deadline));
    let SetStep::Event(Report::Ended(0, Err(error))) = set.next(now + wait) else {
        panic!("its deadline has passed")
    };
    assert_eq!((error.kind(), error.waited()), (ErrorKind::TimedOut, Some(seconds(60))));
}

#[test]
fn the_one_that_has_waited_longest_comes_first_unless_a_deadline_is_near() {
    let first = |wait: u64| Polling::default().first_check(seconds(wait)).no_timeout();
    let near = Polling::default().first_check(seconds(600)).timeout(seconds(10));
    for (operations, order) in [
        (&[("v1.0", first(3)), ("beta", first(0)), ("v1.0", first(4))][..], &[1, 0, 2][..]),
        (&[("v1.0", first(0)), ("v1.0", near)], &[1, 0]),
        (&[("v1.0", first(0)), ("beta", near)], &[1, 0]),
        (&[("beta", near), ("v1.0", first(0))], &[0, 1]),
    ] {
        let begin = Instant::now();
        let mut now = begin;
        let (mut set, envelope) = busy(&mut now);
        for (key, (version, polling)) in (0_u8..).zip(operations) {
            let at = format!("https://graph.microsoft.com/{version}{}", location(key.into()));
            let started = Started::at(at.parse().unwrap());
            let poller = Poller::new::<TeamsAsyncOperation>(started, *polling, now, 7);
            set.insert(key, poller, now).unwrap();
        }
        now = begin + Duration::from_millis(9_900);
        assert!(matches!(set.next(now), SetStep::Wait(..)));
        receive(&mut set, envelope, in_progress(), now);
        for key in order {
            reports(&mut set, now);
            let Taken::Sent(request, envelope) = take(&mut set, now) else {
                panic!("{key} is due")
            };
            assert!(request.uri().path().ends_with(&location(*key)), "{}", request.uri());
            receive(&mut set, envelope, in_progress(), now);
        }
    }
}

/// It is then in two lines, but is sent in only one request.
#[test]
fn an_operation_whose_deadline_approaches_while_it_waits_comes_first() {
    let begin = Instant::now();
    let mut now = begin;
    let (mut set, envelope) = busy(&mut now);
    set.set_batch(20);
    for (key, timeout) in [(1, 3_600), (2, 3_600), (3, 10), (4, 10)] {
        insert(&mut set, key, at_once().timeout(seconds(timeout)), now);
    }
    assert!(matches!(set.next(now), SetStep::Wait(..)));
    now = begin + Duration::from_millis(9_900);
    assert!(matches!(set.next(now), SetStep::Wait(..)));
    receive(&mut set, envelope, in_progress(), now);
    reports(&mut set, now);
    // Whether the request is taken the first time that it is offered or later.
    for _ in 0..2 {
        let step = set.next(now);
        assert!(matches!(step, SetStep::Send(_)), "{step:?}");
    }
    let (request, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 4);
    let text = String::from_utf8_lossy(request.body()).into_owned();
    let at = [3, 4, 1, 2].map(|key| text.find(&location(key)).unwrap());
    assert!(at.is_sorted(), "{text}");
}

#[test]
fn what_waits_for_a_batch_to_fill_leaves_no_wait_behind() {
    let slack = (Duration::from_millis(1_500), Reason::Batch);
    for is_seen in [false, true] {
        let mut now = Instant::now();
        let mut set = empty(now);
        due(&mut set, [1], now);
        assert_eq!(wait(&mut set, now), slack);
        assert!(set.remove(&1, now).is_some());
        now += seconds(10);
        if is_seen {
            assert!(matches!(set.next(now), SetStep::Done));
        }
        due(&mut set, [2], now);
        assert_eq!(wait(&mut set, now), slack, "{is_seen}");
    }
    // Nor does the wait of the operation that was sent apply to the other one.
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_batch(2);
    due(&mut set, [1], now);
    for key in [2, 3] {
        insert(&mut set, key, Polling::default().first_check(seconds(1)), now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 2);
    assert_eq!(wait(&mut set, now), slack);
}

#[test]
fn an_owner_is_checked_four_times_in_a_window_and_what_was_put_aside_comes_first() {
    // In separate requests.
    let begin = Instant::now();
    let mut now = begin;
    let mut set = empty(now);
    set.set_batch(1);
    set.set_requests_at_once(5);
    for key in 0..5 {
        set.insert(key, of_a_team(key, at_once(), now), now).unwrap();
    }
    let mut in_flight: Vec<_> = (0..4).map(|_| sending(&mut set, &mut now).1).collect();
    assert_eq!((wait(&mut set, now), now), ((Duration::from_millis(1_050), Reason::Owner), begin));
    set.set_requests_at_once(4);
    due(&mut set, [9], now);
    now += seconds(2);
    assert!(!matches!(set.next(now), SetStep::Send(_)));
    receive(&mut set, in_flight.remove(0), in_progress(), now);
    let (request, _envelope) = sending(&mut set, &mut now);
    assert!(request.uri().path().contains("x('4')"), "{}", request.uri());

    // In a batch that is not full without the others.
    for (interval, slack, why) in [(10, 500, Reason::Batch), (30, 1_050, Reason::Owner)] {
        let begin = Instant::now();
        let mut now = begin;
        let mut set = empty(now);
        for key in 0..20 {
            let polling = at_once().interval(seconds(interval));
            set.insert(key, of_a_team(key, polling, now), now).unwrap();
        }
        assert_eq!(wait(&mut set, now), (Duration::from_millis(slack), why));
        assert_eq!(sending(&mut set, &mut now).1.len(), 4);
        assert_eq!(now - begin, seconds(interval) / 20);
    }
}
