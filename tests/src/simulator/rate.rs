//! How many requests a second the service accepts: per app and tenant, and per team.
//!
//! See <https://learn.microsoft.com/graph/throttling-limits#microsoft-teams-service-limits>.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Graph's limit for one app on one team.
pub(super) const TEAM_RATE: u32 = 4;

/// The limits, and how far each is used up.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    pub(super) rate: Option<u32>,
    pub(super) team_rate: Option<u32>,
    apps: HashMap<String, Bucket>,
    teams: HashMap<(String, String), Bucket>,
}

/// A second's worth of requests, refilled continuously.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn refilled(bucket: Option<&Self>, rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate);
        let tokens = bucket.map_or(rate, |bucket| {
            let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * rate;
            (bucket.tokens + gained).min(rate)
        });
        Self { tokens, at: now }
    }

    /// How long until a whole token is available.
    fn wait(&self, rate: u32) -> Option<Duration> {
        let missing = 1.0 - self.tokens;
        // With a rate of zero, a hundred years stand for never.
        (missing > 1e-9).then(|| {
            Duration::try_from_secs_f64(missing / f64::from(rate))
                .unwrap_or(Duration::from_secs(3_155_760_000))
        })
    }

    fn taken(self) -> Self {
        Self { tokens: self.tokens - 1.0, ..self }
    }
}

impl Throttle {
    pub(super) fn new(rate: Option<u32>, team_rate: Option<u32>) -> Self {
        Self { rate, team_rate, ..Self::default() }
    }

    /// Admits a request, or says how long it has to wait. A request that is refused uses nothing
    /// up.
    pub(super) fn admit(
        &mut self,
        app: &str,
        team: Option<&str>,
        now: Instant,
    ) -> Result<(), Duration> {
        let for_app = self.rate.map(|rate| (rate, Bucket::refilled(self.apps.get(app), rate, now)));
        let team = team.map(|team| (app.to_owned(), team.to_lowercase()));
        let for_team = self.team_rate.zip(team).map(|(rate, team)| {
            let bucket = Bucket::refilled(self.teams.get(&team), rate, now);
            (rate, bucket, team)
        });
        let app_wait = for_app.as_ref().and_then(|(rate, bucket)| bucket.wait(*rate));
        let team_wait = for_team.as_ref().and_then(|(rate, bucket, _)| bucket.wait(*rate));
        if let Some(wait) = app_wait.max(team_wait) {
            return Err(wait);
        }
        if let Some((_, bucket)) = for_app {
            self.apps.insert(app.to_owned(), bucket.taken());
        }
        if let Some((_, bucket, team)) = for_team {
            self.teams.insert(team, bucket.taken());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_admits_as_many_requests_as_the_rate_says() {
        let start = Instant::now();
        let mut throttle = Throttle::new(Some(10), None);
        let admitted = |throttle: &mut Throttle, now| {
            (0..100).filter(|_| throttle.admit("app", None, now).is_ok()).count()
        };
        assert_eq!(admitted(&mut throttle, start), 10);
        assert_eq!(admitted(&mut throttle, start + Duration::from_millis(500)), 5);
        assert_eq!(throttle.admit("other", None, start), Ok(()));
        let wait = throttle.admit("app", None, start + Duration::from_millis(500)).unwrap_err();
        assert!((wait.as_secs_f64() - 0.1).abs() < 1e-6, "{wait:?}");
        throttle.rate = None;
        assert_eq!(admitted(&mut throttle, start), 100);
    }

    #[test]
    fn a_team_has_a_rate_of_its_own_and_a_refusal_costs_nothing() {
        let start = Instant::now();
        let mut throttle = Throttle::new(Some(6), Some(4));
        let results = [(); 6].map(|()| throttle.admit("app", Some("T"), start).is_ok());
        assert_eq!(results, [true, true, true, true, false, false]);
        assert_eq!(
            [(); 3].map(|()| throttle.admit("app", Some("u"), start).is_ok()),
            [true, true, false]
        );
        let later = start + Duration::from_secs(1);
        assert!(throttle.admit("app", Some("t"), later).is_ok());
    }

    #[test]
    fn a_rate_of_zero_refuses_everything() {
        let mut throttle = Throttle::new(Some(0), None);
        assert!(throttle.admit("app", None, Instant::now()).is_err());
    }
}
