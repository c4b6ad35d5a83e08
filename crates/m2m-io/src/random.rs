//! Randomness as a parameter: [`Random`], and [`OsRandom`], the one reader of the system's generator.

use std::cell::RefCell;
use std::fmt::Debug;

use m2m_proto::jose::base64url;
use m2m_proto::text::ShortText;

/// Where a program gets unguessable bytes from.
pub trait Random: Send + Sync + Debug {
    /// Fills the whole buffer. Infallible: a system without randomness cannot do this work at all.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// Small amounts come from a buffer of the thread, for a system call takes longer than all else about an
    /// identifier. What was handed out is wiped from it.
    ///
    /// # Panics
    ///
    /// When the operating system refuses randomness. Going on with predictable identifiers would be worse.
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > SMALL {
            return read_system(buffer);
        }
        STOCK.with_borrow_mut(|stock| stock.take(buffer));
    }
}

/// Larger amounts (keys) are read for their caller alone.
const SMALL: usize = 32;
const STOCK_BYTES: usize = 1024;

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; STOCK_BYTES], left: 0 }) };
}

/// Random bytes that nobody has seen.
struct Stock {
    bytes: [u8; STOCK_BYTES],
    left: usize,
}

impl Stock {
    fn take(&mut self, buffer: &mut [u8]) {
        if self.left < buffer.len() {
            read_system(&mut self.bytes);
            self.left = STOCK_BYTES;
        }
        let rest = self.left.saturating_sub(buffer.len());
        if let Some(fresh) = self.bytes.get_mut(rest..self.left) {
            buffer.copy_from_slice(fresh);
            fresh.fill(0);
        }
        self.left = rest;
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the system's randomness")]
fn read_system(buffer: &mut [u8]) {
    assert!(getrandom::fill(buffer).is_ok(), "the operating system gives no randomness");
}

/// A fresh identifier of 128 random bits, base64url: 22 characters, for `jti` and the like.
// spec: 6749-AS10, 9449-C1
#[must_use]
pub fn token(random: &dyn Random) -> ShortText {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    base64url::encode_128(bytes)
}

/// A number in `0.0..1.0`, for jitter.
#[must_use]
pub fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::{OsRandom, Random, fraction, token};

    #[derive(Debug)]
    struct Constant(u8);

    impl Random for Constant {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    // spec-test: 6749-AS10
    #[test]
    fn token_is_all_sixteen_bytes() {
        assert_eq!(token(&Constant(0xff)).as_str(), "_____________________w");
        assert_eq!(token(&Constant(0)).as_str(), "AAAAAAAAAAAAAAAAAAAAAA");
    }

    // spec-test: 6749-AS10
    #[test]
    fn what_was_handed_out_is_never_handed_out_again() {
        let mut seen = std::collections::BTreeSet::new();
        for length in (1..=32).cycle().take(3_000) {
            let mut bytes = vec![0; length];
            OsRandom.fill(&mut bytes);
            assert!(length < 8 || seen.insert(bytes));
        }
        super::STOCK.with_borrow(|stock| {
            assert!(stock.bytes.iter().skip(stock.left).all(|byte| *byte == 0), "nothing is left of it");
        });
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(token(&OsRandom), token(&OsRandom));
    }

    #[test]
    fn fraction_stays_below_one() {
        assert!(fraction(&Constant(0)).abs() < f64::EPSILON);
        let most = fraction(&Constant(0xff));
        assert!(most < 1.0 && most > 0.999);
    }
}
