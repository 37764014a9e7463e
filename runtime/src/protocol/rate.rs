//! The limit on requests per second: a token bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::elapsed::Elapsed;
use super::recovery::{FULL, Recovery};

/// The number of tokens in a full bucket: as many as a batch has items.
const BURST: u32 = 20;

/// The bucket counts in billionths of a token: a rate of one per second adds one in a nanosecond.
const TOKEN: u64 = 1_000_000_000;

/// How long a reservation keeps its place after its time, in seconds. If its owner has stopped, such
/// as a set that is no longer driven, the others do not wait for it.
const GRACE: u64 = 1;

/// How often the grace doubles. An owner that comes back too late gets more time, so that one that is
/// driven rarely gets tokens too.
const DOUBLINGS: u32 = 9;

/// A token bucket with reservations, which are served in order, however few tokens a later one
/// needs. A reservation promises a time. Its tokens are taken when it is claimed, so that a late
/// claim does not get more than the bucket holds.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) rate: u32,
    pub(super) tokens: u64,
    /// The number of tokens that each reservation with a place needs.
    places: BTreeMap<Promise, u32>,
    /// Their sum.
    reserved: u64,
    /// The number of the latest reservation.
    latest: u64,
    pub(super) updated: Elapsed,
    pub(super) recovery: Recovery,
}

/// What a reservation was promised. The promise that expires first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Promise {
    /// When the reservation loses its place.
    expires: Elapsed,
    /// When the tokens are available.
    at: Elapsed,
    /// The number of the reservation.
    number: u64,
    /// How often it has lost its place.
    lost: u32,
}

impl Promise {
    fn new(at: Elapsed, number: u64, lost: u32) -> Self {
        let grace = Elapsed::from_secs(GRACE << lost.min(DOUBLINGS));
        Promise { expires: at.plus(grace), at, number, lost }
    }
}

impl Bucket {
    pub(super) fn new(rate: u32, now: Elapsed) -> Self {
        Bucket {
            rate: rate.max(1),
            tokens: tokens(BURST),
            places: BTreeMap::new(),
            reserved: 0,
            latest: 0,
            updated: now,
            recovery: Recovery::new(),
        }
    }

    fn refill(&mut self, now: Elapsed) -> Elapsed {
        if now > self.updated {
            let area = self.recovery.area(self.updated, now);
            let earned = area.saturating_mul(self.rate.into()) / u128::from(FULL);
            self.add(u64::try_from(earned).unwrap_or(u64::MAX));
            self.updated = now;
        }
        self.updated
    }

    fn add(&mut self, more: u64) {
        self.tokens = self.tokens.saturating_add(more).min(tokens(BURST));
    }

    /// Reserves this many tokens.
    fn reserve(&mut self, count: u32, now: Elapsed) -> Promise {
        let now = self.refill(now);
        self.drop_late(now);
        let needed = self.reserved.saturating_add(tokens(count));
        let at = now.plus(self.time_for(needed.saturating_sub(self.tokens), now));
        self.promise(count, at)
    }

    /// Promises this many tokens for `at`.
    fn promise(&mut self, count: u32, at: Elapsed) -> Promise {
        self.latest += 1;
        let promise = Promise::new(at, self.latest, 0);
        self.keep_place(promise, count);
        promise
    }

    fn keep_place(&mut self, promise: Promise, count: u32) {
        self.places.insert(promise, count);
        self.reserved = self.reserved.saturating_add(tokens(count));
    }

    /// Gives up the place of a reservation. `false` if it has none.
    fn give_up(&mut self, promise: Promise) -> bool {
        let count = self.places.remove(&promise);
        self.reserved = self.reserved.saturating_sub(tokens(count.unwrap_or(0)));
        count.is_some()
    }

    /// Gives up the places of reservations that were not claimed in time.
    fn drop_late(&mut self, now: Elapsed) {
        while let Some((&promise, _)) = self.places.first_key_value()
            && promise.expires < now
        {
            self.give_up(promise);
        }
    }

    /// Takes `count` tokens of a reservation and returns the others to the bucket, or returns when
    /// to try again. A reservation that has lost its place gets another one, for longer.
    fn claim(
        &mut self,
        promise: Promise,
        reserved: u32,
        count: u32,
        now: Elapsed,
    ) -> Result<(), Promise> {
        let now = self.refill(now);
        self.drop_late(now);
        let lost = promise.lost.saturating_add(u32::from(!self.give_up(promise)));
        let wanted = tokens(count);
        if self.tokens < wanted {
            let at = now.plus(self.time_for(wanted - self.tokens, now));
            let later = Promise::new(at, promise.number, lost);
            self.keep_place(later, reserved);
            return Err(later);
        }
        self.tokens -= wanted;
        Ok(())
    }

    /// How long this many billionths of a token take at the current rate.
    fn time_for(&self, tokens: u64, now: Elapsed) -> Elapsed {
        let speed = u128::from(self.rate) * u128::from(self.recovery.level(now));
        let nanos = (u128::from(tokens) * u128::from(FULL)).div_ceil(speed.max(1));
        Elapsed::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(super) fn refused(&mut self, sent: Elapsed, now: Elapsed) {
        let now = self.refill(now);
        self.recovery.refused(sent, now);
    }

    /// How long `count` checks take at the current rate.
    fn interval(&self, count: u64, now: Elapsed) -> Elapsed {
        self.time_for(count.saturating_mul(TOKEN), now)
    }
}

fn tokens(count: u32) -> u64 {
    u64::from(count) * TOKEN
}

/// A rate of requests that several [`OperationSet`](crate::OperationSet)s and a
/// [`Client::send`](crate::Client::send) can share.
///
/// Graph counts all requests of an app in a tenant, whichever part of the program sends them.
/// Clones share one bucket of 20 tokens, which fills at the rate: in any `t` seconds there are at
/// most `rate × t + 20` requests. Requests are served in order; one that is not sent within a second
/// of its turn lets the others pass. When the service throttles, the
/// rate halves for all of them, down to a 64th; from 5 seconds after the last refusal it recovers
/// by a twentieth of the full rate per second.
///
#[cfg_attr(feature = "testing", doc = "```")]
#[cfg_attr(not(feature = "testing"), doc = "```ignore")]
/// use graph_operation::testing::ScriptedClient;
/// use graph_operation::{OperationSet, RateLimit};
///
/// let limit = RateLimit::new(20);
/// let client = ScriptedClient::new();
/// let archived = OperationSet::<String>::new(client.clone()).rate_limit(limit.clone());
/// let created = OperationSet::<String>::new(client).rate_limit(limit);
/// ```
#[derive(Clone)]
pub struct RateLimit(Arc<Mutex<Shared>>);

pub(super) struct Shared {
    pub(super) bucket: Bucket,
    /// Converts instants to the time since the first one seen.
    clock: Option<Clock>,
}

impl Shared {
    pub(super) fn elapsed(&mut self, now: Instant) -> (Clock, Elapsed) {
        let clock = *self.clock.get_or_insert_with(|| Clock::amid(now));
        (clock, clock.elapsed(now))
    }
}

impl RateLimit {
    /// A limit of `rate` requests per second, at least 1. Graph allows 30 for an app and a tenant.
    pub fn new(rate: u32) -> Self {
        let bucket = Bucket::new(rate, Elapsed::ZERO);
        RateLimit(Arc::new(Mutex::new(Shared { bucket, clock: None })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reserve(&self, count: u32, now: Instant) -> Reservation {
        let mut shared = self.lock();
        let (clock, elapsed) = shared.elapsed(now);
        let promise = shared.bucket.reserve(count, elapsed);
        let at = clock.instant(promise.at);
        Reservation { limit: self.clone(), promise, at, count, claimed: false }
    }

    /// Restores a reservation that the saved limit had promised for `at`.
    pub(super) fn resume(&self, count: u32, at: Instant) -> Reservation {
        let count = count.clamp(1, BURST);
        let mut shared = self.lock();
        let (_, elapsed) = shared.elapsed(at);
        let promise = shared.bucket.promise(count, elapsed);
        Reservation { limit: self.clone(), promise, at, count, claimed: false }
    }

    /// Records that a request that was sent at `sent` was refused.
    pub(super) fn refused(&self, sent: Instant, now: Instant) {
        let mut shared = self.lock();
        let (clock, elapsed) = shared.elapsed(now);
        shared.bucket.refused(clock.elapsed(sent), elapsed);
    }

    /// How long this many requests take at the current rate.
    pub(super) fn interval(&self, count: u64, now: Instant) -> Duration {
        let mut shared = self.lock();
        let (_, elapsed) = shared.elapsed(now);
        shared.bucket.interval(count, elapsed).into()
    }

    /// Whether both are clones of one limit.
    pub(crate) fn is_same(&self, other: &RateLimit) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimit").field(&self.lock().bucket).finish()
    }
}

/// An extension that marks a request as admitted by this limit already.
#[derive(Clone)]
pub(crate) struct Admitted(pub(crate) RateLimit);

/// Reserved tokens. Dropping it returns them to the bucket.
#[derive(Debug)]
pub(crate) struct Reservation {
    limit: RateLimit,
    promise: Promise,
    at: Instant,
    count: u32,
    claimed: bool,
}

impl Reservation {
    /// When the tokens are available, or when to try again.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Takes this many of the tokens, and returns the others to the bucket. `false` if they are not
    /// available yet.
    pub(crate) fn claim(&mut self, count: usize, now: Instant) -> bool {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.count);
        let mut shared = self.limit.lock();
        let (clock, elapsed) = shared.elapsed(now);
        match shared.bucket.claim(self.promise, self.count, count, elapsed) {
            Ok(()) => {
                (self.count, self.claimed) = (count, true);
                true
            }
            Err(later) => {
                (self.promise, self.at) = (later, clock.instant(later.at));
                false
            }
        }
    }

    /// Uses the tokens.
    pub(crate) fn used(mut self) {
        self.count = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.count > 0 {
            let bucket = &mut self.limit.lock().bucket;
            if self.claimed {
                bucket.add(tokens(self.count));
            } else {
                bucket.give_up(self.promise);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn at(millis: u64) -> Elapsed {
        Elapsed::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_full_bucket_and_then_the_rate() {
        let mut bucket = Bucket::new(20, at(0));
        let all = bucket.reserve(20, at(0));
        let one = bucket.reserve(1, at(0));
        let others = bucket.reserve(19, at(0));
        assert_eq!([all.at, one.at, others.at], [at(0), at(50), at(1_000)]);
        assert_eq!(bucket.claim(all, 20, 20, at(0)), Ok(()));
        assert_eq!(bucket.claim(one, 1, 1, at(20)), Err(one));
        assert_eq!(bucket.claim(one, 1, 1, at(50)), Ok(()));
        // A late claim does not get more than the bucket holds.
        let last = bucket.reserve(20, at(500));
        assert_eq!(last.at, at(2_000));
        assert_eq!(bucket.claim(others, 19, 19, at(2_000)), Ok(()));
        assert_eq!(
            bucket.claim(last, 20, 20, at(2_000)),
            Err(Promise::new(at(2_950), last.number, 0))
        );
    }

    #[test]
    fn the_largest_rate_does_not_overflow() {
        let limit = RateLimit::new(u32::MAX);
        let now = Instant::now();
        assert!(limit.reserve(20, now).claim(20, now));
    }

    #[test]
    fn returned_tokens_are_available_at_once() {
        let mut bucket = Bucket::new(20, at(0));
        let all = bucket.reserve(20, at(0));
        assert!(bucket.give_up(all) && !bucket.give_up(all));
        let most = bucket.reserve(15, at(0));
        assert_eq!(most.at, at(0));
        assert_eq!(bucket.claim(most, 15, 5, at(0)), Ok(()));
        assert_eq!(bucket.reserve(15, at(0)).at, at(0));
    }

    #[test]
    fn a_reservation_that_is_not_claimed_in_time_holds_up_nobody() {
        let mut bucket = Bucket::new(20, at(0));
        let all = bucket.reserve(20, at(0));
        assert_eq!(bucket.claim(all, 20, 20, at(0)), Ok(()));
        let idle = bucket.reserve(20, at(0));
        // It keeps its place for a second.
        assert_eq!(idle.at, at(1_000));
        assert_eq!(bucket.reserve(1, at(2_000)).at, at(2_050));
        let busy = bucket.reserve(20, at(2_001));
        assert_eq!(busy.at, at(2_051));
        assert_eq!(bucket.claim(busy, 20, 20, at(2_051)), Ok(()));
        // It keeps the next one for longer.
        let Err(again) = bucket.claim(idle, 20, 20, at(2_051)) else { panic!("none are left") };
        assert_eq!(again, Promise::new(at(3_051), idle.number, 1));
        assert_eq!(again.expires, at(5_051));
    }

    #[test]
    fn an_owner_that_comes_rarely_is_served_beside_one_that_always_waits() {
        for period in [500, 1_500, 3_000, 20_000] {
            let mut bucket = Bucket::new(20, at(0));
            let mut owners = [bucket.reserve(20, at(0)), bucket.reserve(20, at(0))];
            let mut served = [0; 2];
            for now in (0..600_000).step_by(10) {
                let comes = [at(now) >= owners[0].at, now % period == 0];
                for owner in (0..2).filter(|&owner| comes[owner]) {
                    owners[owner] = match bucket.claim(owners[owner], 20, 20, at(now)) {
                        Ok(()) => {
                            served[owner] += 1;
                            bucket.reserve(20, at(now))
                        }
                        Err(later) => later,
                    };
                }
            }
            let visits = 600_000 / period;
            assert!(served[1] * 10 > visits.min(600), "{period}: {served:?}");
            assert!(served[0] >= 200, "{period}: {served:?}");
        }
    }

    #[test]
    fn a_burst_of_refusals_halves_once_and_the_rate_recovers() {
        let mut bucket = Bucket::new(20, at(0));
        let interval = |bucket: &Bucket, now| bucket.interval(1, at(now));
        bucket.refused(at(0), at(1_000));
        bucket.refused(at(500), at(1_100));
        bucket.refused(at(1_000), at(1_200));
        assert_eq!(interval(&bucket, 1_200), at(100));
        assert_eq!(interval(&bucket, 6_200), at(100));
        // A twentieth of the full rate per second: from 10 to 15 in five seconds.
        assert_eq!(interval(&bucket, 11_200), Elapsed::from_nanos(66_666_667));
        assert_eq!(interval(&bucket, 16_200), at(50));
        assert_eq!(interval(&bucket, 600_000), at(50));
        for burst in 0..20 {
            bucket.refused(at(20_000 + burst), at(20_000 + burst));
        }
        assert_eq!(interval(&bucket, 20_100), at(3_200));
    }

    #[test]
    fn a_recovering_rate_earns_its_integral() {
        let earned = |from: u64, to: u64| {
            let mut bucket = Bucket::new(20, at(0));
            bucket.refused(at(0), at(0));
            bucket.refill(at(from));
            bucket.tokens = 0;
            bucket.refill(at(to));
            bucket.tokens
        };
        // 5 s at 10 per second; then it rises by one per second, up to 20.
        assert_eq!(earned(0, 500), 5 * TOKEN);
        assert_eq!(earned(4_500, 5_500), 5 * TOKEN + 5_125_000_000);
        assert_eq!(earned(7_000, 8_000), 12_500_000_000);
        assert_eq!(earned(14_500, 15_500), 9_875_000_000 + 10 * TOKEN);
    }

    #[test]
    fn the_lowest_rate_is_one() {
        let limit = RateLimit::new(0);
        assert_eq!(limit.interval(1, Instant::now()), Duration::from_secs(1));
    }

    #[test]
    fn an_earlier_time_earns_nothing_again() {
        let mut bucket = Bucket::new(20, at(0));
        let all = bucket.reserve(20, at(10_000));
        assert_eq!(all.at, at(10_000));
        assert_eq!(bucket.claim(all, 20, 20, at(10_000)), Ok(()));
        let one = bucket.reserve(1, at(5_000));
        assert_eq!(one.at, at(10_050));
        assert_eq!(bucket.claim(one, 1, 1, at(10_000)), Err(one));
    }

    #[test]
    fn a_reservation_that_is_dropped_gives_back_what_it_has() {
        let limit = RateLimit::new(20);
        let now = Instant::now();
        let wait = |count| limit.reserve(count, now).at() - now;
        drop(limit.reserve(20, now));
        assert_eq!(wait(20), Duration::ZERO);
        let mut claimed = limit.reserve(20, now);
        assert!(claimed.claim(20, now));
        assert_eq!(wait(1), Duration::from_millis(50));
        drop(claimed);
        assert_eq!(wait(20), Duration::ZERO);
        // It claims no more than it has reserved, and used tokens are not returned.
        let mut some = limit.reserve(5, now);
        assert!(some.claim(20, now));
        assert_eq!(some.count(), 5);
        some.used();
        assert_eq!((wait(15), wait(16)), (Duration::ZERO, Duration::from_millis(50)));
    }

    #[test]
    fn a_restored_reservation_counts_as_the_one_that_was_saved() {
        let now = Instant::now();
        let wait = |limit: &RateLimit| limit.reserve(1, now).at() - now;
        let limit = RateLimit::new(20);
        let resumed = limit.resume(1_000, now);
        assert_eq!((resumed.count(), resumed.at()), (20, now));
        assert_eq!(wait(&limit), Duration::from_millis(50));
        drop(resumed);
        assert_eq!(wait(&limit), Duration::ZERO);
        // Dropping it cancels the reservation, and returns no tokens.
        let mut all = limit.reserve(20, now);
        assert!(all.claim(20, now));
        all.used();
        drop(limit.resume(20, now));
        assert_eq!(wait(&limit), Duration::from_millis(50));
    }

    #[test]
    fn clones_are_one_limit() {
        let limit = RateLimit::new(20);
        assert!(limit.is_same(&limit.clone()) && !limit.is_same(&RateLimit::new(20)));
        assert!(format!("{limit:?}").contains("rate: 20"), "{limit:?}");
    }

    #[test]
    fn no_window_gets_more_than_the_rate_and_a_full_bucket() {
        for rate in [1, 7, 20, 1_000] {
            let limit = RateLimit::new(rate);
            let begin = Instant::now();
            let mut reservations = VecDeque::new();
            let mut sent: Vec<(u64, u32)> = Vec::new();
            let mut now = 0;
            let mut state = u64::from(rate);
            for _ in 0..2_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let instant = begin + Duration::from_nanos(now);
                let count = u32::try_from(state >> 33).unwrap() % 20 + 1;
                match state >> 61 {
                    0 => limit.refused(instant, instant),
                    1 => now += (state >> 20) % 3_000_000_000,
                    2 => drop(reservations.pop_back()),
                    3..=4 => reservations.push_back(limit.reserve(count, instant)),
                    _ => {
                        let Some(mut first) = reservations.pop_front() else { continue };
                        now = u64::try_from((first.at().max(instant) - begin).as_nanos()).unwrap();
                        let count = first.count();
                        if first.claim(count, begin + Duration::from_nanos(now)) {
                            first.used();
                            sent.push((now, u32::try_from(count).unwrap()));
                        } else {
                            reservations.push_front(first);
                        }
                    }
                }
            }
            assert!(sent.len() > 300);
            for (first, &(begin, _)) in sent.iter().enumerate() {
                let mut total = 0;
                for &(end, count) in &sent[first..] {
                    total += u64::from(count);
                    let allowed = u128::from(rate) * u128::from(end - begin) / 1_000_000_000 + 20;
                    assert!(u128::from(total) <= allowed, "{total} > {allowed} at {rate}");
                }
            }
        }
    }
}
