//! A map whose copies share what they have in common, so that one change among 100,000 clients costs
//! a shard and not the whole registry.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Groups of the map, and parts of a group. A change copies one part and two short lists: a list of all parts
/// would leave holes in the heap with every change.
const SIDE: usize = 32;

/// Some parts of the map.
type Group<K, V> = Vec<Arc<HashMap<K, V>>>;

/// A hash map in parts; cloning it copies references only.
#[derive(Debug, Clone)]
pub(crate) struct Shards<K, V> {
    groups: Vec<Arc<Group<K, V>>>,
    hasher: RandomState,
    len: usize,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        let group = Arc::new(vec![empty; SIDE]);
        Self { groups: vec![group; SIDE], hasher: RandomState::new(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// The group, and the part in it.
    fn place(&self, key: &K) -> (usize, usize) {
        let below_side = |number: u64| usize::try_from(number % (SIDE as u64)).unwrap_or_default();
        let hash = self.hasher.hash_one(key);
        (below_side(hash / (SIDE as u64)), below_side(hash))
    }

    fn part(&self, key: &K) -> Option<&HashMap<K, V>> {
        let (group, part) = self.place(key);
        Some(self.groups.get(group)?.get(part)?)
    }

    /// The part to change in place, copied first where another snapshot holds it too.
    fn part_mut(&mut self, key: &K) -> Option<&mut HashMap<K, V>> {
        let (group, part) = self.place(key);
        Some(Arc::make_mut(Arc::make_mut(self.groups.get_mut(group)?).get_mut(part)?))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.part(key)?.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value to change in place, copied first where another snapshot holds it too.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.get(key)?;
        self.part_mut(key)?.get_mut(key)
    }

    /// The value that was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.part_mut(&key).and_then(|part| part.insert(key, value));
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.get(key)?;
        let removed = self.part_mut(key)?.remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.groups.iter().flat_map(|group| group.iter()).flat_map(|part| part.values())
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
}
