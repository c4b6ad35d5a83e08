//! The grammar of `WWW-Authenticate`, over bytes, left to right.
//!
//! Sections: RFC 9110 sections 5.6.1, 5.6.4, 11.2, 11.6.1
//!
//! One header line may hold several challenges, and the comma separates both
//! challenges and their attributes, so each comma needs a look ahead: a word
//! followed by `=` is an attribute, any other word begins a challenge.

use http::HeaderMap;

use super::{AuthScheme, Challenge};
use crate::names::header;
use crate::text::{is_tchar, is_token68_char};

const MAX_BYTES: usize = 16 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_ATTRIBUTES: usize = 32;

pub(super) fn parse_all(headers: &HeaderMap) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut budget = MAX_BYTES;
    for value in headers.get_all(header::WWW_AUTHENTICATE) {
        let Some(rest) = budget.checked_sub(value.len()) else { break };
        budget = rest;
        let mut line = Line(value.as_bytes());
        while found.len() < MAX_CHALLENGES {
            match line.challenge() {
                Next::Challenge(challenge) => found.push(*challenge),
                Next::Unusable => {}
                Next::End => break,
            }
        }
    }
    found
}

enum Next {
    Challenge(Box<Challenge>),
    /// Well-formed so far, but it contradicts itself.
    Unusable,
    /// Nothing left, or nothing readable.
    End,
}

/// What is left of one header line.
struct Line<'a>(&'a [u8]);

impl<'a> Line<'a> {
    fn challenge(&mut self) -> Next {
        self.skip(|b| is_space(b) || b == b',');
        let scheme = self.take(is_tchar);
        if scheme.is_empty() {
            return Next::End;
        }
        let mut challenge = Box::new(Challenge::new(AuthScheme::parse(&lossy(scheme))));
        if !self.0.first().copied().is_none_or(|b| is_space(b) || b == b',') {
            return Next::End;
        }
        let spaced = self.skip(is_space) > 0;
        if spaced && self.token68() {
            return Next::Challenge(challenge);
        }
        let mut seen: Vec<String> = Vec::new();
        let mut consistent = true;
        while let Some((name, value)) = self.attribute() {
            if seen.len() == MAX_ATTRIBUTES {
                return Next::End;
            }
            consistent &= !seen.contains(&name);
            challenge.set(&name, &value);
            seen.push(name);
            self.skip(is_space);
            if !self.0.is_empty() && !self.0.starts_with(b",") {
                // The attribute before the fault is not to be trusted either.
                self.0 = &[];
                return Next::End;
            }
        }
        if consistent { Next::Challenge(challenge) } else { Next::Unusable }
    }

    /// Skips a `token68` that makes up the whole rest of a challenge.
    fn token68(&mut self) -> bool {
        let mut ahead = Line(self.0);
        if ahead.take(is_token68_char).is_empty() {
            return false;
        }
        ahead.skip(|b| b == b'=');
        ahead.skip(is_space);
        let whole = ahead.0.is_empty() || ahead.0.starts_with(b",");
        if whole {
            self.0 = ahead.0;
        }
        whole
    }

    /// The next `name=value` of the same challenge; the line stays where it is
    /// if something else comes next. Names compare without case.
    fn attribute(&mut self) -> Option<(String, String)> {
        let mut ahead = Line(self.0);
        ahead.skip(|b| is_space(b) || b == b',');
        let name = lossy(ahead.take(is_tchar)).to_ascii_lowercase();
        ahead.skip(is_space);
        ahead.0 = ahead.0.strip_prefix(b"=").filter(|_| !name.is_empty())?;
        ahead.skip(is_space);
        let value = match ahead.0.strip_prefix(b"\"") {
            Some(rest) => {
                ahead.0 = rest;
                ahead.quoted()?
            }
            // RFC 9110 wants a token; scopes and URLs come unquoted too.
            None => lossy(ahead.take(|b| b.is_ascii_graphic() && b != b',' && b != b'"')),
        };
        self.0 = ahead.0;
        Some((name, value))
    }

    /// The rest of a quoted string, the closing quote included; `None` if it
    /// never closes.
    fn quoted(&mut self) -> Option<String> {
        let mut out = Vec::new();
        let mut bytes = self.0.iter().enumerate();
        while let Some((i, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.0 = self.0.get(i + 1..)?;
                    return Some(lossy(&out));
                }
                b'\\' => out.push(*bytes.next()?.1),
                _ => out.push(*byte),
            }
        }
        None
    }

    fn take(&mut self, class: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|b| !class(*b)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, class: impl Fn(u8) -> bool) -> usize {
        self.take(class).len()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
