//! A map whose copies share what they have in common, so that one change among 100,000 clients costs
//! a shard and not the whole registry.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Parts of the map. A change copies one part and the list of all.
const SHARDS: usize = 1024;

/// A hash map in parts; cloning it copies references only.
#[derive(Debug, Clone)]
pub(crate) struct Shards<K, V> {
    parts: Vec<Arc<HashMap<K, V>>>,
    hasher: RandomState,
    len: usize,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self { parts: vec![empty; SHARDS], hasher: RandomState::new(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    fn place(&self, key: &K) -> usize {
        // The remainder is below 1024.
        usize::try_from(self.hasher.hash_one(key) % (SHARDS as u64)).unwrap_or_default()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.parts.get(self.place(key))?.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value to change in place, copied first where another snapshot holds it too.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key);
        let part = self.parts.get_mut(place)?;
        if !part.contains_key(key) {
            return None;
        }
        Arc::make_mut(part).get_mut(key)
    }

    /// The value that was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        let before = self.parts.get_mut(place).and_then(|part| Arc::make_mut(part).insert(key, value));
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key);
        let part = self.parts.get_mut(place).filter(|part| part.contains_key(key))?;
        let removed = Arc::make_mut(part).remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.values())
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
