//! One operation of a set, stored in as few bytes as possible: texts in one allocation, rare parts
//! behind one pointer, the policy by its number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};

use crate::error::Error;
use crate::model::Reader;
use crate::protocol::accept::Origin;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::machine::Tracker;
use crate::protocol::poller::{Clock, Poller, Subject};
use crate::protocol::polling::Polling;
use crate::protocol::start::Start;

/// One operation, or its start.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) tracker: Tracker,
    /// When the operation was started, by the set's clock.
    pub(super) start: Elapsed,
    /// The address without its origin, then the ids of the starting response.
    text: Box<str>,
    pub(super) rest: Option<Box<Rest>>,
    /// Nanoseconds since the Unix epoch; `u64::MAX` if unknown.
    started_at: u64,
    /// Changes whenever the operation changes its place, so that stale ids are recognized.
    pub(super) stamp: u32,
    pub(super) policy: u32,
    /// The ends of the parts of the text.
    path_end: u16,
    request_id_end: u16,
    client_request_id_end: u16,
    /// The number of its API version.
    pub(super) version: u8,
    pub(super) place: Place,
    pub(super) single: Single,
}

/// The place of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A start that waits for its turn.
    Queued,
    /// A start in flight.
    Starting,
    /// Not due yet.
    Waiting,
    /// Due.
    Ready,
    /// Due for its last check before the deadline.
    Urgent,
    /// Due, but put aside because of its owner's rate.
    Aside,
    /// Being checked.
    InFlight,
    /// Ended, and not reported yet.
    Ended,
}

/// Whether an operation is checked with a separate request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    No,
    /// The next time.
    Once,
    Always,
}

/// The parts that few members have.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The address, unless its authority is written as in the service root.
    pub(super) location: Option<Uri>,
    accepted_body: Box<[u8]>,
    finished: Option<Arc<Response<Bytes>>>,
    /// Why it ended, if the tracker does not know.
    pub(super) outcome: Option<Error>,
    /// What a batch said and a separate request has to confirm.
    pub(super) doubted: Option<StatusCode>,
    pub(super) start: Option<Start>,
}

impl Member {
    /// A start: there is no operation to follow yet.
    pub(super) fn unstarted() -> Self {
        Member {
            tracker: Tracker::new(false, None, Elapsed::ZERO, 0),
            start: Elapsed::ZERO,
            text: Box::default(),
            rest: None,
            started_at: u64::MAX,
            stamp: 0,
            policy: 0,
            path_end: 0,
            request_id_end: 0,
            client_request_id_end: 0,
            version: 0,
            place: Place::Queued,
            single: Single::No,
        }
    }

    /// Takes over the operation of a poller, by a clock that shows `now`.
    pub(super) fn follow(&mut self, poller: Poller, root: &Uri, clock: Clock, now: Elapsed) {
        let Poller { tracker, clock: own, subject, .. } = poller;
        self.tracker = tracker;
        self.start = now.minus(own.elapsed(clock.instant(now)));
        match subject {
            Subject::Operation(origin) => self.locate(&origin, root),
            Subject::Finished(response) => self.rest().finished = Some(response),
        }
    }

    fn locate(&mut self, origin: &Origin, root: &Uri) {
        let path = origin.location.path_and_query().map_or("", |path| path.as_str());
        let ids = [&origin.request_id, &origin.client_request_id, &origin.content_location];
        let mut ids = ids.map(|id| id.as_deref().unwrap_or_default());
        if path.len() + ids.iter().map(|id| id.len()).sum::<usize>() > usize::from(u16::MAX) {
            // No header is this long, but a token can contain anything.
            ids = [""; 3];
        }
        let [request_id, client_request_id, content_location] = ids;
        let text = [path, request_id, client_request_id, content_location].concat();
        let end = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        self.path_end = end(path.len());
        self.request_id_end = end(path.len() + request_id.len());
        self.client_request_id_end = end(path.len() + request_id.len() + client_request_id.len());
        self.text = text.into_boxed_str();
        let nanos =
            |at: SystemTime| u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok();
        self.started_at = origin.started_at.and_then(nanos).unwrap_or(u64::MAX);
        if origin.location.scheme() != root.scheme()
            || origin.location.authority() != root.authority()
        {
            self.rest().location = Some(origin.location.clone());
        }
        if !origin.body.is_empty() {
            self.rest().accepted_body.clone_from(&origin.body);
        }
    }

    pub(super) fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// The address without its origin.
    pub(super) fn path(&self) -> &str {
        self.text.get(..self.path_end.into()).unwrap_or_default()
    }

    /// Whether there is or was an operation.
    pub(super) fn is_started(&self) -> bool {
        self.path_end > 0 || self.rest.as_ref().is_some_and(|rest| rest.finished.is_some())
    }

    pub(super) fn is_finished(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.finished.is_some())
    }

    pub(super) fn outcome(&self) -> Option<&Error> {
        self.rest.as_ref()?.outcome.as_ref()
    }

    pub(super) fn location(&self, root: &Uri) -> Uri {
        if let Some(location) = self.rest.as_ref().and_then(|rest| rest.location.as_ref()) {
            return location.clone();
        }
        with_path(root, self.path())
    }

    pub(super) fn origin(&self, root: &Uri) -> Origin {
        let part = |from: u16, to: usize| {
            let text = self.text.get(from.into()..to).unwrap_or_default();
            (!text.is_empty()).then(|| Box::from(text))
        };
        let known = self.started_at != u64::MAX;
        let body = self.rest.as_ref().map(|rest| rest.accepted_body.clone());
        Origin {
            location: self.location(root),
            request_id: part(self.path_end, self.request_id_end.into()),
            client_request_id: part(self.request_id_end, self.client_request_id_end.into()),
            content_location: part(self.client_request_id_end, self.text.len()),
            started_at: known.then(|| UNIX_EPOCH + Duration::from_nanos(self.started_at)),
            body: body.unwrap_or_default(),
        }
    }

    pub(super) fn subject(&self, root: &Uri) -> Subject {
        match self.rest.as_ref().and_then(|rest| rest.finished.as_ref()) {
            Some(response) => Subject::Finished(Arc::clone(response)),
            None => Subject::Operation(Arc::new(self.origin(root))),
        }
    }

    fn poller(&self, tracker: Tracker, known: &Known<'_>, policy: Polling) -> Poller {
        let Known { root, reader, clock, now } = *known;
        Poller {
            tracker,
            reader,
            policy,
            clock: Clock::new(clock.instant(now), now.minus(self.start)),
            subject: self.subject(root),
        }
    }

    /// The poller of this operation.
    pub(super) fn into_poller(mut self, known: &Known<'_>, policy: Polling) -> Poller {
        let tracker = self.take_tracker();
        self.poller(tracker, known, policy)
    }

    /// Lets a poller make an uncommon decision.
    pub(super) fn with_poller<R>(
        &mut self,
        known: &Known<'_>,
        policy: Polling,
        decide: impl FnOnce(&mut Poller) -> R,
    ) -> R {
        let tracker = self.take_tracker();
        let mut poller = self.poller(tracker, known, policy);
        let decided = decide(&mut poller);
        self.tracker = poller.tracker;
        decided
    }

    fn take_tracker(&mut self) -> Tracker {
        std::mem::replace(&mut self.tracker, Tracker::new(false, None, Elapsed::ZERO, 0))
    }
}

/// What all members of a set have in common.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) root: &'a Uri,
    pub(super) reader: &'static Reader,
    pub(super) clock: Clock,
    pub(super) now: Elapsed,
}

/// The address at `root` with this path.
pub(super) fn with_path(root: &Uri, path: &str) -> Uri {
    let mut parts = root.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    // It was a valid address before.
    Uri::from_parts(parts).unwrap_or_default()
}

/// Policies by number: a set has few.
#[derive(Debug, Default)]
pub(super) struct Policies {
    all: Vec<(Polling, u32)>,
    free: Vec<u32>,
    numbers: HashMap<Polling, u32>,
}

impl Policies {
    pub(super) fn add(&mut self, policy: Polling) -> u32 {
        if let Some(&number) = self.numbers.get(&policy)
            && let Some((_, uses)) = self.all.get_mut(number as usize)
        {
            *uses += 1;
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.all.push((policy, 0));
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.all.get_mut(number as usize) {
            *place = (policy, 1);
        }
        self.numbers.insert(policy, number);
        number
    }

    pub(super) fn get(&self, number: u32) -> Polling {
        self.all.get(number as usize).map(|(policy, _)| *policy).unwrap_or_default()
    }

    pub(super) fn remove(&mut self, number: u32) {
        let Some((policy, uses)) = self.all.get_mut(number as usize) else { return };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.numbers.remove(policy);
            self.free.push(number);
        }
    }
}
