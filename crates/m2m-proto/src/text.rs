//! Character classes of the protocol's grammar, one place for all modules.
//!
//! Sections: RFC 6749 appendix A; RFC 9110 sections 5.6.2, 11.2
//!
//! [`ShortText`] is how identifiers are kept: most are short, and a server has and copies many.

use std::fmt;

/// A text that is nearly always short: up to 23 bytes are kept in the value itself, more are shared by all
/// copies. Compared and hashed as its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortText(smol_str::SmolStr);

impl ShortText {
    /// Keeps a copy of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(smol_str::SmolStr::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<&str> for ShortText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for ShortText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl std::ops::Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl std::borrow::Borrow<str> for ShortText {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `VSCHAR`: printable US-ASCII with the space, `%x20-7E` (RFC 6749 appendix A).
#[must_use]
pub const fn is_vschar(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E)
}

/// `NQCHAR`: printable US-ASCII without space, `"` and `\` (RFC 6749 appendix A).
/// A scope token is made of these.
#[must_use]
pub const fn is_nqchar(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

/// `NQSCHAR`: [`is_nqchar`] and the space. `error` and `error_description` are
/// made of these (RFC 6749 section 5.2).
#[must_use]
pub const fn is_nqschar(byte: u8) -> bool {
    byte == b' ' || is_nqchar(byte)
}

/// A character of `token68` (RFC 9110 section 11.2), the trailing `=` apart.
///
/// Without branches: every request to an API asks this of every character of its token, and so the
/// compiler can ask it of many at once.
#[must_use]
pub const fn is_token68_char(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-`, `.`, `/` and the digits follow each other.
    let digit = byte.wrapping_sub(b'-') < 13;
    letter | digit | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

/// `tchar`: a character of an HTTP token (RFC 9110 section 5.6.2).
#[must_use]
pub const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a `Content-Type` value names the media type `expected`, whatever its
/// parameters (RFC 9110 section 8.3.1). Types compare without case.
#[must_use]
pub fn is_media_type(value: &str, expected: &str) -> bool {
    value.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: fn(u8) -> bool) -> usize {
        (0..=255).filter(|b| class(*b)).count()
    }

    #[test]
    fn sizes_follow_the_grammar() {
        assert_eq!(members(is_vschar), 95);
        assert_eq!(members(is_nqchar), 92);
        assert_eq!(members(is_nqschar), 93);
        assert_eq!(members(is_token68_char), 68);
        assert_eq!(members(is_tchar), 77);
    }

    #[test]
    fn media_types() {
        assert!(is_media_type("Application/JSON; charset=utf-8", "application/json"));
        assert!(!is_media_type("application/jsonp", "application/json"));
        assert!(!is_media_type("", "application/json"));
    }

    #[test]
    fn the_excluded_ones() {
        for byte in [b'"', b'\\', 0x7F, b'\n', 0x80, 0] {
            assert!(!is_nqschar(byte), "{byte:#x}");
        }
        assert!(is_nqschar(b' ') && !is_nqchar(b' '));
        assert!(!is_vschar(b'\t') && !is_tchar(b'=') && !is_token68_char(b'='));
    }
}
