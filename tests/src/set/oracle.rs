//! The invariants of a set, derived from its requests, their responses and its reports alone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{Counts, Report};
use graph_operation::{Error, ErrorKind};
use http::Request;
use serde_json::Value;

use super::{FIRST_CHECK, INTERVAL, OWNERS, RATE};

const ORIGIN: &str = "https://graph.microsoft.com";

/// The shortest pause after the service has refused a batch or a start.
const PAUSE: Duration = Duration::from_secs(3);

/// The longest time that a last check may take, including the delay by its owner's rate.
const LAST_CHECK: Duration = Duration::from_secs(12);

/// A key, and the number of the operation that holds it.
pub(super) type Name = (u8, u32);

/// What a response says about one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing that can be read.
    Nothing,
    /// A status, and how long the service asks to wait.
    Status(u16, Option<Duration>),
    /// It was refused with the batch that it was in.
    Refused,
    /// The same, and the service asked for a pause.
    Throttled,
}

/// A start that waits for its turn, or is in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Beginning {
    idempotent: bool,
    timeout: Option<Duration>,
    /// When the start was first sent; `before` is the same before the last request.
    sent: Option<Instant>,
    before: Option<Instant>,
    /// Whether it may have been carried out, or is in flight.
    spent: bool,
    not_before: Option<Instant>,
    renewed: bool,
    accepted: Option<(Instant, Duration)>,
}

/// What is known of an operation that is followed.
#[derive(Clone, Copy, Debug)]
struct Running {
    since: Instant,
    /// When its first check is due.
    first_due: Instant,
    checks: Checks,
    /// The state to return to if the batch is refused.
    before: Checks,
    deadline: Option<Instant>,
    /// The part of the interval by which the last check may be early.
    early: Duration,
    not_before: Option<Instant>,
    renewed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Checks {
    sent: Option<Instant>,
    /// Whether the next check may be sent at once, because the credential was renewed.
    at_once: bool,
    /// The same, but in a separate request, which has to confirm what a batch said.
    doubted: bool,
    /// Whether one was sent at the deadline or later.
    last: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Queued(Beginning),
    Starting(Beginning),
    Running(Running),
}

#[derive(Debug)]
struct Holder {
    number: u32,
    phase: Phase,
}

pub(super) struct Oracle {
    holders: HashMap<u8, Holder>,
    number: u32,
    /// When checks and starts were sent.
    times: Vec<Instant>,
    owners: HashMap<u8, Vec<Instant>>,
    /// Until when nothing is sent, because a batch was refused.
    quiet: Option<Instant>,
}

impl Oracle {
    pub(super) fn new() -> Self {
        Oracle {
            holders: HashMap::new(),
            number: 0,
            times: Vec::new(),
            owners: HashMap::new(),
            quiet: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(super) fn contains(&self, key: u8) -> bool {
        self.holders.contains_key(&key)
    }

    fn hold(&mut self, key: u8, phase: Phase) {
        self.number += 1;
        let before = self.holders.insert(key, Holder { number: self.number, phase });
        assert!(before.is_none(), "{key} was replaced");
    }

    /// An operation was inserted that has been running since `since`.
    pub(super) fn inserted(&mut self, key: u8, since: Instant, timeout: Option<Duration>) {
        let deadline = timeout.map(|timeout| since + timeout);
        let running = Running::new(since, FIRST_CHECK, deadline, timeout);
        self.hold(key, Phase::Running(running));
    }

    /// A start was queued.
    pub(super) fn queued(&mut self, key: u8, idempotent: bool, timeout: Option<Duration>) {
        let beginning = Beginning { idempotent, timeout, ..Beginning::default() };
        self.hold(key, Phase::Queued(beginning));
    }

    /// A key is about to be removed. Returns whether the removal returns an operation.
    pub(super) fn removed(&mut self, key: u8) -> bool {
        match self.holders.get(&key).map(|holder| holder.phase) {
            None | Some(Phase::Starting(Beginning { accepted: None, .. })) => false,
            Some(Phase::Queued(_)) => {
                self.holders.remove(&key);
                false
            }
            Some(Phase::Running(_) | Phase::Starting(_)) => {
                self.holders.remove(&key);
                true
            }
        }
    }

    /// The caller makes a start.
    pub(super) fn starting(&mut self, key: u8, now: Instant) {
        self.count(now);
        let holder = self.holders.get_mut(&key).expect("it is in the set");
        let Phase::Queued(beginning) = holder.phase else { panic!("{key} was started twice") };
        holder.phase = Phase::Starting(Beginning { spent: true, ..beginning });
    }

    /// The caller's start led to an operation that has been running since `since`.
    pub(super) fn started(&mut self, key: u8, since: Instant) {
        if let Some(Holder { phase: Phase::Starting(beginning), .. }) = self.holders.get_mut(&key) {
            (beginning.sent, beginning.accepted) = (Some(since), Some((since, FIRST_CHECK)));
        }
    }

    /// A check or a start is sent.
    fn count(&mut self, now: Instant) {
        self.times.push(now);
        for (count, begin) in (1_u32..).zip(self.times.iter().rev().take(400)) {
            let most = f64::from(RATE) * (now - *begin).as_secs_f64() + 20.001;
            assert!(f64::from(count) <= most, "{count} checks in {:?}", now - *begin);
        }
    }

    /// What a request checks or starts.
    pub(super) fn sending(
        &mut self,
        request: &Request<Bytes>,
        starts: bool,
        now: Instant,
    ) -> Vec<Name> {
        if let Some(quiet) = self.quiet {
            assert!(now >= quiet, "sent {:?} before the pause is over", quiet - now);
        }
        let url = request.uri().to_string();
        assert!(url.starts_with(ORIGIN), "another origin: {url}");
        let addresses = if let Some(version) = url.strip_suffix("/$batch") {
            let body: Value = serde_json::from_slice(request.body()).expect("a batch is JSON");
            let items = body["requests"].as_array().expect("a batch has requests");
            assert!((2..=20).contains(&items.len()), "{} items", items.len());
            let url = |item: &Value| item["url"].as_str().map(|url| format!("{version}{url}"));
            items.iter().map(|item| url(item).expect("an item has a url")).collect()
        } else {
            vec![url]
        };
        let alone = addresses.len() == 1;
        let names = addresses.iter().map(|address| {
            self.count(now);
            let key = key_of(address);
            let path = if starts { start_path(key) } else { operation_path(key) };
            assert_eq!(*address, format!("{ORIGIN}{path}"));
            let holder = self.holders.get_mut(&key).expect("it is in the set");
            match &mut holder.phase {
                Phase::Running(running) if !starts => {
                    running.check(alone, now);
                    let times = self.owners.entry(key % OWNERS).or_default();
                    times.push(now);
                    if let [.., fifth, _, _, _, _] = times[..] {
                        assert!(now - fifth > Duration::from_secs(1), "five checks of one owner");
                    }
                }
                Phase::Queued(beginning) | Phase::Starting(beginning) if starts => {
                    let sending = beginning.sending(now);
                    holder.phase = Phase::Starting(sending);
                }
                phase => panic!("{address}, but {phase:?}"),
            }
            (key, holder.number)
        });
        names.collect()
    }

    fn holder(&mut self, (key, number): Name) -> Option<&mut Holder> {
        self.holders.get_mut(&key).filter(|holder| holder.number == number)
    }

    /// A batch was refused: nothing is sent for a while.
    pub(super) fn put_off(&mut self, asked: Option<Duration>, now: Instant) {
        let quiet = now + asked.unwrap_or(PAUSE);
        self.quiet = self.quiet.max(Some(quiet));
    }

    /// An item got a response, or none. `true` if it needs a new credential.
    pub(super) fn heard(&mut self, name: Name, said: Said, alone: bool, now: Instant) -> bool {
        let Some(holder) = self.holder(name) else { return false };
        match &mut holder.phase {
            Phase::Queued(_) => panic!("{name:?} was not sent"),
            Phase::Starting(beginning) => beginning.heard(said, alone, now),
            Phase::Running(running) => running.heard(said, alone, now),
        }
    }

    /// The credential of an item was renewed.
    pub(super) fn renewed(&mut self, name: Name) {
        match self.holder(name).map(|holder| &mut holder.phase) {
            Some(Phase::Starting(beginning)) => {
                beginning.spent = beginning.accepted.is_some();
            }
            Some(Phase::Running(running)) => running.checks.at_once = true,
            Some(Phase::Queued(_)) | None => {}
        }
    }

    pub(super) fn told(&mut self, report: &Report<u8>, now: Instant) {
        match report {
            Report::Ended(key, result) => {
                let holder =
                    self.holders.remove(key).unwrap_or_else(|| panic!("{key} ended twice"));
                if let (Phase::Running(running), Err(error)) = (holder.phase, result) {
                    running.ended(error, now);
                }
            }
            Report::Started(key) => {
                let holder = self.holders.get_mut(key).expect("it is in the set");
                let Phase::Starting(beginning) = holder.phase else {
                    panic!("{key} was started twice")
                };
                let (accepted, first) = beginning.accepted.expect("it was accepted");
                let timeout = beginning.timeout;
                let deadline = timeout.zip(beginning.sent).map(|(timeout, sent)| sent + timeout);
                let running = Running::new(accepted, first, deadline, timeout);
                holder.phase = Phase::Running(running);
            }
            Report::RetryingStart(key, _) => {
                let phase = self.holders.get(key).map(|holder| holder.phase);
                let is_open =
                    matches!(phase, Some(Phase::Starting(start)) if start.accepted.is_none());
                assert!(is_open, "{key}: {phase:?}");
            }
            Report::Checked(key, _) => {
                let phase = self.holders.get(key).map(|holder| holder.phase);
                assert!(matches!(phase, Some(Phase::Running(_))), "{key}: {phase:?}");
            }
            _ => {}
        }
    }

    /// Checks the counts after all reports.
    pub(super) fn look(&self, counts: Counts, now: Instant) {
        let count = |is: fn(&Phase) -> bool| {
            self.holders.values().filter(|holder| is(&holder.phase)).count()
        };
        let queued = count(|phase| matches!(phase, Phase::Queued(_)));
        let starting = count(|phase| matches!(phase, Phase::Starting(_)));
        assert_eq!((counts.queued, counts.starting), (queued, starting));
        assert_eq!(counts.running, self.len() - queued - starting);
        if self.quiet.is_some_and(|quiet| quiet > now) {
            let overdue = |holder: &&Holder| match holder.phase {
                Phase::Running(running) => running.is_overdue(now),
                _ => false,
            };
            let overdue = self.holders.values().find(overdue);
            assert!(overdue.is_none(), "kept past its deadline by a pause: {overdue:?}");
        }
    }
}

impl Beginning {
    fn sending(mut self, now: Instant) -> Self {
        assert!(!self.spent, "a start that may have been carried out is repeated");
        if let Some(not_before) = self.not_before {
            assert!(now >= not_before, "a start is repeated {:?} early", not_before - now);
        }
        self.spent = true;
        self.before = self.sent;
        self.sent.get_or_insert(now);
        self
    }

    fn heard(&mut self, said: Said, alone: bool, now: Instant) -> bool {
        if self.accepted.is_some() {
            return false;
        }
        match said {
            Said::Refused => (self.spent, self.sent) = (false, self.before),
            // Its time counts all the same: a service that always refuses does not stop it.
            Said::Throttled => self.spent = false,
            Said::Status(401, _) => return !std::mem::replace(&mut self.renewed, true),
            Said::Status(200..=299, asked) => {
                self.accepted = Some((now, asked.unwrap_or(FIRST_CHECK)));
            }
            Said::Status(status, asked) => {
                self.renewed = false;
                let refused = matches!(status, 429 | 503) || (status == 424 && !alone);
                let ambiguous = matches!(status, 500 | 502 | 504);
                self.spent = !(refused || ambiguous && self.idempotent);
                // A start that was not carried out because of another item may be repeated sooner.
                self.not_before = Some(now + asked.unwrap_or(PAUSE));
            }
            Said::Nothing => {
                self.spent = !self.idempotent;
                self.not_before = Some(now + PAUSE);
            }
        }
        false
    }
}

impl Running {
    fn new(
        since: Instant,
        first: Duration,
        deadline: Option<Instant>,
        timeout: Option<Duration>,
    ) -> Self {
        Running {
            since,
            first_due: since + first,
            checks: Checks::default(),
            before: Checks::default(),
            deadline,
            early: timeout.map_or(Duration::ZERO, |timeout| timeout.min(INTERVAL) / 10),
            not_before: None,
            renewed: false,
        }
    }

    /// Whether the last check before the deadline may be sent.
    fn is_last(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now + self.early >= deadline)
    }

    /// Whether its deadline and the time for a last check have passed. An operation that was
    /// accepted too late for that check waits for its first one.
    fn is_overdue(&self, now: Instant) -> bool {
        let waits = self.checks.sent.is_none() && self.is_last(self.since);
        let last = |deadline: Instant| self.checks.sent.map_or(deadline, |sent| sent.max(deadline));
        !waits && self.deadline.is_some_and(|deadline| last(deadline) + LAST_CHECK < now)
    }

    fn check(&mut self, alone: bool, now: Instant) {
        let at_once = self.checks.at_once || (self.checks.doubted && alone);
        if !at_once {
            let due = self.checks.sent.map_or(self.first_due, |sent| sent + INTERVAL);
            assert!(now >= due || self.is_last(now), "checked {:?} early: {self:?}", due - now);
            assert!(!self.checks.last, "checked again after the deadline: {self:?}");
            if let Some(not_before) = self.not_before {
                assert!(now >= not_before, "checked {:?} too early: {self:?}", not_before - now);
            }
        }
        self.before = self.checks;
        let last = self.checks.last || self.deadline.is_some_and(|deadline| deadline <= now);
        self.checks = Checks { sent: Some(now), last, ..Checks::default() };
    }

    fn heard(&mut self, said: Said, alone: bool, now: Instant) -> bool {
        match said {
            Said::Refused | Said::Throttled => self.checks = self.before,
            Said::Status(401, _) => return !std::mem::replace(&mut self.renewed, true),
            Said::Status(400 | 404 | 405, _) if !alone => {
                (self.checks.doubted, self.renewed) = (true, false);
            }
            Said::Status(_, asked) => {
                self.renewed = false;
                self.not_before = self.not_before.max(asked.map(|asked| now + asked));
            }
            Said::Nothing => self.renewed = false,
        }
        false
    }

    fn ended(&self, error: &Error, now: Instant) {
        if error.kind() == ErrorKind::TimedOut {
            assert!(self.is_last(now), "timed out before its deadline");
        }
    }
}

fn version(key: u8) -> &'static str {
    if key.is_multiple_of(3) { "beta" } else { "v1.0" }
}

/// The path of the operation of a key; its team is the owner.
pub(super) fn operation_path(key: u8) -> String {
    format!("/{}/teams('{}')/operations('{key}')", version(key), key % OWNERS)
}

pub(super) fn start_path(key: u8) -> String {
    format!("/{}/teams/{}/channels/{key}/archive", version(key), key % OWNERS)
}

/// The last number in an address.
fn key_of(address: &str) -> u8 {
    let number = address.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    number.and_then(|number| number.parse().ok()).expect("an address has a key")
}
