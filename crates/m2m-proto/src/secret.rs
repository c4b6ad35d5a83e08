//! Secret values: never printed, wiped on drop, compared in constant time.
//!
//! A secret that could be formatted would end in a log one day; [`Secret`] has
//! no `Display`, no `Serialize`, and a `Debug` that says only `[redacted]`.

mod redaction;
mod wipe;

use std::fmt;

use subtle::ConstantTimeEq as _;

pub use redaction::Redaction;
pub use wipe::Wipe;

/// A value that must not be shown. [`Secret::expose`] is the only way to read
/// it, so that every use can be found by its name.
///
/// The memory is zeroed on drop. Copies made through `expose` are the caller's
/// to wipe.
pub struct Secret<T: Wipe>(T);

/// A secret text: a client secret, a token.
pub type SecretString = Secret<String>;

/// Secret bytes: a key, a decrypted plaintext.
pub type SecretBytes = Secret<Vec<u8>>;

impl<T: Wipe> Secret<T> {
    /// Takes `value` under protection.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this is responsible for where it goes.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl<T: Wipe + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Wipe> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Wipe> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for SecretString {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(value: &[u8]) -> Self {
        Self(value.to_vec())
    }
}

impl<T: Wipe + AsRef<[u8]>> Secret<T> {
    /// Whether both secrets hold the same bytes. The time taken depends on the
    /// lengths, not on the contents.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_ref(), other.0.as_ref())
    }
}

/// Constant-time in the contents; the length is not hidden.
impl<T: Wipe + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other)
    }
}

impl<T: Wipe + AsRef<[u8]>> Eq for Secret<T> {}

/// Whether `a` equals `b`, in time that depends on the lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Wiped(Rc<Cell<bool>>);

    impl Wipe for Wiped {
        fn wipe(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = SecretString::from("hunter2");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        assert_eq!(format!("{:?}", Some(SecretBytes::from(&b"k"[..]))), "Some([redacted])");
    }

    #[test]
    fn drop_wipes() {
        let seen = Rc::new(Cell::new(false));
        drop(Secret::new(Wiped(Rc::clone(&seen))));
        assert!(seen.get());
    }

    #[test]
    fn equality_is_of_all_bytes() {
        let a = SecretString::from("abc");
        assert_eq!(a, a.clone());
        assert_ne!(a, SecretString::from("abd"));
        assert_ne!(a, SecretString::from("ab"));
        assert!(!constant_time_eq(b"", b"x"));
        assert!(constant_time_eq(b"", b""));
    }
}
