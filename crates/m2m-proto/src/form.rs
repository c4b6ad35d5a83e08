//! `application/x-www-form-urlencoded`, strictly.
//!
//! Sections: RFC 6749 sections 2.3.1, 3.2, appendix B; RFC 8707 section 2
//! Enforces: the media type; size; number of parameters; well-formed escapes;
//!   UTF-8; no parameter twice, but for `resource` and `audience`; an empty
//!   value counts as absent.
//! Does not enforce: which parameters must be there, or what they hold.
//! Limits: 64 KiB, 64 parameters.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::names::{media_type, param};
use crate::secret::{Secret, SecretString};
use crate::text;

/// Why a body is not a form that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// The content type is absent or another one.
    #[error("content type is not application/x-www-form-urlencoded")]
    ContentType,
    /// More bytes than [`Form::MAX_BYTES`].
    #[error("form is larger than {} bytes", Form::MAX_BYTES)]
    TooLarge,
    /// More parameters than [`Form::MAX_PARAMETERS`].
    #[error("form has more than {} parameters", Form::MAX_PARAMETERS)]
    TooMany,
    /// A percent sign without two hexadecimal digits, or a raw character that
    /// must be escaped.
    #[error("form has a malformed escape or an unescaped character")]
    Escape,
    /// The decoded bytes are not UTF-8.
    #[error("form is not UTF-8")]
    NotUtf8,
    /// A parameter that must occur once occurs again.
    #[error("parameter {name:?} is repeated")]
    Duplicate {
        /// The parameter's name, at most 64 characters of it.
        name: String,
    },
}

/// A decoded form. What needs no decoding is borrowed from the body. Values may
/// be secrets: `Debug` shows names only, and decoded ones are wiped on drop.
#[derive(Clone)]
pub struct Form<'b>(Vec<(Cow<'b, str>, Value<'b>)>);

/// As it stands in the body, or decoded.
#[derive(Clone)]
enum Value<'b> {
    Plain(&'b str),
    Decoded(SecretString),
}

impl Value<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Decoded(text) => text.expose(),
        }
    }
}

impl<'b> From<Cow<'b, str>> for Value<'b> {
    fn from(text: Cow<'b, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Plain(text),
            Cow::Owned(text) => Self::Decoded(Secret::new(text)),
        }
    }
}

impl<'b> Form<'b> {
    /// The largest body accepted: 64 KiB.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The most parameters accepted: 64.
    pub const MAX_PARAMETERS: usize = 64;

    /// Decodes a request body.
    ///
    /// `content_type` is the value of that header, if there is one; its only
    /// parameter may be `charset=UTF-8`.
    ///
    /// # Errors
    /// [`FormError`], naming the first rule broken.
    // spec: 6749-AS4 6749-C4, 6749-AS4a
    pub fn parse(content_type: Option<&str>, body: &'b [u8]) -> Result<Self, FormError> {
        if !content_type.is_some_and(is_form) {
            return Err(FormError::ContentType);
        }
        if body.len() > Self::MAX_BYTES {
            return Err(FormError::TooLarge);
        }
        let body = std::str::from_utf8(body).map_err(|_| FormError::NotUtf8)?;
        let mut pairs: Vec<(Cow<'b, str>, Value<'b>)> = Vec::new();
        for pair in body.split('&').filter(|p| !p.is_empty()) {
            if pairs.len() == Self::MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_component(name)?, Value::from(decode_component(value)?));
            if pairs.iter().any(|(n, _)| *n == name) && !may_repeat(&name) {
                return Err(FormError::Duplicate { name: name.chars().take(64).collect() });
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The same form, on its own memory.
    #[must_use]
    pub fn into_owned(self) -> Form<'static> {
        let owned = |text: Value<'_>| Value::Decoded(SecretString::from(text.as_str()));
        Form(self.0.into_iter().map(|(name, value)| (name.into_owned().into(), owned(value))).collect())
    }

    /// The value of a parameter; `None` if absent or empty (RFC 6749 section
    /// 3.2). Of a parameter that may repeat, the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Every value of a parameter in order, empty ones left out.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, v)| v)
    }

    /// All parameters with a value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, v.as_str())).filter(|(_, v)| !v.is_empty())
    }
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form")?;
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// RFC 8707 section 2 and RFC 8693 section 2.1 let these two repeat.
// spec: 8707-C1 8693-C1
fn may_repeat(name: &str) -> bool {
    name == param::RESOURCE || name == param::AUDIENCE
}

fn is_form(content_type: &str) -> bool {
    if content_type == media_type::FORM {
        return true;
    }
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|t| t.eq_ignore_ascii_case(media_type::FORM))
        && parts
            .filter(|p| !p.is_empty())
            .all(|p| p.eq_ignore_ascii_case("charset=utf-8") || p.eq_ignore_ascii_case("charset=\"utf-8\""))
}

/// Writes a form. A value that is empty is left out (RFC 6749 section 3.2).
/// Values may be secrets, so this has no `Debug` of them.
#[derive(Default)]
pub struct FormWriter(Zeroizing<String>);

impl FormWriter {
    /// An empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one parameter; nothing if `value` is empty.
    // spec: 6749-C4
    pub fn push(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        // Grown by hand, so that no half-filled buffer with a secret is freed
        // without being wiped.
        let needed = self.0.len() + 2 + 3 * (name.len() + value.len());
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(needed.max(512)));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode_into(name, &mut self.0);
        self.0.push('=');
        encode_into(value, &mut self.0);
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form so far, encoded. It may hold secrets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The body. Its content type is [`crate::names::media_type::FORM`].
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.0))
    }

    /// The same parameters as a JSON object of strings, for services that take
    /// JSON where RFC 6749 has a form; one that occurs again becomes an array.
    /// Nothing at all where there is no parameter.
    #[must_use]
    pub fn finish_json(self) -> Bytes {
        let mut members: Vec<(Cow<'_, str>, Vec<Value<'_>>)> = Vec::new();
        for pair in self.0.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Our own encoding: it can be undone.
            let (Ok(name), Ok(value)) = (decode_component(name), decode_component(value)) else { continue };
            let value = Value::from(value);
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => members.push((name, vec![value])),
            }
        }
        if members.is_empty() { Bytes::new() } else { json_object(&members, self.0.len()) }
    }
}

/// In one buffer that need not grow, for what it holds may be secret.
fn json_object(members: &[(Cow<'_, str>, Vec<Value<'_>>)], encoded: usize) -> Bytes {
    // An escaped character takes six bytes, and each has taken one at least.
    let mut out = Zeroizing::new(Vec::with_capacity(6 * encoded + 8 * members.len() + 2));
    let text = |out: &mut Vec<u8>, text: &str| {
        // Writing text to memory cannot fail.
        let _written = serde_json::to_writer(out, text);
    };
    for (index, (name, values)) in members.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        text(&mut out, name);
        out.push(b':');
        match values.as_slice() {
            [value] => text(&mut out, value.as_str()),
            values => {
                for (index, value) in values.iter().enumerate() {
                    out.push(if index == 0 { b'[' } else { b',' });
                    text(&mut out, value.as_str());
                }
                out.push(b']');
            }
        }
    }
    out.push(b'}');
    Bytes::from(std::mem::take(&mut *out))
}

impl fmt::Debug for FormWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormWriter([redacted], {} bytes)", self.0.len())
    }
}

/// Encodes one name or value: letters, digits and `*-._` as they are, space as
/// `+`, every other byte of the UTF-8 form as `%XX` (RFC 6749 appendix B).
#[must_use]
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    encode_into(text, &mut out);
    out
}

fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(hex_digit(byte >> 4));
                out.push(hex_digit(byte & 15));
            }
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

/// Decodes one name or value: `+` to space, `%XX` to its byte; borrowed where
/// there is nothing to undo. Characters that an encoder should have escaped are accepted if they are printable US-ASCII,
/// because many encoders leave `:`, `/` and the like alone.
///
/// # Errors
/// [`FormError::Escape`], [`FormError::NotUtf8`].
pub fn decode_component(text: &str) -> Result<Cow<'_, str>, FormError> {
    // Nothing to undo, as in nearly every value that a machine writes.
    if text.bytes().all(|byte| text::is_vschar(byte) && byte != b'+' && byte != b'%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = bytes.next().and_then(hex_value).ok_or(FormError::Escape)?;
                let low = bytes.next().and_then(hex_value).ok_or(FormError::Escape)?;
                high << 4 | low
            }
            _ if text::is_vschar(byte) => byte,
            _ => return Err(FormError::Escape),
        });
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| FormError::NotUtf8)
}

fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests;
