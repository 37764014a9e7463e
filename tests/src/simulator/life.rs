//! How an operation proceeds, check by check or second by second.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

/// How long something lasts: a number of answers, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// That many answers.
    Checks(u32),
    /// That long, by the clock.
    Time(Duration),
}

impl Span {
    /// Nothing at all.
    pub const ZERO: Self = Self::Checks(0);
}

impl FromStr for Span {
    type Err = String;

    /// Reads `3` (checks), `5s` or `250ms`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is neither a number of checks (`3`) nor a time (`5s`, `250ms`)");
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        if let Some(digits) = text.strip_suffix("ms") {
            number(digits).map(|millis| Self::Time(Duration::from_millis(millis)))
        } else if let Some(digits) = text.strip_suffix('s') {
            number(digits).map(|seconds| Self::Time(Duration::from_secs(seconds)))
        } else {
            text.parse().map(Self::Checks).map_err(|_| wrong())
        }
    }
}

/// What an operation shows for a while, before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// The operation cannot be found: 404.
    Missing,
    /// `notStarted`, or the family's word for it.
    NotStarted,
    /// `inProgress`, or the family's word for it.
    InProgress,
    /// In progress, and `attemptsCount` has grown by one.
    Retried,
    /// The status is an empty string.
    EmptyStatus,
    /// A member of the enumeration that was added after `unknownFutureValue`.
    Other(String),
}

/// How a failed operation explains itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By an error object.
    Error {
        /// The error's `code`.
        code: String,
        /// The error's `message`.
        message: String,
    },
    /// Not at all: `error` is null.
    Null,
    /// By a bare string instead of the object.
    Text(String),
}

impl Default for Failure {
    fn default() -> Self {
        Self::Error {
            code: "SiteLockFailed".into(),
            message: "The site behind the team could not be changed.".into(),
        }
    }
}

/// How an operation ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// `succeeded`, or the family's word for it.
    #[default]
    Succeeded,
    /// `failed`.
    Failed(Failure),
    /// `invalid`; in the families that know no such word, `failed`.
    Invalid,
    /// Not at all: the last phase lasts forever.
    Never,
}

/// An operation's whole life: its phases in order, then its end.
///
/// Only answers that tell the truth count as checks, so each fault adds one check to a life that is
/// counted in checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    phases: Vec<(Phase, Span)>,
    end: End,
}

impl Default for Life {
    /// Not started for one check, in progress for one, then succeeded.
    fn default() -> Self {
        Self::checks(1, 1)
    }
}

impl Life {
    /// A life without phases: ended at the first check.
    pub fn new(end: End) -> Self {
        Self { phases: Vec::new(), end }
    }

    /// Succeeds after `not_started` checks as not started, and `in_progress` checks as in progress.
    pub fn checks(not_started: u32, in_progress: u32) -> Self {
        Self::new(End::Succeeded)
            .then(Phase::NotStarted, Span::Checks(not_started))
            .then(Phase::InProgress, Span::Checks(in_progress))
    }

    /// Succeeds after the time `not_started` as not started, and the time `in_progress` as in
    /// progress.
    pub fn elapsed(not_started: Duration, in_progress: Duration) -> Self {
        Self::new(End::Succeeded)
            .then(Phase::NotStarted, Span::Time(not_started))
            .then(Phase::InProgress, Span::Time(in_progress))
    }

    /// Adds a phase at the end.
    #[must_use]
    pub fn then(mut self, phase: Phase, span: Span) -> Self {
        self.phases.push((phase, span));
        self
    }

    /// Replaces the end.
    #[must_use]
    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

impl FromStr for Life {
    type Err = String;

    /// Reads phases and an end, separated by commas: `not-started=1,in-progress=2s,succeeded`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut life = Self::new(End::Succeeded);
        let mut words = text.split(',').map(str::trim).peekable();
        while let Some(word) = words.next() {
            if let Some((phase, span)) = word.split_once('=') {
                let phase = match phase {
                    "missing" => Phase::Missing,
                    "not-started" => Phase::NotStarted,
                    "in-progress" => Phase::InProgress,
                    "retried" => Phase::Retried,
                    "empty" => Phase::EmptyStatus,
                    other => match other.strip_prefix("status:") {
                        Some(status) => Phase::Other(status.into()),
                        None => return Err(format!("unknown phase `{other}`")),
                    },
                };
                life = life.then(phase, span.parse()?);
                continue;
            }
            life.end = match word {
                "succeeded" => End::Succeeded,
                "failed" => End::Failed(Failure::default()),
                "failed-null" => End::Failed(Failure::Null),
                "failed-text" => End::Failed(Failure::Text("An error has occurred.".into())),
                "invalid" => End::Invalid,
                "never" => End::Never,
                _ => return Err(format!("unknown end `{word}`")),
            };
            if let Some(more) = words.peek() {
                return Err(format!("`{more}` comes after the end"));
            }
        }
        Ok(life)
    }
}

/// The stage that an operation has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Going(Phase),
    Ended(End),
}

/// What one look at an operation shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// The work done, as a part of a whole.
    pub(super) done: (u64, u64),
}

/// A life in progress.
#[derive(Clone, Debug)]
pub(super) struct Course {
    life: Life,
    /// Which phase is current; beyond the last one, the operation has ended.
    index: usize,
    /// The number of answers that the current phase has given.
    used: u32,
    began: Instant,
    attempts: u32,
}

impl Course {
    pub(super) fn new(life: Life, now: Instant) -> Self {
        let mut course = Self { life, index: 0, used: 0, began: now, attempts: 1 };
        course.entered();
        course
    }

    /// Looks at the operation as a check does, and uses up the check.
    pub(super) fn observe(&mut self, now: Instant) -> View {
        self.settle(now);
        while self
            .current()
            .is_some_and(|(_, span)| matches!(span, Span::Checks(checks) if self.used >= *checks))
        {
            self.advance(now);
            self.settle(now);
        }
        self.used = self.used.saturating_add(1);
        self.view(now)
    }

    /// Looks at the operation without using up a check.
    pub(super) fn peek(&self, now: Instant) -> View {
        self.clone().observe(now)
    }

    /// When the operation succeeded, according to the clock and the checks so far.
    pub(super) fn succeeded_at(&mut self, now: Instant) -> Option<Instant> {
        self.settle(now);
        (self.current().is_none() && self.life.end == End::Succeeded).then_some(self.began)
    }

    fn current(&self) -> Option<&(Phase, Span)> {
        self.life.phases.get(self.index)
    }

    /// Leaves the phases whose time is over.
    fn settle(&mut self, now: Instant) {
        while let Some((_, Span::Time(time))) = self.current() {
            let over = self.began + *time;
            if over > now {
                return;
            }
            self.advance(over);
        }
    }

    fn advance(&mut self, at: Instant) {
        self.index += 1;
        self.used = 0;
        self.began = at;
        self.entered();
    }

    fn entered(&mut self) {
        if let Some((Phase::Retried, span)) = self.current()
            && *span != Span::ZERO
        {
            self.attempts += 1;
        }
    }

    fn view(&self, now: Instant) -> View {
        let (stage, done) = match (self.current(), &self.life.end) {
            (Some((phase @ Phase::InProgress, span)), _) => {
                (Stage::Going(phase.clone()), self.part_of(*span, now))
            }
            (Some((phase, _)), _) => (Stage::Going(phase.clone()), (0, 1)),
            (None, End::Never) => {
                let last =
                    self.life.phases.last().map_or(Phase::InProgress, |(phase, _)| phase.clone());
                (Stage::Going(last), (1, 2))
            }
            (None, End::Succeeded) => (Stage::Ended(End::Succeeded), (1, 1)),
            (None, end) => (Stage::Ended(end.clone()), (1, 2)),
        };
        View { stage, attempts: self.attempts, done }
    }

    fn part_of(&self, span: Span, now: Instant) -> (u64, u64) {
        match span {
            Span::Checks(checks) => (self.used.into(), u64::from(checks) + 1),
            Span::Time(time) => {
                let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                (millis(now.saturating_duration_since(self.began)), millis(time).max(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::kind::Family;

    fn words(life: Life, checks: usize) -> Vec<String> {
        let now = Instant::now();
        let mut course = Course::new(life, now);
        (0..checks).map(|_| Family::Teams.word(&course.observe(now).stage)).collect()
    }

    #[test]
    fn a_life_can_be_counted_in_checks() {
        assert_eq!(
            words(Life::checks(1, 2), 5),
            ["notStarted", "inProgress", "inProgress", "succeeded", "succeeded"]
        );
        assert_eq!(words(Life::checks(0, 1).ending(End::Invalid), 2), ["inProgress", "invalid"]);
        assert_eq!(words(Life::new(End::Never), 2), ["inProgress", "inProgress"]);
        let life = "missing=1,empty=1,status:paused=1,failed-null".parse().unwrap();
        assert_eq!(words(life, 4), ["missing", "", "paused", "failed"]);
    }

    #[test]
    fn a_life_can_be_measured_in_time() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut course = Course::new(Life::elapsed(second, second), start);
        assert_eq!(course.observe(start).stage, Stage::Going(Phase::NotStarted));
        assert_eq!(course.observe(start).stage, Stage::Going(Phase::NotStarted));
        assert_eq!(course.observe(start + second).stage, Stage::Going(Phase::InProgress));
        assert_eq!(course.succeeded_at(start + 3 * second), Some(start + 2 * second));
    }

    #[test]
    fn attempts_grow_with_each_retry_and_a_peek_uses_nothing_up() {
        let now = Instant::now();
        let life = Life::new(End::Succeeded)
            .then(Phase::InProgress, Span::Checks(1))
            .then(Phase::Retried, Span::Checks(1))
            .then(Phase::Retried, Span::Checks(1));
        let mut course = Course::new(life, now);
        assert_eq!(course.peek(now), course.peek(now));
        assert_eq!([0; 4].map(|_| course.observe(now).attempts), [1, 2, 3, 3]);
    }

    #[test]
    fn malformed_lives_are_refused() {
        for text in ["", "soon", "in-progress=x", "inprogress=1", "succeeded,in-progress=1"] {
            assert!(text.parse::<Life>().is_err(), "{text}");
        }
    }
}
