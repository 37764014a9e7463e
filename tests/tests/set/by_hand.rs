//! The set's machine, called as a driver of one's own calls it.

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{
    Envelope, Poller, Reason, Received, Report, Set, SetStep, Start, Started, Ticket,
};
use graph_operation::testing::{accepted, in_progress, json_answer, status, with_header};
use graph_operation::{
    DriveItemCopy, Error, ErrorKind, Polling, Result, TeamsAsyncOperation, TimeLeft,
};
use graph_operation_tests::set::saved;
use http::{Request, Response, Uri};
use serde_json::{Value, json};

use crate::{batch, location, seconds};

const ROOT: &str = "https://graph.microsoft.com/v1.0";

pub(crate) fn root() -> Uri {
    Uri::from_static(ROOT)
}

pub(crate) fn empty(now: Instant) -> Set<u8> {
    Set::new::<TeamsAsyncOperation>(root(), now, 7)
}

/// Follows an operation of a team of its own.
pub(crate) fn insert(set: &mut Set<u8>, key: u8, polling: Polling, now: Instant) {
    let at = format!("{ROOT}{}", location(key.into())).parse().unwrap();
    let poller = Poller::new::<TeamsAsyncOperation>(Started::at(at), polling, now, 7);
    set.insert(key, poller, now).unwrap();
}

pub(crate) fn start(set: &mut Set<u8>, key: u8, idempotent: bool, now: Instant) {
    let request = Request::post(format!("{ROOT}/teams/{key}/archive"));
    let request = request.header("Authorization", "Bearer secret").header("X-Plain", "kept");
    let start = Start::new::<TeamsAsyncOperation>(
        &root(),
        request.body(Bytes::from_static(b"{}")).unwrap(),
        idempotent,
        Polling::default(),
        now,
        7,
    );
    set.queue_request(key, start.unwrap()).unwrap();
}

/// A step that borrows nothing: its request was taken.
#[derive(Debug)]
pub(crate) enum Taken {
    Wait(Duration),
    Sent(Box<Request<Bytes>>, Envelope),
    Event(Report<u8>),
    Nothing,
}

pub(crate) fn take(set: &mut Set<u8>, now: Instant) -> Taken {
    match set.next(now) {
        SetStep::Wait(pause, _) => Taken::Wait(pause),
        SetStep::Send(dispatch) => {
            let (request, envelope) = dispatch.request();
            Taken::Sent(Box::new(request), envelope)
        }
        SetStep::Event(report) => Taken::Event(report),
        SetStep::Pending | SetStep::Start(_) | SetStep::Done => Taken::Nothing,
    }
}

/// Drives the set until it sends something.
pub(crate) fn sending(set: &mut Set<u8>, now: &mut Instant) -> (Request<Bytes>, Envelope) {
    loop {
        match take(set, *now) {
            Taken::Wait(pause) => *now += pause,
            Taken::Sent(request, envelope) => return (*request, envelope),
            Taken::Event(Report::Started(_) | Report::Checked(..)) => {}
            step => panic!("{step:?}"),
        }
    }
}

/// Drives the set until an operation has ended, without a request.
pub(crate) fn end(set: &mut Set<u8>, now: &mut Instant) -> (u8, Result<()>) {
    loop {
        match take(set, *now) {
            Taken::Wait(pause) => *now += pause,
            Taken::Event(Report::Ended(key, result)) => return (key, result.map(drop)),
            Taken::Event(_) => {}
            step => panic!("{step:?}"),
        }
    }
}

/// Follows operations whose first checks are due at once.
fn due(set: &mut Set<u8>, keys: impl IntoIterator<Item = u8>, now: Instant) {
    for key in keys {
        insert(set, key, at_once(), now);
    }
}

fn at_once() -> Polling {
    Polling::default().first_check(Duration::ZERO)
}

/// The next step is to wait this long.
fn wait(set: &mut Set<u8>, now: Instant) -> (Duration, Reason) {
    match set.next(now) {
        SetStep::Wait(wait, why) => (wait, why),
        step => panic!("{step:?}"),
    }
}

/// What the next steps report.
fn reports(set: &mut Set<u8>, now: Instant) -> Vec<String> {
    let mut reports = Vec::new();
    while let SetStep::Event(report) = set.next(now) {
        reports.push(match report {
            Report::Started(key) => format!("{key} started"),
            Report::Checked(key, None) => format!("{key} checked"),
            Report::Checked(key, Some(fault)) => format!("{key} {:?}", fault.kind()),
            Report::Ended(key, Ok(_)) => format!("{key} ended"),
            Report::Ended(key, Err(error)) => format!("{key} ended {:?}", error.kind()),
            other => panic!("{other:?}"),
        });
    }
    reports
}

/// The response to a batch that has these statuses, each with a body of that word.
fn answers(items: &[(u16, &str)]) -> Response<Bytes> {
    let items = (1..).zip(items).map(|(id, (status, word))| {
        json!({ "id": id.to_string(), "status": status, "body": { "status": word } })
    });
    batch(&Value::Array(items.collect()))
}

fn receive(set: &mut Set<u8>, envelope: Envelope, response: Response<Bytes>, now: Instant) {
    match set.received(envelope, response, now) {
        Received::Done => {}
        Received::Unauthorized(..) => panic!("no credential was refused"),
    }
}

fn unauthorized(
    set: &mut Set<u8>,
    envelope: Envelope,
    response: Response<Bytes>,
    now: Instant,
) -> (Envelope, Response<Bytes>) {
    match set.received(envelope, response, now) {
        Received::Done => panic!("a credential was refused"),
        Received::Unauthorized(envelope, response) => (envelope, response),
    }
}

fn checks(set: &mut Set<u8>, key: u8) -> u32 {
    set.inspect(&key, Poller::checks).unwrap()
}

#[test]
fn what_is_due_is_sent_with_what_falls_due_within_a_twentieth_of_the_interval() {
    for (interval, slack) in [(10, 500), (30, 1_500), (600, 2_000)] {
        let now = Instant::now();
        let mut set = empty(now);
        insert(&mut set, 1, at_once().interval(seconds(interval)), now);
        assert_eq!(wait(&mut set, now), (Duration::from_millis(slack), Reason::Batch));
        // A full batch does not wait.
        due(&mut set, 2..21, now);
        let mut now = now;
        assert_eq!(sending(&mut set, &mut now).1.len(), 20);
    }
    // Alone, there is nothing to wait for.
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
fn four_requests_are_in_flight_unless_another_number_is_set() {
    for limit in [None, Some(1), Some(2), Some(0)] {
        let now = Instant::now();
        let mut set = empty(now);
        set.set_rate(1_000);
        set.set_batch(1);
        if let Some(limit) = limit {
            set.set_requests_at_once(limit);
        }
        due(&mut set, 0..9, now);
        let mut in_flight = Vec::new();
        while let Taken::Sent(_, envelope) = take(&mut set, now) {
            in_flight.push(envelope);
        }
        assert_eq!(in_flight.len(), limit.map_or(4, |limit| limit.max(1)));
        // Each result makes room for one more, whatever it is.
        for result in 0..4 {
            let envelope = in_flight.pop().unwrap();
            match result {
                0 => receive(&mut set, envelope, in_progress(), now),
                1 => set.failed(envelope, &Error::transport("connection reset"), now),
                2 => set.unsent(envelope, now),
                _ => {
                    let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
                    reports(&mut set, now);
                    // It is still in flight until it is concluded.
                    assert!(!matches!(take(&mut set, now), Taken::Sent(..)));
                    set.authorized(envelope, &refused, false, now);
                }
            }
            reports(&mut set, now);
            let Taken::Sent(_, envelope) = take(&mut set, now) else { panic!("there is room") };
            in_flight.push(envelope);
            assert!(!matches!(take(&mut set, now), Taken::Sent(..)), "{limit:?} {result}");
        }
        // One that is dropped too.
        drop(in_flight.pop());
        let Taken::Sent(_, envelope) = take(&mut set, now) else { panic!("there is room") };
        in_flight.push(envelope);
        assert!(!matches!(take(&mut set, now), Taken::Sent(..)), "{limit:?}");
    }
}

#[test]
fn four_starts_are_in_flight_unless_another_number_is_set() {
    for limit in [None, Some(1), Some(0)] {
        let now = Instant::now();
        let mut set = empty(now);
        if let Some(limit) = limit {
            set.set_starts_at_once(limit);
        }
        for key in 0..9 {
            assert!(set.queue(key).is_some());
        }
        assert!(set.queue(0).is_none());
        let mut tickets = Vec::new();
        while let SetStep::Start(ticket) = set.next(now) {
            tickets.push(ticket);
        }
        let most = limit.map_or(4, |limit: usize| limit.max(1));
        assert_eq!(
            (tickets.len(), set.counts().starting, set.counts().queued),
            (most, most, 9 - most)
        );
        let ticket = tickets[0];
        set.started(ticket, Err(Error::transport("connection reset")), now);
        // A result that comes twice counts once.
        set.started(ticket, Err(Error::transport("connection reset")), now);
        assert_eq!(set.counts().starting, most - 1);
        assert_eq!(reports(&mut set, now), ["0 ended Transport"]);
        assert_eq!((set.counts().starting, set.counts().failed), (most, 1));
        assert!(matches!(set.next(now), SetStep::Pending));
    }
}

/// The slot of an operation that is gone is used again.
#[test]
fn nothing_that_was_said_of_one_operation_is_taken_for_another() {
    let now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    // A start that was taken back, and one in its place: one ticket.
    let first = set.queue(1);
    assert!(set.remove(&1, now).is_none());
    assert_eq!(set.counts().queued, 0);
    assert_ne!(set.queue(2), first);
    assert!(matches!(set.next(now), SetStep::Start(_)));
    assert!(matches!(set.next(now), SetStep::Pending));
    set.started(first.unwrap(), Err(Error::transport("connection reset")), now);
    assert_eq!((set.counts().starting, set.len()), (1, 1));

    // A change that was not reported yet.
    let mut set = empty(now);
    set.set_batch(1);
    let mut later = now;
    due(&mut set, [1], now);
    let (_, envelope) = sending(&mut set, &mut later);
    receive(&mut set, envelope, in_progress(), later);
    assert_eq!(set.remove(&1, later).unwrap().checks(), 1);
    due(&mut set, [2], later);
    assert!(reports(&mut set, later).is_empty());
    let (_, envelope) = sending(&mut set, &mut later);

    // A credential that is being renewed.
    let (envelope, refused) = unauthorized(&mut set, envelope, status(401), later);
    assert!(set.remove(&2, later).is_some());
    due(&mut set, [3], later);
    set.authorized(envelope, &refused, false, later);
    assert_eq!((set.len(), checks(&mut set, 3)), (1, 0));

    // A request in flight, whatever comes of it.
    for result in 0..4 {
        let (_, envelope) = sending(&mut set, &mut later);
        let key = 3 + result;
        assert!(set.remove(&key, later).is_some());
        due(&mut set, [key + 1], later);
        match result {
            0 => drop(envelope),
            1 => set.failed(envelope, &Error::transport("connection reset"), later),
            2 => receive(&mut set, envelope, status(401), later),
            _ => receive(&mut set, envelope, json_answer(403, &json!({})), later),
        }
        assert_eq!((set.len(), checks(&mut set, key + 1)), (1, 0), "{result}");
        assert_eq!(set.inspect(&(key + 1), Poller::is_ended), Some(false));
    }
    assert_eq!(set.counts().failed, 0);
}

#[test]
fn a_request_that_was_not_sent_is_neither_a_check_nor_a_fault() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
    let (first, envelope) = sending(&mut set, &mut now);
    assert_eq!(checks(&mut set, 0), 2);
    now += seconds(1);
    set.unsent(envelope, now);
    assert_eq!(set.latest(), now);
    assert_eq!((checks(&mut set, 0), checks(&mut set, 1)), (1, 1));
    // It is due as before.
    let before = now;
    let (second, envelope) = sending(&mut set, &mut now);
    assert_eq!((now, second.body()), (before, first.body()));
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
    assert_eq!(checks(&mut set, 0), 2);
}

#[test]
fn a_dispatch_that_is_dropped_changes_nothing() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    start(&mut set, 10, false, now);
    start(&mut set, 11, false, now);
    let mut in_flight = Vec::new();
    for (is_start, items) in
        [(true, ["/teams/10/archive", "/teams/11/archive"]), (false, ["teams('0')", "teams('1')"])]
    {
        let mut begun = None;
        for _ in 0..3 {
            let dispatch = loop {
                match set.next(now) {
                    SetStep::Wait(wait, _) => now += wait,
                    SetStep::Send(dispatch) => break dispatch,
                    step => panic!("{step:?}"),
                }
            };
            assert_eq!((dispatch.is_start(), dispatch.is_anonymous()), (is_start, false));
            drop(dispatch);
            assert_eq!(*begun.get_or_insert(now), now);
        }
        let (request, envelope) = sending(&mut set, &mut now);
        let text = String::from_utf8_lossy(request.body()).into_owned();
        let at = items.map(|item| text.find(item).unwrap_or_else(|| panic!("{item} in {text}")));
        assert!(at[0] < at[1], "{text}");
        assert_eq!(envelope.len(), 2);
        in_flight.push(envelope);
    }
}

#[test]
fn reports_come_in_the_order_in_which_things_happened() {
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
    // An answer that says the same is no news.
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

    // Nobody watches.
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
    // So is a batch whose response is none: of each, with what is known of the response.
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
fn a_refused_credential_is_asked_for_after_each_other_answer() {
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
        // Both in step again.
        now += seconds(600);
    }
    // A 424 says nothing of the credential.
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(424, ""), (200, "inProgress")]), now);
    let fault = set.inspect(&0, |poller| poller.retried_fault().map(Error::is_retryable));
    assert_eq!(fault, Some(Some(true)));
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
fn a_version_that_gets_no_batches_gets_none_again() {
    // What comes of a batch after another one was refused for good.
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
            // Each is checked alone, at once, and then with the other again.
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

#[test]
fn an_operation_that_a_batch_contradicts_is_checked_alone_from_then_on() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..3, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let said = [(404, ""), (200, "inProgress"), (200, "inProgress")];
    receive(&mut set, envelope, answers(&said), now);
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
    let mut set = empty(now);
    due(&mut set, 0..3, now);
    let (_, envelope) = sending(&mut set, &mut now);
    let said = [(404, ""), (200, "inProgress"), (200, "inProgress")];
    receive(&mut set, envelope, answers(&said), now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, status(503), now);
    // The next one of which a batch says it is asked again too, with a new credential if need be.
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
    // What was started alone is checked with others.
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

/// A repeated start goes before those that were not sent yet.
#[test]
fn a_start_that_is_repeated_comes_first_and_a_batch_of_starts_counts_as_one() {
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_starts_at_once(1);
    set.set_rate(1_000);
    for key in 0..45 {
        start(&mut set, key, false, now);
    }
    let (_, envelope) = sending(&mut set, &mut now);
    assert_eq!(envelope.len(), 20);
    assert!(matches!(set.next(now), SetStep::Pending));
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
fn a_start_has_the_time_that_its_own_deadline_leaves() {
    let timed = |set: &mut Set<u8>, key: u8, timeout: u64, now: Instant| {
        let request = Request::post(format!("{ROOT}/teams/{key}/archive")).body(Bytes::new());
        let polling = Polling::default().timeout(seconds(timeout));
        let request = request.unwrap();
        let start = Start::new::<TeamsAsyncOperation>(&root(), request, false, polling, now, 7);
        set.queue_request(key, start.unwrap()).unwrap();
    };
    let begin = Instant::now();
    let mut set = empty(begin);
    timed(&mut set, 1, 40, begin);
    timed(&mut set, 2, 70, begin);
    // Time counts from the first sending.
    let mut now = begin + seconds(1_000);
    let (request, envelope) = sending(&mut set, &mut now);
    assert_eq!((envelope.len(), TimeLeft::of(&request)), (2, seconds(70)));
    let first = now;
    let said = batch(&json!([
        { "id": "1", "status": 429, "headers": { "Retry-After": "35" } },
        { "id": "2", "status": 403 },
    ]));
    receive(&mut set, envelope, said, now);
    assert_eq!(reports(&mut set, now), ["2 ended Rejected"]);
    let (request, envelope) = sending(&mut set, &mut now);
    let left = seconds(40).saturating_sub(now - first);
    assert_eq!(TimeLeft::of(&request), left.max(seconds(4)));
    assert!(now - first >= seconds(35), "{:?}", now - first);
    receive(&mut set, envelope, with_header(status(429), "retry-after", "9"), now);
    let SetStep::Event(Report::Ended(1, Err(error))) = set.next(now) else {
        panic!("it cannot be repeated before its deadline")
    };
    assert_eq!((error.checks(), error.waited()), (Some(2), Some(now - first)));
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
    // Looking again does not begin the wait anew.
    now += Duration::from_millis(500);
    assert_eq!(wait(&mut set, now), (Duration::from_millis(500), Reason::Rate));
    let (_, one) = sending(&mut set, &mut now);
    assert_eq!((one.len(), now), (1, begin + seconds(1)));
    let (_, others) = sending(&mut set, &mut now);
    assert_eq!((others.len(), now), (4, begin + seconds(5)));

    let (mut set, mut now) = (drained(), begin);
    due(&mut set, [1], now);
    // It waits for company, and then for the rate.
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

/// Begins a start that the driver makes.
fn begin_start(set: &mut Set<u8>, key: u8, now: Instant) -> Ticket {
    let ticket = set.queue(key).unwrap();
    assert!(matches!(set.next(now), SetStep::Start(begun) if begun == ticket));
    ticket
}

#[test]
fn a_policy_stays_as_long_as_it_is_in_use() {
    let now = Instant::now();
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default().retries(1), now);
    let ticket = begin_start(&mut set, 2, now);
    set.started(ticket, Err(Error::transport("connection reset")), now);
    assert_eq!(reports(&mut set, now), ["2 ended Transport"]);
    insert(&mut set, 3, Polling::default().retries(3), now);
    for key in [1, 3] {
        let polling = set.inspect(&key, |poller| *poller.polling()).unwrap();
        assert_eq!(polling, Polling::default().retries(key.into()));
    }
}

#[test]
fn each_owner_is_told_by_the_path_below_the_root() {
    let begin = Instant::now();
    // Six teams below a root without a version, and six monitors, which nobody owns.
    let gateway = Uri::from_static("https://gateway.example/proxy");
    let mut teams = Set::<u8>::new::<TeamsAsyncOperation>(gateway, begin, 7);
    let mut monitors = Set::<u8>::new::<DriveItemCopy>(root(), begin, 7);
    for key in 0..6 {
        let at = format!("https://gateway.example/proxy/teams/{key}/operations/1");
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), begin, 7);
        teams.insert(key, poller, begin).unwrap();
        let at = format!("https://contoso.sharepoint.com/_api/v2.0/monitor/{key}");
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<DriveItemCopy>(started, at_once(), begin, 7);
        monitors.insert(key, poller, begin).unwrap();
    }
    for set in [&mut teams, &mut monitors] {
        set.set_requests_at_once(6);
        let mut in_flight = Vec::new();
        while let Taken::Sent(_, envelope) = take(set, begin) {
            in_flight.push(envelope);
        }
        assert_eq!(in_flight.len(), 6);
    }
    // A dispatch that is dropped does not count for its owner.
    let mut set = empty(begin);
    set.set_batch(1);
    due(&mut set, [1], begin);
    for _ in 0..8 {
        let step = set.next(begin);
        assert!(matches!(step, SetStep::Send(_)), "{step:?}");
    }
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

/// The items of a batch whose operations are gone, and whose slots are used again.
#[test]
fn nothing_that_a_batch_says_of_one_operation_is_taken_for_another() {
    for result in 0..6 {
        let mut now = Instant::now();
        let mut set = empty(now);
        due(&mut set, 0..2, now);
        let (_, envelope) = sending(&mut set, &mut now);
        assert!(set.remove(&0, now).is_some());
        insert(&mut set, 9, Polling::default(), now);
        let begin = now;
        match result {
            0 => receive(&mut set, envelope, answers(&[(200, "succeeded"); 2]), now),
            1 => receive(&mut set, envelope, answers(&[(404, ""); 2]), now),
            2 => receive(&mut set, envelope, status(429), now),
            3 => receive(&mut set, envelope, answers(&[(424, ""); 2]), now),
            4 => {
                let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
                assert_eq!(envelope.len(), 1);
                set.authorized(envelope, &refused, true, now);
            }
            _ => set.unsent(envelope, now),
        }
        let told = reports(&mut set, now);
        assert!(told.iter().all(|report| report.starts_with('1')), "{result}: {told:?}");
        let next = set.inspect(&9, |poller| (poller.checks(), poller.until_next())).unwrap();
        assert!(next.0 == 0 && next.1.unwrap() > seconds(4), "{result}: {next:?}");
        // It is checked when it is due, and not before.
        loop {
            let (request, envelope) = sending(&mut set, &mut now);
            drop(envelope);
            if format!("{} {:?}", request.uri(), request.body()).contains("teams('9')") {
                break;
            }
        }
        assert!(now - begin > seconds(5), "{result}: {:?}", now - begin);
    }
    // An entry of the queue, and a request that was dropped, of one that is gone.
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    insert(&mut set, 1, Polling::default(), now);
    assert!(set.remove(&1, now).is_some());
    due(&mut set, [2], now);
    let (_, gone) = sending(&mut set, &mut now);
    assert!(set.remove(&2, now).is_some());
    due(&mut set, [3], now);
    let (_, envelope) = sending(&mut set, &mut now);
    drop(gone);
    now += seconds(20);
    assert!(!matches!(set.next(now), SetStep::Send(_)));
    receive(&mut set, envelope, in_progress(), now);
    assert_eq!(reports(&mut set, now), ["3 checked"]);
}

#[test]
fn starts_are_made_when_nobody_watches() {
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
fn a_batch_has_one_to_twenty_items() {
    for (most, size) in [(0, 1), (1, 1), (7, 7), (100, 20)] {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_batch(most);
        due(&mut set, 0..40, now);
        assert_eq!(sending(&mut set, &mut now).1.len(), size);
        let saved = serde_json::to_value(set.save()).unwrap();
        assert_eq!(saved["queues"].as_array().map(Vec::len), Some(2));
    }
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
fn a_check_in_flight_is_given_up_when_its_time_is_up() {
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
fn the_last_check_does_not_wait_for_company_beyond_the_deadline() {
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
        // It has a moment, even so.
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
fn a_separate_answer_that_refuses_nothing_leaves_the_rate() {
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
    // A failure is a time too.
    let (_, envelope) = sending(&mut set, &mut (now + pause));
    set.failed(envelope, &Error::transport("connection reset"), now + seconds(100));
    assert_eq!(set.latest(), now + seconds(100));
    // Each wait ends once, and a step after it is no wait.
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default(), now);
    wait(&mut set, now);
    assert!(set.queue(2).is_some());
    assert!(matches!(set.next(now), SetStep::Start(_)));
    set.waited();
    assert_eq!(set.latest(), now);
}

#[test]
fn what_is_not_followed_has_no_poller_and_no_token() {
    let mut now = Instant::now();
    let mut set = empty(now);
    assert!(set.queue(1).is_some());
    assert!(set.inspect(&1, |_| ()).is_none() && set.token(&1).is_none());
    let done = Response::builder().status(201).body(Bytes::new()).unwrap();
    let accepted = graph_operation::protocol::Accepted::Finished(done);
    let poller = Poller::new::<TeamsAsyncOperation>(accepted, Polling::default(), now, 7);
    now += seconds(1);
    assert!(set.insert(2, poller, now).is_ok());
    assert_eq!(set.latest(), now);
    assert_eq!(
        (set.tokens().count(), set.inspect(&2, |poller| poller.finished().is_some())),
        (0, Some(true))
    );
    now += seconds(1);
    assert!(set.remove(&2, now).is_some_and(|poller| poller.finished().is_some()));
    assert_eq!(set.latest(), now);

    // What is in the set, or is of another origin, does not come in.
    insert(&mut set, 3, Polling::default(), now);
    for (key, root, is_in) in
        [(3, ROOT, false), (4, "https://graph.microsoft.us/v1.0", false), (5, ROOT, true)]
    {
        let at = format!("{root}{}", location(9)).parse().unwrap();
        let poller =
            Poller::new::<TeamsAsyncOperation>(Started::at(at), Polling::default(), now, 7);
        assert_eq!(set.insert(key, poller, now).is_ok(), is_in, "{key}");
    }
}

#[test]
fn monitors_are_read_where_they_are_whatever_their_path_is_like() {
    let mut now = Instant::now();
    let mut set = Set::<u8>::new::<DriveItemCopy>(root(), now, 7);
    for key in 0..2 {
        let at = format!("https://contoso.sharepoint.com/v1.0/monitor/{key}").parse().unwrap();
        let poller = Poller::new::<DriveItemCopy>(Started::at(at), at_once(), now, 7);
        set.insert(key, poller, now).unwrap();
    }
    for key in 0..2 {
        let dispatch = loop {
            match set.next(now) {
                SetStep::Wait(wait, _) => now += wait,
                SetStep::Send(dispatch) => break dispatch,
                step => panic!("{step:?}"),
            }
        };
        assert!(dispatch.is_anonymous() && !dispatch.is_start());
        let (request, envelope) = dispatch.request();
        let at = format!("https://contoso.sharepoint.com/v1.0/monitor/{key}");
        assert_eq!((request.uri().to_string(), envelope.len()), (at, 1));
        drop(envelope);
    }
}

#[test]
fn versions_beyond_what_a_set_tells_apart_are_read_one_by_one() {
    let mut now = Instant::now();
    let mut set = Set::<u16>::new::<TeamsAsyncOperation>(root(), now, 7);
    set.set_rate(1_000);
    set.set_requests_at_once(1_000);
    for key in 0..300_u16 {
        let at = format!("https://graph.microsoft.com/v{key}{}", location(key.into()));
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), now, 7);
        set.insert(key, poller, now).unwrap();
    }
    let mut addresses = std::collections::HashSet::new();
    while addresses.len() < 300 {
        match set.next(now) {
            SetStep::Wait(wait, _) => now += wait,
            SetStep::Send(dispatch) => {
                let (request, envelope) = dispatch.request();
                assert_eq!(envelope.len(), 1);
                assert!(addresses.insert(request.uri().to_string()));
                drop(envelope);
            }
            step => panic!("{step:?}"),
        }
    }
    assert!(addresses.contains("https://graph.microsoft.com/v299/teams('299')/operations('299')"));

    let saved = serde_json::to_value(set.save()).unwrap();
    for more in [0, 1] {
        let mut changed = saved.clone();
        let queues = changed["queues"].as_array_mut().unwrap();
        assert_eq!(queues.len(), 256);
        queues.extend((0..more).map(|_| json!({ "base": "/v300", "batching": true })));
        let changed = serde_json::from_value(changed).unwrap();
        let restored = Set::<u16>::restore::<TeamsAsyncOperation>(changed, root(), now);
        assert_eq!(restored.is_ok(), more == 0);
    }
}
