//! How a simulator behaves: by default, and towards a single team or operation.

use std::collections::HashMap;

use super::{
    fault::RetryAfter,
    life::{Life, Span},
    location::LocationForm,
    plan::FaultPlan,
    replay::Exchange,
};

/// How operations are treated; what is left open is decided by the next wider rule.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub(super) life: Option<Life>,
    pub(super) faults: Option<FaultPlan>,
    pub(super) location: Option<LocationForm>,
    pub(super) readable_after: Option<Span>,
}

impl Behaviour {
    /// Leaves everything open.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of the operation.
    #[must_use]
    pub fn life(mut self, life: Life) -> Self {
        self.life = Some(life);
        self
    }

    /// Which answers are faulty.
    #[must_use]
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = Some(faults);
        self
    }

    /// How the starting answer tells where the operation is. Left open, it is as the service does:
    /// relative with quoted keys, for a channel's archive with slashes, for a community absolute.
    #[must_use]
    pub fn location(mut self, form: LocationForm) -> Self {
        self.location = Some(form);
        self
    }

    /// How long after the success what was created answers 404.
    #[must_use]
    pub fn readable_after(mut self, span: Span) -> Self {
        self.readable_after = Some(span);
        self
    }

    /// Takes over what `wider` decides and this leaves open.
    pub(super) fn or(mut self, wider: &Self) -> Self {
        self.life = self.life.or_else(|| wider.life.clone());
        self.faults = self.faults.or_else(|| wider.faults.clone());
        self.location = self.location.or_else(|| wider.location.clone());
        self.readable_after = self.readable_after.or(wider.readable_after);
        self
    }
}

/// How a simulator is started.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(super) port: u16,
    pub(super) seed: u64,
    pub(super) fail_first: u64,
    pub(super) retry_after: RetryAfter,
    pub(super) clock_ahead: i64,
    pub(super) default: Behaviour,
    pub(super) by_key: HashMap<String, Behaviour>,
    pub(super) replay: Vec<Exchange>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 0,
            fail_first: 0,
            retry_after: RetryAfter::Absent,
            clock_ahead: 0,
            default: Behaviour::default(),
            by_key: HashMap::new(),
            replay: Vec::new(),
        }
    }
}

impl Options {
    /// A free port, no faults, and operations that succeed at the third check.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens on this port of 127.0.0.1; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The seed of identifiers, instants and random faults.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Lets the first `count` operations that are started fail, whatever life they were given.
    pub fn fail_first(mut self, count: u64) -> Self {
        self.fail_first = count;
        self
    }

    /// Puts `Retry-After` on the starting answers.
    pub fn retry_after(mut self, form: RetryAfter) -> Self {
        self.retry_after = form;
        self
    }

    /// Sets the service's clock ahead, or with a negative number behind: it shows in `Date` and in
    /// dates that `Retry-After` gives, not in the pace of anything.
    pub fn clock_ahead(mut self, seconds: i64) -> Self {
        self.clock_ahead = seconds;
        self
    }

    /// How operations are treated that no key says more about.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.default = behaviour.or(&self.default);
        self
    }

    /// [`Behaviour::life`] by default.
    pub fn life(self, life: Life) -> Self {
        self.behaviour(Behaviour::new().life(life))
    }

    /// [`Behaviour::faults`] by default.
    pub fn faults(self, faults: FaultPlan) -> Self {
        self.behaviour(Behaviour::new().faults(faults))
    }

    /// [`Behaviour::location`] by default.
    pub fn location(self, form: LocationForm) -> Self {
        self.behaviour(Behaviour::new().location(form))
    }

    /// [`Behaviour::readable_after`] by default, for what operations create.
    pub fn readable_after(self, span: Span) -> Self {
        self.behaviour(Behaviour::new().readable_after(span))
    }

    /// How operations are treated that have to do with this key: the id of a team, channel, chat,
    /// community or operation, or the display name of what is created.
    pub fn behaviour_of(mut self, key: impl Into<String>, behaviour: Behaviour) -> Self {
        let entry = self.by_key.entry(key.into()).or_default();
        *entry = behaviour.or(entry);
        self
    }

    /// Answers requests that match a recorded exchange by the recording, before anything else is
    /// looked at.
    pub fn replay(mut self, exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        self.replay.extend(exchanges);
        self
    }
}
