//! A driver's instants, as the time since a start.

use std::time::{Duration, Instant};

use super::elapsed::Elapsed;

/// Converts between a driver's instants and the time since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    elapsed: Elapsed,
}

impl Clock {
    /// A clock that shows `elapsed` at `instant`.
    pub(super) fn new(instant: Instant, elapsed: Elapsed) -> Self {
        Clock { instant, elapsed }
    }

    /// A clock that also converts instants long before `instant`.
    pub(super) fn amid(instant: Instant) -> Self {
        Clock::new(instant, Elapsed::from_nanos(1 << 62))
    }

    pub(super) fn elapsed(self, now: Instant) -> Elapsed {
        match now.checked_duration_since(self.instant) {
            Some(after) => self.elapsed.plus(after.into()),
            None => self.elapsed.minus(Elapsed::since(now, self.instant)),
        }
    }

    pub(super) fn instant(self, elapsed: Elapsed) -> Instant {
        let after = Duration::from(elapsed.minus(self.elapsed));
        let before = Duration::from(self.elapsed.minus(elapsed));
        let instant = self.instant.checked_add(after).and_then(|then| then.checked_sub(before));
        instant.unwrap_or(self.instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_converts_instants_on_both_sides_of_its_own() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let amid = begin + second;
        let clock = Clock::new(amid, Elapsed::from_secs(10));
        for (instant, seconds) in [(begin, 9), (amid, 10), (amid + second, 11)] {
            let elapsed = Elapsed::from_secs(seconds);
            assert_eq!((clock.elapsed(instant), clock.instant(elapsed)), (elapsed, instant));
        }
    }
}
