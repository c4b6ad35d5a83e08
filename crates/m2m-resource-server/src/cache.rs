//! Tokens that were verified twice lately, so that one which comes again costs a hash and no signature.
//!
//! Enforces: found by the whole SHA-256 of the token; only what was verified gets in, so that strangers
//! fill nothing.
//! Does not enforce: that what is found is still good. Times, key and withdrawal are looked at on every
//! use, and possession of what the token is bound to as well ([`crate::Verifier`]).
//! Limits: a settable number of tokens, 16,384 by default, of 2 KiB on average; longer ones leave room for
//! fewer. Tokens above 8 KiB are verified each time. In up to 64 parts, each with its own lock. Full of ordinary
//! tokens it takes 20 MB.

mod met;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use m2m_proto::jose::crypto::sha256;

use self::met::Met;
use crate::verified::Checked;

/// Tokens held at most, by default.
pub(crate) const DEFAULT_CAPACITY: usize = 16_384;

const MAX_PARTS: usize = 64;
/// Fewer than this in one part, and its generations are too short to be of use.
const MIN_PART: usize = 64;
const MAX_TOKEN_BYTES: usize = 8 * 1024;
const AVERAGE_TOKEN_BYTES: usize = 2 * 1024;

/// All of a token's SHA-256. The bytes are evenly spread, so some of them serve as their own hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn part(&self, parts: usize) -> usize {
        let [.., last] = self.0;
        usize::from(last) % parts
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.prefix());
    }
}

/// Hands on what it is given.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A token and how many bytes its text had.
type Kept = (Arc<Checked>, usize);
type Generation = HashMap<TokenHash, Kept, BuildHasherDefault<AsItIs>>;

#[derive(Default)]
struct Generations {
    current: Generation,
    /// Bytes of the texts of the current ones.
    bytes: usize,
    previous: Generation,
}

impl Generations {
    /// The older generation goes when the younger one is full; it is returned, to be dropped by whoever has given the
    /// lock back.
    fn put(&mut self, hash: TokenHash, kept: Kept, size: usize) -> Generation {
        let bytes = kept.1;
        let full = self.bytes.saturating_add(bytes) > size.saturating_mul(AVERAGE_TOKEN_BYTES);
        let mut old = Generation::default();
        if self.current.len() >= size || (full && !self.current.is_empty()) {
            old = std::mem::replace(&mut self.previous, std::mem::take(&mut self.current));
            self.bytes = 0;
        }
        // It may be there already: two requests verified it at once.
        if self.current.insert(hash, kept).is_none() {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        old
    }
}

/// A bounded memory of verified tokens. `Debug` shows none of them.
pub(crate) struct Recent {
    parts: Box<[Mutex<Generations>]>,
    met: Met,
    /// Tokens in one generation of one part.
    size: usize,
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("parts", &self.parts.len()).field("size", &self.size).finish()
    }
}

impl Recent {
    /// For at most `capacity` tokens, at least 2; none at all for 0.
    pub(crate) fn new(capacity: usize) -> Self {
        if capacity == 0 {
            return Self { parts: Box::default(), met: Met::default(), size: 0 };
        }
        let parts = (capacity / MIN_PART).clamp(1, MAX_PARTS);
        let size = (capacity / parts / 2).max(1);
        Self { parts: (0..parts).map(|_| Mutex::default()).collect(), met: Met::new(capacity), size }
    }

    /// The name of a token here; `None` where it is not to be kept.
    pub(crate) fn hash(&self, token: &str) -> Option<TokenHash> {
        let kept = !self.parts.is_empty() && token.len() <= MAX_TOKEN_BYTES;
        kept.then(|| TokenHash(sha256(token.as_bytes())))
    }

    /// Whether this token came before: what comes once is not worth keeping.
    pub(crate) fn has_met(&self, token: &str) -> bool {
        self.met.has(token)
    }

    /// A token that was verified has come for the first time.
    pub(crate) fn meet(&self, token: &str) {
        self.met.note(token);
    }

    pub(crate) fn get(&self, hash: &TokenHash) -> Option<Arc<Checked>> {
        let mut part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, _)) = part.current.get(hash) {
            return Some(Arc::clone(token));
        }
        let kept = part.previous.remove(hash)?;
        let token = Arc::clone(&kept.0);
        let old = part.put(*hash, kept, self.size);
        drop(part);
        drop(old);
        Some(token)
    }

    pub(crate) fn put(&self, hash: TokenHash, token: Arc<Checked>, bytes: usize) {
        if let Some(part) = self.part(&hash) {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let old = part.put(hash, (token, bytes), self.size);
            drop(part);
            drop(old);
        }
    }

    fn part(&self, hash: &TokenHash) -> Option<&Mutex<Generations>> {
        self.parts.get(hash.part(self.parts.len().max(1)))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let count = |part: &Mutex<Generations>| {
            let part = part.lock().unwrap();
            part.current.len() + part.previous.len()
        };
        self.parts.iter().map(count).sum()
    }
}

#[cfg(test)]
mod tests;
