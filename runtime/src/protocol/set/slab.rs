//! Values by key, and by a number that is stable while the value is present.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// The number of values in a block. A single vector would be half empty after it has grown.
const CHUNK: usize = 16;

const NONE: u32 = u32::MAX;

/// Values by key. Each key is stored once, beside its value; the index has only its hash.
pub(super) struct Slab<K, V> {
    chunks: Vec<Vec<Entry<K, V>>>,
    /// The first vacant entry.
    free: u32,
    len: usize,
    /// The first value with each hash.
    index: HashMap<u32, u32, BuildHasherDefault<Spread>>,
    hasher: RandomState,
}

enum Entry<K, V> {
    /// The next vacant entry.
    Vacant(u32),
    Occupied(Occupied<K, V>),
}

struct Occupied<K, V> {
    key: K,
    /// The next entry with the same hash.
    next: u32,
    value: V,
}

impl<K: Eq + Hash, V> Slab<K, V> {
    pub(super) fn new() -> Self {
        Slab {
            chunks: Vec::new(),
            free: NONE,
            len: 0,
            index: HashMap::default(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[allow(clippy::cast_possible_truncation)] // Half of a hash is a hash.
    fn hash(&self, key: &K) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    fn entry(&self, id: u32) -> Option<&Occupied<K, V>> {
        match self.chunks.get(id as usize / CHUNK)?.get(id as usize % CHUNK)? {
            Entry::Occupied(occupied) => Some(occupied),
            Entry::Vacant(_) => None,
        }
    }

    fn place(&mut self, id: u32) -> Option<&mut Entry<K, V>> {
        self.chunks.get_mut(id as usize / CHUNK)?.get_mut(id as usize % CHUNK)
    }

    fn entry_mut(&mut self, id: u32) -> Option<&mut Occupied<K, V>> {
        match self.place(id)? {
            Entry::Occupied(occupied) => Some(occupied),
            Entry::Vacant(_) => None,
        }
    }

    pub(super) fn find(&self, key: &K) -> Option<u32> {
        let mut id = *self.index.get(&self.hash(key))?;
        loop {
            let occupied = self.entry(id)?;
            if occupied.key == *key {
                return Some(id);
            }
            id = occupied.next;
        }
    }

    pub(super) fn key(&self, id: u32) -> Option<&K> {
        Some(&self.entry(id)?.key)
    }

    pub(super) fn get(&self, id: u32) -> Option<&V> {
        Some(&self.entry(id)?.value)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut V> {
        Some(&mut self.entry_mut(id)?.value)
    }

    /// Adds a value whose key is not present yet.
    pub(super) fn insert(&mut self, key: K, value: V) -> u32 {
        let hash = self.hash(&key);
        let next = self.index.get(&hash).copied().unwrap_or(NONE);
        let entry = Entry::Occupied(Occupied { key, next, value });
        let free = self.free;
        let id = if let Some(place) = self.place(free)
            && let Entry::Vacant(next) = *place
        {
            *place = entry;
            self.free = next;
            free
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            let before = (self.chunks.len() - 1) * CHUNK;
            let chunk = self.chunks.last_mut();
            let within = chunk.map_or(0, |chunk| {
                chunk.push(entry);
                chunk.len() - 1
            });
            // Four billion operations do not fit into memory.
            u32::try_from(before + within).unwrap_or(NONE)
        };
        self.index.insert(hash, id);
        self.len += 1;
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<(K, V)> {
        let free = self.free;
        let hash = self.hash(self.key(id)?);
        let place = self.place(id)?;
        let Entry::Occupied(Occupied { key, next, value }) =
            std::mem::replace(place, Entry::Vacant(free))
        else {
            return None;
        };
        self.free = id;
        self.len -= 1;
        let first = self.index.get(&hash).copied()?;
        if first != id {
            let mut before = first;
            while let Some(occupied) = self.entry_mut(before) {
                if occupied.next == id {
                    occupied.next = next;
                    break;
                }
                before = occupied.next;
            }
        } else if next == NONE {
            self.index.remove(&hash);
        } else {
            self.index.insert(hash, next);
        }
        Some((key, value))
    }

    /// The numbers of the values.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        let chunks = (0_u32..).step_by(CHUNK).zip(&self.chunks);
        chunks.flat_map(|(first, chunk)| {
            let entries = (first..).zip(chunk);
            entries.filter_map(|(id, entry)| matches!(entry, Entry::Occupied(_)).then_some(id))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flatten().filter_map(|entry| match entry {
            Entry::Occupied(Occupied { key, value, .. }) => Some((key, value)),
            Entry::Vacant(_) => None,
        })
    }
}

/// Finishes a value that is already partly hashed.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, half: u32) {
        self.0 = (self.0 ^ u64::from(half)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A key that shares its hash with a thousand others.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Key(u32);

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            (self.0 % 7).hash(state);
        }
    }

    #[test]
    fn behaves_like_a_map() {
        let mut slab = Slab::new();
        let mut map = HashMap::new();
        let mut state = 1_u32;
        for step in 0..5_000 {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            let key = Key((state >> 16) % 100);
            if let Some(id) = slab.find(&key) {
                assert_eq!(slab.get(id), map.get(&key.0));
                assert_eq!(slab.remove(id), map.remove(&key.0).map(|value| (key, value)));
                assert_eq!(slab.remove(id), None);
            } else {
                assert_eq!(map.insert(key.0, step), None);
                let id = slab.insert(key, step);
                assert_eq!(slab.key(id), Some(&key));
            }
            assert_eq!(slab.len(), map.len());
        }
        assert_eq!(slab.iter().count(), map.len());
        assert!(slab.iter().all(|(key, value)| map.get(&key.0) == Some(value)));
        assert!(slab.chunks.len() <= 100_usize.div_ceil(CHUNK));
    }

    #[test]
    fn halves_of_hashes_are_spread_over_both_ends_of_a_word() {
        let spread = |half: u32| {
            let mut hasher = Spread::default();
            hasher.write_u32(half);
            hasher.finish()
        };
        let distinct = |shift: u32| {
            let ends = (0..1_000).map(|half| spread(half) >> shift & 0xFFFF);
            ends.collect::<std::collections::HashSet<_>>().len()
        };
        assert!(distinct(0) > 900 && distinct(48) > 900, "{} {}", distinct(0), distinct(48));
    }

    #[test]
    fn keys_of_different_hashes_are_indexed_apart_and_leave_no_trace() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..1_000_u32).map(|key| slab.insert(key, ())).collect();
        assert_eq!(ids, (0..1_000).collect::<Vec<_>>());
        assert_eq!(slab.ids().collect::<Vec<_>>(), ids);
        assert!(slab.index.len() > 990, "{}", slab.index.len());
        assert!(slab.chunks.iter().all(|chunk| chunk.capacity() == CHUNK));
        for id in ids {
            assert!(slab.remove(id).is_some());
        }
        assert_eq!((slab.len(), slab.index.len(), slab.ids().count()), (0, 0, 0));
        // The last one that was removed is the first place to be used again.
        assert_eq!(slab.insert(7, ()), 999);
    }
}
