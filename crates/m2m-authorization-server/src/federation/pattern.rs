//! Patterns for names of workloads: a few wildcards, and no way to write one that matches by accident.
//!
//! Names like `repo:acme/app:ref:refs/heads/main` and `spiffe://prod.example/ns/orders` are made of segments between
//! `/` and `:`. In a pattern, `*` stands for one whole segment and `**`, at the end and behind a `/` or `:`, for
//! everything that follows, at least one character each. Everything else stands for itself.
//!
//! Enforces: a wildcard never stands for a part of a segment, so `repo:acme*` (which `repo:acme-evil/x` would match)
//! cannot be written; a pattern has a literal segment; matching takes one pass.
//! Limits: 512 bytes, 8 wildcards.

use std::fmt;

/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 512;
/// The most wildcards of a pattern.
pub const MAX_WILDCARDS: usize = 8;

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Empty, or too long.
    #[error("a pattern has 1 to {MAX_PATTERN_BYTES} bytes")]
    Length,
    /// Too many wildcards.
    #[error("a pattern has at most {MAX_WILDCARDS} wildcards")]
    Wildcards,
    /// A wildcard beside other characters of its segment.
    #[error("* stands for a whole segment between / and :, so nothing else stands beside it")]
    PartOfSegment,
    /// `**` elsewhere than at the end, behind a delimiter.
    #[error("** stands at the end, behind a / or a :")]
    Tail,
    /// Nothing but wildcards.
    #[error("a pattern of wildcards alone matches everything: leave the condition out")]
    NoLiteral,
}

/// A pattern, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

const fn is_delimiter(c: char) -> bool {
    matches!(c, '/' | ':')
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`], for the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !(1..=MAX_PATTERN_BYTES).contains(&text.len()) {
            return Err(PatternError::Length);
        }
        let segments: Vec<&str> = text.split(is_delimiter).collect();
        let last = segments.len() - 1;
        for (position, segment) in segments.iter().enumerate() {
            match *segment {
                "*" => {}
                "**" if position == last && position > 0 => {}
                "**" => return Err(PatternError::Tail),
                literal if literal.contains('*') => return Err(PatternError::PartOfSegment),
                _ => {}
            }
        }
        if segments.iter().filter(|segment| segment.contains('*')).count() > MAX_WILDCARDS {
            return Err(PatternError::Wildcards);
        }
        if segments.iter().all(|segment| segment.is_empty() || segment.contains('*')) {
            return Err(PatternError::NoLiteral);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the text is one of those that the pattern stands for.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut text) = (self.0.as_str(), text);
        loop {
            let (segment, rest) = split(pattern);
            if segment == "**" {
                return !text.is_empty();
            }
            let (found, behind) = split(text);
            if !(segment == found || segment == "*" && !found.is_empty()) {
                return false;
            }
            match (rest.chars().next(), behind.chars().next()) {
                (None, None) => return true,
                // The delimiters themselves must be the same.
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => return false,
            }
            (pattern, text) = (after_first(rest), after_first(behind));
        }
    }

    /// Whether there may be a text that both stand for.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (mut one, mut other) = (self.0.as_str(), other.0.as_str());
        loop {
            let ((segment, rest), (opposite, behind)) = (split(one), split(other));
            // Both stand for one character at least, and whatever is left of the other can be that.
            if segment == "**" || opposite == "**" {
                return !one.is_empty() && !other.is_empty();
            }
            let fits = match (segment, opposite) {
                ("*", text) | (text, "*") => !text.is_empty(),
                (one, other) => one == other,
            };
            match (rest.chars().next(), behind.chars().next()) {
                _ if !fits => return false,
                (None, None) => return true,
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
            (one, other) = (after_first(rest), after_first(behind));
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first segment, and what follows it with its delimiter.
fn split(text: &str) -> (&str, &str) {
    text.find(is_delimiter).and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""))
}

/// Behind a delimiter, which is one byte.
fn after_first(text: &str) -> &str {
    text.get(1..).unwrap_or_default()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq};

    use super::*;

    #[test]
    fn wildcards_stand_for_whole_segments() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(text), expect, "{pattern} and {text:?}");
        };
        check("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true);
        check("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/mainx", false);
        check("repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true);
        check("repo:acme/*:ref:refs/heads/main", "repo:acme-evil/app:ref:refs/heads/main", false);
        check("repo:acme/*:ref:refs/heads/main", "repo:acme/a/b:ref:refs/heads/main", false);
        check("repo:acme/*:ref:refs/heads/main", "repo:acme/:ref:refs/heads/main", false);
        check("repo:acme/app:**", "repo:acme/app:ref:refs/heads/main", true);
        check("repo:acme/app:**", "repo:acme/app:", false);
        check("repo:acme/app:**", "repo:acme/app", false);
        check("repo:acme/app:**", "repo:acme/app-evil:ref", false);
        check("spiffe://prod.example/**", "spiffe://prod.example/ns/a/sa/b", true);
        check("spiffe://prod.example/**", "spiffe://prod.example.evil/ns", false);
        check("spiffe://prod.example/ns/*/sa/api", "spiffe://prod.example/ns/a/sa/api", true);
        check("spiffe://prod.example/ns/*/sa/api", "spiffe:/:prod.example/ns/a/sa/api", false);
        check("system:serviceaccount:prod:*", "system:serviceaccount:prod:orders", true);
        check("system:serviceaccount:prod:*", "system:serviceaccount:prod:", false);
        check("a/*", "a:b", false);
        check("a/b", "", false);
    }

    #[test]
    fn what_would_match_by_accident_cannot_be_written() {
        use PatternError as E;
        let check = |text: &str, refused: E| assert_eq!(Pattern::parse(text), Err(refused), "{text}");
        check("", E::Length);
        check(&"a".repeat(MAX_PATTERN_BYTES + 1), E::Length);
        check("repo:acme*", E::PartOfSegment);
        check("repo:acme*/app", E::PartOfSegment);
        check("refs/tags/v*", E::PartOfSegment);
        check("a/***", E::PartOfSegment);
        check("**", E::Tail);
        check("a/**/b", E::Tail);
        check("repo:acme**", E::PartOfSegment);
        check("*", E::NoLiteral);
        check("*/**", E::NoLiteral);
        check(&format!("a{}", "/*".repeat(MAX_WILDCARDS + 1)), E::Wildcards);
    }

    proptest::proptest! {
        #[test]
        fn a_literal_matches_itself_and_nothing_else(text in "[a-z/:]{1,12}", other in "[a-z/:]{0,12}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert!(pattern.matches(&text));
                prop_assert_eq!(pattern.matches(&other), text == other);
            }
        }

        /// Whatever is typed is read or refused, and nothing that is read cuts a segment.
        #[test]
        fn any_text_is_a_pattern_or_none(text in "(?s).{0,40}|[a*/:]{0,24}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert_eq!(pattern.as_str(), &text);
                prop_assert!(text.split(is_delimiter).all(|part| !part.contains('*') || ["*", "**"].contains(&part)));
                prop_assert!(pattern.meets(&pattern));
            }
        }

        #[test]
        fn a_wildcard_never_crosses_a_delimiter(found in "[a-z/:]{0,8}") {
            let pattern = Pattern::parse("x/*/y").unwrap();
            let whole = !found.is_empty() && !found.contains(is_delimiter);
            prop_assert_eq!(pattern.matches(&format!("x/{found}/y")), whole);
        }
    }
}
