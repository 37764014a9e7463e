//! The protocol's machine, driven by arbitrary bytes, and its invariants.
//!
//! A fuzzer, a property test and the cases that either has found all come through here.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{
    Accepted, Answer, Event, Poller, Reason, Saved, Started, Step, accept, resolve,
};
use graph_operation::{Error, ErrorKind, GraphError, Polling, ResumeToken, TeamsAsyncOperation};
use http::header::{DATE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};

const ROOT: &str = "https://graph.microsoft.com/v1.0";

fn root() -> Uri {
    Uri::from_static(ROOT)
}

/// A policy, and what the oracle knows of it.
#[derive(Clone, Copy)]
struct Policy {
    polling: Polling,
    interval: Duration,
    timeout: Option<Duration>,
    retries: u32,
    longest: Duration,
}

/// The bytes that drive the machine.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes([self.byte()?, self.byte()?, self.byte()?, 0, 0, 0, 0, 0]))
    }

    /// As many bytes as the next one says, or as are left.
    fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (slice, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(slice)
    }

    fn policy(&mut self) -> Option<Policy> {
        const HOUR: Duration = Duration::from_secs(3_600);
        let first = Duration::from_millis(self.number()?);
        let interval = Duration::from_millis(self.number()?.max(1));
        let timeout = Duration::from_millis((self.number()? * 16).max(1));
        let retries = u32::from(self.byte()? % 16);
        let polling = Polling::default().retries(retries);
        let set = polling.first_check(first).interval(interval);
        let (polling, interval, timeout) = match self.byte()? % 4 {
            0 => (polling, Duration::from_secs(30), Some(HOUR)),
            1 => (set.no_timeout(), interval, None),
            _ => (set.timeout(timeout), interval, Some(timeout)),
        };
        let longest = Duration::from_millis(self.number()?.max(1));
        Some(match self.byte()? % 8 {
            0 => {
                let polling = polling.longest_interval(longest);
                Policy { polling, interval, timeout, retries, longest }
            }
            _ => Policy { polling, interval, timeout, retries, longest: Duration::MAX },
        })
    }

    /// A response, and how long its `Retry-After` asks to wait, if that is unambiguous.
    fn response(&mut self) -> Option<(Response<Bytes>, Option<Duration>)> {
        let status = match self.byte()? % 16 {
            0..8 => 200,
            8 => 202,
            9 => 404,
            10 => 429,
            11 => 503,
            12 => 307,
            13 => 401,
            _ => 100 + u16::try_from(self.number()? % 900).ok()?,
        };
        let body = match self.byte()? % 8 {
            0 => Bytes::from_static(br#"{"id":"1","status":"notStarted","attemptsCount":1}"#),
            1 => Bytes::from_static(br#"{"id":"1","status":"inProgress","attemptsCount":1}"#),
            2 => Bytes::from_static(br#"{"id":"1","status":"inProgress","attemptsCount":2}"#),
            3 => Bytes::from_static(br#"{"id":"1","status":"","error":{"code":"x"}}"#),
            4 => Bytes::from_static(br#"{"error":{"code":"x","message":"y"}}"#),
            5 => Bytes::from_static(b"<html></html>"),
            6 => Bytes::from([br#"{"id":"1","status":""#, self.slice()?, br#""}"#].concat()),
            _ => Bytes::copy_from_slice(self.slice()?),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).ok()?;
        let mut asked = None;
        match self.byte()? % 4 {
            0 => {
                if let Ok(value) = HeaderValue::from_bytes(self.slice()?) {
                    response.headers_mut().insert(RETRY_AFTER, value);
                }
            }
            1 => {
                let seconds = u64::from(self.byte()?);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                asked = Some(Duration::from_secs(seconds.max(1)));
            }
            _ => {}
        }
        if self.byte()? % 4 == 0 {
            let value = HeaderValue::from_static("https://evil.example/");
            response.headers_mut().insert(LOCATION, value);
        }
        Some((response, asked))
    }
}

/// The invariants, derived from the policy and the responses alone.
struct Oracle {
    policy: Policy,
    created: Instant,
    sent: Option<Instant>,
    /// Before this, no check but the last one may be sent, and not even that one before `asked`.
    not_before: Instant,
    asked: Instant,
    faults: u32,
    /// Whether a 401 was answered with a new credential.
    at_once: bool,
    renewed: bool,
    checks: u32,
}

impl Oracle {
    fn deadline(&self) -> Option<Instant> {
        self.policy.timeout.map(|timeout| self.created + timeout)
    }

    /// The earliest instant of the last check.
    fn earliest_last(&self) -> Option<Instant> {
        let timeout = self.policy.timeout?;
        let early = self.policy.interval.min(timeout) / 10;
        (self.created + timeout).checked_sub(early)
    }

    fn sending(&mut self, now: Instant) {
        let last = self.earliest_last().is_some_and(|earliest| now >= earliest);
        if !self.at_once {
            if let Some(sent) = self.sent {
                let interval = self.policy.interval.min(self.policy.longest);
                assert!(last || now - sent >= interval, "{:?} after a check", now - sent);
            }
            assert!(last || now >= self.not_before, "a check before a backoff was over");
            assert!(now >= self.asked, "a check before a Retry-After was over");
        }
        let over = self.sent.zip(self.deadline()).is_some_and(|(sent, deadline)| sent >= deadline);
        assert!(!over || self.at_once, "a check after the last");
        self.sent = Some(now);
        self.at_once = false;
        self.checks += 1;
    }

    fn asked(&mut self, asked: Option<Duration>, now: Instant) {
        if let Some(asked) = asked {
            self.asked = self.asked.max(now + asked.min(self.policy.longest));
        }
    }

    /// A fault that is retried.
    fn retrying(&mut self, error: &Error, asked: Option<Duration>, now: Instant) {
        assert_fault(error);
        assert!(error.kind() != ErrorKind::ForeignLocation);
        if error.status() == Some(StatusCode::NOT_FOUND) {
            assert!(now - self.created <= Duration::from_secs(300), "no grace for a late 404");
        } else {
            self.faults += 1;
            let in_time = self.deadline().is_none_or(|deadline| now < deadline);
            let last = self.earliest_last().zip(self.sent).is_some_and(|(last, sent)| sent >= last);
            assert!(self.faults <= self.policy.retries || !in_time || last, "too many faults");
            if error.retry_after().is_none() {
                let longest = Duration::from_secs(180).max(self.policy.interval);
                let backoff = self.policy.interval * (1 << (self.faults - 1).min(20));
                let backoff = backoff.min(longest).min(self.policy.longest);
                let sent = self.sent.expect("a fault of a check");
                self.not_before = self.not_before.max(sent + backoff);
            }
        }
        self.asked(asked, now);
    }

    fn timed_out(&self, now: Instant) {
        let deadline = self.deadline().expect("a timeout has a deadline");
        let last = self.earliest_last().expect("a deadline");
        let checked = self.sent.is_some_and(|sent| sent >= last);
        assert!(checked || now >= deadline, "timed out too early");
    }
}

/// Drives the machine through whatever the bytes say, saving and restoring it in between.
///
/// # Panics
///
/// If a request leaves the origin, if a check comes sooner than the policy, a `Retry-After` or a
/// backoff allows, if a deadline does not end the wait, if the machine gets stuck, or if one that
/// was saved and restored behaves differently from one that was not.
pub fn drive(bytes: &[u8]) {
    let _ = drive_until_out_of_bytes(&mut Input(bytes));
}

/// A machine, and its twin that is saved and restored.
struct Twins {
    kept: Poller,
    restored: Poller,
    /// The latest instant that both have seen.
    latest: Instant,
}

impl Twins {
    fn new(poller: impl Fn() -> Poller, now: Instant) -> Self {
        Twins { kept: poller(), restored: poller(), latest: now }
    }

    fn each<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut Poller) -> T) -> T {
        let one = act(&mut self.kept);
        assert_eq!(act(&mut self.restored), one, "{:?}", self.kept);
        self.latest = self.latest.max(self.kept.latest());
        one
    }

    fn save_and_restore(&mut self) {
        let saved = self.restored.save();
        assert_eq!(self.kept.save(), saved);
        let written = serde_json::to_string(&saved).expect("plain data");
        let read: Saved = serde_json::from_str(&written).expect("its own text");
        assert_eq!(read, saved);
        self.restored =
            Poller::restore::<TeamsAsyncOperation>(read, &root(), self.kept.latest()).expect("it");
    }
}

/// A step without its request.
#[derive(Debug, PartialEq)]
enum Plain {
    Wait(Duration, Reason),
    Send(String, Option<Duration>),
    Done(Option<(ErrorKind, String)>),
}

fn plain(step: Step<'_>) -> Plain {
    match step {
        Step::Wait(wait, why) => Plain::Wait(wait, why),
        Step::Send(check) => {
            let time_left = check.time_left();
            let request = check.request();
            assert_origin(&request);
            Plain::Send(request.uri().to_string(), time_left)
        }
        Step::Done(result) => {
            Plain::Done(result.err().map(|error| (error.kind(), error.to_string())))
        }
    }
}

/// An event, and the error in it as text.
fn event(event: Event<()>) -> (&'static str, Option<Error>, Option<Response<Bytes>>) {
    match event {
        Event::Received(()) => ("received", None, None),
        Event::Retrying(error) => ("retrying", Some(error), None),
        Event::Unauthorized(response) => ("unauthorized", None, Some(response)),
        Event::Authorized => ("authorized", None, None),
        Event::Failed(error) => ("failed", Some(error), None),
    }
}

fn drive_until_out_of_bytes(input: &mut Input<'_>) -> Option<()> {
    let started = match input.byte()? % 4 {
        0 => {
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = StatusCode::ACCEPTED;
            let location = HeaderValue::from_bytes(input.slice()?).ok()?;
            answer.headers_mut().insert(LOCATION, location);
            match accept(&root(), Answer::from(answer)) {
                Ok(Accepted::Started(started)) => started,
                Ok(Accepted::Finished(_)) => panic!("a 202 finished at once"),
                Err(_) => return None,
            }
        }
        _ => Started::at(Uri::from_static("https://graph.microsoft.com/v1.0/operations/1")),
    };
    let policy = input.policy()?;
    let created = Instant::now();
    let mut now = created;
    let seed = input.number()?;
    let new = || Poller::new::<TeamsAsyncOperation>(started.clone(), policy.polling, created, seed);
    let mut twins = Twins::new(new, now);
    let mut oracle = Oracle {
        policy,
        created,
        sent: None,
        not_before: created,
        asked: created,
        faults: 0,
        at_once: false,
        renewed: false,
        checks: 0,
    };

    loop {
        if input.byte()? % 4 == 0 {
            twins.save_and_restore();
        }
        match twins.each(|poller| plain(poller.next(now))) {
            Plain::Wait(wait, why) => {
                assert!(!wait.is_zero());
                assert!(why != Reason::FirstCheck || oracle.sent.is_none());
                now = match input.byte()? % 8 {
                    0 => now + wait / 2,
                    1 => now + wait + Duration::from_millis(input.number()?),
                    // The clock is set back.
                    2 => now.checked_sub(Duration::from_millis(input.number()?)).unwrap_or(now),
                    // A sleep counts even if it took no time by the clock.
                    3 => {
                        twins.each(Poller::waited);
                        twins.latest
                    }
                    _ => now + wait,
                };
            }
            Plain::Send(_, time_left) => {
                assert_eq!(time_left.is_some(), policy.timeout.is_some());
                let at = twins.latest.max(now);
                oracle.sending(at);
                now = at;
                if !take_outcome(input, &mut twins, &mut oracle, &mut now)? {
                    continue; // Dropped before its response.
                }
            }
            Plain::Done(Some((ErrorKind::TimedOut, _))) => {
                oracle.timed_out(twins.latest.max(now));
                return None;
            }
            Plain::Done(error) => {
                assert!(twins.kept.state().is_terminal());
                assert!(error.is_none_or(|(kind, _)| kind == ErrorKind::Failed));
                return None;
            }
        }
        assert_eq!(twins.kept.checks(), oracle.checks);
        // Whatever its state, the machine ends once the operation does.
        if input.0.is_empty() {
            finish(twins.kept, now);
            return None;
        }
    }
}

/// Passes the result of a check to the machine; `false` if there was none.
fn take_outcome(
    input: &mut Input<'_>,
    twins: &mut Twins,
    oracle: &mut Oracle,
    now: &mut Instant,
) -> Option<bool> {
    let (mut asked, mut unauthorized) = (None, false);
    let outcome = match input.byte()? % 8 {
        0 => return Some(false),
        1 => Err(Error::transport("connection reset")),
        2 => Err(Error::credential("no credential")),
        _ => {
            *now += Duration::from_millis(u64::from(input.byte()?));
            let (response, retry_after) = input.response()?;
            asked = retry_after;
            unauthorized = response.status() == StatusCode::UNAUTHORIZED;
            Ok(response)
        }
    };
    let take = |poller: &mut Poller| {
        event(match &outcome {
            Ok(response) => poller.received(response.clone(), *now),
            Err(error) => poller.failed(error.clone(), *now),
        })
    };
    let (mut what, mut error, response) = take(&mut twins.kept);
    let (twin, twin_error, _) = take(&mut twins.restored);
    assert_eq!((twin, text(twin_error.as_ref())), (what, text(error.as_ref())));
    if what == "unauthorized" {
        assert!(unauthorized && !std::mem::replace(&mut oracle.renewed, true), "asked twice");
        let response = response?;
        let renewed = input.byte()? % 2 == 0;
        let answer = |poller: &mut Poller| event(poller.authorized(&response, renewed, *now));
        let (kept, restored) = (answer(&mut twins.kept), answer(&mut twins.restored));
        assert_eq!(restored.0, kept.0);
        (what, error) = (kept.0, kept.1);
        assert_eq!(renewed, what == "authorized");
    } else if !unauthorized {
        oracle.renewed = false;
    }
    match (what, error) {
        ("received", _) => {
            oracle.faults = 0;
            oracle.asked(asked, *now);
        }
        ("authorized", _) => oracle.at_once = true,
        ("retrying", Some(error)) => oracle.retrying(&error, asked, *now),
        ("failed", Some(error)) => {
            assert_fault(&error);
            oracle.faults = 0;
            oracle.renewed = false;
            oracle.asked(asked, *now);
        }
        (what, _) => panic!("{what} without an error"),
    }
    twins.latest = twins.latest.max(twins.kept.latest());
    Some(true)
}

fn text(error: Option<&Error>) -> Option<String> {
    error.map(|error| format!("{:?} {error}", error.kind()))
}

fn finish(mut poller: Poller, now: Instant) {
    let mut now = now.max(poller.latest());
    for _ in 0..8 {
        match poller.next(now) {
            Step::Wait(wait, _) => now += wait,
            Step::Send(check) => {
                drop(check.request());
                let end = Bytes::from_static(br#"{"id":"1","status":"succeeded"}"#);
                assert!(matches!(poller.received(Response::new(end), now), Event::Received(())));
            }
            Step::Done(_) => return,
        }
    }
    panic!("no end was found: {poller:?}");
}

/// Decides by the text alone, which is what a server sees.
fn assert_origin(request: &Request<Bytes>) {
    let text = request.uri().to_string().to_ascii_lowercase();
    let rest = text.strip_prefix("https://graph.microsoft.com");
    let rest = rest.unwrap_or_else(|| panic!("another origin: {text}"));
    let rest = rest.strip_prefix(":443").or(rest.strip_prefix(':')).unwrap_or(rest);
    assert!(rest.starts_with('/'), "another origin: {text}");
}

fn assert_fault(error: &Error) {
    let kinds =
        [ErrorKind::Rejected, ErrorKind::Decode, ErrorKind::Transport, ErrorKind::ForeignLocation];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    assert!(error.resume_token().is_some());
    assert!(error.retry_after().is_none_or(|asked| asked <= Duration::from_secs(3_600)));
    let shown = format!("{error} {error:#} {error:?}");
    assert!(!shown.contains('\n') || shown.len() < 16_000);
}

/// Resolves arbitrary bytes as an address.
///
/// # Panics
///
/// If one is accepted that leaves the origin.
pub fn locate(bytes: &[u8]) {
    for base in [None, Some(Uri::from_static("https://graph.microsoft.com/beta/teams"))] {
        match resolve(&root(), base.as_ref(), bytes) {
            Ok(uri) => {
                let mut request = Request::new(Bytes::new());
                *request.uri_mut() = uri;
                assert_origin(&request);
            }
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::ForeignLocation | ErrorKind::InvalidLocation),
                "{error:?}"
            ),
        }
    }
}

/// Reads arbitrary bytes as a `Retry-After`, and the rest as a `Date`.
///
/// # Panics
///
/// If what was read is out of its bounds.
pub fn throttle(bytes: &[u8]) {
    let (value, date) = bytes.split_at(bytes.len() / 2);
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    for (name, value) in [(RETRY_AFTER, bytes), (RETRY_AFTER, value), (DATE, date)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            answer.headers_mut().append(name, value);
        }
    }
    let error = accept(&root(), Answer::from(answer)).expect_err("a 429 is an error");
    if let Some(asked) = error.retry_after() {
        assert!(asked >= Duration::from_secs(1) && asked <= Duration::from_secs(3_600));
    }
}

/// Reads arbitrary bytes as each kind of document.
///
/// # Panics
///
/// If a document that was read is not the same after writing and reading.
pub fn decode(bytes: &[u8]) {
    if let Ok(operation) = serde_json::from_slice::<TeamsAsyncOperation>(bytes) {
        let written = serde_json::to_vec(&operation).expect("it can be written");
        let again: TeamsAsyncOperation = serde_json::from_slice(&written).expect("and read");
        assert_eq!(again, operation);
    }
    if let Ok(error) = serde_json::from_slice::<GraphError>(bytes) {
        let _ = error.to_string();
        let _ = serde_json::to_vec(&error).expect("it can be written");
    }
    if let Ok(token) = std::str::from_utf8(bytes).unwrap_or_default().parse::<ResumeToken>() {
        assert_eq!(token.to_string().parse::<ResumeToken>().expect("its own text"), token);
    }
}
