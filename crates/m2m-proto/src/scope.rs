//! Scope: a set of case-sensitive tokens (RFC 6749 section 3.3).
//!
//! Sections: RFC 6749 section 3.3, appendix A.4
//! Enforces: the characters of each token; no empty token; number and size.
//! Does not enforce: that anyone knows these scopes; policy does.
//! Limits: 1024 tokens, 256 bytes each.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::text::{self, ShortText};

/// One scope token: `NQCHAR` characters, 1 to 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken(ShortText);

/// Why a text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// No token, or two spaces in a row, or a space at an end.
    #[error("scope has an empty token")]
    Empty,
    /// A character that scope tokens may not have.
    #[error("scope has a character outside %x21 / %x23-5B / %x5D-7E")]
    Character,
    /// A token longer than [`ScopeToken::MAX_BYTES`].
    #[error("scope token is longer than {} bytes", ScopeToken::MAX_BYTES)]
    TokenTooLong,
    /// More tokens than [`Scope::MAX_TOKENS`].
    #[error("scope has more than {} tokens", Scope::MAX_TOKENS)]
    TooMany,
}

impl ScopeToken {
    /// The longest scope token accepted: 256 bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks length and characters.
    ///
    /// # Errors
    /// [`ScopeError`], naming the rule broken.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(ScopeError::TokenTooLong);
        }
        if !text.bytes().all(text::is_nqchar) {
            return Err(ScopeError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The token as it goes on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ScopeToken {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A set of scope tokens.
///
/// Equality, hashing and ordering questions are those of a set; on the wire
/// the tokens keep the order in which they were first seen, because some
/// servers and client caches compare texts.
#[derive(Clone, Debug, Default)]
pub struct Scope(Vec<ScopeToken>);

impl Scope {
    /// The most tokens one scope may have: 1024.
    pub const MAX_TOKENS: usize = 1024;

    /// The scope without tokens. It has no wire form: leave the parameter out.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Parses the wire form: tokens separated by exactly one space. A token
    /// that occurs twice is kept once.
    ///
    /// # Errors
    /// [`ScopeError`]; the empty text is [`ScopeError::Empty`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::collect(text.split(' '))
    }

    /// Parses what a server answered, more kindly than [`Scope::parse`]:
    /// separators may repeat, and nothing at all is the empty scope.
    ///
    /// # Errors
    /// [`ScopeError`] for bad characters and excess.
    pub fn parse_lenient(text: &str) -> Result<Self, ScopeError> {
        Self::collect(text.split_ascii_whitespace())
    }

    /// The set of `tokens`, in their order, repeats dropped.
    ///
    /// # Errors
    /// [`ScopeError::TooMany`].
    pub fn from_tokens<I: IntoIterator<Item = ScopeToken>>(tokens: I) -> Result<Self, ScopeError> {
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for token in tokens {
            if seen.insert(token.clone()) {
                list.push(token);
            }
            if list.len() > Self::MAX_TOKENS {
                return Err(ScopeError::TooMany);
            }
        }
        Ok(Self(list))
    }

    fn collect<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut seen = BTreeSet::new();
        let mut list: Vec<ScopeToken> = Vec::new();
        for text in texts {
            let token = ScopeToken::parse(text)?;
            // Few tokens, as almost always: comparing them beats building a tree.
            let fresh = if list.len() < 8 {
                list.iter().all(|known| *known.0 != *text)
            } else {
                if seen.is_empty() {
                    seen.extend(list.iter().map(|known| known.0.clone()));
                }
                seen.insert(token.0.clone())
            };
            if fresh {
                list.push(token);
            }
            if list.len() > Self::MAX_TOKENS {
                return Err(ScopeError::TooMany);
            }
        }
        Ok(Self(list))
    }

    /// Whether `token` is in the set. Case counts.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|t| *t.0 == *token)
    }

    /// Whether every token of this scope is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        if self.0.len().saturating_mul(other.0.len()) <= 64 {
            return self.0.iter().all(|t| other.contains(&t.0));
        }
        let other = other.as_set();
        self.0.iter().all(|t| other.contains(t.as_str()))
    }

    /// Tokens of both, this scope's first.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let own = self.as_set();
        let added = other.0.iter().filter(|t| !own.contains(t.as_str()));
        Self(self.0.iter().chain(added).cloned().collect())
    }

    /// Tokens of this scope that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let other = other.as_set();
        Self(self.0.iter().filter(|t| !other.contains(t.as_str())).cloned().collect())
    }

    /// Tokens of this scope that `other` has too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let other = other.as_set();
        Self(self.0.iter().filter(|t| other.contains(t.as_str())).cloned().collect())
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of distinct tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The tokens in wire order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ScopeToken> {
        self.0.iter()
    }

    /// The tokens sorted by code point, separated by spaces: equal for equal
    /// sets, so fit for cache keys.
    #[must_use]
    pub fn canonical(&self) -> String {
        let sorted: Vec<&str> = self.as_set().into_iter().collect();
        sorted.join(" ")
    }

    /// The tokens in first-seen order with this separator, for services that
    /// want a comma where RFC 6749 section 3.3 has a space.
    #[must_use]
    pub fn joined(&self, separator: char) -> String {
        let bytes: usize = self.0.iter().map(|token| token.0.len() + 1).sum();
        let mut text = String::with_capacity(bytes);
        for token in &self.0 {
            if !text.is_empty() {
                text.push(separator);
            }
            text.push_str(&token.0);
        }
        text
    }

    /// The scope as it stands on the wire; of a single token without a copy.
    #[must_use]
    pub fn to_text(&self) -> ShortText {
        match self.0.as_slice() {
            [sole] => sole.0.clone(),
            _ => self.joined(' ').into(),
        }
    }

    fn as_set(&self) -> BTreeSet<&str> {
        self.0.iter().map(ScopeToken::as_str).collect()
    }
}

/// The wire form, in first-seen order.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(' '))
    }
}

impl std::str::FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        // Both are free of repeats, so equal sizes and one inclusion suffice.
        self.0.len() == other.0.len() && self.is_subset(other)
    }
}

impl Eq for Scope {}

impl Hash for Scope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_set().hash(state);
    }
}

impl From<ScopeToken> for Scope {
    fn from(token: ScopeToken) -> Self {
        Self(vec![token])
    }
}

#[cfg(test)]
mod tests;
