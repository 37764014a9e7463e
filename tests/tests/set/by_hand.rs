//! The set's machine, called as a custom driver calls it.

mod answers;
mod flight;
mod members;
mod starts;
mod waits;

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{
    Envelope, Poller, Reason, Received, Report, Set, SetStep, Start, Started, Ticket,
};
use graph_operation::testing::{accepted, in_progress, json_answer, status, with_header};
use graph_operation::{
    DriveItemCopy, Error, ErrorKind, Polling, RateLimit, Result, TeamsAsyncOperation, TimeLeft,
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
            Taken::Event(Report::RetryingStart(..) | Report::Started(_) | Report::Checked(..)) => {}
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

/// A set with one request in flight, which sends nothing else in the meantime.
fn busy(now: &mut Instant) -> (Set<u8>, Envelope) {
    let mut set = empty(*now);
    set.set_batch(1);
    set.set_requests_at_once(1);
    due(&mut set, [100], *now);
    let (_, envelope) = sending(&mut set, now);
    (set, envelope)
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

/// One of the operations of one team.
pub(crate) fn of_a_team(key: u8, polling: Polling, now: Instant) -> Poller {
    let at = format!("{ROOT}/teams('9')/x('{key}')/operations('1')").parse().unwrap();
    Poller::new::<TeamsAsyncOperation>(Started::at(at), polling, now, 7)
}

/// What the next steps report.
fn reports(set: &mut Set<u8>, now: Instant) -> Vec<String> {
    let mut reports = Vec::new();
    while let SetStep::Event(report) = set.next(now) {
        reports.push(match report {
            Report::RetryingStart(key, error) => format!("{key} retrying {:?}", error.kind()),
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

/// Takes the ticket of a start that the driver makes.
fn begin_start(set: &mut Set<u8>, key: u8, now: Instant) -> Ticket {
    let ticket = set.queue(key).unwrap();
    assert!(matches!(set.next(now), SetStep::Start(begun) if begun == ticket));
    ticket
}
