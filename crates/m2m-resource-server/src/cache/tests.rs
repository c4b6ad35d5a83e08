use std::hash::BuildHasher as _;

use m2m_proto::jose::Algorithm;

use super::*;
use crate::fixture::{checked, key};

#[test]
fn the_number_of_tokens_is_bounded_and_one_that_is_in_use_stays() {
    let signing = key(Algorithm::Es256, "k1");
    let token = Arc::new(checked(&signing));
    for capacity in [2, 100, 1000, DEFAULT_CAPACITY] {
        let recent = Recent::new(capacity);
        let hash = |number: usize| recent.hash(&number.to_string()).unwrap();
        for number in 0..50_000 {
            recent.put(hash(number), Arc::clone(&token), 1000);
            assert!(recent.get(&hash(0)).is_some() || capacity == 2, "asked for all the time, {number}");
        }
        assert!(recent.len() <= capacity, "{} of {capacity}", recent.len());
        assert!(recent.len() > capacity / 3, "{} of {capacity}", recent.len());
        assert!(recent.get(&hash(5)).is_none());
    }
}

#[test]
fn long_tokens_leave_room_for_fewer() {
    let token = Arc::new(checked(&key(Algorithm::Es256, "k1")));
    let recent = Recent::new(64);
    for number in 0..1000 {
        recent.put(recent.hash(&number.to_string()).unwrap(), Arc::clone(&token), 8 * 1024);
    }
    assert_eq!(recent.len(), 16, "half of 64 times 2 KiB, twice");
    assert!(recent.hash(&"a".repeat(8192)).is_some());
    assert!(recent.hash(&"a".repeat(8193)).is_none());
}

#[test]
fn a_generation_is_full_at_its_last_byte_and_not_before() {
    let token = Arc::new(checked(&key(Algorithm::Es256, "k1")));
    let left = |last: usize| {
        let mut part = Generations::default();
        part.put(TokenHash([0; 32]), (Arc::clone(&token), 4096 - 1000), 2);
        part.put(TokenHash([1; 32]), (Arc::clone(&token), last), 2);
        part.current.len()
    };
    assert_eq!([left(999), left(1000), left(1001), left(9000)], [2, 2, 1, 1]);
}

/// What is evenly spread is not hashed again; the trait wants any bytes taken.
#[test]
fn a_hash_is_its_own_place_in_the_table() {
    let place = BuildHasherDefault::<AsItIs>::default();
    let mut bytes = [0xff; 32];
    bytes[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(place.hash_one(TokenHash(bytes)), 0x0807_0605_0403_0201);
    let mut hasher = AsItIs::default();
    hasher.write(&[0x0f, 0, 0, 0, 0, 0, 0, 7, 0xf8]);
    assert_eq!(hasher.finish(), 0x07f7, "the first byte comes round to the last");
}

#[test]
fn tokens_are_told_apart_by_all_of_their_hash() {
    let token = Arc::new(checked(&key(Algorithm::Es256, "k1")));
    let recent = Recent::new(10);
    let mut bytes = [7; 32];
    recent.put(TokenHash(bytes), token, 100);
    assert!(recent.get(&TokenHash(bytes)).is_some());
    bytes[20] = 8;
    assert!(recent.get(&TokenHash(bytes)).is_none(), "the same place in the table");
}

#[test]
fn no_memory_at_all() {
    let recent = Recent::new(0);
    assert!(recent.hash("a").is_none());
    assert_eq!(recent.len(), 0);
}

#[test]
fn many_threads_at_once() {
    let token = Arc::new(checked(&key(Algorithm::Es256, "k1")));
    let recent = Recent::new(128);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (recent, token) = (&recent, &token);
            scope.spawn(move || {
                for number in 0..5_000_u32 {
                    let hash = recent.hash(&(number % (thread + 100)).to_string()).unwrap();
                    if recent.get(&hash).is_none() {
                        recent.put(hash, Arc::clone(token), 100);
                    }
                }
            });
        }
    });
    assert!(recent.len() <= 128);
}
