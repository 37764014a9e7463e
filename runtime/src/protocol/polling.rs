//! The policy: when to check, how long, how often to retry.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::elapsed::Elapsed;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

/// When to check an operation, and when to give up.
///
/// The default follows Graph's documentation:
///
/// | | default | |
/// |---|---|---|
/// | [`first_check`](Self::first_check) | after 5 s, or what the 202's `Retry-After` says | |
/// | [`interval`](Self::interval) | more than 30 s | "more than 30 seconds between checks" |
/// | [`timeout`](Self::timeout) | 1 h | outages have left operations running forever |
/// | [`retries`](Self::retries) | 10 faults in a row | like Graph's own SDKs |
/// | [`target_patience`](Self::target_patience) | 5 min | a created team may not be readable at once |
/// | [`longest_interval`](Self::longest_interval) | no limit | |
///
/// Every wait is lengthened by 1 to 10 percent at random (the first one by up to 25 percent), so that
/// operations that were started together are not checked together. After faults the wait doubles,
/// up to three minutes. `Retry-After` replaces the doubling, and is obeyed up to one hour.
///
/// A last check is sent shortly before the deadline: earlier by a random part of up to a tenth of
/// the interval, and even if less than the interval has passed since the check before it. It is not
/// sent if `Retry-After` extends beyond the deadline. Values out of range are clamped.
///
/// ```
/// use std::time::Duration;
/// use graph_operation::Polling;
///
/// let polling = Polling::default().timeout(Duration::from_secs(20 * 60)).retries(3);
/// ```
///
/// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Polling {
    first_check: Option<Elapsed>,
    interval: Elapsed,
    timeout: Option<Elapsed>,
    retries: u32,
    target_patience: Elapsed,
    longest_interval: Option<Elapsed>,
}

impl Polling {
    /// The default policy with an interval of 5 seconds, which the documentation of cloning a team
    /// gives.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/team-clone>
    pub fn frequent() -> Self {
        Polling::default().interval(Duration::from_secs(5))
    }

    /// The wait before the first check, up to a day. A longer `Retry-After` of the 202 takes
    /// precedence.
    #[must_use]
    pub fn first_check(mut self, wait: Duration) -> Self {
        self.first_check = Some(wait.min(DAY).into());
        self
    }

    /// The least time between two checks, from a millisecond up to a day.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, DAY).into();
        self
    }

    /// How long to wait for the end, counted from the start of the operation, up to 1,000 days.
    ///
    /// A request in flight is abandoned at the deadline. One that is sent near the deadline gets a
    /// tenth of the timeout, at least 1 and at most 10 seconds, even if that ends after the
    /// deadline. It carries the time that it has left, as [`TimeLeft`](crate::TimeLeft).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.clamp(SHORTEST, LONGEST_TIMEOUT).into());
        self
    }

    /// Waits without a deadline. There have been operations that never ended.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// How many faults in a row are retried: no response, throttling, an unavailable service, or a
    /// response that cannot be read.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long the target of an operation that succeeded may be unavailable, up to a day.
    #[must_use]
    pub fn target_patience(mut self, patience: Duration) -> Self {
        self.target_patience = patience.min(DAY).into();
        self
    }

    /// The longest wait between two checks, from a millisecond up to a day: a limit for backoff,
    /// jitter and `Retry-After` alike, and for the interval itself.
    ///
    /// For operations that the service forgets unless they are polled, such as those of an Excel
    /// workbook, which have to be polled within four minutes.
    ///
    /// Source: <https://learn.microsoft.com/graph/workbook-best-practice>
    #[must_use]
    pub fn longest_interval(mut self, longest: Duration) -> Self {
        self.longest_interval = Some(longest.clamp(SHORTEST, DAY).into());
        self
    }

    /// The wait before the first check, given the 202's `Retry-After`.
    pub(super) fn before_first(&self, retry_after: Option<Elapsed>) -> Elapsed {
        match (self.first_check, retry_after) {
            (Some(wait), Some(asked)) => wait.max(asked),
            (Some(wait), None) | (None, Some(wait)) => wait,
            (None, None) => Elapsed::from_secs(5),
        }
    }

    pub(super) fn between(&self) -> Elapsed {
        self.interval
    }

    pub(super) fn deadline(&self) -> Option<Elapsed> {
        self.timeout
    }

    /// How long a request that is sent this long after the start may take; `None` without a
    /// deadline.
    ///
    /// At least a tenth of the timeout, but no less than 1 second and no more than 10.
    pub(super) fn time_left(&self, elapsed: Elapsed) -> Option<Elapsed> {
        let deadline = self.timeout?;
        let least =
            deadline.thousandths(100).max(Elapsed::from_secs(1)).min(Elapsed::from_secs(10));
        Some(deadline.minus(elapsed).max(least))
    }

    pub(super) fn allows(&self, faults_in_a_row: u32) -> bool {
        faults_in_a_row <= self.retries
    }

    pub(super) fn patience(&self) -> Elapsed {
        self.target_patience
    }

    /// `wait`, or the longest one that the policy allows.
    pub(super) fn capped(&self, wait: Elapsed) -> Elapsed {
        self.longest_interval.map_or(wait, |longest| wait.min(longest))
    }
}

impl Default for Polling {
    fn default() -> Self {
        Polling {
            first_check: None,
            interval: Elapsed::from_secs(30),
            timeout: Some(Elapsed::from_secs(60 * 60)),
            target_patience: Elapsed::from_secs(5 * 60),
            longest_interval: None,
            retries: 10,
        }
    }
}

/// Writes durations as nanoseconds.
impl Serialize for Polling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut polling = serializer.serialize_struct("Polling", 6)?;
        polling.serialize_field("first_check", &self.first_check)?;
        polling.serialize_field("interval", &self.interval)?;
        polling.serialize_field("timeout", &self.timeout)?;
        polling.serialize_field("retries", &self.retries)?;
        polling.serialize_field("target_patience", &self.target_patience)?;
        polling.serialize_field("longest_interval", &self.longest_interval)?;
        polling.end()
    }
}

/// Clamps what is out of range, as the setters do.
impl<'de> Deserialize<'de> for Polling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Written {
            first_check: Option<Elapsed>,
            interval: Elapsed,
            timeout: Option<Elapsed>,
            retries: u32,
            target_patience: Elapsed,
            longest_interval: Option<Elapsed>,
        }

        let written = Written::deserialize(deserializer)?;
        let mut polling = Polling::default()
            .interval(written.interval.into())
            .retries(written.retries)
            .target_patience(written.target_patience.into());
        if let Some(wait) = written.first_check {
            polling = polling.first_check(wait.into());
        }
        if let Some(longest) = written.longest_interval {
            polling = polling.longest_interval(longest.into());
        }
        Ok(match written.timeout {
            Some(timeout) => polling.timeout(timeout.into()),
            None => polling.no_timeout(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setter_panics_and_every_value_is_bounded() {
        let (millisecond, day) = (Elapsed::from_millis(1), Elapsed::from_secs(24 * 60 * 60));
        for (extreme, bound, timeout) in
            [(Duration::ZERO, millisecond, millisecond), (Duration::MAX, day, day.times(1_000))]
        {
            let polling = Polling::default()
                .first_check(extreme)
                .interval(extreme)
                .timeout(extreme)
                .longest_interval(extreme)
                .target_patience(extreme);
            let wait = if extreme.is_zero() { Elapsed::ZERO } else { day };
            assert_eq!((polling.before_first(None), polling.patience()), (wait, wait));
            assert_eq!((polling.between(), polling.deadline()), (bound, Some(timeout)));
            assert_eq!(polling.capped(Elapsed::from_secs(u64::MAX)), bound);
            let written = serde_json::to_string(&polling).unwrap();
            assert_eq!(serde_json::from_str::<Polling>(&written).unwrap(), polling);
        }
    }

    #[test]
    fn the_default_is_what_its_documentation_says() {
        let default = "Polling { first_check: None, interval: 30s, timeout: Some(3600s), \
            retries: 10, target_patience: 300s, longest_interval: None }";
        assert_eq!(format!("{:?}", Polling::default()), default);
    }

    #[test]
    fn a_written_policy_is_clamped_when_read() {
        let written = r#"{"first_check":18446744073709551615,"interval":0,"timeout":0,"retries":3,
            "target_patience":18446744073709551615,"longest_interval":0}"#;
        let read: Polling = serde_json::from_str(written).unwrap();
        let clamped = Polling::default()
            .first_check(DAY)
            .interval(SHORTEST)
            .timeout(SHORTEST)
            .retries(3)
            .target_patience(DAY)
            .longest_interval(SHORTEST);
        assert_eq!(read, clamped);
    }

    #[test]
    fn the_first_check_waits_for_the_longer_of_what_was_asked() {
        let (two, nine) = (Elapsed::from_secs(2), Elapsed::from_secs(9));
        let first = |wait: u64| Polling::default().first_check(Duration::from_secs(wait));
        assert_eq!(Polling::default().before_first(None), Elapsed::from_secs(5));
        assert_eq!(Polling::default().before_first(Some(two)), two);
        assert_eq!(first(9).before_first(Some(two)), nine);
        assert_eq!(first(2).before_first(Some(nine)), nine);
    }
}
