//! How a simulator behaves: by default, and for a single team or operation.

use std::collections::HashMap;

use super::{
    fault::RetryAfter,
    life::{Life, Span},
    location::LocationForm,
    monitor::Monitor,
    plan::FaultPlan,
    rate::TEAM_RATE,
    replay::Exchange,
};

/// How operations behave. What is not set is decided by the next more general behaviour.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub(super) life: Option<Life>,
    pub(super) faults: Option<FaultPlan>,
    pub(super) location: Option<LocationForm>,
    pub(super) readable_after: Option<Span>,
    pub(super) monitor: Option<Monitor>,
}

impl Behaviour {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the operation proceeds.
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

    /// How the starting answer names the operation. By default, as the service does: relative with
    /// quoted keys, with slashes for archiving a channel, absolute for a community.
    #[must_use]
    pub fn location(mut self, form: LocationForm) -> Self {
        self.location = Some(form);
        self
    }

    /// How long after the success a created resource still answers 404.
    #[must_use]
    pub fn readable_after(mut self, span: Span) -> Self {
        self.readable_after = Some(span);
        self
    }

    /// How the monitor of a drive item's copy, move or upload answers.
    #[must_use]
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = Some(monitor);
        self
    }

    /// Takes what is not set from `wider`.
    pub(super) fn or(mut self, wider: &Self) -> Self {
        self.life = self.life.or_else(|| wider.life.clone());
        self.faults = self.faults.or_else(|| wider.faults.clone());
        self.location = self.location.or_else(|| wider.location.clone());
        self.readable_after = self.readable_after.or(wider.readable_after);
        self.monitor = self.monitor.or(wider.monitor);
        self
    }
}

/// How a simulator is started.
#[derive(Clone, Debug, Default)]
#[must_use]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each with a method of its own"
)]
pub struct Options {
    pub(super) port: u16,
    pub(super) monitor_port: u16,
    pub(super) tls: bool,
    pub(super) anonymous: bool,
    pub(super) frozen: bool,
    pub(super) public_origin: Option<String>,
    pub(super) public_monitor_origin: Option<String>,
    pub(super) rate: Option<u32>,
    pub(super) team_rate: Option<u32>,
    pub(super) strict: bool,
    pub(super) teams: Vec<String>,
    pub(super) seed: u64,
    pub(super) fail_first: u64,
    pub(super) retry_after: RetryAfter,
    pub(super) clock_ahead: i64,
    pub(super) default: Behaviour,
    pub(super) by_key: HashMap<String, Behaviour>,
    pub(super) replay: Vec<Exchange>,
}

impl Options {
    /// A free port, no faults, and operations that succeed at the third check.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens on this port of 127.0.0.1; 0 picks a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Serves the monitors of drive items on this port; 0 picks a free one.
    pub fn monitor_port(mut self, port: u16) -> Self {
        self.monitor_port = port;
        self
    }

    /// Serves TLS, with a certificate that is created at the start (see
    /// [`Simulator::certificate`](super::Simulator::certificate)).
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Accepts requests without a token, for clients that send none over plain HTTP.
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Stops the service's clock, so that only [`Simulator::skip`](super::Simulator::skip) advances
    /// it: for tests whose clients have a virtual clock too.
    pub fn frozen_clock(mut self, frozen: bool) -> Self {
        self.frozen = frozen;
        self
    }

    /// The origin in absolute addresses instead of the simulator's own, for clients that reach it
    /// through another one: `https://graph.example:8443`.
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_origin = Some(origin.into().trim_end_matches('/').to_owned());
        self
    }

    /// The origin under which clients reach the monitors of drive items.
    pub fn public_monitor_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_monitor_origin = Some(origin.into().trim_end_matches('/').to_owned());
        self
    }

    /// Allows this many requests a second per app and tenant, counting each request of a batch, and
    /// answers the others with 429. The app and tenant are those in the token's claims (`appid` or
    /// `azp`, and `tid`) if the token is a JWT; all other tokens belong to one app. Also limits
    /// each team to four requests a second, unless [`Options::team_rate`] is called afterwards.
    pub fn rate(mut self, rate: u32) -> Self {
        self.rate = Some(rate);
        self.team_rate = self.team_rate.or(Some(TEAM_RATE));
        self
    }

    /// Allows this many requests a second per team; `None` for any number.
    pub fn team_rate(mut self, rate: impl Into<Option<u32>>) -> Self {
        self.team_rate = rate.into();
        self
    }

    /// Answers 404 for teams that were neither created nor named by [`Options::team`], as the service
    /// does. Without it, any id is that of a team.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// A team that exists from the start.
    pub fn team(mut self, id: impl Into<String>) -> Self {
        self.teams.push(id.into());
        self
    }

    /// The seed of identifiers, instants and random faults.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes the first `count` operations fail, whatever their life.
    pub fn fail_first(mut self, count: u64) -> Self {
        self.fail_first = count;
        self
    }

    /// Adds `Retry-After` to the starting answers.
    pub fn retry_after(mut self, form: RetryAfter) -> Self {
        self.retry_after = form;
        self
    }

    /// Sets the service's clock ahead, or with a negative number behind. It affects `Date` and the
    /// dates in `Retry-After`, but not how fast operations proceed.
    pub fn clock_ahead(mut self, seconds: i64) -> Self {
        self.clock_ahead = seconds;
        self
    }

    /// The behaviour of the operations for which no key is set.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.default = behaviour.or(&self.default);
        self
    }

    /// Sets the default [`Behaviour::life`].
    pub fn life(self, life: Life) -> Self {
        self.behaviour(Behaviour::new().life(life))
    }

    /// Sets the default [`Behaviour::faults`].
    pub fn faults(self, faults: FaultPlan) -> Self {
        self.behaviour(Behaviour::new().faults(faults))
    }

    /// Sets the default [`Behaviour::location`].
    pub fn location(self, form: LocationForm) -> Self {
        self.behaviour(Behaviour::new().location(form))
    }

    /// Sets the default [`Behaviour::readable_after`], for what operations create.
    pub fn readable_after(self, span: Span) -> Self {
        self.behaviour(Behaviour::new().readable_after(span))
    }

    /// Sets the default [`Behaviour::monitor`].
    pub fn monitor(self, monitor: Monitor) -> Self {
        self.behaviour(Behaviour::new().monitor(monitor))
    }

    /// The behaviour of the operations that have to do with this key: the id of a team, channel,
    /// chat, community, drive item or operation, or the display name of what is created. Keys are
    /// compared without regard to case.
    pub fn behaviour_of(mut self, key: impl Into<String>, behaviour: Behaviour) -> Self {
        let entry = self.by_key.entry(key.into().to_lowercase()).or_default();
        *entry = behaviour.or(entry);
        self
    }

    /// Answers requests that match a recorded exchange from the recording, before anything else is
    /// considered.
    pub fn replay(mut self, exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        self.replay.extend(exchanges);
        self
    }
}
