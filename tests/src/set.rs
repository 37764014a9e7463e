//! The set's machine, driven by arbitrary bytes, and its invariants.

mod oracle;
pub mod saved;

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{Envelope, Poller, Received, Set, SetStep, Start, Started, Ticket};
use graph_operation::{Error, Polling, TeamsAsyncOperation};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use self::oracle::{Name, Oracle, Said, operation_path, start_path};

const FIRST_CHECK: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_secs(30);
const RATE: u32 = 10;

/// How many teams share the operations.
const OWNERS: u8 = 16;

const STATUSES: [u16; 14] = [200, 200, 200, 200, 401, 404, 400, 405, 429, 503, 500, 424, 501, 302];

/// Bytes that drive the test; zeros once they have run out.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Returns `true` once in this many times on average, and `false` after the bytes have run out.
    fn one_in(&mut self, times: u8) -> bool {
        self.byte() % times == times - 1
    }

    fn timeout(&mut self) -> Option<Duration> {
        [None, Some(20), Some(100), Some(300)][usize::from(self.byte() % 4)]
            .map(Duration::from_secs)
    }

    fn document(&mut self) -> Value {
        match self.byte() % 4 {
            0 => json!({ "status": "succeeded" }),
            1 => json!({ "status": "failed", "error": { "code": "x" } }),
            2 => json!({ "status": "inProgress", "attemptsCount": self.byte() }),
            _ => json!("PGh0bWw+"),
        }
    }
}

/// A response under construction.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    /// The address of the operation that it names.
    location: Option<String>,
    body: Value,
}

impl Answer {
    /// An answer to a start or to a check.
    fn new(input: &mut Input<'_>, start: Option<u8>) -> Self {
        let status = STATUSES[usize::from(input.byte()) % STATUSES.len()];
        let retry_after = [None, None, Some(2), Some(45)][usize::from(input.byte() % 4)];
        Answer {
            status: if start.is_some() && status == 200 { 202 } else { status },
            retry_after,
            location: start.map(operation_path),
            body: if start.is_some() { Value::Null } else { input.document() },
        }
    }

    fn said(&self) -> Said {
        Said::Status(self.status, self.retry_after.map(Duration::from_secs))
    }

    fn item(self, id: usize) -> Value {
        json!({
            "id": id.to_string(), "status": self.status, "body": self.body,
            "headers": { "RETRY-After": self.retry_after, "Location": self.location },
        })
    }

    fn response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body.to_string()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some(location) = self.location.and_then(|at| HeaderValue::try_from(at).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// A request in flight.
struct UnderWay {
    envelope: Envelope,
    names: Vec<Name>,
    starts: bool,
}

/// A set, its driver, and the oracle that checks it.
struct Driver<'a> {
    input: Input<'a>,
    root: Uri,
    set: Set<u8>,
    oracle: Oracle,
    now: Instant,
    /// The latest instant that was passed to the set.
    latest: Instant,
    under_way: Vec<UnderWay>,
    /// Starts that the caller makes, before and after they have begun.
    tickets: Vec<(Ticket, u8)>,
    begun: Vec<(Ticket, u8)>,
}

/// Drives a set through whatever the bytes say.
///
/// # Panics
///
/// If an operation is checked early, lost or ended twice, if a start that may have been carried out is
/// repeated, if a request leaves the origin or mixes versions, if a rate or a pause is not
/// respected, or if the set gets stuck.
pub fn drive(bytes: &[u8]) {
    let mut input = Input(bytes);
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let now = Instant::now();
    let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, input.byte().into());
    set.set_rate(RATE);
    let mut driver = Driver {
        input,
        root,
        set,
        oracle: Oracle::new(),
        now,
        latest: now,
        under_way: Vec::new(),
        tickets: Vec::new(),
        begun: Vec::new(),
    };
    for _ in 0..20_000 {
        if !driver.turn() {
            return;
        }
    }
    panic!("stuck: {:?}", driver.set);
}

impl Driver<'_> {
    /// Usually the present instant, sometimes an earlier one.
    fn told(&mut self) -> Instant {
        let mut told = self.now;
        if self.input.one_in(8) {
            let back = Duration::from_secs(self.input.byte().into());
            told = told.checked_sub(back).unwrap_or(told);
        }
        told
    }

    /// The next instant to pass to the set.
    fn tell(&mut self) -> Instant {
        let told = self.told();
        self.latest = self.latest.max(told);
        told
    }

    /// One step; `false` once everything has ended.
    fn turn(&mut self) -> bool {
        if !self.input.0.is_empty() && self.input.byte().is_multiple_of(4) {
            self.change();
        }
        self.now += Duration::from_millis(u64::from(self.input.byte()) * 40);
        let told = self.tell();
        let wait = match self.set.next(told) {
            SetStep::Wait(wait, _) => Some(wait),
            SetStep::Pending => None,
            SetStep::Send(dispatch) => {
                if self.input.one_in(16) {
                    return true; // The dispatch is dropped.
                }
                let starts = dispatch.is_start();
                let (request, envelope) = dispatch.request();
                let names = self.oracle.sending(&request, starts, self.latest);
                assert_eq!(envelope.len(), names.len());
                self.under_way.push(UnderWay { envelope, names, starts });
                return true;
            }
            SetStep::Start(ticket) => {
                let position = self.tickets.iter().position(|(other, _)| *other == ticket);
                let start = self.tickets.swap_remove(position.expect("a ticket of this set"));
                self.oracle.starting(start.1, self.latest);
                self.begun.push(start);
                return true;
            }
            SetStep::Event(report) => {
                self.oracle.told(&report, self.latest);
                return true;
            }
            SetStep::Done => {
                assert_eq!(self.oracle.len(), 0, "something was lost");
                return !self.input.0.is_empty();
            }
        };
        assert_eq!((self.set.len(), self.set.latest()), (self.oracle.len(), self.latest));
        self.oracle.look(self.set.counts(), self.latest);
        let idle = self.under_way.is_empty() && self.begun.is_empty();
        if idle && self.tickets.is_empty() && self.input.one_in(16) {
            self.set = saved::reread(&self.set, self.root.clone(), self.latest);
        }
        if let Some(wait) = wait
            && (idle || self.input.byte().is_multiple_of(2))
        {
            // The wait counts from the latest instant.
            self.now = self.now.max(self.latest + wait);
            if self.input.one_in(4) {
                self.latest += wait;
                self.set.waited();
            }
        }
        self.settle();
        true
    }

    /// Adds or removes something.
    fn change(&mut self) {
        let key = self.input.byte() % 64;
        let is_free = !self.oracle.contains(key);
        let timeout = self.input.timeout();
        let polling = Polling::default().first_check(FIRST_CHECK).interval(INTERVAL);
        let polling = match timeout {
            Some(timeout) => polling.timeout(timeout),
            None => polling.no_timeout(),
        };
        let told = self.told();
        match self.input.byte() % 8 {
            0 => {
                self.latest = self.latest.max(told);
                let removed = self.set.remove(&key, told).is_some();
                assert_eq!(removed, self.oracle.removed(key));
            }
            1 => {
                let ticket = self.set.queue(key);
                assert_eq!(ticket.is_some(), is_free, "a key is never replaced");
                if let Some(ticket) = ticket {
                    self.tickets.push((ticket, key));
                    self.oracle.queued(key, false, None);
                }
            }
            kind @ 2..=4 => {
                let idempotent = kind == 4;
                let url = format!("https://graph.microsoft.com{}", start_path(key));
                let request = Request::post(url).body(Bytes::new()).expect("a request");
                let start = Start::new::<TeamsAsyncOperation>(
                    &self.root, request, idempotent, polling, told, 7,
                );
                let added = self.set.queue_request(key, start.expect("of this origin")).is_ok();
                assert_eq!(added, is_free, "a key is never replaced");
                if added {
                    self.oracle.queued(key, idempotent, timeout);
                }
            }
            _ => {
                let added = self.set.insert(key, poller(key, polling, told), told).is_ok();
                assert_eq!(added, is_free, "a key is never replaced");
                if added {
                    self.latest = self.latest.max(told);
                    self.oracle.inserted(key, told, timeout);
                }
            }
        }
    }

    /// Ends a request or a start that is in flight.
    fn settle(&mut self) {
        if !self.begun.is_empty() {
            let at = usize::from(self.input.byte()) % self.begun.len();
            let (ticket, key) = self.begun.swap_remove(at);
            let told = self.tell();
            if self.input.one_in(4) {
                self.set.started(ticket, Err(Error::transport("connection reset")), told);
            } else {
                let polling = Polling::default().no_timeout();
                let polling = polling.first_check(FIRST_CHECK).interval(INTERVAL);
                self.oracle.started(key, told);
                self.set.started(ticket, Ok(poller(key, polling, told)), told);
            }
        } else if !self.under_way.is_empty() {
            let at = usize::from(self.input.byte()) % self.under_way.len();
            let sent = self.under_way.swap_remove(at);
            self.answer(sent);
        }
    }

    fn answer(&mut self, sent: UnderWay) {
        let UnderWay { envelope, names, starts } = sent;
        let alone = names.len() == 1;
        let choice = if self.input.0.is_empty() { 3 } else { self.input.byte() % 8 };
        if choice == 0 {
            drop(envelope);
            self.hear(&names, &[Said::Nothing], alone);
            return;
        }
        let told = self.tell();
        match choice {
            1 => {
                self.set.failed(envelope, &Error::transport("connection reset"), told);
                self.hear(&names, &[Said::Nothing], alone);
            }
            2 => {
                self.set.unsent(envelope, told);
                self.hear(&names, &[Said::Refused], alone);
            }
            _ => {
                let (response, said) = self.respond(&names, starts);
                let refused = self.hear(&names, &said, alone);
                if let Received::Unauthorized(envelope, response) =
                    self.set.received(envelope, response, told)
                {
                    let renewed = self.input.byte().is_multiple_of(2);
                    if renewed {
                        for name in refused {
                            self.oracle.renewed(name);
                        }
                    }
                    self.set.authorized(envelope, &response, renewed, told);
                }
            }
        }
    }

    /// Passes the result of each item, or of all, to the oracle. Returns those whose credential was
    /// refused.
    fn hear(&mut self, names: &[Name], said: &[Said], alone: bool) -> Vec<Name> {
        let mut refused = Vec::new();
        for (&name, &said) in names.iter().zip(said.iter().cycle()) {
            if self.oracle.heard(name, said, alone, self.latest) {
                refused.push(name);
            }
        }
        refused
    }

    /// A response to a request, and its result for each item.
    fn respond(&mut self, names: &[Name], starts: bool) -> (Response<Bytes>, Vec<Said>) {
        let start = |(key, _): &Name| starts.then_some(*key);
        if let [name] = names {
            let answer = Answer::new(&mut self.input, start(name));
            let said = answer.said();
            return (answer.response(), vec![said]);
        }
        let mut whole = Answer::new(&mut self.input, None);
        match whole.status {
            200 => {}
            401 | 500 => {
                let said = vec![whole.said()];
                return (whole.response(), said);
            }
            429 | 503 => {
                let asked = whole.retry_after.map(Duration::from_secs);
                self.oracle.put_off(asked, self.latest);
                return (whole.response(), vec![Said::Throttled]);
            }
            _ => return (whole.response(), vec![Said::Refused]),
        }
        let mut said = vec![None; names.len()];
        let mut responses = Vec::new();
        for at in 0..names.len() {
            let position = match self.input.byte() % 8 {
                6 => continue,                            // missing
                7 => usize::from(self.input.byte()) % 24, // doubled or unknown
                _ => names.len() - at,
            };
            let name = position.checked_sub(1).and_then(|position| names.get(position));
            let answer = Answer::new(&mut self.input, name.and_then(start));
            if name.is_some() {
                let place = &mut said[position - 1];
                *place = Some(place.map_or(answer.said(), |_| Said::Nothing));
            }
            responses.push(answer.item(position));
        }
        whole.body = json!({ "responses": responses });
        (whole.response(), said.into_iter().map(|said| said.unwrap_or(Said::Nothing)).collect())
    }
}

fn poller(key: u8, polling: Polling, now: Instant) -> Poller {
    let at = format!("https://graph.microsoft.com{}", operation_path(key));
    let started = Started::at(at.parse().expect("an address"));
    Poller::new::<TeamsAsyncOperation>(started, polling, now, 7)
}
