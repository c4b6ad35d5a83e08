//! Overwriting what was secret, at the speed of memory.
//!
//! Enforces: the whole allocation is zeroed, what lies beyond the length too, and the compiler cannot leave
//! that out although nobody reads it.
//! Does not enforce: anything about copies made before: of a text that grew, or in registers.

use zeroize::optimization_barrier;

/// A value that can be overwritten where it lies.
///
/// Not `zeroize::Zeroize`, which writes byte by byte: a token of 800 bytes took longer to forget than to
/// encode.
pub trait Wipe {
    /// Overwrites the value; what is left of it is empty or zero.
    fn wipe(&mut self);
}

impl Wipe for Vec<u8> {
    fn wipe(&mut self) {
        self.clear();
        self.resize(self.capacity(), 0);
        optimization_barrier(self.as_slice());
        self.clear();
    }
}

impl Wipe for String {
    fn wipe(&mut self) {
        std::mem::take(self).into_bytes().wipe();
    }
}

impl<const N: usize> Wipe for [u8; N] {
    fn wipe(&mut self) {
        self.fill(0);
        optimization_barrier(self.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"hunter2");
        bytes.wipe();
        assert_eq!((bytes.len(), bytes.capacity()), (0, 64), "in its own place");
        let mut text = String::from("hunter2");
        text.wipe();
        assert_eq!(text, "");
        let mut array = *b"hunter2";
        array.wipe();
        assert_eq!(array, [0; 7]);
    }
}
