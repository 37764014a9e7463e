//! Time inside the protocol: nanoseconds since a start, so that the state is plain data.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A point in time, or a span of it, in nanoseconds. All arithmetic saturates; the longest one is
/// 584 years.
///
/// It stores one nanosecond more, so that an `Option` of it is not larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Elapsed(NonZeroU64);

impl Elapsed {
    pub(super) const ZERO: Elapsed = Elapsed(NonZeroU64::MIN);
    pub(super) const MAX: Elapsed = Elapsed(NonZeroU64::MAX);

    pub(super) const fn from_nanos(nanos: u64) -> Self {
        Elapsed(NonZeroU64::MIN.saturating_add(nanos))
    }

    pub(super) const fn from_millis(millis: u64) -> Self {
        Elapsed::from_nanos(millis.saturating_mul(1_000_000))
    }

    pub(super) const fn from_secs(secs: u64) -> Self {
        Elapsed::from_nanos(secs.saturating_mul(1_000_000_000))
    }

    /// The time from `start` to `now`.
    pub(super) fn since(start: Instant, now: Instant) -> Self {
        now.saturating_duration_since(start).into()
    }

    pub(super) fn is_zero(self) -> bool {
        self == Elapsed::ZERO
    }

    pub(super) fn nanos(self) -> u64 {
        self.0.get() - 1
    }

    pub(super) fn plus(self, other: Elapsed) -> Self {
        Elapsed(self.0.saturating_add(other.nanos()))
    }

    /// Zero where `other` is later.
    pub(super) fn minus(self, other: Elapsed) -> Self {
        Elapsed::from_nanos(self.0.get().saturating_sub(other.0.get()))
    }

    pub(super) fn times(self, factor: u64) -> Self {
        Elapsed::from_nanos(self.nanos().saturating_mul(factor))
    }

    pub(super) fn thousandths(self, count: u16) -> Self {
        Elapsed::from_nanos((self.nanos() / 1_000).saturating_mul(u64::from(count)))
    }

    /// This span, lengthened by this many thousandths.
    pub(super) fn lengthened(self, thousandths: u16) -> Self {
        self.plus(self.thousandths(thousandths))
    }
}

impl Default for Elapsed {
    fn default() -> Self {
        Elapsed::ZERO
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration::from(*self).fmt(f)
    }
}

impl From<u64> for Elapsed {
    fn from(nanos: u64) -> Self {
        Elapsed::from_nanos(nanos)
    }
}

impl From<Elapsed> for u64 {
    fn from(elapsed: Elapsed) -> Self {
        elapsed.nanos()
    }
}

impl From<Duration> for Elapsed {
    fn from(duration: Duration) -> Self {
        Elapsed::from_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Elapsed> for Duration {
    fn from(elapsed: Elapsed) -> Self {
        Duration::from_nanos(elapsed.nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arithmetic_overflows() {
        let (longest, second) = (Elapsed::MAX, Elapsed::from_secs(1));
        assert_eq!(Elapsed::from_nanos(u64::MAX), longest);
        assert_eq!(Elapsed::from_millis(u64::MAX), longest);
        assert_eq!(Elapsed::from_secs(u64::MAX), longest);
        assert_eq!(Elapsed::from(Duration::MAX), longest);
        assert_eq!(longest.plus(second), longest);
        assert_eq!(second.minus(longest), Elapsed::ZERO);
        assert_eq!(longest.times(2), longest);
        assert_eq!(longest.thousandths(u16::MAX), longest);
        assert_eq!(longest.lengthened(1), longest);
    }

    #[test]
    fn a_thousandth_of_a_second_is_a_millisecond() {
        let second = Elapsed::from_secs(1);
        assert_eq!(second.nanos(), 1_000_000_000);
        assert_eq!(second.thousandths(250), Elapsed::from_millis(250));
        assert_eq!(second.lengthened(250), Elapsed::from_millis(1_250));
        assert_eq!(Duration::from(second), Duration::from_secs(1));
    }

    #[test]
    fn nothing_has_elapsed_before_the_start() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(Elapsed::since(now, now + second), second.into());
        assert!(Elapsed::since(now + second, now).is_zero());
    }
}
