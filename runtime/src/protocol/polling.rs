//! The policy: when to check, how long, how often to try again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

/// When to check an operation, and when to give up.
///
/// The default obeys Graph's documentation:
///
/// | | default | |
/// |---|---|---|
/// | [`first_check`](Self::first_check) | after 5 s, or what the 202's `Retry-After` says | |
/// | [`interval`](Self::interval) | more than 30 s | "more than 30 seconds between checks" |
/// | [`timeout`](Self::timeout) | 1 h | outages have left operations running for ever |
/// | [`retries`](Self::retries) | 10 faults in a row | as Graph's own SDKs |
/// | [`target_patience`](Self::target_patience) | 5 min | a created team can be read late |
///
/// Every wait is lengthened by 1 to 10 per cent at random, so that operations started together are
/// not checked together, and after faults it doubles, up to three minutes. `Retry-After` is obeyed
/// up to one hour.
///
/// A last check is made at the deadline, however short the time since the one before it. Values
/// out of range are moved into it; nothing panics.
///
/// ```
/// use std::time::Duration;
/// use graph_operation::Polling;
///
/// let polling = Polling::default().timeout(Duration::from_secs(20 * 60)).retries(3);
/// ```
///
/// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields")]
pub struct Polling {
    first_check: Option<Duration>,
    interval: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_interval: Option<Duration>,
    timeout: Option<Duration>,
    retries: u32,
    target_patience: Duration,
}

/// A serialized policy, whose values may be out of range.
#[derive(Deserialize)]
#[serde(default)]
struct Fields {
    first_check: Option<Duration>,
    interval: Duration,
    longest_interval: Option<Duration>,
    timeout: Option<Duration>,
    retries: u32,
    target_patience: Duration,
}

impl Default for Fields {
    fn default() -> Self {
        let Polling { first_check, interval, longest_interval, timeout, retries, target_patience } =
            Polling::default();
        Fields { first_check, interval, longest_interval, timeout, retries, target_patience }
    }
}

impl From<Fields> for Polling {
    fn from(fields: Fields) -> Self {
        let mut polling = Polling::default()
            .interval(fields.interval)
            .retries(fields.retries)
            .target_patience(fields.target_patience);
        polling = match fields.timeout {
            Some(timeout) => polling.timeout(timeout),
            None => polling.no_timeout(),
        };
        if let Some(wait) = fields.first_check {
            polling = polling.first_check(wait);
        }
        if let Some(longest) = fields.longest_interval {
            polling = polling.longest_interval(longest);
        }
        polling
    }
}

impl Polling {
    /// The interval of the clone page: 5 seconds. Everything else as by default.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/team-clone>
    pub fn frequent() -> Self {
        Polling::default().interval(Duration::from_secs(5))
    }

    /// The wait before the first check, up to a day. A longer `Retry-After` of the 202 prevails.
    #[must_use]
    pub fn first_check(mut self, wait: Duration) -> Self {
        self.first_check = Some(wait.min(DAY));
        self
    }

    /// The least time between the sending of two checks, from a millisecond up to a day.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, DAY);
        self
    }

    /// The longest time between two checks, from a millisecond up to a day; unlimited by default.
    ///
    /// Jitter, the backoff after faults and `Retry-After` stay within it: a service that drops an
    /// operation which nobody polls prevails over one that asks for patience.
    #[must_use]
    pub fn longest_interval(mut self, longest: Duration) -> Self {
        self.longest_interval = Some(longest.clamp(SHORTEST, DAY));
        self
    }

    /// How long to wait for the end, counted from the start or the resumption, up to 1,000 days.
    ///
    /// A request that is under way then has the time that [`TimeLeft`](crate::TimeLeft) says, and no
    /// more if the author's [`Client::send`](crate::Client::send) obeys it, as the adapters do.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.clamp(SHORTEST, LONGEST_TIMEOUT));
        self
    }

    /// Waits for ever. Operations that never end have been seen.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// How many faults in a row are tried again: no answer, throttling, a service that is down, an
    /// answer that cannot be read.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long the target of an operation that succeeded may go on being not found, up to a day.
    #[must_use]
    pub fn target_patience(mut self, patience: Duration) -> Self {
        self.target_patience = patience.min(DAY);
        self
    }

    /// The wait before the first check, given the 202's `Retry-After`.
    pub(super) fn first(&self, retry_after: Option<Duration>) -> Duration {
        match (self.first_check, retry_after) {
            (Some(wait), Some(asked)) => wait.max(asked),
            (Some(wait), None) | (None, Some(wait)) => wait,
            (None, None) => Duration::from_secs(5),
        }
    }

    pub(super) fn between(&self) -> Duration {
        self.interval
    }

    /// What no wait between two checks exceeds.
    pub(crate) fn cap(&self) -> Option<Duration> {
        self.longest_interval
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) fn allows(&self, faults_in_a_row: u32) -> bool {
        faults_in_a_row <= self.retries
    }

    pub(super) fn patience(&self) -> Duration {
        self.target_patience
    }
}

impl Default for Polling {
    fn default() -> Self {
        Polling {
            first_check: None,
            interval: Duration::from_secs(30),
            longest_interval: None,
            timeout: Some(Duration::from_secs(60 * 60)),
            retries: 10,
            target_patience: Duration::from_secs(5 * 60),
        }
    }
}

/// The longest wait that faults alone lead to, as in Graph's own SDKs.
const LONGEST_BACKOFF: Duration = Duration::from_secs(180);

/// The wait after so many faults in a row: doubled each time, from `base`.
pub(super) fn backoff(base: Duration, faults_in_a_row: u32) -> Duration {
    let doublings = faults_in_a_row.saturating_sub(1).min(20);
    base.saturating_mul(1 << doublings).min(LONGEST_BACKOFF.max(base))
}

/// Lengthens waits at random, never shortens them.
///
/// The generator is SplitMix64: enough to keep a crowd out of step, and a seed makes it repeatable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Jitter(seed)
    }

    /// The thousandths to lengthen a wait by: 10 to 100.
    pub(super) fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        10 + u32::try_from(z % 91).unwrap_or(0)
    }
}

/// `wait` lengthened by so many thousandths.
pub(super) fn lengthen(wait: Duration, thousandths: u32) -> Duration {
    wait.saturating_add(wait / 1_000 * thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_lengthens_and_differs_between_seeds() {
        let wait = Duration::from_secs(30);
        let drawn: Vec<_> =
            (0..1_000).map(|seed| lengthen(wait, Jitter::new(seed).draw())).collect();
        assert!(drawn.iter().all(|&d| d > wait && d <= wait + wait / 10));
        let distinct: std::collections::HashSet<_> = drawn.into_iter().collect();
        assert_eq!(distinct.len(), 91);
    }

    /// The first numbers of SplitMix64 from this seed, as its reference implementation gives them.
    #[test]
    fn jitter_is_drawn_from_a_known_generator() {
        let mut jitter = Jitter::new(1_234_567);
        for number in [
            6_457_827_717_110_365_317_u64,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(u64::from(jitter.draw()), 10 + number % 91);
        }
    }

    #[test]
    fn no_setter_panics_and_every_value_is_bounded() {
        for extreme in [Duration::ZERO, Duration::MAX] {
            let polling = Polling::default()
                .first_check(extreme)
                .interval(extreme)
                .timeout(extreme)
                .target_patience(extreme);
            assert!(polling.first(None) <= DAY && polling.patience() <= DAY);
            assert!((SHORTEST..=DAY).contains(&polling.between()));
            assert!((SHORTEST..=LONGEST_TIMEOUT).contains(&polling.limit().unwrap()));
            assert!(backoff(polling.between(), u32::MAX) <= DAY);
        }
        let longest = Polling::default().timeout(Duration::MAX);
        assert_eq!(longest.limit(), Some(DAY * 1_000));
    }

    #[test]
    fn a_policy_reads_as_it_was_written_and_values_out_of_range_are_clamped() {
        for polling in [
            Polling::default(),
            Polling::frequent().no_timeout().longest_interval(Duration::from_secs(240)),
            Polling::default().first_check(Duration::ZERO).retries(0),
        ] {
            let text = serde_json::to_string(&polling).unwrap();
            assert_eq!(serde_json::from_str::<Polling>(&text).unwrap(), polling, "{text}");
        }
        let long = r#"{"secs":18446744073709551615,"nanos":0}"#;
        let none = r#"{"secs":0,"nanos":0}"#;
        let text = format!(
            r#"{{"first_check":{long},"interval":{none},"longest_interval":{long},"timeout":{none}}}"#
        );
        let polling: Polling = serde_json::from_str(&text).unwrap();
        assert_eq!(
            polling,
            Polling::default()
                .first_check(DAY)
                .interval(SHORTEST)
                .longest_interval(DAY)
                .timeout(SHORTEST)
        );
        assert_eq!(serde_json::from_str::<Polling>("{}").unwrap(), Polling::default());
    }

    #[test]
    fn waits_double_after_faults_up_to_a_limit() {
        let waits =
            |base| [1, 2, 3, 4, 5, 9].map(|n| backoff(Duration::from_secs(base), n).as_secs());
        assert_eq!(waits(30), [30, 60, 120, 180, 180, 180]);
        assert_eq!(waits(600), [600; 6]);
    }

    #[test]
    fn the_first_check_waits_for_the_longer_of_what_was_asked() {
        let (two, nine) = (Duration::from_secs(2), Duration::from_secs(9));
        assert_eq!(Polling::default().first(None), Duration::from_secs(5));
        assert_eq!(Polling::default().first(Some(two)), two);
        assert_eq!(Polling::default().first_check(nine).first(Some(two)), nine);
        assert_eq!(Polling::default().first_check(two).first(Some(nine)), nine);
    }
}
