//! A set as plain data: its members in the order of their lines, and what it knows about the
//! service.

mod rate;
mod start;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Uri;
use serde::{Deserialize, Serialize};

use self::rate::{SavedLimit, SavedRecovery, SavedReservation};
use self::start::{SavedStart, SavedTurn};
use super::envelope::{Envelope, SentItem};
use super::member::{Member, Place, Policies, Single};
use super::queue::{Id, Queue};
use super::schedule::lined_up;
use super::step::Received;
use super::{Change, PutOff, Set, current_mut, is_at};
use crate::error::Error;
use crate::model::Model;
use crate::protocol::clock::Clock;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::poller::Poller;
use crate::protocol::polling::Polling;
use crate::protocol::recorded::{Recorded, invalid_data, status_of};
use crate::protocol::saved::{SavedError, SavedSubject, SavedTracker, VERSION, is_default, reader};

/// A [`Set`] as plain data: what [`Set::save`] returns and [`Set::restore`] takes.
///
/// It contains no credential of the client. Times are durations before or after the call of `save`.
///
/// Like the [`ResumeToken`](crate::ResumeToken)s of its operations, it is a secret if one of their
/// addresses is one. The requests and responses in it can be private.
///
/// Serialize it in a self-describing format, such as JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedSet<K> {
    version: u32,
    model: String,
    jitter: u64,
    stamp: u32,
    batch: usize,
    requests_at_once: usize,
    starts_at_once: usize,
    watched: bool,
    succeeded: u64,
    failed: u64,
    limit: SavedLimit,
    #[serde(default, skip_serializing_if = "is_default")]
    reserved: Option<SavedReservation>,
    #[serde(default, skip_serializing_if = "is_default")]
    reserved_for_start: Option<SavedReservation>,
    #[serde(default, skip_serializing_if = "is_default")]
    recovery: Option<SavedRecovery>,
    #[serde(default, skip_serializing_if = "is_default")]
    put_off: Option<SavedPutOff>,
    #[serde(default, skip_serializing_if = "is_default")]
    wake: Option<Elapsed>,
    /// How long ago the driver set the wall-clock time, and that time since the Unix epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    wall_clock: Option<(Elapsed, Duration)>,
    queues: Vec<SavedQueue>,
    #[serde(default, skip_serializing_if = "is_default")]
    owners: Vec<SavedOwner>,
    policies: Vec<Polling>,
    /// In the order of their lines.
    members: Vec<SavedMember<K>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct SavedPutOff {
    left: Elapsed,
    asked: bool,
    refusals: u32,
    reason: Option<SavedError>,
}

/// An API version, and whether it accepts batches.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedQueue {
    base: Box<str>,
    batching: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    send_in: Option<Elapsed>,
    #[serde(default, skip_serializing_if = "is_default")]
    refusals: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    contradictions: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    believed: bool,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct SavedOwner {
    owner: u64,
    left: [Elapsed; 4],
    #[serde(default, skip_serializing_if = "is_default")]
    due: Option<Elapsed>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct SavedMember<K> {
    key: K,
    stamp: u32,
    machine: SavedMachine,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedMachine {
    Operation(Box<SavedOperation>),
    Start(Box<SavedStart>),
    /// A start that has failed, and has not been reported yet.
    NotStarted(SavedError),
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct SavedOperation {
    subject: SavedSubject,
    tracker: SavedTracker,
    policy: u32,
    /// How long ago it was started.
    age: Elapsed,
    #[serde(default, skip_serializing_if = "is_default")]
    place: SavedPlace,
    #[serde(default, skip_serializing_if = "is_default")]
    single: SavedSingle,
    #[serde(default, skip_serializing_if = "is_default")]
    doubted: Option<u16>,
    #[serde(default, skip_serializing_if = "is_default")]
    outcome: Option<SavedError>,
}

/// The place of an operation that has not ended.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedPlace {
    #[default]
    Waiting,
    Due,
    Aside,
    UnderWay,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedSingle {
    #[default]
    No,
    Once,
    Always,
}

impl<K: Clone + Eq + Hash> Set<K> {
    /// The set as plain data, to continue in another process. The best moment is when
    /// [`next`](Self::next) has returned [`Wait`](super::SetStep::Wait) and no request is in
    /// flight; nothing is lost then.
    ///
    /// A request in flight is saved as sent. The restored set treats it as if its
    /// [`Envelope`](super::Envelope) had been dropped: its operations are checked again after their
    /// interval, and its starts may have been carried out. Of the events that `next` has not
    /// reported yet, the restored set reports only ends.
    ///
    /// A start from [`queue`](Self::queue), which the driver makes itself, is not saved. Starts
    /// from [`queue_request`](Self::queue_request) are saved without the headers that contain
    /// credentials. A shared rate is saved as the set's own;
    /// [`set_rate_limit`](Self::set_rate_limit) shares it again.
    pub fn save(&self) -> SavedSet<K> {
        let (now, instant) = (self.now, self.latest());
        let mut policies = Policies::default();
        let waiting: HashSet<Id> = self.starts.iter().copied().chain(self.retries.ids()).collect();
        let members = self.in_order().into_iter().filter_map(|number| {
            let (key, member) = (self.members.key(number)?, self.members.get(number)?);
            let waits = waiting.contains(&Id { member: number, stamp: member.stamp });
            let machine = self.save_machine(member, waits, &mut policies)?;
            Some(SavedMember { key: key.clone(), stamp: member.stamp, machine })
        });
        let members = members.collect();
        let queues = self.queues.iter().map(|queue| SavedQueue {
            base: queue.base.clone(),
            batching: queue.batching,
            send_in: lined_up(queue, &self.members).next().map(|_| queue.send_at.minus(now)),
            refusals: queue.refusals,
            contradictions: queue.contradictions,
            believed: queue.believed,
        });
        let mut owners: Vec<SavedOwner> = self
            .owners
            .iter(now)
            .map(|(owner, _, due, left)| SavedOwner { owner, left, due })
            .collect();
        owners.sort_unstable_by_key(|saved| saved.owner);
        let put_off = &self.put_off;
        SavedSet {
            version: VERSION,
            model: self.reader.model.to_owned(),
            jitter: self.jitter.state(),
            stamp: self.stamp,
            batch: self.batch,
            requests_at_once: self.requests_at_once,
            starts_at_once: self.starts_at_once,
            watched: self.watched,
            succeeded: self.succeeded,
            failed: self.failed,
            limit: SavedLimit::of(&self.limit, instant),
            reserved: SavedReservation::of(self.reserved.as_ref(), instant),
            reserved_for_start: SavedReservation::of(self.reserved_for_start.as_ref(), instant),
            recovery: SavedRecovery::of(&self.recovery, now),
            put_off: (put_off.until > now || put_off.refusals > 0).then(|| SavedPutOff {
                left: put_off.until.minus(now),
                asked: put_off.asked,
                refusals: put_off.refusals,
                reason: put_off.reason.as_ref().map(SavedError::from),
            }),
            wake: self.wake.map(|wake| wake.minus(now)),
            wall_clock: self.wall_clock.and_then(|(at, time)| {
                Some((now.minus(at), time.duration_since(UNIX_EPOCH).ok()?))
            }),
            queues: queues.collect(),
            owners,
            policies: policies.into_all(),
            members,
        }
    }

    /// The members: those in lines in the order of their line, those that have ended in the order
    /// of their ends, and the others by their stamps.
    fn in_order(&self) -> Vec<u32> {
        let mut aside: Vec<_> = self.owners.iter(self.now).collect();
        aside.sort_unstable_by_key(|(owner, ..)| *owner);
        let urgent =
            self.queues.iter().flat_map(|queue| &queue.urgent).map(|id| (*id, Place::Urgent));
        let ready = self.queues.iter().flat_map(|queue| &queue.ready).map(|id| (*id, Place::Ready));
        let aside = aside.iter().flat_map(|(_, aside, ..)| *aside).map(|id| (*id, Place::Aside));
        // Each retry that is due goes before those that were due earlier.
        let retries = self.retries.due(self.now).into_iter().rev();
        let starts = retries
            .chain(self.starts.iter().copied())
            .flat_map(|id| [Place::Queued, Place::Starting].map(|place| (id, place)));
        let lines = urgent.chain(ready).chain(aside).chain(starts);
        let lines = lines.filter(|(id, place)| is_at(&self.members, *id, *place));
        let ended = self.events.iter().filter(|(_, change)| matches!(change, Change::Ended));
        let all = lines.map(|(id, _)| id.member).chain(ended.map(|(number, _)| *number));
        let mut others: Vec<u32> = self.members.ids().collect();
        others.sort_unstable_by_key(|&number| self.members.get(number).map(|member| member.stamp));
        let mut seen = HashSet::new();
        all.chain(others).filter(|number| seen.insert(*number)).collect()
    }

    fn save_machine(
        &self,
        member: &Member,
        waits: bool,
        policies: &mut Policies,
    ) -> Option<SavedMachine> {
        let outcome = member.outcome().map(SavedError::from);
        if let Some(start) = member.own_start() {
            let turn = match member.place {
                Place::Queued => SavedTurn::Queued,
                _ if waits => SavedTurn::Again,
                _ => SavedTurn::UnderWay,
            };
            let policy = policies.add(start.policy);
            let alone = member.version == 0;
            let start = SavedStart::of(start, policy, self.latest(), alone, turn);
            return Some(SavedMachine::Start(Box::new(start)));
        }
        if !member.is_started() {
            return outcome.map(SavedMachine::NotStarted);
        }
        Some(SavedMachine::Operation(Box::new(SavedOperation {
            subject: SavedSubject::of(&member.subject(&self.root)),
            tracker: SavedTracker::of(&member.tracker),
            policy: policies.add(self.policies.get(member.policy)),
            age: member.elapsed(self.now),
            place: match member.place {
                Place::Ready | Place::Urgent => SavedPlace::Due,
                Place::Aside => SavedPlace::Aside,
                Place::InFlight => SavedPlace::UnderWay,
                Place::Waiting | Place::Ended | Place::Queued | Place::Starting => {
                    SavedPlace::Waiting
                }
            },
            single: match member.single {
                Single::No => SavedSingle::No,
                Single::Once => SavedSingle::Once,
                Single::Always => SavedSingle::Always,
            },
            doubted: member.rest.as_ref().and_then(|rest| Some(rest.doubted?.as_u16())),
            outcome,
        })))
    }

    /// Restores a saved set, for a service root. `now` is the instant, by the driver's clock, at
    /// which it was saved. A driver that was down since then passes later instants afterwards, so
    /// that the time counts.
    ///
    /// ```
    /// use std::time::Instant;
    /// use graph_operation::TeamsAsyncOperation;
    /// use graph_operation::protocol::{Poller, SavedSet, Set, SetStep, Started};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let root: http::Uri = "https://graph.microsoft.com/v1.0".parse()?;
    /// let now = Instant::now();
    /// let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, 7);
    /// for team in 0..3 {
    ///     let at = format!("https://graph.microsoft.com/v1.0/teams('{team}')/operations('1')");
    ///     let started = Started::at(at.parse()?);
    ///     let poller = Poller::new::<TeamsAsyncOperation>(started, Default::default(), now, 7);
    ///     set.insert(team, poller, now).unwrap();
    /// }
    /// let SetStep::Wait(pause, _) = set.next(now) else { unreachable!() };
    /// let saved = serde_json::to_string(&set.save())?; // and the wall clock's time
    ///
    /// // In another process, after the pause:
    /// let saved: SavedSet<u32> = serde_json::from_str(&saved)?;
    /// let base = Instant::now();
    /// let mut set = Set::restore::<TeamsAsyncOperation>(saved, root, base)?;
    /// let SetStep::Wait(slack, _) = set.next(base + pause) else { unreachable!() };
    /// let SetStep::Send(dispatch) = set.next(base + pause + slack) else { unreachable!() };
    /// let (request, envelope) = dispatch.request();
    /// assert_eq!((request.uri().path(), envelope.len()), ("/v1.0/$batch", 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) if the set has an unknown
    /// version, another model, or another origin than `root`, or contradicts itself.
    pub fn restore<M: Model>(saved: SavedSet<K>, root: Uri, now: Instant) -> Result<Self, Error> {
        let reader = reader::<M>(saved.version, &saved.model)?;
        let mut set = Self::with_reader(reader, root, now, saved.jitter);
        set.set_batch(saved.batch);
        set.set_requests_at_once(saved.requests_at_once);
        set.set_starts_at_once(saved.starts_at_once);
        set.limit_by(saved.limit.restored(now), false);
        set.reserved = saved.reserved.map(|saved| saved.restored(&set.limit, now));
        set.reserved_for_start =
            saved.reserved_for_start.map(|saved| saved.restored(&set.limit, now));
        if let Some(recovery) = saved.recovery {
            set.recovery = recovery.restored(set.now);
        }
        (set.watched, set.stamp) = (saved.watched, saved.stamp);
        (set.succeeded, set.failed) = (saved.succeeded, saved.failed);
        if let Some(SavedPutOff { left, asked, refusals, reason }) = saved.put_off {
            let until = set.now.plus(left);
            let reason = reason.map(SavedError::restored).transpose()?;
            set.put_off = PutOff { until, asked, refusals, reason };
        }
        set.wake = saved.wake.map(|left| set.now.plus(left));
        set.wall_clock = saved
            .wall_clock
            .and_then(|(age, time)| Some((set.now.minus(age), UNIX_EPOCH.checked_add(time)?)));
        set.restore_queues(&saved.queues)?;
        let mut aside: HashMap<u64, VecDeque<Id>> = HashMap::new();
        for SavedMember { key, stamp, machine } in saved.members {
            if set.contains(&key) {
                return Err(invalid_data("a key is in the saved set twice"));
            }
            set.restore_member(key, stamp, machine, &saved.policies, &mut aside)?;
        }
        for SavedOwner { owner, left, due } in saved.owners {
            let aside = aside.remove(&owner).unwrap_or_default();
            set.owners.resume(owner, aside, due, left, set.now);
        }
        // An operation that nothing holds back is due.
        for id in aside.into_values().flatten() {
            set.make_ready(id, false);
        }
        for (queue, saved) in set.queues.iter_mut().zip(&saved.queues) {
            if let Some(left) = saved.send_in {
                queue.send_at = set.now.plus(left);
            }
        }
        Ok(set)
    }

    fn restore_queues(&mut self, saved: &[SavedQueue]) -> Result<(), Error> {
        for (at, saved) in saved.iter().enumerate() {
            if at > 0 {
                let is_version = self.base_of(&format!("{}/", saved.base)) == Some(&*saved.base);
                if !is_version || at > usize::from(u8::MAX) {
                    return Err(invalid_data(
                        "an API version in the saved set does not belong to this root",
                    ));
                }
                self.queues.push(Queue::new(&saved.base, saved.batching));
            }
            if let Some(queue) = self.queues.get_mut(at) {
                queue.refusals = saved.refusals;
                queue.contradictions = saved.contradictions;
                queue.believed = saved.believed;
            }
        }
        Ok(())
    }

    fn restore_member(
        &mut self,
        key: K,
        stamp: u32,
        machine: SavedMachine,
        policies: &[Polling],
        aside: &mut HashMap<u64, VecDeque<Id>>,
    ) -> Result<(), Error> {
        let mut member = Member::unstarted();
        member.stamp = stamp;
        let number = self.members.insert(key, member);
        let id = Id { member: number, stamp };
        let policy = |policy: u32| {
            let policy = policies.get(usize::try_from(policy).unwrap_or(usize::MAX));
            policy.copied().ok_or_else(|| invalid_data("the saved set lacks a policy"))
        };
        match machine {
            SavedMachine::Operation(saved) => {
                let policy = policy(saved.policy)?;
                self.restore_operation(id, *saved, policy, aside)
            }
            SavedMachine::Start(saved) => {
                let policy = policy(saved.policy)?;
                self.restore_start(id, *saved, policy)
            }
            SavedMachine::NotStarted(error) => {
                if let Some(member) = self.members.get_mut(number) {
                    member.rest().outcome = Some(error.restored()?);
                }
                self.arrange(number);
                Ok(())
            }
        }
    }

    fn restore_operation(
        &mut self,
        id: Id,
        saved: SavedOperation,
        policy: Polling,
        aside: &mut HashMap<u64, VecDeque<Id>>,
    ) -> Result<(), Error> {
        let poller = Poller {
            tracker: saved.tracker.restored()?,
            reader: self.reader,
            policy,
            clock: Clock::new(self.latest(), saved.age),
            subject: saved.subject.restored(self.reader, &self.root)?,
        };
        let ended =
            poller.tracker.is_ended() || poller.finished().is_some() || saved.outcome.is_some();
        let place = if ended { SavedPlace::Waiting } else { saved.place };
        self.attach(id.member, poller);
        let Some(member) = self.members.get_mut(id.member) else { return Ok(()) };
        member.single = match saved.single {
            SavedSingle::No => Single::No,
            SavedSingle::Once => Single::Once,
            SavedSingle::Always => Single::Always,
        };
        if let Some(doubted) = saved.doubted {
            member.rest().doubted = Some(status_of(doubted)?);
        }
        if let Some(outcome) = saved.outcome {
            member.rest().outcome = Some(outcome.restored()?);
        }
        match place {
            SavedPlace::Waiting => self.arrange(id.member),
            SavedPlace::Due => self.make_ready(id, false),
            SavedPlace::Aside => {
                member.place = Place::Aside;
                match self.owner_of(id.member) {
                    Some(owner) => aside.entry(owner).or_default().push_back(id),
                    None => self.make_ready(id, false),
                }
            }
            SavedPlace::UnderWay => {
                member.place = Place::InFlight;
                self.drop_item(id, false);
            }
        }
        Ok(())
    }

    fn restore_start(&mut self, id: Id, saved: SavedStart, policy: Polling) -> Result<(), Error> {
        let (alone, turn, wait) = (saved.alone, saved.turn, saved.due.minus(saved.age));
        let start = saved.restored(self.reader, &self.root, policy, self.latest())?;
        let version = if alone { 0 } else { self.batch_version(&start) };
        let Some(member) = self.members.get_mut(id.member) else { return Ok(()) };
        member.version = version;
        member.rest().own_start = Some(start);
        if turn == SavedTurn::Queued {
            self.queued += 1;
        } else {
            member.place = Place::Starting;
            self.starting += 1;
        }
        match turn {
            SavedTurn::UnderWay => self.drop_item(id, true),
            SavedTurn::Again if !wait.is_zero() => {
                let (at, members) = (self.now.plus(wait), &self.members);
                self.retries.push(at, id, |id| is_at(members, id, Place::Starting));
            }
            SavedTurn::Queued | SavedTurn::Again => self.starts.push_back(id),
        }
        Ok(())
    }

    /// Takes the journaled result of a request, as
    /// [`Machine::replay`](crate::protocol::Machine::replay) does for one operation. `instant`
    /// converts wall-clock times to the driver's instants.
    ///
    /// Intervals count from the journaled time at which the request was sent.
    pub fn replay(
        &mut self,
        envelope: Envelope,
        recorded: Recorded,
        instant: impl Fn(SystemTime) -> Instant,
    ) -> Received {
        let sent = instant(recorded.sent());
        let elapsed = self.advance(sent);
        for &SentItem { id, .. } in &envelope.items {
            let Some(member) = current_mut(&mut self.members, id) else { continue };
            match member.place {
                Place::InFlight => member.tracker.sent_at(member.elapsed(elapsed)),
                Place::Starting => {
                    if let Some(start) = &mut member.rest().own_start {
                        start.sent_at(sent);
                    }
                }
                _ => {}
            }
        }
        let received = instant(recorded.received());
        match recorded.into_outcome() {
            Ok(response) => self.received(envelope, response, received),
            Err(error) => {
                self.failed(envelope, &error, received);
                Received::Done
            }
        }
    }

    /// Treats a request as dropped.
    fn drop_item(&mut self, id: Id, starts: bool) {
        self.dropped.add(vec![SentItem { id, before: None }], starts);
    }
}

impl<K> SavedSet<K> {
    /// The number of operations and starts.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// Without the keys, the addresses and the responses.
impl<K> fmt::Debug for SavedSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedSet")
            .field("model", &self.model)
            .field("members", &self.members.len())
            .field("rate", &self.limit.rate)
            .field("succeeded", &self.succeeded)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
