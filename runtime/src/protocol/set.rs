//! The machine that follows many operations, and checks up to twenty of them in one request.

mod answers;
mod dispatch;
mod envelope;
mod member;
mod owners;
mod queue;
mod saved;
mod schedule;
mod slab;
mod step;

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant, SystemTime};

use http::Uri;

pub use self::dispatch::Dispatch;
use self::envelope::DroppedRequests;
pub use self::envelope::Envelope;
use self::member::{Known, Member, Place, Policies};
use self::owners::Owners;
use self::queue::{Id, Queue, Timed};
pub use self::saved::SavedSet;
use self::slab::Slab;
pub use self::step::{Received, Report, SetStep, Ticket};
use super::backoff::Jitter;
use super::batch;
use super::clock::Clock;
use super::elapsed::Elapsed;
use super::location;
use super::poller::Poller;
use super::rate::{RateLimit, Reservation};
use super::recovery::Recovery;
use super::start::Start;
use super::step::{Reason, Step};
use crate::error::Error;
use crate::model::{Model, Monitor, Reader};
use crate::resume_token::ResumeToken;

/// The default limit on checks and starts per second.
const RATE: u32 = 20;

/// The default maximum number of requests, and of starts, in flight.
const AT_ONCE: usize = 4;

/// Follows many operations, each with a key.
///
/// It decides which operations are checked when, and in which requests: up to 20 operations of one
/// API version in one JSON batch, at a limited rate, the longest due first. The decisions about one
/// operation are those of a [`Poller`].
///
/// ```text
///      ┌─────────────────────────────── next(now) ◄─────────────────────────────────┐
///      │            │           │          │                  │                     │
///  Wait(t, why)  Pending     Done     Start(ticket)    Send(dispatch)        Event(report)
///      │            │                      │                  │ dispatch.request()
///    sleep,   until a request         … start it …       … send it …
///   or until    or a start                 │                  ├─ received(envelope, response, now)
///  a response  has ended             started(ticket, …)       ├─ failed(envelope, error, now)
///      │                                                      └─ unsent(envelope, now)
///   waited()
/// ```
///
/// Several requests and starts may be in flight at the same time. If an [`Envelope`] is dropped,
/// its operations lose this check and nothing else.
///
/// ```
/// use std::time::Instant;
/// use graph_operation::TeamsAsyncOperation;
/// use graph_operation::protocol::{Poller, Received, Report, Set, SetStep, Started};
///
/// let root: http::Uri = "https://graph.microsoft.com/v1.0".parse()?;
/// let mut now = Instant::now();
/// let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, 7);
/// for team in ["1", "2"] {
///     let at = format!("https://graph.microsoft.com/v1.0/teams('{team}')/operations('3')");
///     let started = Started::at(at.parse()?);
///     let poller = Poller::new::<TeamsAsyncOperation>(started, Default::default(), now, 7);
///     set.insert(team, poller, now).unwrap();
/// }
///
/// let envelope = loop {
///     match set.next(now) {
///         SetStep::Wait(pause, _) => now += pause,
///         SetStep::Send(dispatch) => {
///             let (request, envelope) = dispatch.request(); // counts as sent
///             assert_eq!(request.uri(), "https://graph.microsoft.com/v1.0/$batch");
///             break envelope;
///         }
///         _ => unreachable!(),
///     }
/// };
/// let response = http::Response::new(bytes::Bytes::from(
///     r#"{"responses":[
///         {"id":"2","status":200,"body":{"id":"3","status":"succeeded"}},
///         {"id":"1","status":200,"body":{"id":"3","status":"inProgress"}}]}"#,
/// ));
/// assert!(matches!(set.received(envelope, response, now), Received::Done));
/// set.watch(false);
/// assert!(matches!(set.next(now), SetStep::Event(Report::Ended("2", Ok(_)))));
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
pub struct Set<K> {
    root: Uri,
    /// The path of the service root before the API version, if the root has a version.
    prefix: Option<Box<str>>,
    reader: &'static Reader,
    clock: Clock,
    now: Elapsed,
    /// The wall-clock time at an instant, if the driver has set it.
    wall_clock: Option<(Elapsed, SystemTime)>,
    /// The end of the wait that `next` returned.
    wake: Option<Elapsed>,
    members: Slab<K, Member>,
    policies: Policies,
    /// One for each API version; the first is for operations that are checked with separate
    /// requests.
    queues: Vec<Queue>,
    deadlines: Timed,
    owners: Owners<Id>,
    limit: RateLimit,
    /// Whether other sets or clients share the limit.
    shares_limit: bool,
    /// For the next request that checks operations.
    reserved: Option<Reservation>,
    batch: usize,
    recovery: Recovery,
    put_off: PutOff,
    requests_at_once: usize,
    /// Requests that check operations.
    requests_in_flight: usize,
    starts_at_once: usize,
    /// Requests that start operations, and starts that the driver makes.
    starts_in_flight: usize,
    /// Starts that wait for their turn, after those that are due for a retry.
    starts: VecDeque<Id>,
    /// Starts that wait for a retry.
    retries: Timed,
    reserved_for_start: Option<Reservation>,
    /// Changes that have not been reported yet, with the numbers of their members.
    events: VecDeque<(u32, Change)>,
    watched: bool,
    jitter: Jitter,
    /// The last stamp that a member was given.
    stamp: u32,
    dropped: DroppedRequests,
    queued: usize,
    starting: usize,
    succeeded: u64,
    failed: u64,
}

/// A pause that applies to the whole set.
#[derive(Debug, Default)]
struct PutOff {
    until: Elapsed,
    /// Whether it came from a `Retry-After`.
    asked: bool,
    refusals: u32,
    reason: Option<Error>,
}

impl PutOff {
    /// When the pause ends, and its reason; `None` if there is none at `now`.
    fn pause(&self, now: Elapsed) -> Option<(Elapsed, Reason)> {
        let why = if self.asked { Reason::RetryAfter } else { Reason::Backoff };
        (self.until > now).then_some((self.until, why))
    }
}

/// A [`Report`] before it is made.
#[derive(Debug)]
enum Change {
    RetryingStart(Error),
    Started,
    Checked(Option<Error>),
    Ended,
}

/// How many operations a set has, and how many have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Starts that wait for their turn.
    pub queued: usize,
    /// Starts in flight, and those that wait for a retry.
    pub starting: usize,
    /// Operations that are followed, and those whose result has not been returned yet.
    pub running: usize,
    /// All operations that succeeded and whose result was returned.
    pub succeeded: u64,
    /// All operations that failed, timed out, could not be followed or were not started, and whose
    /// result was returned.
    pub failed: u64,
}

impl<K: Clone + Eq + Hash> Set<K> {
    /// An empty set for operations of a model `M` at a service root. The seed determines the
    /// jitter.
    pub fn new<M: Model>(root: Uri, now: Instant, seed: u64) -> Self {
        Self::with_reader(Reader::of::<M>(), root, now, seed)
    }

    pub(crate) fn with_reader(reader: &'static Reader, root: Uri, now: Instant, seed: u64) -> Self {
        let (prefix, version) = location::split_version(root.path());
        let prefix = location::is_version(version).then(|| Box::from(prefix));
        let clock = Clock::amid(now);
        Set {
            root,
            prefix,
            reader,
            clock,
            now: clock.elapsed(now),
            wall_clock: None,
            wake: None,
            members: Slab::new(),
            policies: Policies::default(),
            queues: vec![Queue::new("", false)],
            deadlines: Timed::default(),
            owners: Owners::new(),
            limit: RateLimit::new(RATE),
            shares_limit: false,
            reserved: None,
            batch: batch::LARGEST,
            recovery: Recovery::new(),
            put_off: PutOff::default(),
            requests_at_once: AT_ONCE,
            requests_in_flight: 0,
            starts_at_once: AT_ONCE,
            starts_in_flight: 0,
            starts: VecDeque::new(),
            retries: Timed::default(),
            reserved_for_start: None,
            events: VecDeque::new(),
            watched: true,
            jitter: Jitter::new(seed),
            stamp: 0,
            dropped: DroppedRequests::default(),
            queued: 0,
            starting: 0,
            succeeded: 0,
            failed: 0,
        }
    }

    /// Sets the maximum number of operations that one request checks: 1 to 20, by default 20. With
    /// 1, each operation is checked with a separate GET.
    pub fn set_batch(&mut self, operations: usize) {
        self.batch = operations.clamp(1, batch::LARGEST);
    }

    /// Sets the limit on checks and starts per second: at least 1, by default 20.
    pub fn set_rate(&mut self, rate: u32) {
        self.limit_by(RateLimit::new(rate), false);
    }

    /// Shares a rate with other sets and clients.
    pub fn set_rate_limit(&mut self, limit: RateLimit) {
        self.limit_by(limit, true);
    }

    fn limit_by(&mut self, limit: RateLimit, shared: bool) {
        self.reserved = None;
        self.reserved_for_start = None;
        self.limit = limit;
        self.shares_limit = shared;
    }

    /// Sets the maximum number of requests in flight: at least 1, by default 4.
    pub fn set_requests_at_once(&mut self, requests: usize) {
        self.requests_at_once = requests.max(1);
    }

    /// Sets the maximum number of starts in flight: at least 1, by default 4. A batch of starts
    /// counts as one.
    pub fn set_starts_at_once(&mut self, starts: usize) {
        self.starts_at_once = starts.max(1);
    }

    /// Sets whether [`next`](Self::next) reports everything, as it does by default, or only ends.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Sets the wall-clock time at `now`, which the resume tokens of operations that the set starts
    /// contain.
    pub fn set_wall_clock(&mut self, time: SystemTime, now: Instant) {
        self.wall_clock = Some((self.clock.elapsed(now), time));
    }

    /// Adds an operation.
    ///
    /// # Errors
    ///
    /// Returns the operation if the key is in the set, or if its address has another origin than
    /// the service root, unless it is read without a credential.
    pub fn insert(&mut self, key: K, poller: Poller, now: Instant) -> Result<(), Box<Poller>> {
        if self.contains(&key) || self.is_foreign(&poller) {
            return Err(Box::new(poller));
        }
        self.advance(now);
        let number = self.members.insert(key, Member::unstarted());
        self.follow(number, poller);
        Ok(())
    }

    pub(crate) fn is_foreign(&self, poller: &Poller) -> bool {
        self.reader.monitor != Monitor::Anonymous
            && poller.location().is_some_and(|at| !location::same_origin(&self.root, at))
    }

    /// Adds a start; [`next`](Self::next) returns its ticket when it may begin. `None` if the key
    /// is in the set.
    pub fn queue(&mut self, key: K) -> Option<Ticket> {
        if self.contains(&key) {
            return None;
        }
        Some(Ticket(self.add_start(key, Member::unstarted())))
    }

    /// Adds a start that the set sends itself, in a batch with others if possible.
    ///
    /// # Errors
    ///
    /// Returns the start if the key is in the set.
    pub fn queue_request(&mut self, key: K, start: Start) -> Result<(), Box<Start>> {
        if self.contains(&key) {
            return Err(Box::new(start));
        }
        let mut member = Member::unstarted();
        member.version = self.batch_version(&start);
        member.rest().own_start = Some(start);
        self.add_start(key, member);
        Ok(())
    }

    /// The version whose batches can carry this start, or none.
    fn batch_version(&mut self, start: &Start) -> u8 {
        if batch::can_carry(&start.request) { self.version_of(start.path()) } else { 0 }
    }

    fn add_start(&mut self, key: K, mut member: Member) -> Id {
        member.stamp = self.new_stamp();
        let stamp = member.stamp;
        let id = Id { member: self.members.insert(key, member), stamp };
        self.queued += 1;
        self.starts.push_back(id);
        id
    }

    /// Takes the result of a start.
    pub fn started(&mut self, ticket: Ticket, result: Result<Poller, Error>, now: Instant) {
        self.advance(now);
        if is_at(&self.members, ticket.0, Place::Starting) {
            self.starts_in_flight = self.starts_in_flight.saturating_sub(1);
            self.settle_start(ticket.0.member, result);
        }
    }

    /// Ends a start with its result, and follows the operation.
    fn settle_start(&mut self, number: u32, result: Result<Poller, Error>) {
        self.starting = self.starting.saturating_sub(1);
        if let Some(rest) = self.members.get_mut(number).and_then(|member| member.rest.as_mut()) {
            rest.own_start = None;
        }
        match result {
            Ok(poller) => {
                self.events.push_back((number, Change::Started));
                self.follow(number, poller);
            }
            Err(error) => self.end(number, error),
        }
    }

    /// The number of the API version of `path`, which gets a queue if it is new; 0 if no batch can
    /// be sent there.
    fn version_of(&mut self, path: &str) -> u8 {
        let Some(base) = self.base_of(path) else { return 0 };
        let known = self.queues.iter().skip(1).position(|queue| &*queue.base == base);
        let number = known.map_or(self.queues.len(), |position| position + 1);
        let Ok(number) = u8::try_from(number) else { return 0 };
        if known.is_none() {
            self.queues.push(Queue::new(base, true));
        }
        number
    }

    /// The part of `path` with the API version; `None` if no batch can be sent there.
    fn base_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        let prefix = self.prefix.as_deref()?;
        let (version, _) = path.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
        if !location::is_version(version) {
            return None;
        }
        path.get(..prefix.len() + 1 + version.len())
    }

    /// Takes over an operation, and schedules its next check.
    fn follow(&mut self, number: u32, poller: Poller) {
        self.attach(number, poller);
        self.schedule(number);
    }

    /// Takes over an operation.
    fn attach(&mut self, number: u32, poller: Poller) {
        let policy = self.policies.add(*poller.polling());
        // A monitor that is read without a credential belongs to another service.
        let is_here = self.reader.monitor != Monitor::Anonymous;
        let path = poller.location().filter(|_| is_here).and_then(Uri::path_and_query);
        let version = path.map_or(0, |path| self.version_of(path.as_str()));
        let (clock, now) = (self.clock, self.now);
        if let Some(member) = self.members.get_mut(number) {
            member.policy = policy;
            member.version = version;
            member.follow(poller, &self.root, clock, now);
        }
    }

    /// Ends an operation or a start by this error.
    fn end(&mut self, number: u32, error: Error) {
        if let Some(member) = self.members.get_mut(number) {
            member.rest().outcome = Some(error);
        }
        self.schedule(number);
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Instant) -> SetStep<'_, K> {
        self.advance(now);
        self.wake = None;
        self.take_dropped();
        self.expire();
        self.collect();
        if let Some(report) = self.report() {
            return SetStep::Event(report);
        }
        self.next_step()
    }

    /// Ends the wait that [`next`](Self::next) returned, even if the clock has not advanced.
    pub fn waited(&mut self) {
        if let Some(wake) = self.wake.take() {
            self.now = self.now.max(wake);
        }
    }

    /// Ends that wait early, at `until`.
    pub(crate) fn waited_until(&mut self, until: Instant) {
        self.advance(until);
    }

    /// The latest instant seen; [`waited`](Self::waited) advances it too.
    pub fn latest(&self) -> Instant {
        self.clock.instant(self.now)
    }

    fn advance(&mut self, now: Instant) -> Elapsed {
        self.now = self.now.max(self.clock.elapsed(now));
        self.now
    }

    /// The next event to report.
    fn report(&mut self) -> Option<Report<K>> {
        while let Some((number, change)) = self.events.pop_front() {
            let Some(key) = self.members.key(number) else { continue };
            match change {
                Change::Ended => return self.deliver(number),
                _ if !self.watched => {}
                Change::RetryingStart(error) => {
                    return Some(Report::RetryingStart(key.clone(), error));
                }
                Change::Started => return Some(Report::Started(key.clone())),
                Change::Checked(fault) => return Some(Report::Checked(key.clone(), fault)),
            }
        }
        None
    }

    /// Removes an operation that has ended, and reports its end.
    fn deliver(&mut self, number: u32) -> Option<Report<K>> {
        let (key, member) = self.members.remove(number)?;
        let outcome = member.outcome().cloned();
        let mut poller = self.poller(member);
        let result = match outcome {
            Some(error) => Err(error),
            None => match poller.next(self.latest()) {
                Step::Done(Err(error)) => Err(error),
                _ => Ok(Box::new(poller)),
            },
        };
        match &result {
            Ok(_) => self.succeeded = self.succeeded.saturating_add(1),
            Err(_) => self.failed = self.failed.saturating_add(1),
        }
        Some(Report::Ended(key, result))
    }

    /// The poller of a removed member.
    fn poller(&mut self, member: Member) -> Poller {
        let policy = self.policies.get(member.policy);
        if member.is_started() {
            self.policies.remove(member.policy);
        }
        let known =
            Known { root: &self.root, reader: self.reader, clock: self.clock, now: self.now };
        member.into_poller(&known, policy)
    }

    /// Removes an operation. For a start, returns `None`: one that waits for its turn is removed, and
    /// one that has begun stays in the set.
    pub fn remove(&mut self, key: &K, now: Instant) -> Option<Poller> {
        self.advance(now);
        let number = self.members.find(key)?;
        let member = self.members.get(number)?;
        let queued = member.place == Place::Queued;
        if !queued && !member.is_started() {
            return None;
        }
        let (_, member) = self.members.remove(number)?;
        if queued {
            self.queued -= 1;
            return None;
        }
        self.events.retain(|(other, _)| *other != number);
        Some(self.poller(member))
    }

    /// The ticket of a start that waits for its turn.
    pub(crate) fn ticket(&self, key: &K) -> Option<Ticket> {
        let number = self.members.find(key)?;
        let member = self.members.get(number)?;
        let queued = member.place == Place::Queued;
        queued.then_some(Ticket(Id { member: number, stamp: member.stamp }))
    }

    /// The key of a start that is in flight.
    pub(crate) fn key_of(&self, ticket: Ticket) -> Option<&K> {
        self.members.key(ticket.0.member)
    }

    /// Whether the key is in the set.
    pub fn contains(&self, key: &K) -> bool {
        self.members.find(key).is_some()
    }

    /// Shows one operation as a poller, and returns what `show` returns; `None` if no operation has
    /// this key, or if it has not been started.
    pub fn inspect<R>(&mut self, key: &K, show: impl FnOnce(&Poller) -> R) -> Option<R> {
        let number = self.members.find(key)?;
        if !self.members.get(number)?.is_started() {
            return None;
        }
        self.decide(number, |poller, _| show(poller))
    }

    /// The number of operations and starts whose result has not been returned yet.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether every result has been returned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of operations in each state.
    pub fn counts(&self) -> Counts {
        Counts {
            queued: self.queued,
            starting: self.starting,
            running: self.len().saturating_sub(self.queued + self.starting),
            succeeded: self.succeeded,
            failed: self.failed,
        }
    }

    /// The keys whose result has not been returned yet.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.members.iter().map(|(key, _)| key)
    }

    /// The resume token of one operation; `None` if no operation has this key, if it is not
    /// started, or if the service finished it at once.
    pub fn token(&self, key: &K) -> Option<ResumeToken> {
        let member = self.members.get(self.members.find(key)?)?;
        self.token_of(member)
    }

    fn token_of(&self, member: &Member) -> Option<ResumeToken> {
        let runs = member.is_started() && !member.is_finished();
        runs.then(|| member.origin(&self.root).resume_token(self.reader.model))
    }

    /// The resume tokens of the operations whose result has not been returned yet.
    pub fn tokens(&self) -> impl Iterator<Item = (&K, ResumeToken)> {
        self.members.iter().filter_map(|(key, member)| Some((key, self.token_of(member)?)))
    }

    /// The interval between two checks of an operation that the rate currently allows, whatever the
    /// policy says: 500 seconds with 10,000 operations at 20 checks per second.
    pub fn pace(&self, now: Instant) -> Duration {
        self.limit.interval(self.counts().running as u64, now)
    }

    /// Lets the poller of one operation make a decision now.
    fn decide<R>(
        &mut self,
        number: u32,
        decide: impl FnOnce(&mut Poller, Instant) -> R,
    ) -> Option<R> {
        let now = self.latest();
        let member = self.members.get_mut(number)?;
        let policy = self.policies.get(member.policy);
        let known =
            Known { root: &self.root, reader: self.reader, clock: self.clock, now: self.now };
        Some(member.with_poller(&known, policy, |poller| decide(poller, now)))
    }

    /// The id of a member that changes its place.
    fn restamp(&mut self, number: u32) -> Option<Id> {
        let stamp = self.new_stamp();
        self.members.get_mut(number)?.stamp = stamp;
        Some(Id { stamp, member: number })
    }

    /// A new stamp for a member that changes its place.
    fn new_stamp(&mut self) -> u32 {
        self.stamp = self.stamp.wrapping_add(1);
        self.stamp
    }
}

/// The member, if it has not moved since it had this id.
fn current<K: Eq + Hash>(members: &Slab<K, Member>, id: Id) -> Option<&Member> {
    members.get(id.member).filter(|member| member.stamp == id.stamp)
}

/// The same, to change it.
fn current_mut<K: Eq + Hash>(members: &mut Slab<K, Member>, id: Id) -> Option<&mut Member> {
    members.get_mut(id.member).filter(|member| member.stamp == id.stamp)
}

/// Whether the member has not moved since it had this id, and is in this place.
fn is_at<K: Eq + Hash>(members: &Slab<K, Member>, id: Id, place: Place) -> bool {
    current(members, id).is_some_and(|member| member.place == place)
}

impl<K> fmt::Debug for Set<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("queued", &self.queued)
            .field("starting", &self.starting)
            .field("requests", &self.requests_in_flight)
            .field("succeeded", &self.succeeded)
            .field("failed", &self.failed)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
