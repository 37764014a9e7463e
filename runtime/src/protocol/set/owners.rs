//! The rate limit per owner of operations, such as a team.
//!
//! Graph allows an app four requests per second for one team, which is less than it allows in all.
//!
//! Source: <https://learn.microsoft.com/graph/throttling-limits#microsoft-teams-service-limits>

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use crate::protocol::elapsed::Elapsed;

/// The most checks that an owner gets in a [`WINDOW`].
const CHECKS: usize = 4;

/// One second, and a margin because requests may arrive closer together than they were sent.
const WINDOW: Elapsed = Elapsed::from_millis(1_050);

/// An owner, as the hash of its address.
pub(super) type Owner = u64;

/// The owner named by the first two segments of a path after the API version; `teams('1')` is
/// `teams/1`.
pub(super) fn owner_of(path: &str) -> Owner {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let (name, key) = match first.split_once('(') {
        Some((name, key)) => (name, key.trim_end_matches(')').trim_matches('\'')),
        None => (first, rest.split(['/', '?']).next().unwrap_or_default()),
    };
    hash([name, "/", key])
}

/// FNV-1a, because a saved hash has to mean the same owner in another process.
fn hash(parts: [&str; 3]) -> Owner {
    parts.iter().flat_map(|part| part.bytes()).fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The owners that were checked recently, and the operations put aside until their owner may be
/// checked again.
#[derive(Debug)]
pub(super) struct Owners<T> {
    recent: HashMap<Owner, Recent<T>>,
    /// When the operations put aside may be checked.
    due: BinaryHeap<Reverse<(Elapsed, Owner)>>,
    /// How many owners the last pruning left.
    pruned: usize,
}

#[derive(Debug)]
struct Recent<T> {
    /// When the latest checks may be forgotten, the oldest one at `next`.
    until: [Elapsed; CHECKS],
    next: usize,
    aside: VecDeque<T>,
}

impl<T> Recent<T> {
    /// How many checks the owner may have at `now`.
    fn free(&self, now: Elapsed) -> usize {
        self.until.iter().filter(|&&until| until <= now).count()
    }
}

impl<T> Owners<T> {
    pub(super) fn new() -> Self {
        Owners { recent: HashMap::new(), due: BinaryHeap::new(), pruned: 0 }
    }

    /// Records a check, if the owner may have one at `now`.
    pub(super) fn admit(&mut self, owner: Owner, now: Elapsed) -> bool {
        self.prune(now);
        let recent = self.recent.entry(owner).or_insert_with(|| Recent {
            until: [Elapsed::ZERO; CHECKS],
            next: 0,
            aside: VecDeque::new(),
        });
        match recent.until.get_mut(recent.next) {
            Some(until) if *until <= now => *until = now.plus(WINDOW),
            _ => return false,
        }
        recent.next = (recent.next + 1) % CHECKS;
        true
    }

    /// Takes back the latest check, because it was not sent.
    pub(super) fn revoke(&mut self, owner: Owner) {
        if let Some(recent) = self.recent.get_mut(&owner) {
            recent.next = (recent.next + CHECKS - 1) % CHECKS;
            if let Some(until) = recent.until.get_mut(recent.next) {
                *until = Elapsed::ZERO;
            }
        }
    }

    /// Puts aside an operation that was not admitted.
    pub(super) fn put_aside(&mut self, owner: Owner, value: T) {
        let Some(recent) = self.recent.get_mut(&owner) else { return };
        if recent.aside.is_empty()
            && let Some(&until) = recent.until.get(recent.next)
        {
            self.due.push(Reverse((until, owner)));
        }
        recent.aside.push_back(value);
    }

    /// When the next operation that was put aside may be checked.
    pub(super) fn due(&self) -> Option<Elapsed> {
        Some(self.due.peek()?.0.0)
    }

    /// Passes the operations that may be checked at `now` to `take`.
    pub(super) fn release(&mut self, now: Elapsed, mut take: impl FnMut(T)) {
        while let Some(&Reverse((due, owner))) = self.due.peek()
            && due <= now
        {
            self.due.pop();
            let Some(recent) = self.recent.get_mut(&owner) else { continue };
            for _ in 0..recent.free(now) {
                if let Some(value) = recent.aside.pop_front() {
                    take(value);
                }
            }
            if !recent.aside.is_empty() {
                let until = recent.until.get(recent.next).copied().unwrap_or_default();
                let until = if until <= now { now.plus(WINDOW) } else { until };
                self.due.push(Reverse((until, owner)));
            }
        }
    }

    /// The state that matters from `now` on, by owner: the operations put aside, when they may be
    /// checked, and how long each of the latest checks still counts, the oldest first.
    pub(super) fn iter(
        &self,
        now: Elapsed,
    ) -> impl Iterator<Item = (Owner, &VecDeque<T>, Option<Elapsed>, [Elapsed; CHECKS])> {
        let dues: HashMap<Owner, Elapsed> =
            self.due.iter().map(|Reverse((due, owner))| (*owner, *due)).collect();
        let counts = move |recent: &Recent<T>| recent.free(now) < CHECKS;
        let recent = self.recent.iter();
        let recent = recent.filter(move |(_, recent)| counts(recent) || !recent.aside.is_empty());
        recent.map(move |(&owner, recent)| {
            let mut left = recent.until.map(|until| until.minus(now));
            left.rotate_left(recent.next);
            let due = dues.get(&owner).filter(|_| !recent.aside.is_empty());
            (owner, &recent.aside, due.map(|due| due.minus(now)), left)
        })
    }

    /// Continues from what [`iter`](Self::iter) returned at `now`.
    pub(super) fn resume(
        &mut self,
        owner: Owner,
        aside: VecDeque<T>,
        due: Option<Elapsed>,
        left: [Elapsed; CHECKS],
        now: Elapsed,
    ) {
        if !aside.is_empty() {
            let due = due.unwrap_or_default().min(WINDOW);
            self.due.push(Reverse((now.plus(due), owner)));
        }
        let until = left.map(|left| now.plus(left.min(WINDOW)));
        self.recent.insert(owner, Recent { until, next: 0, aside });
    }

    /// Forgets the owners that were not checked recently, before there are too many.
    fn prune(&mut self, now: Elapsed) {
        if self.recent.len() > 2 * self.pruned + 64 {
            self.recent.retain(|_, recent| !recent.aside.is_empty() || recent.free(now) < CHECKS);
            self.recent.shrink_to(2 * self.recent.len());
            self.pruned = self.recent.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Elapsed {
        Elapsed::from_millis(millis)
    }

    #[test]
    fn an_owner_is_named_by_two_segments() {
        let team = owner_of("/teams('1')/operations('2')");
        for same in
            ["/teams/1/operations/3", "teams('1')/channels('4')/operations('2')", "/teams/1?a"]
        {
            assert_eq!(owner_of(same), team, "{same}");
        }
        for other in ["/teams('2')/operations('2')", "/groups/1/team/operations/3", "/teams", ""] {
            assert_ne!(owner_of(other), team, "{other}");
        }
    }

    #[test]
    fn four_checks_a_second_and_no_more() {
        let mut owners = Owners::new();
        for at_once in 0..10 {
            if !owners.admit(7, at(1_000)) {
                owners.put_aside(7, at_once);
            }
        }
        assert!(owners.admit(8, at(1_000)));
        let mut released = Vec::new();
        owners.release(at(2_049), |value| released.push(value));
        assert_eq!((&released[..], owners.due()), (&[][..], Some(at(2_050))));
        owners.release(at(2_050), |value| released.push(value));
        assert_eq!(released, [4, 5, 6, 7]);
        for _ in &released {
            assert!(owners.admit(7, at(2_100)));
        }
        assert!(!owners.admit(7, at(2_100)));
        owners.revoke(7);
        assert!(owners.admit(7, at(2_100)));
        owners.release(at(4_000), |value| released.push(value));
        assert_eq!(released, [4, 5, 6, 7, 8, 9]);
        assert_eq!(owners.due(), None);
    }

    /// A saved hash means the same owner in another process.
    #[test]
    fn the_hash_is_that_of_fnv() {
        assert_eq!(hash(["", "", ""]), 0xCBF2_9CE4_8422_2325);
        assert_eq!(hash(["foo", "b", "ar"]), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn a_check_that_is_taken_back_frees_the_place_that_it_took() {
        let mut owners = Owners::<()>::new();
        for millis in [0, 100, 200, 300] {
            assert!(owners.admit(7, at(millis)));
        }
        owners.revoke(7);
        assert!(owners.admit(7, at(400)) && !owners.admit(7, at(400)));
        // The one that was put in its place is the latest, and counts from its own time.
        assert!(owners.admit(7, at(1_050)) && !owners.admit(7, at(1_050)));
        assert!(owners.admit(7, at(1_150)));
        assert!(owners.admit(7, at(1_250)) && !owners.admit(7, at(1_449)));
        assert!(owners.admit(7, at(1_450)));
    }

    /// An entry that was put aside is admitted when it is released, or put aside again.
    #[test]
    fn operations_put_aside_are_released_when_the_next_check_may_be_made() {
        let mut owners = Owners::new();
        for millis in [0, 0, 500, 500] {
            assert!(owners.admit(7, at(millis)));
        }
        for value in 0..3 {
            assert!(!owners.admit(7, at(600)));
            owners.put_aside(7, value);
        }
        let mut released = Vec::new();
        owners.release(at(1_050), |value| released.push(value));
        assert_eq!((&released[..], owners.due()), (&[0, 1][..], Some(at(2_100))));
        for _ in 0..2 {
            assert!(owners.admit(7, at(1_050)));
        }
        owners.release(at(2_099), |value| released.push(value));
        assert_eq!(released.len(), 2);
        owners.release(at(2_100), |value| released.push(value));
        assert_eq!((&released[..], owners.due()), (&[0, 1, 2][..], None));

        // If others came first, it is released when the next place is free.
        let mut owners = Owners::new();
        for millis in [0, 0, 500, 500] {
            assert!(owners.admit(7, at(millis)));
        }
        owners.put_aside(7, 0);
        assert!(owners.admit(7, at(1_050)) && owners.admit(7, at(1_050)));
        owners.release(at(1_050), |value| released.push(value));
        assert_eq!((released.len(), owners.due()), (3, Some(at(1_550))));
        // It is saved, however long ago it was put aside.
        assert_eq!(plain(&owners, at(9_000)), [(7, vec![0], Some(at(0)), [at(0); CHECKS])]);
    }

    type Plain = Vec<(Owner, Vec<u8>, Option<Elapsed>, [Elapsed; CHECKS])>;

    fn plain(owners: &Owners<u8>, now: Elapsed) -> Plain {
        let all = owners.iter(now);
        let mut all: Plain = all
            .map(|(owner, aside, due, left)| (owner, aside.iter().copied().collect(), due, left))
            .collect();
        all.sort_unstable_by_key(|(owner, ..)| *owner);
        all
    }

    #[test]
    fn owners_that_were_saved_continue_at_a_later_time() {
        let mut owners = Owners::new();
        assert!(owners.admit(1, at(0)) && owners.admit(2, at(5_000)));
        for millis in [4_500, 4_600, 4_700, 4_800] {
            assert!(owners.admit(3, at(millis)));
        }
        owners.put_aside(3, 9);
        let now = at(5_000);
        let saved = plain(&owners, now);
        let left = |millis: [u64; CHECKS]| millis.map(at);
        assert_eq!(
            saved,
            [
                (2, vec![], None, left([0, 0, 0, 1_050])),
                (3, vec![9], Some(at(550)), left([550, 650, 750, 850])),
            ]
        );
        // Owner 1 was checked too long ago to matter.
        let later = at(100_000);
        let mut resumed = Owners::new();
        for (owner, aside, due, left) in saved.clone() {
            resumed.resume(owner, aside.into(), due, left, later);
        }
        assert_eq!((plain(&resumed, later), resumed.due()), (saved, Some(later.plus(at(550)))));
        assert!(!resumed.admit(3, later.plus(at(549))) && resumed.admit(3, later.plus(at(550))));
        for _ in 0..3 {
            assert!(resumed.admit(2, later));
        }
        assert!(
            !resumed.admit(2, later.plus(at(1_049))) && resumed.admit(2, later.plus(at(1_050)))
        );
        // A time that was tampered with is limited to the window.
        let mut resumed = Owners::new();
        resumed.resume(1, [7_u8].into(), Some(at(9_000)), [at(9_000); CHECKS], now);
        assert_eq!(plain(&resumed, now), [(1, vec![7], Some(WINDOW), [WINDOW; CHECKS])]);
        let mut resumed = Owners::new();
        resumed.resume(1, [7_u8].into(), None, [Elapsed::ZERO; CHECKS], now);
        assert_eq!(resumed.due(), Some(now));
    }

    #[test]
    fn owners_are_forgotten() {
        let mut owners = Owners::<()>::new();
        for owner in 0..10_000 {
            assert!(owners.admit(owner, at(owner * 50)));
        }
        assert!(owners.recent.len() < 256, "{}", owners.recent.len());
        for owner in 0..10_000 {
            assert!(owners.admit(owner, at(1_000_000)));
        }
        for owner in 0..64 {
            assert!(owners.admit(owner, at(2_000_000 + owner * 50)));
        }
        owners.pruned = 0;
        owners.prune(at(3_000_000));
        assert_eq!((owners.recent.len(), owners.pruned), (0, 0));
        assert!(owners.recent.capacity() < 100, "{}", owners.recent.capacity());
    }

    #[test]
    fn an_owner_that_was_checked_recently_or_has_something_aside_is_not_forgotten() {
        let mut owners = Owners::new();
        for _ in 0..CHECKS {
            assert!(owners.admit(0, at(0)));
        }
        owners.put_aside(0, ());
        assert!(owners.admit(1, at(2_000)));
        for owner in 100..1_000 {
            assert!(owners.admit(owner, at(2_000)));
        }
        assert_eq!((owners.recent.len(), owners.recent.contains_key(&0)), (902, true));
        for owner in 1_000..2_000 {
            assert!(owners.admit(owner, at(10_000)));
        }
        assert!(!owners.recent.contains_key(&1) && owners.recent.contains_key(&0));
        let mut released = 0;
        owners.release(at(10_000), |()| released += 1);
        assert_eq!(released, 1);
    }
}
