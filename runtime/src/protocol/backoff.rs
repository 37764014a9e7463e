//! How waits grow: they double after faults, and always get a random addition.

use super::elapsed::Elapsed;

/// The longest wait that faults alone lead to, as in Graph's own SDKs.
const LONGEST: Elapsed = Elapsed::from_secs(180);

/// The wait after this many faults in a row: `base`, doubled for each after the first, and at most
/// three minutes unless `base` itself is longer.
pub(super) fn backoff(base: Elapsed, faults_in_a_row: u32) -> Elapsed {
    let doublings = faults_in_a_row.saturating_sub(1).min(20);
    base.times(1 << doublings).min(LONGEST.max(base))
}

/// Random numbers for the jitter, which spreads operations that were started together.
///
/// The generator is SplitMix64: good enough to spread a crowd, and a seed makes it reproducible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Jitter(seed)
    }

    pub(super) fn state(self) -> u64 {
        self.0
    }

    /// The thousandths to lengthen a wait by: 10 to 100.
    pub(super) fn draw(&mut self) -> u16 {
        10 + self.below(91)
    }

    /// The thousandths to lengthen the first wait by: 10 to 250, because operations that are started
    /// or resumed together have nothing else that keeps them apart.
    pub(super) fn draw_first(&mut self) -> u16 {
        10 + self.below(241)
    }

    /// The thousandths of a tenth of the interval to make the last check early by: 0 to 1,000.
    pub(super) fn draw_last(&mut self) -> u16 {
        self.below(1_001)
    }

    /// A seed for another generator.
    pub(super) fn seed(&mut self) -> u64 {
        self.next()
    }

    fn below(&mut self, bound: u16) -> u16 {
        u16::try_from(self.next() % u64::from(bound)).unwrap_or_default()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn jitter_only_lengthens_and_differs_between_seeds() {
        let wait = Elapsed::from_secs(30);
        let drawn: Vec<_> =
            (0..1_000).map(|seed| wait.lengthened(Jitter::new(seed).draw())).collect();
        assert!(drawn.iter().all(|&d| d > wait && d <= Elapsed::from_secs(33)));
        assert_eq!(drawn.into_iter().collect::<HashSet<_>>().len(), 91);
        let first: HashSet<_> = (0..4_000).map(|seed| Jitter::new(seed).draw_first()).collect();
        assert_eq!(
            (first.len(), first.iter().min(), first.iter().max()),
            (241, Some(&10), Some(&250))
        );
    }

    #[test]
    fn every_seed_is_another_one() {
        let mut jitter = Jitter::new(7);
        let seeds: HashSet<_> = (0..100).map(|_| jitter.seed()).collect();
        assert_eq!(seeds.len(), 100);
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
            assert_eq!(jitter.next(), number);
        }
    }

    #[test]
    fn waits_double_after_faults_up_to_a_limit() {
        let waits =
            |base| [1, 2, 3, 4, 5, 9, u32::MAX].map(|n| backoff(Elapsed::from_secs(base), n));
        assert_eq!(waits(30), [30, 60, 120, 180, 180, 180, 180].map(Elapsed::from_secs));
        assert_eq!(waits(600), [600; 7].map(Elapsed::from_secs));
        assert_eq!(backoff(Elapsed::from_secs(30), 0), Elapsed::from_secs(30));
    }
}
