//! A map whose copies share what they have in common, so that one change among 100,000 clients costs
//! a part and not the whole registry.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Groups of the map, and parts of a group. A change copies one part and two short lists: a list of all parts
/// would leave holes in the heap with every change.
const SIDE: usize = 32;

/// A thousandth of the map, sorted by hash. Hashes are spread evenly, so where one stands is guessed from
/// its size, and one or two cache lines are read to find it.
#[derive(Debug, Clone)]
struct Part<K, V> {
    hashes: Vec<u64>,
    entries: Vec<(K, V)>,
}

impl<K, V> Part<K, V> {
    const fn new() -> Self {
        Self { hashes: Vec::new(), entries: Vec::new() }
    }

    /// Where the first hash stands that is not smaller.
    fn lower_bound(&self, hash: u64) -> usize {
        let len = self.hashes.len();
        let guess = usize::try_from((u128::from(hash) * len as u128) >> 64).unwrap_or(len);
        let (before, after) = self.hashes.split_at_checked(guess).unwrap_or((&self.hashes, &[]));
        let back = before.iter().rev().take_while(|other| **other >= hash).count();
        let ahead = after.iter().take_while(|other| **other < hash).count();
        guess.min(len) - back + ahead
    }

    /// Where the key is, else where it belongs.
    fn place<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        let first = self.lower_bound(hash);
        let same = self.hashes.iter().skip(first).take_while(|other| **other == hash).count();
        let found = self.entries.iter().skip(first).take(same).position(|(other, _)| other.borrow() == key);
        found.map(|offset| first + offset).ok_or(first)
    }
}

/// Some parts of the map.
type Group<K, V> = Vec<Arc<Part<K, V>>>;

/// A map in parts; cloning it copies references only.
#[derive(Debug, Clone)]
pub(crate) struct Shards<K, V> {
    groups: Vec<Arc<Group<K, V>>>,
    hasher: RandomState,
    len: usize,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(Part::new());
        let group = Arc::new(vec![empty; SIDE]);
        Self { groups: vec![group; SIDE], hasher: RandomState::new(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// The group, and the part in it: by the low bits, as the high ones order the part.
    fn home(hash: u64) -> (usize, usize) {
        let below_side = |number: u64| usize::try_from(number % (SIDE as u64)).unwrap_or_default();
        (below_side(hash / (SIDE as u64)), below_side(hash))
    }

    fn part(&self, hash: u64) -> Option<&Part<K, V>> {
        let (group, part) = Self::home(hash);
        Some(self.groups.get(group)?.get(part)?)
    }

    /// The part to change in place, copied first where another snapshot holds it too.
    fn part_mut(&mut self, hash: u64) -> Option<&mut Part<K, V>> {
        let (group, part) = Self::home(hash);
        Some(Arc::make_mut(Arc::make_mut(self.groups.get_mut(group)?).get_mut(part)?))
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let part = self.part(hash)?;
        part.entries.get(part.place(hash, key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value to change in place, copied first where another snapshot holds it too.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = self.hasher.hash_one(key);
        let found = self.part(hash)?.place(hash, key).ok()?;
        self.part_mut(hash)?.entries.get_mut(found).map(|(_, value)| value)
    }

    /// The value that was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        let part = self.part_mut(hash)?;
        match part.place(hash, &key) {
            Ok(found) => part.entries.get_mut(found).map(|(_, own)| std::mem::replace(own, value)),
            Err(free) => {
                part.hashes.reserve_exact(1);
                part.hashes.insert(free, hash);
                part.entries.reserve_exact(1);
                part.entries.insert(free, (key, value));
                self.len += 1;
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let found = self.part(hash)?.place(hash, key).ok()?;
        let part = self.part_mut(hash)?;
        part.hashes.remove(found);
        let (_, removed) = part.entries.remove(found);
        self.len -= 1;
        Some(removed)
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let parts = self.groups.iter().flat_map(|group| group.iter());
        parts.flat_map(|part| part.entries.iter().map(|(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_had() {
        let mut shards: Shards<u32, &str> = Shards::default();
        for key in 0..5_000 {
            assert_eq!(shards.insert(key, "old"), None);
        }
        let before = shards.clone();
        assert_eq!(shards.insert(7, "new"), Some("old"));
        *shards.get_mut(&8).unwrap() = "changed";
        assert_eq!(shards.remove(&9), Some("old"));
        assert_eq!(shards.remove(&9), None);
        assert_eq!((shards.get(&7), shards.get(&8), shards.get(&9)), (Some(&"new"), Some(&"changed"), None));
        assert_eq!(
            (before.get(&7), before.get(&8), before.get(&9)),
            (Some(&"old"), Some(&"old"), Some(&"old"))
        );
        assert_eq!((shards.len(), before.len(), shards.values().count()), (4_999, 5_000, 4_999));
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let hashes = vec![1, 5, 5, u64::MAX];
        let part = Part { hashes, entries: vec![("a", 1), ("b", 2), ("c", 3), ("d", 4)] };
        let place = |hash: u64, key: &str| part.place(hash, key);
        assert_eq!(
            [place(1, "a"), place(5, "b"), place(5, "c"), place(u64::MAX, "d")].map(Result::ok),
            [0, 1, 2, 3].map(Some)
        );
        assert_eq!(
            [place(0, "a"), place(5, "x"), place(7, "d"), place(u64::MAX, "x")],
            [0, 1, 3, 3].map(Err)
        );
        assert_eq!(Part::<&str, u8>::new().place(7, "a"), Err(0));
    }

    proptest::proptest! {
        #[test]
        fn every_hash_is_found_where_it_belongs(mut hashes: Vec<u64>, sought: u64) {
            hashes.sort_unstable();
            let expect = hashes.partition_point(|other| *other < sought);
            let part: Part<u8, u8> = Part { hashes, entries: Vec::new() };
            proptest::prop_assert_eq!(part.lower_bound(sought), expect);
        }
    }
}
