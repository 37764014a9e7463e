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
use crate::protocol::clock::Clock;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::machine::Tracker;
use crate::protocol::poller::{Poller, Subject};
use crate::protocol::polling::Polling;
use crate::protocol::start::Start;

/// One operation, or its start.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) tracker: Tracker,
    /// When the operation was started, by the set's clock.
    pub(super) start: Elapsed,
    /// The path and query of the address, then the ids of the starting response.
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
    /// A start that has begun: it is in flight, or waits for a retry.
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

/// State that few members have.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The address, unless its authority is written as in the service root.
    pub(super) location: Option<Uri>,
    accepted_body: Box<[u8]>,
    finished: Option<Arc<Response<Bytes>>>,
    /// Why it ended, if the tracker does not know.
    pub(super) outcome: Option<Error>,
    /// The status that a batch gave and a separate request has to confirm.
    pub(super) doubted: Option<StatusCode>,
    /// A start that the set sends itself.
    pub(super) own_start: Option<Start>,
}

impl Member {
    /// A start: there is no operation to follow yet.
    pub(super) fn unstarted() -> Self {
        Member {
            tracker: blank(),
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

    /// Takes over the operation of a poller. The set's `clock` shows `now`.
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

    /// How long ago the operation was started.
    pub(super) fn elapsed(&self, now: Elapsed) -> Elapsed {
        now.minus(self.start)
    }

    /// The start, if the set sends it itself.
    pub(super) fn own_start(&self) -> Option<&Start> {
        self.rest.as_ref()?.own_start.as_ref()
    }

    /// The path and query of the address.
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
            clock: Clock::new(clock.instant(now), self.elapsed(now)),
            subject: self.subject(root),
        }
    }

    /// The poller of this operation.
    pub(super) fn into_poller(mut self, known: &Known<'_>, policy: Polling) -> Poller {
        let tracker = self.take_tracker();
        self.poller(tracker, known, policy)
    }

    /// Makes an uncommon decision, for which it turns into a poller for a moment.
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
        std::mem::replace(&mut self.tracker, blank())
    }
}

/// The tracker of a member that has no operation.
fn blank() -> Tracker {
    Tracker::new(false, None, Elapsed::ZERO, 0)
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

/// The policies of the members, by number. Many members share one.
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

    /// The policies by their numbers.
    pub(super) fn into_all(self) -> Vec<Polling> {
        self.all.into_iter().map(|(policy, _)| policy).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::accept::Started;

    fn origin(location: &'static str, request_id: &str) -> Origin {
        Origin {
            request_id: Some(request_id.into()),
            client_request_id: Some("client".into()),
            content_location: Some("/teams('1')".into()),
            started_at: Some(UNIX_EPOCH + Duration::from_secs(1_767_225_600)),
            body: b"accepted"[..].into(),
            ..Origin::at(Uri::from_static(location))
        }
    }

    #[test]
    fn a_stored_operation_is_read_back_unchanged() {
        let root = Uri::from_static("https://graph.microsoft.com/v1.0");
        for (location, is_own) in [
            ("https://graph.microsoft.com/v1.0/teams('1')/operations('2')?a=b", true),
            ("https://graph.microsoft.com/x", true),
            ("https://GRAPH.microsoft.com:443/beta/teams('1')", false),
            ("http://graph.microsoft.com/v1.0/x", false),
            ("https://contoso.sharepoint.com/monitor/1", false),
        ] {
            let stored = origin(location, "request");
            let mut member = Member::unstarted();
            assert!(!member.is_started());
            member.locate(&stored, &root);
            assert!(member.is_started() && !member.is_finished());
            let read = member.origin(&root);
            assert_eq!((read.location, read.request_id), (stored.location, stored.request_id));
            assert_eq!(read.client_request_id, stored.client_request_id);
            assert_eq!(read.content_location, stored.content_location);
            assert_eq!((read.started_at, read.body), (stored.started_at, stored.body));
            let location = member.rest.and_then(|rest| rest.location);
            assert_eq!(location.is_none(), is_own, "{location:?}");
        }
    }

    #[test]
    fn state_that_few_members_have_takes_no_space_in_the_others() {
        let root = Uri::from_static("https://graph.microsoft.com/v1.0");
        let started = Started::at(Uri::from_static("https://graph.microsoft.com/v1.0/x"));
        let mut member = Member::unstarted();
        member.locate(&started.origin, &root);
        assert!(member.rest.is_none());
        let read = member.origin(&root);
        assert_eq!((read.request_id, read.content_location, read.started_at), (None, None, None));
    }

    #[test]
    fn ids_that_are_too_long_are_left_out_and_the_address_is_not() {
        let root = Uri::from_static("https://graph.microsoft.com/v1.0");
        let address = "https://graph.microsoft.com/v1.0/teams('1')/operations('2')";
        let others = "/v1.0/teams('1')/operations('2')client/teams('1')".len();
        for (length, is_kept) in [(65_535 - others, true), (65_536 - others, false)] {
            let mut member = Member::unstarted();
            member.locate(&origin(address, &"x".repeat(length)), &root);
            let read = member.origin(&root);
            assert_eq!(read.location, address);
            assert_eq!(read.request_id.is_some(), is_kept, "{length}");
            assert_eq!(read.content_location.is_some(), is_kept);
        }
    }

    #[test]
    fn a_policy_is_stored_once_and_its_number_is_reused() {
        let mut policies = Policies::default();
        let policy = |retries| Polling::default().retries(retries);
        let first = policies.add(policy(1));
        assert_eq!(policies.add(policy(1)), first);
        let second = policies.add(policy(2));
        assert!(second != first && policies.all.len() == 2);
        policies.remove(first);
        assert_eq!(policies.get(first), policy(1));
        // Another member has it.
        assert_ne!(policies.add(policy(3)), first);
        policies.remove(first);
        assert_eq!(policies.add(policy(4)), first);
        assert_eq!((policies.get(first), policies.get(second)), (policy(4), policy(2)));
        assert_ne!(policies.add(policy(1)), first);
        assert_eq!((policies.all.len(), policies.numbers.len()), (4, 4));
        policies.remove(first);
        assert_eq!(policies.numbers.len(), 3);
    }
}
