//! The state of one operation as plain data, and the decisions about it.
//!
//! The policy, the model and the address are elsewhere, so that a set can store them once for many
//! operations.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::backoff::{Jitter, backoff};
use super::elapsed::Elapsed;
use super::polling::Polling;
use super::step::Reason;
use crate::Error;
use crate::error::{ResponseFacts, is_transient_status};
use crate::model::{Reader, State, Summary};

/// How long the service may not know an operation that it has just accepted.
const GRACE: Elapsed = Elapsed::from_secs(5 * 60);

/// How many times JSON that is not an operation is retried.
const RETRIES_OF_OTHER_JSON: u8 = 2;

/// The state of one operation. All times count from its start.
#[allow(clippy::struct_excessive_bools, reason = "each is independent of the others")]
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) now: Elapsed,
    /// When this tracker began: after the start, if the operation was resumed.
    pub(super) begun: Elapsed,
    pub(super) sent: Option<Elapsed>,
    /// The earliest time of the next check, by `Retry-After` or backoff; `asked` says which.
    pub(super) not_before: Elapsed,
    /// When a response last differed from the one before.
    pub(super) changed: Elapsed,
    pub(super) jitter: Jitter,
    /// The last body that was read; empty before the first.
    pub(super) body: Bytes,
    pub(super) rare: Option<Box<Rare>>,
    pub(super) checks: u32,
    pub(super) faults: u32,
    pub(super) attempts: Option<u32>,
    /// How much the current wait is lengthened, in thousandths.
    pub(super) lengthening: u16,
    /// How early the last check is, in thousandths of a tenth of the interval.
    pub(super) early: u16,
    pub(super) other_json: u8,
    pub(super) state: State,
    /// Whether `not_before` came from `Retry-After`.
    pub(super) asked: bool,
    /// Whether the service may not know the operation yet.
    pub(super) fresh: bool,
    /// Whether the last response counts another attempt of the service.
    pub(super) retried: bool,
    /// Whether the credential was renewed after a 401, and no other response has come since.
    pub(super) renewed: bool,
    /// Whether the next check is due now, whatever the policy says.
    pub(super) at_once: bool,
}

/// State that few operations have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) first_retry_after: Option<Elapsed>,
    /// The fault that is being retried.
    pub(super) fault: Option<Error>,
    /// Facts about the response that reported the failure.
    pub(super) failure: Option<Arc<ResponseFacts>>,
    /// Why polling has stopped without a response that says how the operation ended.
    pub(super) ended: Option<Error>,
}

impl Rare {
    pub(super) fn is_empty(&self) -> bool {
        self.first_retry_after.is_none()
            && self.fault.is_none()
            && self.failure.is_none()
            && self.ended.is_none()
    }
}

/// The state that sending a check changes, to restore it if the check was not sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct BeforeSending {
    sent: Option<Elapsed>,
    lengthening: u16,
    at_once: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait(Elapsed, Reason),
    Send,
    Done,
    TimedOut,
}

/// A body that could not be read as an operation.
pub(super) struct Unreadable {
    pub(super) source: serde_json::Error,
    /// Whether the address seems to name something else.
    pub(super) other_json: bool,
    pub(super) retryable: bool,
}

/// How a fault is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// With backoff, as often as the policy allows.
    Transient,
    /// At the ordinary interval: the service may not know the operation yet.
    NotYetKnown,
    /// Never.
    Final,
}

impl Tracker {
    /// A tracker that begins at `begun` after the start of the operation.
    pub(super) fn new(
        fresh: bool,
        retry_after: Option<Elapsed>,
        begun: Elapsed,
        seed: u64,
    ) -> Self {
        let mut jitter = Jitter::new(seed);
        let early = jitter.draw_last();
        let lengthening = jitter.draw_first();
        let rare = retry_after
            .map(|_| Box::new(Rare { first_retry_after: retry_after, ..Rare::default() }));
        Tracker {
            now: begun,
            begun,
            sent: None,
            not_before: Elapsed::ZERO,
            changed: begun,
            jitter,
            body: Bytes::new(),
            rare,
            checks: 0,
            faults: 0,
            attempts: None,
            lengthening,
            early,
            other_json: 0,
            state: State::Running,
            asked: false,
            fresh,
            retried: false,
            renewed: false,
            at_once: false,
        }
    }

    /// The later of `now` and the latest time seen.
    pub(super) fn advance(&mut self, now: Elapsed) -> Elapsed {
        self.now = self.now.max(now);
        self.now
    }

    pub(super) fn next(&mut self, policy: &Polling, now: Elapsed) -> Next {
        if self.is_ended() {
            return Next::Done;
        }
        let now = self.advance(now);
        match self.due(policy) {
            None => Next::TimedOut,
            // No check is allowed before the deadline, and none is sent at it.
            Some((due, Reason::Deadline)) if self.is_put_off(policy) && due <= now => {
                Next::TimedOut
            }
            Some((due, why)) if due > now => Next::Wait(due.minus(now), why),
            Some(_) => Next::Send,
        }
    }

    /// When the next check is due, and why not earlier; `None` after the last one.
    pub(super) fn due(&self, policy: &Polling) -> Option<(Elapsed, Reason)> {
        if self.at_once {
            return Some((self.now, Reason::Interval));
        }
        let (due, why) = self.due_by_interval(policy);
        let Some((deadline, last)) = policy.deadline().zip(self.last_due(policy)) else {
            return Some((due, why));
        };
        match self.sent {
            Some(sent) if sent >= last => return None,
            // Resumed after the deadline: one check is sent in any case.
            None if self.begun >= last && !self.is_put_off(policy) => return Some((due, why)),
            _ => {}
        }
        if self.is_put_off(policy) {
            Some((deadline, Reason::Deadline))
        } else if due > last {
            let asked = if self.asked { self.not_before } else { Elapsed::ZERO };
            Some((last.max(asked), Reason::Deadline))
        } else {
            Some((due, why))
        }
    }

    fn due_by_interval(&self, policy: &Polling) -> (Elapsed, Reason) {
        let (from, wait, why) = if let Some(sent) = self.sent {
            (sent, policy.between(), Reason::Interval)
        } else {
            let asked = self.rare.as_ref().and_then(|rare| rare.first_retry_after);
            (self.begun, policy.before_first(asked), Reason::FirstCheck)
        };
        let due = from.plus(policy.capped(wait.lengthened(self.lengthening)));
        match self.not_before {
            not_before if not_before <= due => (due, why),
            not_before if self.asked => (not_before, Reason::RetryAfter),
            not_before => (not_before, Reason::Backoff),
        }
    }

    /// When the last check before the deadline is due; `None` without a deadline.
    pub(super) fn last_due(&self, policy: &Polling) -> Option<Elapsed> {
        let deadline = policy.deadline()?;
        let tenth = policy.between().min(deadline).thousandths(100);
        Some(deadline.minus(tenth.thousandths(self.early)))
    }

    /// Whether `Retry-After` reaches beyond the deadline.
    fn is_put_off(&self, policy: &Polling) -> bool {
        self.asked && policy.deadline().is_some_and(|deadline| self.not_before > deadline)
    }

    /// Whether the next check may not be sent until after the last one is due.
    fn is_past_last(&self, policy: &Polling) -> bool {
        self.last_due(policy).is_some_and(|last| self.not_before > last)
    }

    /// How long a check that is sent now may take.
    pub(super) fn time_left(&self, policy: &Polling) -> Option<Elapsed> {
        policy.time_left(self.now)
    }

    /// Records that a check was sent. The wait for the next one counts from now, whatever the
    /// result of this one.
    pub(super) fn sent(&mut self) {
        let lengthening = self.jitter.draw();
        self.sent_in_step(lengthening);
    }

    /// The same for a check that was sent with others, so that the next ones can be sent together
    /// too.
    pub(super) fn sent_in_step(&mut self, lengthening: u16) {
        self.sent = Some(self.now);
        self.checks = self.checks.saturating_add(1);
        self.lengthening = lengthening;
        self.at_once = false;
    }

    /// Takes back a check that was not sent: it is due as before.
    pub(super) fn unsent(&mut self, before: BeforeSending) {
        (self.sent, self.lengthening, self.at_once) =
            (before.sent, before.lengthening, before.at_once);
        self.checks = self.checks.saturating_sub(1);
    }

    /// The state that sending a check changes.
    pub(super) fn before_sending(&self) -> BeforeSending {
        BeforeSending { sent: self.sent, lengthening: self.lengthening, at_once: self.at_once }
    }

    pub(super) fn sent_at(&mut self, now: Elapsed) {
        let now = self.advance(now);
        if let Some(sent) = &mut self.sent {
            *sent = now;
        }
    }

    /// Ends the wait that `next` returned.
    pub(super) fn waited(&mut self, policy: &Polling) {
        if let Some((due, _)) = self.due(policy) {
            self.advance(due);
        }
    }

    /// Reads the body of a response. `keep` returns the body to store, and is called only if it has
    /// changed.
    pub(super) fn read<'b>(
        &mut self,
        reader: &Reader,
        policy: &Polling,
        body: &'b [u8],
        retry_after: Option<Elapsed>,
        keep: impl FnOnce() -> Bytes,
        now: Elapsed,
    ) -> Result<Option<Summary<'b>>, Unreadable> {
        let now = self.advance(now);
        self.renewed = false;
        let mut changed = None;
        if self.is_known() && self.body == body {
            self.retried = false;
        } else {
            let summary = reader.summarize(body).map_err(|source| {
                let other_json = source.is_data() && !self.is_known();
                self.other_json = self.other_json.saturating_add(other_json.into());
                let retryable = !other_json || self.other_json <= RETRIES_OF_OTHER_JSON;
                Unreadable { source, other_json, retryable }
            })?;
            self.retried =
                self.attempts.zip(summary.attempts()).is_some_and(|(before, now)| now > before);
            self.attempts = summary.attempts();
            self.state = summary.state();
            self.changed = now;
            self.body = keep();
            changed = Some(summary);
        }
        self.faults = 0;
        if let Some(rare) = &mut self.rare {
            rare.fault = None;
        }
        self.put_off(policy, retry_after, now);
        Ok(changed)
    }

    /// Whether a response has described the operation.
    pub(super) fn is_known(&self) -> bool {
        !self.body.is_empty()
    }

    /// How a response outside of 2xx is retried.
    pub(super) fn fault_of(&self, status: StatusCode) -> Fault {
        if status == StatusCode::NOT_FOUND && self.may_be_unknown() {
            Fault::NotYetKnown
        } else if is_transient_status(status) {
            Fault::Transient
        } else {
            Fault::Final
        }
    }

    fn may_be_unknown(&self) -> bool {
        self.fresh && !self.is_known() && self.now.minus(self.begun) <= GRACE
    }

    /// Takes a fault, and returns whether it is retried.
    pub(super) fn fault(
        &mut self,
        policy: &Polling,
        fault: Fault,
        retry_after: Option<Elapsed>,
        now: Elapsed,
    ) -> bool {
        let now = self.advance(now);
        self.retried = false;
        if policy.deadline().is_some_and(|deadline| now >= deadline) {
            // A check that was in flight at the deadline was the last one.
            self.sent = Some(now);
        }
        let retry = match fault {
            Fault::NotYetKnown => true,
            Fault::Final => false,
            Fault::Transient => {
                self.faults = self.faults.saturating_add(1);
                // There is no retry after the last check, and the deadline is the reason to stop.
                policy.allows(self.faults) || self.is_last(policy)
            }
        };
        if retry_after.is_some() {
            self.put_off(policy, retry_after, now);
        } else if fault == Fault::Transient {
            let pause = backoff(policy.between(), self.faults).lengthened(self.lengthening);
            let until = self.sent.unwrap_or(now).plus(policy.capped(pause));
            // A pause beyond the last check has no effect, but `Retry-After` applies to that check
            // too.
            if until > self.not_before && !(self.asked && self.is_past_last(policy)) {
                (self.not_before, self.asked) = (until, false);
            }
        }
        if !retry {
            self.begin_row();
        }
        retry
    }

    /// Whether the check that was sent was the last one.
    fn is_last(&self, policy: &Polling) -> bool {
        self.sent.zip(self.last_due(policy)).is_some_and(|(sent, last)| sent >= last)
    }

    /// Delays the next check for as long as the service asked, counted from `now`.
    fn put_off(&mut self, policy: &Polling, retry_after: Option<Elapsed>, now: Elapsed) {
        let Some(asked) = retry_after else { return };
        let until = now.plus(policy.capped(asked.lengthened(self.lengthening)));
        if until > self.not_before {
            (self.not_before, self.asked) = (until, true);
        }
    }

    /// Resets the count of consecutive faults: the last one was returned to the caller.
    pub(super) fn begin_row(&mut self) {
        self.faults = 0;
        self.other_json = 0;
        self.renewed = false;
    }

    /// Whether the credential may be renewed after a 401.
    pub(super) fn may_renew(&mut self) -> bool {
        !std::mem::replace(&mut self.renewed, true)
    }

    pub(super) fn forget_renewal(&mut self) {
        self.renewed = false;
    }

    /// Ends successfully, without a status that says so.
    pub(super) fn succeed(&mut self, body: Option<Bytes>, now: Elapsed) {
        self.changed = self.advance(now);
        self.state = State::Succeeded;
        if let Some(body) = body {
            self.body = body;
        }
    }

    /// Ends for a reason that is not in a status.
    pub(super) fn end(&mut self, error: Error) {
        self.rare.get_or_insert_default().ended = Some(error);
    }

    pub(super) fn final_error(&self) -> Option<&Error> {
        self.rare.as_ref()?.ended.as_ref()
    }

    /// Whether no check remains.
    pub(super) fn is_ended(&self) -> bool {
        self.state.is_terminal() || self.final_error().is_some()
    }

    pub(super) fn check_at_once(&mut self) {
        self.at_once = true;
    }

    pub(super) fn keep_fault(&mut self, fault: Error) {
        self.rare.get_or_insert_default().fault = Some(fault);
    }

    /// The fault that is being retried.
    pub(super) fn kept_fault(&self) -> Option<&Error> {
        self.rare.as_ref()?.fault.as_ref()
    }

    pub(super) fn keep_failure(&mut self, facts: Arc<ResponseFacts>) {
        self.rare.get_or_insert_default().failure = Some(facts);
    }

    pub(super) fn failure(&self) -> Option<&Arc<ResponseFacts>> {
        self.rare.as_ref()?.failure.as_ref()
    }

    pub(super) fn unchanged_for(&self) -> Elapsed {
        self.now.minus(self.changed)
    }

    /// How long from the latest time seen until the next check; `None` if there is no next check.
    pub(super) fn until_next(&self, policy: &Polling) -> Option<Elapsed> {
        if self.is_ended() || self.is_put_off(policy) {
            return None;
        }
        Some(self.due(policy)?.0.minus(self.now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Elapsed {
        Elapsed::from_secs(seconds)
    }

    fn policy(interval: u64, timeout: u64) -> Polling {
        Polling::default()
            .interval(Duration::from_secs(interval))
            .timeout(Duration::from_secs(timeout))
    }

    /// A tracker whose first check was sent at this time.
    fn checked_at(seconds: u64, seed: u64) -> Tracker {
        let mut tracker = Tracker::new(true, None, Elapsed::ZERO, seed);
        tracker.advance(at(seconds));
        tracker.sent();
        tracker
    }

    #[test]
    fn the_last_check_is_not_sent_before_a_retry_after_ends() {
        let policy = policy(600, 60);
        let (mut put_off, mut delayed) = (0, 0);
        for seed in 0..100 {
            let mut tracker = checked_at(5, seed);
            assert!(tracker.fault(&policy, Fault::Transient, Some(at(52)), at(5)));
            let (last, asked) = (tracker.last_due(&policy).unwrap(), tracker.not_before);
            assert!(asked >= at(57), "{asked:?}");
            if asked > at(60) {
                put_off += 1;
                assert_eq!(tracker.due(&policy), Some((at(60), Reason::Deadline)));
                assert_eq!(tracker.next(&policy, at(60)), Next::TimedOut);
            } else {
                delayed += u32::from(asked > last);
                assert_eq!(tracker.due(&policy), Some((last.max(asked), Reason::Deadline)));
                assert_eq!(tracker.next(&policy, at(60)), Next::Send);
            }
        }
        assert!(put_off > 0 && delayed > 0, "{put_off} {delayed}");
    }

    #[test]
    fn a_retry_after_that_ends_at_the_deadline_allows_the_last_check() {
        let policy = policy(600, 60);
        let mut tracker = checked_at(5, 1);
        (tracker.not_before, tracker.asked) = (at(60), true);
        assert_eq!(tracker.next(&policy, at(60)), Next::Send);
    }

    #[test]
    fn backoff_beyond_the_deadline_does_not_prevent_the_last_check() {
        let policy = policy(30, 32);
        let mut tracker = checked_at(5, 1);
        assert!(tracker.fault(&policy, Fault::Transient, None, at(5)));
        assert!(tracker.not_before > at(32), "{:?}", tracker.not_before);
        let last = tracker.last_due(&policy).unwrap();
        assert_eq!(tracker.due(&policy), Some((last, Reason::Deadline)));
        assert_eq!(tracker.next(&policy, last), Next::Send);
    }

    #[test]
    fn a_later_fault_does_not_end_a_retry_after() {
        let faulted = |policy: &Polling| {
            let mut tracker = checked_at(5, 1);
            assert!(tracker.fault(policy, Fault::Transient, Some(at(50)), at(5)));
            let before = tracker.not_before;
            tracker.advance(at(10));
            tracker.sent();
            assert!(tracker.fault(policy, Fault::Transient, None, at(10)));
            (before, tracker.not_before, tracker.asked)
        };
        // Neither by a shorter backoff, nor by a longer one that has no effect before the last check.
        for policy in [policy(1, 1_000), policy(600, 55)] {
            let (before, after, asked) = faulted(&policy);
            assert_eq!((before, true), (after, asked), "{policy:?}");
        }
        for policy in [policy(600, 10_000), policy(600, 10_000).no_timeout()] {
            let (_, after, asked) = faulted(&policy);
            assert!(after > at(600) && !asked, "{after:?}");
        }
        // A shorter Retry-After does not end a longer one either.
        let mut tracker = checked_at(5, 1);
        let policy = policy(30, 1_000);
        assert!(tracker.fault(&policy, Fault::Transient, Some(at(100)), at(5)));
        let before = tracker.not_before;
        assert!(tracker.fault(&policy, Fault::Transient, Some(at(10)), at(10)));
        assert_eq!((tracker.not_before, tracker.asked), (before, true));
    }

    #[test]
    fn a_fault_of_the_last_check_is_not_the_reason_to_stop() {
        let policy = policy(30, 60).retries(0);
        let mut tracker = Tracker::new(true, None, Elapsed::ZERO, 1);
        let last = tracker.last_due(&policy).unwrap();
        tracker.advance(last);
        tracker.sent();
        assert!(tracker.fault(&policy, Fault::Transient, None, last));
        assert_eq!(tracker.next(&policy, last), Next::TimedOut);
        // This does not apply to a check that was sent before the last one.
        assert!(!checked_at(5, 1).fault(&policy, Fault::Transient, None, at(5)));
        // One that was in flight at the deadline was the last one.
        let mut tracker = checked_at(5, 1);
        assert!(tracker.fault(&policy, Fault::Transient, None, at(60)));
        assert_eq!(tracker.next(&policy, at(60)), Next::TimedOut);
    }

    #[test]
    fn a_tracker_that_begins_at_the_deadline_sends_one_check() {
        let policy = policy(30, 60);
        let last = Tracker::new(false, None, at(60), 1).last_due(&policy).unwrap();
        for begun in [last, at(60), at(7_200)] {
            let mut tracker = Tracker::new(false, None, begun, 1);
            let Next::Wait(wait, Reason::FirstCheck) = tracker.next(&policy, begun) else {
                panic!("the first check is due as always")
            };
            assert!(wait > at(5), "{wait:?}");
            assert_eq!(tracker.next(&policy, begun.plus(wait)), Next::Send);
            tracker.sent();
            assert_eq!(tracker.next(&policy, begun.plus(wait)), Next::TimedOut);
        }
    }

    #[test]
    fn the_wait_after_a_fault_counts_from_the_sending() {
        for policy in [policy(30, 3_600), policy(30, 3_600).no_timeout()] {
            let mut tracker = checked_at(5, 1);
            assert!(tracker.fault(&policy, Fault::Transient, None, at(25)));
            let (due, why) = tracker.due(&policy).unwrap();
            assert!(due > at(35) && due < at(39), "{due:?}");
            // The backoff after one fault is the interval.
            assert_eq!(why, Reason::Interval);
        }
    }

    #[test]
    fn a_wait_has_the_reason_of_what_ends_last() {
        let policy = policy(30, 3_600).no_timeout();
        let mut tracker = checked_at(5, 1);
        for _ in 0..2 {
            assert!(tracker.fault(&policy, Fault::Transient, None, at(5)));
        }
        assert_eq!(tracker.due(&policy).unwrap().1, Reason::Backoff);
        assert!(tracker.fault(&policy, Fault::Transient, Some(at(100)), at(5)));
        assert_eq!(tracker.due(&policy).unwrap().1, Reason::RetryAfter);
        assert!(tracker.until_next(&policy).is_some_and(|left| left >= at(100)));
    }

    #[test]
    fn an_operation_that_is_not_known_yet_is_checked_at_the_interval_whatever_came_before() {
        let policy = policy(30, 3_600);
        let mut tracker = checked_at(5, 1);
        for _ in 0..3 {
            assert!(tracker.fault(&policy, Fault::Transient, None, at(5)));
        }
        let backoff = tracker.not_before;
        tracker.advance(backoff);
        tracker.sent();
        assert!(tracker.fault(&policy, Fault::NotYetKnown, None, backoff));
        let (due, why) = tracker.due(&policy).unwrap();
        assert!(due <= backoff.plus(at(33)), "{due:?} after {backoff:?}");
        assert_eq!(why, Reason::Interval);
    }

    /// The grace counts from when the tracker began.
    #[test]
    fn an_operation_may_be_unknown_for_five_minutes() {
        for begun in [0, 240] {
            let mut tracker = Tracker::new(true, None, at(begun), 1);
            for (after, fault) in [
                (0, Fault::NotYetKnown),
                (299, Fault::NotYetKnown),
                (300, Fault::NotYetKnown),
                (301, Fault::Final),
            ] {
                tracker.advance(at(begun + after));
                assert_eq!(tracker.fault_of(StatusCode::NOT_FOUND), fault, "{begun} {after}");
            }
        }
        let old = Tracker::new(false, None, Elapsed::ZERO, 1);
        assert_eq!(old.fault_of(StatusCode::NOT_FOUND), Fault::Final);
    }

    #[test]
    fn a_row_of_faults_begins_anew_after_the_last_one() {
        let policy = policy(30, 3_600).retries(1);
        let mut tracker = checked_at(5, 1);
        for _ in 0..2 {
            assert!(tracker.fault(&policy, Fault::Transient, None, at(5)));
            assert!(!tracker.fault(&policy, Fault::Transient, None, at(5)));
        }
    }
}
