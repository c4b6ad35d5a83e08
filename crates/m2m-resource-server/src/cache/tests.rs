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
    assert!((8..=16).contains(&recent.len()), "{}", recent.len());
    assert!(recent.hash(&"a".repeat(MAX_TOKEN_BYTES)).is_some());
    assert!(recent.hash(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_none());
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
