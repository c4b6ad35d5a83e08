//! Conditions on the claims of external tokens. Pure.
//!
//! A claim is named as it stands at the top of the claims (`repository`), or, where it lies deeper or holds a `/`, by
//! a JSON Pointer (RFC 6901): `/kubernetes.io/namespace` is the member `namespace` of the member `kubernetes.io`.
//! A dot is a character like any other.
//!
//! Enforces: a condition holds only where the claim is there and has the type that the condition is about; a missing
//! claim, `null`, and one of another type are refused. Arrays are not looked into.
//! Limits: 16 conditions together, 32 values each, 512 bytes a value, 8 levels.

use std::fmt;

use m2m_proto::jose::Claims;
use m2m_proto::names::claim;
use serde_json::Value;

use super::pattern::{Pattern, PatternError};

/// The most conditions of an issuer or of a mapping.
pub const MAX_CONDITIONS: usize = 16;
/// The most values of a condition.
pub const MAX_VALUES: usize = 32;
/// The longest value or name, in bytes.
pub const MAX_VALUE_BYTES: usize = 512;
/// The deepest claim.
pub const MAX_LEVELS: usize = 8;

/// Bytes of a found value that are shown.
const MAX_SHOWN: usize = 256;

/// Why a condition cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The name of the claim is empty, too long, too deep or malformed.
    #[error(
        "{0:?} names no claim: a name, or a JSON Pointer of at most {MAX_LEVELS} levels such as /kubernetes.io/namespace"
    )]
    Claim(String),
    /// The pattern cannot be read.
    #[error("{0}")]
    Pattern(#[from] PatternError),
    /// No value, too many, or too long.
    #[error("a condition has 1 to {MAX_VALUES} values of at most {MAX_VALUE_BYTES} bytes")]
    Values,
}

/// Which claim: the names of the members that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads the name of a claim, or a JSON Pointer, which begins with `/`.
    ///
    /// # Errors
    /// [`ConditionError::Claim`].
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let wrong = || ConditionError::Claim(shortened(text));
        let names: Vec<String> = match text.strip_prefix('/') {
            None => vec![text.to_owned()],
            Some(rest) => rest.split('/').map(unescaped).collect::<Option<_>>().ok_or_else(wrong)?,
        };
        let fits = |name: &String| !name.is_empty() && !name.chars().any(char::is_control);
        if text.len() > MAX_VALUE_BYTES || names.len() > MAX_LEVELS || !names.iter().all(fits) {
            return Err(wrong());
        }
        Ok(Self(names))
    }

    /// The value in some claims; `null` counts as absent.
    #[must_use]
    pub fn find(&self, claims: &Claims) -> Option<Value> {
        let (first, rest) = self.0.split_first()?;
        let registered = match first.as_str() {
            claim::ISS => Some(claims.iss.clone().map(Value::from)),
            claim::SUB => Some(claims.sub.clone().map(Value::from)),
            claim::JTI => Some(claims.jti.clone().map(Value::from)),
            claim::AUD => Some(serde_json::to_value(&claims.aud).ok()),
            claim::EXP => Some(claims.exp.map(|time| Value::from(time.seconds()))),
            claim::NBF => Some(claims.nbf.map(|time| Value::from(time.seconds()))),
            claim::IAT => Some(claims.iat.map(|time| Value::from(time.seconds()))),
            _ => None,
        };
        let found = match registered {
            Some(value) => rest.is_empty().then_some(value).flatten(),
            None => {
                let member = claims.get(first);
                rest.iter().try_fold(member?, |value, name| value.as_object()?.get(name)).cloned()
            }
        };
        found.filter(|value| !value.is_null())
    }
}

/// RFC 6901 §4: `~1` is `/` and `~0` is `~`; no other escape exists.
fn unescaped(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [name] if !name.starts_with('/') => f.write_str(name),
            names => {
                names.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
            }
        }
    }
}

/// A value that a claim is compared with, type and all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Literal {
    /// A text, compared by code point.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
}

impl Literal {
    /// The literal of a JSON value; `None` for `null`, fractions, arrays and objects.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(truth) => Some(Self::Boolean(*truth)),
            Value::Number(number) => number.as_i64().map(Self::Integer),
            _ => None,
        }
    }

    /// The literal as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Integer(number) => Value::from(*number),
            Self::Boolean(truth) => Value::from(*truth),
        }
    }

    fn is(&self, found: &Value) -> bool {
        Self::of(found).as_ref() == Some(self)
    }

    fn fits(&self) -> bool {
        !matches!(self, Self::Text(text) if text.len() > MAX_VALUE_BYTES)
    }
}

/// What a claim must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Test {
    /// Exactly this.
    Equals(Literal),
    /// One of these.
    OneOf(Vec<Literal>),
    /// A text that the pattern stands for.
    Matches(Pattern),
}

impl Test {
    /// Whether a value passes.
    #[must_use]
    pub fn passes(&self, found: &Value) -> bool {
        match self {
            Self::Equals(literal) => literal.is(found),
            Self::OneOf(literals) => literals.iter().any(|literal| literal.is(found)),
            Self::Matches(pattern) => found.as_str().is_some_and(|text| pattern.matches(text)),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(literal) => write!(f, "{}", literal.to_json()),
            Self::OneOf(literals) => {
                let list: Vec<Value> = literals.iter().map(Literal::to_json).collect();
                write!(f, "one of {}", Value::Array(list))
            }
            Self::Matches(pattern) => write!(f, "matches {pattern}"),
        }
    }
}

/// A condition on one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    claim: ClaimPath,
    test: Test,
}

/// A condition and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// Which claim, as it is written in the condition.
    pub claim: String,
    /// What it must be.
    pub expected: String,
    /// What it is, as JSON of at most 256 bytes; `None` where it is missing.
    pub found: Option<String>,
    /// Whether the condition holds.
    pub holds: bool,
}

impl Condition {
    /// A condition within its limits.
    ///
    /// # Errors
    /// [`ConditionError::Values`].
    pub fn new(claim: ClaimPath, test: Test) -> Result<Self, ConditionError> {
        let fits = match &test {
            Test::Equals(literal) => literal.fits(),
            Test::OneOf(literals) => {
                (1..=MAX_VALUES).contains(&literals.len()) && literals.iter().all(Literal::fits)
            }
            Test::Matches(_) => true,
        };
        if fits { Ok(Self { claim, test }) } else { Err(ConditionError::Values) }
    }

    /// Which claim.
    #[must_use]
    pub fn claim(&self) -> &ClaimPath {
        &self.claim
    }

    /// What it must be.
    #[must_use]
    pub fn test(&self) -> &Test {
        &self.test
    }

    /// Whether the claims fulfil it.
    #[must_use]
    pub fn holds(&self, claims: &Claims) -> bool {
        self.claim.find(claims).is_some_and(|found| self.test.passes(&found))
    }

    /// The same, with the reason.
    #[must_use]
    pub fn judge(&self, claims: &Claims) -> Judged {
        let found = self.claim.find(claims);
        Judged {
            claim: self.claim.to_string(),
            expected: self.test.to_string(),
            holds: found.as_ref().is_some_and(|found| self.test.passes(found)),
            found: found.map(|found| shortened(&found.to_string())),
        }
    }
}

/// At most so much of a text that a stranger wrote.
pub(crate) fn shortened(text: &str) -> String {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MAX_SHOWN).last();
    match text.get(..end.unwrap_or_default()) {
        Some(all) if all.len() == text.len() => text.to_owned(),
        Some(beginning) => format!("{beginning}…"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let text = r#"{"iss":"https://p.example","sub":"s","iat":7,"exp":9,"repository":"acme/app","run_attempt":1,
            "a/b":"slash","m~n":"tilde","verified":true,"nothing":null,"groups":["a"],
            "kubernetes.io":{"namespace":"prod","serviceaccount":{"name":"orders","uid":"1"}}}"#;
        Claims::parse(text.as_bytes()).unwrap()
    }

    fn text(value: &str) -> Test {
        Test::Equals(Literal::Text(value.to_owned()))
    }

    fn condition(claim: &str, test: Test) -> Condition {
        Condition::new(ClaimPath::parse(claim).unwrap(), test).unwrap()
    }

    #[test]
    fn claims_are_found_by_name_and_by_pointer() {
        let check = |path: &str, expect: Option<Value>| {
            let parsed = ClaimPath::parse(path).unwrap();
            assert_eq!(parsed.find(&claims()), expect, "{path}");
            assert_eq!(ClaimPath::parse(&parsed.to_string()), Ok(parsed), "{path} is written as it is read");
        };
        check("repository", Some("acme/app".into()));
        check("/repository", Some("acme/app".into()));
        check("/kubernetes.io/namespace", Some("prod".into()));
        check("/kubernetes.io/serviceaccount/name", Some("orders".into()));
        check("kubernetes.io/namespace", None);
        check("/kubernetes/io/namespace", None);
        check("a/b", Some("slash".into()));
        check("/a~1b", Some("slash".into()));
        check("/m~0n", Some("tilde".into()));
        check("iss", Some("https://p.example".into()));
        check("exp", Some(9.into()));
        check("/sub/deeper", None);
        check("nothing", None);
        check("absent", None);
        check("/groups/0", None);
    }

    proptest::proptest! {
        #[test]
        fn a_path_is_written_as_it_is_read(text in "[a-z./~01]{0,24}|(?s).{0,40}") {
            if let Ok(path) = ClaimPath::parse(&text) {
                proptest::prop_assert_eq!(ClaimPath::parse(&path.to_string()), Ok(path));
            }
        }
    }

    #[test]
    fn paths_have_limits() {
        let deep = "/a".repeat(MAX_LEVELS + 1);
        let long = "a".repeat(MAX_VALUE_BYTES + 1);
        for bad in ["", "/", "/a/", "//a", "/a~2", "/a~", "a\nb", &deep, &long] {
            assert!(ClaimPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// A missing claim, and one of another type, never pass (GHSA-wxg7-w2v3-w38g).
    #[test]
    fn a_condition_holds_for_what_is_there_and_of_its_type() {
        let check = |claim: &str, test: Test, expect: bool| {
            let condition = condition(claim, test);
            assert_eq!(condition.holds(&claims()), expect, "{condition:?}");
            assert_eq!(condition.judge(&claims()).holds, expect, "{condition:?}");
        };
        let pattern = |text: &str| Test::Matches(Pattern::parse(text).unwrap());
        check("repository", text("acme/app"), true);
        check("repository", text("acme/App"), false);
        check("absent", text(""), false);
        check("nothing", text("null"), false);
        check("verified", text("true"), false);
        check("verified", Test::Equals(Literal::Boolean(true)), true);
        check("run_attempt", Test::Equals(Literal::Integer(1)), true);
        check("run_attempt", text("1"), false);
        check("groups", text("a"), false);
        check("groups", text("[\"a\"]"), false);
        check("repository", pattern("acme/*"), true);
        check("run_attempt", pattern("1"), false);
        check("kubernetes.io", pattern("kubernetes.io/**"), false);
        let either = || Test::OneOf(vec![Literal::Integer(1), Literal::Text("acme/app".to_owned())]);
        check("repository", either(), true);
        check("run_attempt", either(), true);
        check("sub", either(), false);
    }

    #[test]
    fn a_verdict_says_what_was_found() {
        let judged = condition("/kubernetes.io/namespace", text("dev")).judge(&claims());
        let shown = (judged.claim.as_str(), judged.expected.as_str(), judged.found.as_deref(), judged.holds);
        assert_eq!(shown, ("/kubernetes.io/namespace", "\"dev\"", Some("\"prod\""), false));
        let absent = condition("absent", Test::OneOf(vec![Literal::Integer(1)])).judge(&claims());
        assert_eq!((absent.found, absent.expected.as_str()), (None, "one of [1]"));
        assert!(shortened(&"ä".repeat(300)).len() <= MAX_SHOWN + '…'.len_utf8());
    }

    #[test]
    fn values_have_limits() {
        let path = || ClaimPath::parse("a").unwrap();
        let long = Literal::Text("a".repeat(MAX_VALUE_BYTES + 1));
        for test in [
            Test::Equals(long.clone()),
            Test::OneOf(vec![]),
            Test::OneOf(vec![long]),
            Test::OneOf(vec![Literal::Integer(1); MAX_VALUES + 1]),
        ] {
            assert_eq!(Condition::new(path(), test), Err(ConditionError::Values));
        }
    }
}
