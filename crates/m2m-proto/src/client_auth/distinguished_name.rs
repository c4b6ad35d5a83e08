//! Distinguished names: the string form of RFC 4514 against the subject of a
//! certificate, compared by rule and not by string.
//!
//! Sections: RFC 8705 section 2.1.2 (`tls_client_auth_subject_dn`), RFC 4514
//! sections 2 and 3, RFC 5280 section 7.1
//! Enforces: same number of relative names in the same order; in each the same
//! attributes, in any order; values equal without regard to case and to the
//! number of spaces.
//! Does not enforce: the Unicode preparation of RFC 4518 beyond lower case and
//! spaces; an unequal preparation refuses, it never accepts.
//! Limits: 1024 bytes of text.

use std::fmt;

use super::der::{self, Reader};

const MAX_BYTES: usize = 1024;

/// Short names of RFC 4514 section 3 and the ones that certificates use
/// besides, with their object identifiers in DER.
const ATTRIBUTES: [(&str, &[u8]); 20] = [
    ("CN", &[0x55, 4, 3]),
    ("SN", &[0x55, 4, 4]),
    ("SERIALNUMBER", &[0x55, 4, 5]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("S", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("TITLE", &[0x55, 4, 12]),
    ("POSTALCODE", &[0x55, 4, 17]),
    ("GIVENNAME", &[0x55, 4, 42]),
    ("DNQUALIFIER", &[0x55, 4, 46]),
    ("ORGANIZATIONIDENTIFIER", &[0x55, 4, 97]),
    ("UID", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1]),
    ("DC", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25]),
    ("EMAILADDRESS", &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]),
    ("E", &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]),
    ("EMAIL", &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]),
];

/// A text that is not a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DistinguishedNameError {
    /// Empty, or longer than 1024 bytes.
    #[error("a distinguished name has 1 to {MAX_BYTES} bytes")]
    Length,
    /// A part without `=`, or with an attribute that is neither a known short
    /// name nor a dotted identifier.
    #[error("a part of the distinguished name has no known attribute")]
    Attribute,
    /// A value that is empty, badly escaped, or in the `#` form.
    #[error("a value of the distinguished name is empty or badly escaped")]
    Value,
}

/// A subject name, in the order of the certificate (the reverse of the text).
#[derive(Clone)]
pub struct DistinguishedName {
    text: String,
    relative: Vec<RelativeName>,
}

/// Attributes by identifier and prepared value, sorted.
type RelativeName = Vec<(Vec<u8>, String)>;

impl DistinguishedName {
    /// Reads `CN=worker 7,OU=Billing\, Europe,O=Example,C=DE`.
    ///
    /// # Errors
    /// One variant per defect.
    pub fn parse(text: &str) -> Result<Self, DistinguishedNameError> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(DistinguishedNameError::Length);
        }
        let mut relative = split_unescaped(text, ',')
            .into_iter()
            .map(|part| {
                let mut name = split_unescaped(part, '+').into_iter().map(parse_attribute).collect::<Result<
                    RelativeName,
                    _,
                >>(
                )?;
                name.sort();
                Ok(name)
            })
            .collect::<Result<Vec<_>, _>>()?;
        relative.reverse();
        Ok(Self { text: text.to_owned(), relative })
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the subject (the relative names in DER) is this name.
    pub(super) fn matches(&self, subject: &[u8]) -> bool {
        decode(subject).is_some_and(|found| found == self.relative)
    }
}

/// Equal where the rules call them equal, whatever the spelling.
impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.relative == other.relative
    }
}

impl Eq for DistinguishedName {}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({:?})", self.text)
    }
}

/// Splits at `separator` where no backslash stands before it.
fn split_unescaped(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.extend(text.get(start..at));
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.extend(text.get(start..));
    parts
}

fn parse_attribute(part: &str) -> Result<(Vec<u8>, String), DistinguishedNameError> {
    let (name, value) = part.split_once('=').ok_or(DistinguishedNameError::Attribute)?;
    let name = name.trim();
    let id = ATTRIBUTES
        .iter()
        .find(|(short, _)| short.eq_ignore_ascii_case(name))
        .map(|(_, id)| id.to_vec())
        .or_else(|| encode_identifier(name))
        .ok_or(DistinguishedNameError::Attribute)?;
    let value = unescape(value).ok_or(DistinguishedNameError::Value)?;
    let value = prepare(&value);
    if value.is_empty() { Err(DistinguishedNameError::Value) } else { Ok((id, value)) }
}

/// A dotted identifier in DER: base 128, most significant group first.
fn encode_identifier(dotted: &str) -> Option<Vec<u8>> {
    let arcs = dotted.split('.').map(|arc| arc.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
    let (first, rest) = arcs.split_first()?;
    let (second, rest) = rest.split_first()?;
    if *first > 2 || (*first < 2 && *second > 39) {
        return None;
    }
    let mut out = Vec::new();
    for arc in std::iter::once(first.checked_mul(40)?.checked_add(*second)?).chain(rest.iter().copied()) {
        let groups = (32 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = u8::try_from((arc >> (7 * group)) & 0x7F).ok()?;
            out.push(if group == 0 { bits } else { bits | 0x80 });
        }
    }
    Some(out)
}

/// Undoes the escapes of RFC 4514 section 2.4. `None` for a lone backslash,
/// for bytes that are not UTF-8, and for the `#` form.
fn unescape(value: &str) -> Option<String> {
    let value = value.trim_start_matches(' ');
    if value.starts_with('#') {
        return None;
    }
    let mut out = Vec::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let next = bytes.next()?;
        match char::from(next).to_digit(16) {
            Some(high) => {
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            None => out.push(next),
        }
    }
    String::from_utf8(out).ok()
}

/// Lower case, no outer spaces, inner runs of spaces as one.
fn prepare(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn decode(subject: &[u8]) -> Option<Vec<RelativeName>> {
    let mut names = Reader::new(subject);
    let mut out = Vec::new();
    while !names.is_empty() {
        let mut set = Reader::new(names.expect(der::SET)?);
        let mut name = RelativeName::new();
        while !set.is_empty() {
            let mut attribute = Reader::new(set.expect(der::SEQUENCE)?);
            let id = attribute.expect(der::OBJECT_IDENTIFIER)?.to_vec();
            let (tag, value) = attribute.element()?;
            name.push((id, prepare(&directory_string(tag, value)?)));
        }
        name.sort();
        out.push(name);
    }
    Some(out)
}

/// UTF8String, NumericString, PrintableString, IA5String, BMPString. Others
/// have no agreed reading and match nothing.
fn directory_string(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        0x0C | 0x12 | 0x13 | 0x16 => String::from_utf8(value.to_vec()).ok(),
        0x1E => {
            let units = value.chunks(2).map(|unit| <[u8; 2]>::try_from(unit).ok().map(u16::from_be_bytes));
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
