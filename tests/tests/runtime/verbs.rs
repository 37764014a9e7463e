//! The machines of a start and of a target, called as a custom driver calls them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{
    Accepted, Event, Machine, Poller, Reason, Recorded, Start, Started, Step, Target,
};
use graph_operation::testing::{accepted, in_progress, status, with_header};
use graph_operation::{Error, ErrorKind, Polling, TeamsAsyncOperation, TimeLeft};
use http::{Request, Response, Uri};

use crate::{LOCATION, OPERATION, seconds};

fn start(idempotent: bool, polling: Polling, now: Instant) -> Start {
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let request = Request::post("https://graph.microsoft.com/v1.0/teams/1/archive");
    let request = request.body(Bytes::new()).unwrap();
    Start::new::<TeamsAsyncOperation>(&root, request, idempotent, polling, now, 7).unwrap()
}

fn target(polling: Polling, now: Instant) -> Target {
    Target::new(Uri::from_static("https://graph.microsoft.com/v1.0/teams('1')"), polling, now, 7)
}

/// Takes the request that is due.
fn send(machine: &mut impl Machine, now: Instant) -> Request<Bytes> {
    match machine.next(now) {
        Step::Send(check) => check.request(),
        other => panic!("{other:?}"),
    }
}

/// A request that is answered like this.
fn answered<M: Machine>(
    machine: &mut M,
    response: Response<Bytes>,
    now: Instant,
) -> Event<M::Answer> {
    drop(send(machine, now));
    machine.received(response, now)
}

fn wait(machine: &mut impl Machine, now: Instant) -> (Duration, Reason) {
    match machine.next(now) {
        Step::Wait(wait, why) => (wait, why),
        other => panic!("{other:?}"),
    }
}

fn failed<A>(event: Event<A>) -> Error {
    match event {
        Event::Failed(error) => error,
        _ => panic!("it is final"),
    }
}

/// A 401, for which there is a new credential.
fn renewed<M: Machine>(machine: &mut M, now: Instant) {
    let Event::Unauthorized(refused) = answered(machine, status(401), now) else {
        panic!("the credential may be renewed")
    };
    assert!(matches!(machine.authorized(&refused, true, now), Event::Authorized));
}

#[test]
fn a_retried_start_is_the_same_request() {
    let mut now = Instant::now();
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let request =
        Request::put("https://graph.microsoft.com/v1.0/teams/1").header("x-plain", "kept");
    let request = request.body(Bytes::from_static(b"{}")).unwrap();
    let mut start =
        Start::new::<TeamsAsyncOperation>(&root, request, true, Polling::default(), now, 7)
            .unwrap();
    for _ in 0..2 {
        let request = send(&mut start, now);
        assert_eq!((request.method().as_str(), request.body().as_ref()), ("PUT", &b"{}"[..]));
        assert_eq!(request.uri(), "https://graph.microsoft.com/v1.0/teams/1");
        assert_eq!(request.headers()["x-plain"], "kept");
        let _ = start.received(status(503), now);
        now += wait(&mut start, now).0;
    }
}

#[test]
fn a_start_that_is_over_sends_nothing_more() {
    let now = Instant::now();
    let mut start_ = start(false, Polling::default(), now);
    assert!(matches!(answered(&mut start_, accepted(LOCATION), now), Event::Received(_)));
    assert!(matches!(start_.next(now), Step::Done(Ok(()))));
    let mut start = start(false, Polling::default(), now);
    assert_eq!(failed(answered(&mut start, status(403), now)).kind(), ErrorKind::Rejected);
    let Step::Done(Err(error)) = start.next(now) else { panic!("it has failed") };
    assert_eq!(error.status().unwrap(), 403);
}

#[test]
fn a_start_counts_from_its_first_request_and_keeps_its_error() {
    let created = Instant::now();
    let mut start = start(false, Polling::default(), created);
    let now = created + seconds(50);
    let Step::Send(check) = start.next(now) else { panic!("a start is due") };
    assert_eq!(check.time_left(), Some(seconds(3_600)));
    drop(check.request());
    let now = now + seconds(3);
    assert!(matches!(start.received(status(403), now), Event::Failed(_)));
    assert_eq!(start.waited_for(), seconds(3));
    let Step::Done(Err(error)) = start.next(now) else { panic!("the start has failed") };
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Rejected, 403));
}

#[test]
fn the_longest_interval_does_not_cut_what_the_service_asks_of_a_start() {
    let now = Instant::now();
    let mut start = start(false, Polling::default().longest_interval(seconds(240)), now);
    let event = answered(&mut start, with_header(status(429), "retry-after", "600"), now);
    assert!(matches!(event, Event::Retrying(_)));
    assert!(wait(&mut start, now).0 >= seconds(600));
}

#[test]
fn each_event_advances_the_time_and_each_request_is_counted() {
    fn check<M: Machine>(machine: &mut M, begin: Instant) {
        drop(send(machine, begin));
        machine.sent_at(begin + seconds(1));
        assert_eq!((machine.latest(), machine.requests()), (begin + seconds(1), 1));
        let event = machine.received(status(401), begin + seconds(2));
        let Event::Unauthorized(refused) = event else { panic!("it may be renewed") };
        assert_eq!(machine.latest(), begin + seconds(2));
        let event = machine.authorized(&refused, true, begin + seconds(3));
        assert!(matches!(event, Event::Authorized));
        assert_eq!(machine.latest(), begin + seconds(3));
        drop(send(machine, begin + seconds(4)));
        let event = machine.failed(Error::transport("connection reset"), begin + seconds(5));
        assert!(matches!(event, Event::Retrying(_)));
        assert_eq!((machine.latest(), machine.requests()), (begin + seconds(5), 2));
        // It is never moved back.
        machine.sent_at(begin);
        assert_eq!(machine.latest(), begin + seconds(5));
    }

    let now = Instant::now();
    check(&mut target(Polling::default(), now), now);
    let mut start = start(true, Polling::default(), now);
    check(&mut start, now);
    assert_eq!(start.waited_for(), seconds(5));
    let started = Started::at(Uri::from_static(OPERATION));
    check(&mut Poller::new::<TeamsAsyncOperation>(started, at_once(), now, 7), now);
}

/// A policy whose first check is due at once.
fn at_once() -> Polling {
    Polling::default().first_check(Duration::ZERO)
}

#[test]
fn an_operation_is_as_old_as_its_start() {
    let now = Instant::now();
    let mut start = start(false, Polling::default(), now);
    drop(send(&mut start, now));
    let event = start.received(accepted(LOCATION), now + seconds(7));
    let Event::Received(accepted) = event else { panic!("{event:?}") };
    let Accepted::Started(started) = accepted else { panic!("{accepted:?}") };
    let poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 7);
    assert_eq!(poller.waited_for(), seconds(7));
}

#[test]
fn a_start_that_is_retried_near_its_deadline_has_a_moment() {
    let now = Instant::now();
    let mut start = start(false, Polling::default().timeout(seconds(100)), now);
    assert_eq!(TimeLeft::of(&send(&mut start, now)), seconds(100));
    let throttled = with_header(status(429), "retry-after", "90");
    assert!(matches!(start.received(throttled, now), Event::Retrying(_)));
    let (wait, why) = wait(&mut start, now);
    assert!(wait > seconds(90) && why == Reason::RetryAfter, "{wait:?}");
    assert_eq!(TimeLeft::of(&send(&mut start, now + wait)), seconds(10));
}

#[test]
fn a_retry_may_be_due_at_the_deadline_and_no_later() {
    let now = Instant::now();
    let throttled = || with_header(status(429), "retry-after", "60");
    let mut unbound = start(false, Polling::default().no_timeout(), now);
    assert!(matches!(answered(&mut unbound, throttled(), now), Event::Retrying(_)));
    let (due, _) = wait(&mut unbound, now);
    for (timeout, is_repeated) in [(due, true), (due - Duration::from_nanos(1), false)] {
        let mut start = start(false, Polling::default().timeout(timeout), now);
        let event = answered(&mut start, throttled(), now);
        assert_eq!(matches!(event, Event::Retrying(_)), is_repeated, "{timeout:?}");
    }
}

#[test]
fn a_401_after_another_response_asks_for_a_credential_again() {
    fn check<M: Machine>(machine: &mut M, now: Instant) {
        renewed(machine, now);
        assert!(matches!(answered(machine, status(503), now), Event::Retrying(_)));
        let later = now + wait(machine, now).0;
        renewed(machine, later);
        // A second one in a row is final.
        assert_eq!(failed(answered(machine, status(401), later)).status().unwrap(), 401);
    }

    let now = Instant::now();
    check(&mut start(false, Polling::default(), now), now);
    check(&mut target(Polling::default(), now), now);
}

#[test]
fn a_caller_who_continues_to_read_a_target_begins_a_new_row() {
    let now = Instant::now();
    let mut target = target(Polling::default().retries(1), now);
    let mut later = now;
    for _ in 0..2 {
        assert!(matches!(answered(&mut target, status(503), later), Event::Retrying(_)));
        later += wait(&mut target, later).0;
        assert!(failed(answered(&mut target, status(503), later)).is_retryable());
    }
    for _ in 0..2 {
        renewed(&mut target, later);
        assert_eq!(failed(answered(&mut target, status(401), later)).status().unwrap(), 401);
    }
}

#[test]
fn a_short_interval_shortens_the_pauses_of_a_target() {
    for (interval, least) in [(1, 1), (2, 2), (30, 2)] {
        let now = Instant::now();
        let mut target = target(Polling::default().interval(seconds(interval)), now);
        for pause in [least, 2 * least, 4 * least] {
            let latest = target.latest();
            let event = answered(&mut target, status(404), latest);
            assert!(matches!(event, Event::Retrying(_)), "{event:?}");
            let (wait, why) = wait(&mut target, latest);
            assert!(wait > seconds(pause) && wait <= seconds(pause) * 11 / 10, "{wait:?}");
            assert_eq!(why, Reason::Backoff);
            target.waited();
        }
    }
}

#[test]
fn what_was_not_sent_is_retried_and_what_lacks_a_credential_is_not() {
    let now = Instant::now();
    for (idempotent, error, is_repeated) in [
        (false, Error::not_sent("refused"), true),
        (false, Error::transport("reset"), false),
        (true, Error::transport("reset"), true),
        (true, Error::credential("none"), false),
    ] {
        let perhaps = !idempotent && !is_repeated;
        for retries in [0, 1] {
            let polling = Polling::default().retries(retries);
            let mut start = start(idempotent, polling, now);
            drop(send(&mut start, now));
            let (error, repeated) = match start.failed(error.clone(), now) {
                Event::Retrying(error) => (error, true),
                Event::Failed(error) => (error, false),
                other => panic!("{other:?}"),
            };
            assert_eq!(repeated, is_repeated && retries > 0, "{error:#}");
            assert_eq!(error.is_retryable(), is_repeated, "{error:#}");
            assert_eq!(error.to_string().contains("may have been"), perhaps, "{error}");
        }
    }
}

#[test]
fn a_replayed_response_counts_from_when_its_request_was_sent() {
    let now = Instant::now();
    let wall = |after: u64| UNIX_EPOCH + seconds(1_000 + after);
    let instant = |time: SystemTime| now + time.duration_since(wall(0)).unwrap();
    let started = Started::at(Uri::from_static(OPERATION));
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), now, 7);
    drop(send(&mut poller, now));
    let recorded = Recorded::new(&Ok(in_progress()), wall(20), wall(21));
    assert!(matches!(poller.replay(recorded, instant), Event::Received(())));
    assert_eq!(poller.latest(), now + seconds(21));
    assert!(poller.until_next().unwrap() > seconds(29), "{:?}", poller.until_next());
}

#[test]
fn an_address_that_is_taken_alone_counts_as_sent() {
    let now = Instant::now();
    let started = Started::at(Uri::from_static(OPERATION));
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), now, 7);
    let Step::Send(check) = poller.next(now) else { panic!("it is due at once") };
    assert_eq!(check.into_uri(), OPERATION);
    assert_eq!(poller.requests(), 1);
    assert!(matches!(poller.next(now), Step::Wait(..)));
}
