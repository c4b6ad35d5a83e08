//! What administrative acts do to signing keys. Pure.
//!
//! Enforces: one key of an algorithm signs at a time; a key that goes stays published until what it signed has expired,
//! unless it is withdrawn in an emergency.

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::time::UnixTime;

use super::{Applied, Conflict, Entity};
use crate::registry::KeyRecord;

impl Applied {
    pub(super) fn create_key(&mut self, key: KeyRecord) -> Result<(), Conflict> {
        let overlaps = |other: &&Arc<KeyRecord>| {
            other.algorithm == key.algorithm && other.dates.retires_at() > key.dates.activates_at()
        };
        if self.registry.keys.values().any(|other| other.kid == key.kid || overlaps(&other)) {
            return Err(Conflict::KeyExists(key.algorithm.name().to_owned()));
        }
        self.put_key(key);
        Ok(())
    }

    fn put_key(&mut self, key: KeyRecord) {
        self.touch(Entity::Key(key.kid.clone()));
        self.registry.keys.insert(key.kid.clone(), Arc::new(key));
    }

    pub(super) fn roll_key(&mut self, key: KeyRecord, retain: Duration) {
        let takes_over = key.dates.activates_at();
        let others: Vec<Arc<KeyRecord>> =
            self.registry.keys.values().filter(|other| other.algorithm == key.algorithm).cloned().collect();
        for other in others {
            if other.dates.activates_at() >= takes_over {
                // It was announced and never signs.
                self.remove_key(&other.kid);
            } else if other.dates.retires_at() > takes_over {
                let dates = other.dates.retiring_at(takes_over, retain);
                self.put_key(KeyRecord { dates, ..KeyRecord::clone(&other) });
            }
        }
        self.put_key(key);
    }

    pub(super) fn roll_key_now(&mut self, key: KeyRecord) {
        let same = |other: &&Arc<KeyRecord>| other.algorithm == key.algorithm;
        let others: Vec<String> =
            self.registry.keys.values().filter(same).map(|other| other.kid.clone()).collect();
        others.iter().for_each(|kid| self.remove_key(kid));
        self.put_key(key);
    }

    pub(super) fn forget_keys(&mut self, now: UnixTime) {
        let retired = |key: &&Arc<KeyRecord>| key.dates.leaves_at() <= now;
        let gone: Vec<String> =
            self.registry.keys.values().filter(retired).map(|key| key.kid.clone()).collect();
        gone.iter().for_each(|kid| self.remove_key(kid));
    }

    fn remove_key(&mut self, kid: &str) {
        self.registry.keys.remove(kid);
        self.touch(Entity::Key(kid.to_owned()));
    }
}
