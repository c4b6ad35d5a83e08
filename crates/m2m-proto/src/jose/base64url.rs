//! base64url as JOSE writes it: RFC 4648 section 5 without padding.
//!
//! Sections: RFC 7515 §2, appendix C
//! Enforces: only `A-Z a-z 0-9 - _`; no `=`, no whitespace; unused trailing bits
//! are zero, so that every byte string has exactly one text
//! Limits: none of its own; callers bound the input

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as ENGINE;

use crate::text::ShortText;

/// The text was not strict base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct Base64UrlError;

/// The text of `bytes`.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    ENGINE.encode(bytes)
}

/// The text of 128 bits, 22 characters, as identifiers have it.
#[must_use]
pub fn encode_128(bytes: [u8; 16]) -> ShortText {
    let mut text = [0; 22];
    let written = ENGINE.encode_slice(bytes, &mut text);
    debug_assert!(matches!(written, Ok(22)), "16 bytes are 22 characters");
    ShortText::new(std::str::from_utf8(&text).unwrap_or_default())
}

/// Appends the text of `bytes` to `out`, in one piece: the library's own way to a `String` goes through a
/// small buffer.
pub fn encode_into(bytes: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    let (bytes, start) = (bytes.as_ref(), out.len());
    let length = base64::encoded_len(bytes.len(), false).unwrap_or_default();
    out.resize(start.saturating_add(length), 0);
    let written = out.get_mut(start..).map(|room| ENGINE.encode_slice(bytes, room));
    debug_assert!(matches!(written, Some(Ok(written)) if written == length), "the room was measured");
}

/// The bytes of `text`.
///
/// # Errors
/// Anything outside the strict alphabet, padding, or stray trailing bits.
// spec: JOSE-V1
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64UrlError> {
    ENGINE.decode(text).map_err(|_| Base64UrlError)
}

/// Appends the bytes of `text` to `out`.
///
/// # Errors
/// As [`decode`]; `out` then holds nothing useful.
pub fn decode_into(text: impl AsRef<[u8]>, out: &mut Vec<u8>) -> Result<(), Base64UrlError> {
    ENGINE.decode_vec(text, out).map_err(|_| Base64UrlError)
}
