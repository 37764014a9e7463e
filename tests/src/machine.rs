//! The protocol's machine, driven by arbitrary bytes, and what has to hold whatever they say.
//!
//! A fuzzer, a property test and the cases that either has found all come through here.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, Poller, Started, Step, accept, resolve};
use graph_operation::{ErrorKind, GraphError, Polling, ResumeToken, TeamsAsyncOperation};
use http::header::{DATE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};

const ROOT: &str = "https://graph.microsoft.com/v1.0";

fn root() -> Uri {
    Uri::from_static(ROOT)
}

/// Bytes that decide.
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

    /// Up to 255 bytes, as many as the next one says and there are.
    fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (slice, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(slice)
    }

    /// A policy, its interval and its timeout.
    fn polling(&mut self) -> Option<(Polling, Duration, Option<Duration>)> {
        const HOUR: Duration = Duration::from_secs(3_600);
        let first = Duration::from_millis(self.number()?);
        let interval = Duration::from_millis(self.number()?.max(1));
        let timeout = Duration::from_millis((self.number()? * 16).max(1));
        let polling = Polling::default().retries(u32::from(self.byte()? % 16));
        Some(match self.byte()? % 4 {
            0 => (polling, Duration::from_secs(30), Some(HOUR)),
            1 => {
                let polling = polling.first_check(first).interval(interval);
                (polling.no_timeout(), interval, None)
            }
            _ => {
                let polling = polling.first_check(first).interval(interval);
                (polling.timeout(timeout), interval, Some(timeout))
            }
        })
    }

    fn answer(&mut self) -> Option<Response<Bytes>> {
        let status = match self.byte()? % 16 {
            0..8 => 200,
            8 => 202,
            9 => 404,
            10 => 429,
            11 => 503,
            12 => 307,
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
        let mut answer = Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(status).ok()?;
        for (name, common) in [(RETRY_AFTER, "17"), (LOCATION, "https://evil.example/")] {
            let value = match self.byte()? % 4 {
                0 => HeaderValue::from_bytes(self.slice()?).ok(),
                1 => HeaderValue::from_str(common).ok(),
                _ => None,
            };
            value.map(|value| answer.headers_mut().insert(name, value));
        }
        Some(answer)
    }
}

/// Drives the machine through whatever the bytes say.
///
/// # Panics
///
/// If a request leaves the origin, if two checks come closer than the policy says, if a deadline is
/// not an end, or if the machine gets stuck.
pub fn drive(bytes: &[u8]) {
    let _ = drive_until_out_of_bytes(&mut Input(bytes));
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
    let (polling, interval, timeout) = input.polling()?;
    let created = Instant::now();
    let mut now = created;
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, polling, now, input.number()?);
    let deadline = timeout.map(|timeout| created + timeout);
    let mut sent: Option<Instant> = None;

    loop {
        match poller.next(now) {
            Step::Wait(wait) => {
                assert!(!wait.is_zero());
                now += match input.byte()? % 4 {
                    0 => wait / 2,
                    1 => wait + Duration::from_millis(input.number()?),
                    _ => wait,
                };
            }
            Step::Send => {
                assert_origin(&poller.request(now));
                if let Some(sent) = sent {
                    let last = deadline.is_some_and(|deadline| now >= deadline && sent < deadline);
                    assert!(last || now - sent >= interval, "{:?} after a check", now - sent);
                    assert!(
                        deadline.is_none_or(|deadline| sent < deadline),
                        "a check after the last"
                    );
                }
                sent = Some(now);
                poller.sent(now);
                match input.byte()? % 8 {
                    0 => {} // Dropped before its answer.
                    1 => drop(poller.failed("connection reset".into(), true, now)),
                    2 => drop(poller.failed("no credential".into(), false, now)),
                    _ => {
                        now += Duration::from_millis(u64::from(input.byte()?));
                        if let Err(fault) = poller.received(input.answer()?, now) {
                            assert_fault(&fault.error, fault.retry);
                            if fault.retry {
                                poller.remember(fault.error);
                            }
                        }
                    }
                }
            }
            Step::Done => {
                assert!(poller.state().is_terminal());
                let _ = poller.end();
                return None;
            }
            Step::TimedOut => {
                let deadline = deadline.expect("no deadline, no timing out");
                assert!(now >= deadline && sent.is_some_and(|sent| sent >= deadline));
                assert_eq!(poller.end().unwrap_err().kind(), ErrorKind::TimedOut);
                assert_eq!(poller.next(now), Step::TimedOut);
                return None;
            }
        }
        // From wherever it is, the machine finds an end that comes.
        if input.0.is_empty() {
            finish(poller, now);
            return None;
        }
    }
}

fn finish(mut poller: Poller, mut now: Instant) {
    for _ in 0..4 {
        match poller.next(now) {
            Step::Wait(wait) => now += wait,
            Step::Send => {
                poller.sent(now);
                let end = Bytes::from_static(br#"{"id":"1","status":"succeeded"}"#);
                poller.received(Response::new(end), now).expect("a good answer");
            }
            Step::Done => {
                let _ = poller.end();
                return;
            }
            Step::TimedOut => return,
        }
    }
    panic!("no end was found: {poller:?}");
}

fn assert_origin(request: &Request<Bytes>) {
    let uri = request.uri();
    assert_eq!((uri.scheme_str(), uri.port_u16().unwrap_or(443)), (Some("https"), 443));
    assert!(
        uri.host().is_some_and(|host| host.eq_ignore_ascii_case("graph.microsoft.com")),
        "{uri}"
    );
    assert!(!uri.authority().is_some_and(|authority| authority.as_str().contains('@')), "{uri}");
}

fn assert_fault(error: &graph_operation::Error, retry: bool) {
    let kinds =
        [ErrorKind::Rejected, ErrorKind::Decode, ErrorKind::Transport, ErrorKind::ForeignLocation];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    assert!(error.resume_token().is_some());
    assert!(!retry || error.kind() != ErrorKind::ForeignLocation);
    assert!(error.retry_after().is_none_or(|asked| asked <= Duration::from_secs(3_600)));
    let _ = format!("{error} {error:#} {error:?}");
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

/// Reads arbitrary bytes as each document there is.
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
