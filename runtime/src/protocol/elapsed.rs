//! Time inside the protocol: nanoseconds since a start, so that the state is plain data.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A point in time, or a span of it, in nanoseconds. All arithmetic saturates; the longest one is
/// 584 years.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Elapsed(u64);

impl Elapsed {
    pub(crate) const ZERO: Elapsed = Elapsed(0);

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Elapsed(nanos)
    }

    pub(crate) const fn from_millis(millis: u64) -> Self {
        Elapsed(millis.saturating_mul(1_000_000))
    }

    pub(crate) const fn from_secs(secs: u64) -> Self {
        Elapsed(secs.saturating_mul(1_000_000_000))
    }

    /// How long before `now` the start was.
    pub(crate) fn since(start: Instant, now: Instant) -> Self {
        now.saturating_duration_since(start).into()
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, other: Elapsed) -> Self {
        Elapsed(self.0.saturating_add(other.0))
    }

    /// Zero where `other` is later.
    pub(crate) fn minus(self, other: Elapsed) -> Self {
        Elapsed(self.0.saturating_sub(other.0))
    }

    pub(crate) fn times(self, factor: u64) -> Self {
        Elapsed(self.0.saturating_mul(factor))
    }

    pub(crate) fn thousandths(self, count: u16) -> Self {
        Elapsed((self.0 / 1_000).saturating_mul(u64::from(count)))
    }

    /// This span, lengthened by this many thousandths.
    pub(crate) fn lengthened(self, thousandths: u16) -> Self {
        self.plus(self.thousandths(thousandths))
    }
}

impl From<Duration> for Elapsed {
    fn from(duration: Duration) -> Self {
        Elapsed(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Elapsed> for Duration {
    fn from(elapsed: Elapsed) -> Self {
        Duration::from_nanos(elapsed.0)
    }
}
