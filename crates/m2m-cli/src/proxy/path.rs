//! The path of a request as rules see it, or that it can be read in two ways.
//!
//! Sections: RFC 3986 §3.3, §5.2.4, §6.2.2
//! Enforces: rules judge the path that the program will see. Programs differ in when they decode, join and cut, so a
//! path that depends on it is refused instead of guessed at: empty segments (`//`), dot segments (`.`, `..`) in any
//! encoding, segments with a dot or a space at their end, characters that normalization turns into others, backslashes, path parameters (`;`), an encoded `/`, `\`, `;`, `?`, `#` or `%`, encoded or raw control
//! characters, broken escapes, text that is not UTF-8. Letters may be escaped or not: that is the same path
//! (RFC 3986 §6.2.2.2), as is one with a slash at its end.
//! Limits: 8192 bytes, 64 segments.

use std::borrow::Cow;

use http::Uri;

const MAX_BYTES: usize = 8192;
const MAX_SEGMENTS: usize = 64;

/// Why a path can be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ambiguous {
    /// It does not begin with `/`.
    Relative,
    /// Longer, or deeper, than is looked at.
    TooLong,
    /// `//`.
    EmptySegment,
    /// `.` or `..`.
    DotSegment,
    /// An encoded delimiter.
    EncodedDelimiter,
    /// A backslash or a semicolon as it is.
    Delimiter,
    /// A control character.
    Control,
    /// A broken escape, or bytes that are no text.
    NotText,
    /// A space at the edge of a segment, or a dot at its end: programs on Windows cut them off.
    Trimmed,
    /// A character that normalization turns into another one.
    Double,
    /// A rule holds for it in another case.
    Case,
}

impl Ambiguous {
    /// What to tell the sender.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Relative => "the path does not begin with a slash",
            Self::TooLong => "the path is longer than 8192 bytes or deeper than 64 segments",
            Self::EmptySegment => "the path has an empty segment",
            Self::DotSegment => "the path has a dot segment",
            Self::EncodedDelimiter => "the path has an encoded delimiter",
            Self::Delimiter => "the path has a backslash or a semicolon",
            Self::Control => "the path has a control character",
            Self::NotText => "the path has a broken escape, or is not UTF-8",
            Self::Trimmed => "the path has a segment with a space around it or a dot at its end",
            Self::Double => "the path has a character of full width, or one that stands for dots",
            Self::Case => "the path differs from a protected one by the case of letters only",
        }
    }
}

/// A path that can be read in one way only, escapes resolved, without the slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path<'a>(Cow<'a, str>);

impl<'a> Path<'a> {
    /// The path of a request's target.
    ///
    /// # Errors
    /// [`Ambiguous`].
    pub(crate) fn of(uri: &'a Uri) -> Result<Self, Ambiguous> {
        Self::parse(uri.path())
    }

    /// The path as it was sent, without a query.
    ///
    /// # Errors
    /// [`Ambiguous`].
    pub(crate) fn parse(raw: &'a str) -> Result<Self, Ambiguous> {
        if raw.len() > MAX_BYTES {
            return Err(Ambiguous::TooLong);
        }
        if !raw.starts_with('/') {
            return Err(Ambiguous::Relative);
        }
        let path = decode(raw)?;
        let is_root = path.len() == 1;
        let mut inside = path.split('/').skip(1).peekable();
        let mut count = 0;
        while let Some(segment) = inside.next() {
            count += 1;
            match segment {
                "" if is_root || inside.peek().is_none() => {}
                "" => return Err(Ambiguous::EmptySegment),
                "." | ".." => return Err(Ambiguous::DotSegment),
                _ if count > MAX_SEGMENTS => return Err(Ambiguous::TooLong),
                _ if segment.starts_with(' ') || segment.ends_with([' ', '.']) => {
                    return Err(Ambiguous::Trimmed);
                }
                _ => {}
            }
        }
        Ok(Self(path))
    }

    /// Its segments; the root has none.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Ambiguous> {
    for byte in raw.bytes() {
        match byte {
            b'\\' | b';' | b'?' | b'#' => return Err(Ambiguous::Delimiter),
            0..=0x20 | 0x7f => return Err(Ambiguous::Control),
            _ => {}
        }
    }
    if raw.is_ascii() && !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let text = String::from_utf8(unescaped(raw)?).map_err(|_| Ambiguous::NotText)?;
    if text.chars().any(is_double) { Err(Ambiguous::Double) } else { Ok(Cow::Owned(text)) }
}

/// Whether this is another character to whoever normalizes (Unicode NFKC, or "best fit" of Windows): forms of full and
/// small width, and dots that stand for one to three.
fn is_double(character: char) -> bool {
    matches!(character, '\u{2024}'..='\u{2026}' | '\u{fe50}'..='\u{fe6b}' | '\u{ff01}'..='\u{ff5e}')
}

fn unescaped(raw: &str) -> Result<Vec<u8>, Ambiguous> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next()), digit(bytes.next()));
        let (high, low) = high.zip(low).ok_or(Ambiguous::NotText)?;
        match u8::try_from(high * 16 + low).map_err(|_| Ambiguous::NotText)? {
            b'/' | b'\\' | b';' | b'?' | b'#' | b'%' => return Err(Ambiguous::EncodedDelimiter),
            0..=0x1f | 0x7f => return Err(Ambiguous::Control),
            byte => decoded.push(byte),
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Result<Vec<String>, Ambiguous> {
        Path::parse(raw).map(|path| path.segments().map(str::to_owned).collect())
    }

    #[test]
    fn a_path_is_its_segments() {
        let check = |raw: &str, expect: &[&str]| assert_eq!(read(raw).unwrap(), expect, "{raw}");
        check("/", &[]);
        check("/orders", &["orders"]);
        check("/orders/", &["orders"]);
        check("/%6frders/%31", &["orders", "1"]);
        check("/a/gr%C3%BC%C3%9Fe", &["a", "grüße"]);
        check("/a/...b", &["a", "...b"]);
        check("/a%20b/c+d", &["a b", "c+d"]);
        check("/.well-known/x", &[".well-known", "x"]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let check = |raw: &str, expect: Ambiguous| assert_eq!(read(raw).unwrap_err(), expect, "{raw}");
        check("", Ambiguous::Relative);
        check("*", Ambiguous::Relative);
        check("orders", Ambiguous::Relative);
        check("//", Ambiguous::EmptySegment);
        check("//orders", Ambiguous::EmptySegment);
        check("/a//b", Ambiguous::EmptySegment);
        check("/a//", Ambiguous::EmptySegment);
        check("/a/../b", Ambiguous::DotSegment);
        check("/a/..", Ambiguous::DotSegment);
        check("/./a", Ambiguous::DotSegment);
        check("/a/%2e%2E/b", Ambiguous::DotSegment);
        check("/a/.%2e", Ambiguous::DotSegment);
        check("/a%2fb", Ambiguous::EncodedDelimiter);
        check("/a%2F..%2Fb", Ambiguous::EncodedDelimiter);
        check("/a%5cb", Ambiguous::EncodedDelimiter);
        check("/a/%252e%252e/b", Ambiguous::EncodedDelimiter);
        check("/a%3bx=y/b", Ambiguous::EncodedDelimiter);
        check("/a%3F", Ambiguous::EncodedDelimiter);
        check("/a%23", Ambiguous::EncodedDelimiter);
        check("/a\\..\\b", Ambiguous::Delimiter);
        check("/a;x=y/b", Ambiguous::Delimiter);
        check("/a/..;/b", Ambiguous::Delimiter);
        check("/a%00", Ambiguous::Control);
        check("/a%0d%0a", Ambiguous::Control);
        check("/a b", Ambiguous::Control);
        check("/a%", Ambiguous::NotText);
        check("/a%2", Ambiguous::NotText);
        check("/a%zz", Ambiguous::NotText);
        check("/a/%c0%ae%c0%ae/b", Ambiguous::NotText);
        check("/a%u002e", Ambiguous::NotText);
        check("/a./b", Ambiguous::Trimmed);
        check("/a/...", Ambiguous::Trimmed);
        check("/a%20", Ambiguous::Trimmed);
        check("/%20a/b", Ambiguous::Trimmed);
        check("/a%EF%BC%8Fb", Ambiguous::Double);
        check("/%EF%BC%8E%EF%BC%8E/b", Ambiguous::Double);
        check("/%E2%80%A5/b", Ambiguous::Double);
        check("/%EF%BD%81dmin", Ambiguous::Double);
        check(&format!("/{}", "a".repeat(MAX_BYTES)), Ambiguous::TooLong);
        check(&"/a".repeat(MAX_SEGMENTS + 1), Ambiguous::TooLong);
    }
}
