//! A setting that refusals lower and that recovers afterwards: a rate, or the size of batches.

use super::elapsed::Elapsed;

/// The level of a setting that has not been lowered. A lowered level grows by a twentieth of this
/// per second, which is one per nanosecond.
pub(super) const FULL: u64 = 20_000_000_000;

/// The lowest level: a 64th.
const LEAST: u64 = FULL / 64;

/// How long after the last refusal a lowered level starts to grow.
const CALM: Elapsed = Elapsed::from_secs(5);

/// The part of a setting that is in force: halved by refusals, and growing back after them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    /// The level at the last refusal.
    pub(super) level: u64,
    pub(super) refused: Elapsed,
    pub(super) halved: Option<Elapsed>,
}

impl Recovery {
    pub(super) fn new() -> Self {
        Recovery { level: FULL, refused: Elapsed::ZERO, halved: None }
    }

    pub(super) fn level(&self, now: Elapsed) -> u64 {
        self.level.saturating_add(now.minus(self.refused.plus(CALM)).nanos()).min(FULL)
    }

    /// Records that a request that was sent at `sent` was refused.
    ///
    /// A burst of refusals halves the level once: the refusal of a request that was sent before the
    /// last halving belongs to the same burst.
    pub(super) fn refused(&mut self, sent: Elapsed, now: Elapsed) {
        let level = self.level(now);
        if self.halved.is_none_or(|halved| sent > halved) {
            self.level = (level / 2).max(LEAST);
            self.halved = Some(now);
        } else {
            self.level = level;
        }
        self.refused = self.refused.max(now);
    }

    /// The part of `setting` that is in force; at least 1.
    pub(super) fn of(&self, setting: usize, now: Elapsed) -> usize {
        let part = setting as u128 * u128::from(self.level(now)) / u128::from(FULL);
        usize::try_from(part).unwrap_or(setting).max(1)
    }

    /// The integral of the level from `from` to `to`.
    pub(super) fn area(&self, from: Elapsed, to: Elapsed) -> u128 {
        let rise = self.refused.plus(CALM);
        let full = rise.plus(Elapsed::from_nanos(FULL - self.level.min(FULL)));
        let span = |from: Elapsed, to: Elapsed| u128::from(to.minus(from).nanos());
        let level = u128::from(self.level);
        let flat = span(from, to.min(rise)) * level;
        let (low, high) = (from.max(rise).min(full), to.max(rise).min(full));
        let slope = span(low, high) * u128::from(self.level(low) + self.level(high)) / 2;
        flat + slope + span(from.max(full), to) * u128::from(FULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Elapsed {
        Elapsed::from_millis(millis)
    }

    #[test]
    fn a_late_refusal_keeps_what_has_grown_back() {
        let mut recovery = Recovery::new();
        recovery.refused(at(0), at(0));
        // Two seconds after the recovery began, for a request that was sent before the last
        // halving.
        recovery.refused(at(0), at(7_000));
        assert_eq!(recovery.level(at(7_000)), 12_000_000_000);
        assert_eq!(recovery.level(at(12_000)), 12_000_000_000);
        assert_eq!(recovery.level(at(13_000)), 13_000_000_000);
    }

    #[test]
    fn no_setting_is_lowered_to_zero() {
        let mut recovery = Recovery::new();
        assert_eq!(recovery.of(20, at(0)), 20);
        recovery.refused(at(0), at(0));
        assert_eq!((recovery.of(20, at(0)), recovery.of(1, at(0))), (10, 1));
    }
}
