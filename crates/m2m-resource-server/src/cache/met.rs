//! Which tokens came before, by a few bytes of each: a token that comes once is worth no room, and no hash either.
//!
//! Remembering a token costs a hash and some twenty allocations that live long, and as much again when it goes. Clients
//! that fetch a new token for each request would make every one of their requests pay that for nothing.
//!
//! Enforces: only what was verified is noted, so that strangers push nothing out.
//! Does not enforce: anything about a token. Who is taken for another is looked up and not found.
//! Limits: four notes of 8 bytes for each token that the cache may hold.

use std::sync::atomic::{AtomicU64, Ordering};

/// Notes that share a place.
const WAYS: usize = 4;
/// Of the signature, at the end of the token: evenly spread, whatever the claims are.
const TAIL: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Met(Box<[[AtomicU64; WAYS]]>);

impl Met {
    /// For about four times `capacity` tokens; nothing is ever met for 0.
    pub(super) fn new(capacity: usize) -> Self {
        let places = if capacity == 0 { 0 } else { capacity.next_power_of_two() };
        Self((0..places).map(|_| <[AtomicU64; WAYS]>::default()).collect())
    }

    /// Whether this token was noted, and not pushed out since.
    pub(super) fn has(&self, token: &str) -> bool {
        let Some(note) = note(token) else { return false };
        self.place(note).is_some_and(|ways| ways.iter().any(|way| way.load(Ordering::Relaxed) == note))
    }

    /// Notes a token; the oldest note of its place goes.
    pub(super) fn note(&self, token: &str) {
        let Some(mut note) = note(token) else { return };
        // Two at once may lose one of their notes, which costs a signature the next time.
        for way in self.place(note).into_iter().flatten() {
            note = way.swap(note, Ordering::Relaxed);
        }
    }

    fn place(&self, note: u64) -> Option<&[AtomicU64; WAYS]> {
        let spread = note.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let index = usize::try_from(spread).ok()? & self.0.len().checked_sub(1)?;
        self.0.get(index)
    }
}

/// Never 0, which stands for no note.
fn note(token: &str) -> Option<u64> {
    let tail: &[u8; TAIL] = token.as_bytes().last_chunk()?;
    let whole = u128::from_le_bytes(*tail);
    let folded = u64::try_from((whole ^ (whole >> 57)) & u128::from(u64::MAX)).ok()?;
    Some(folded | 1)
}

#[cfg(test)]
mod tests {
    use super::Met;

    fn token(number: u64) -> String {
        // As spread as the end of a signature.
        format!("e30.e30.{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    #[test]
    fn what_was_noted_is_met_and_nothing_else() {
        let met = Met::new(1024);
        for number in 0..1000 {
            assert!(!met.has(&token(number)), "{number}");
            met.note(&token(number));
            assert!(met.has(&token(number)), "{number}");
        }
        let kept = (0..1000).filter(|number| met.has(&token(*number))).count();
        assert!(kept > 980, "{kept}");
    }

    #[test]
    fn notes_are_bounded_and_the_oldest_go() {
        let met = Met::new(64);
        (0..100_000).for_each(|number| met.note(&token(number)));
        let kept = (0..100_000).filter(|number| met.has(&token(*number))).count();
        assert!(kept <= 64 * 4, "{kept}");
        assert!(met.has(&token(99_999)));
    }

    #[test]
    fn without_room_nothing_is_met() {
        let met = Met::new(0);
        met.note(&token(1));
        assert!(!met.has(&token(1)) && !met.has("short"));
    }
}
