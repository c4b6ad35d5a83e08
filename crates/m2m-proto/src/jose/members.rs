//! JSON members by name: what a claims set holds beside its typed claims.
//!
//! A sorted list instead of a tree: a token has about ten claims, and a
//! verifier builds one of these for each token, so the allocations count.
//! Names that access tokens usually carry are not copied at all.

use std::borrow::Cow;

use serde_json::Value;

use crate::names::claim;

/// The names of our own access tokens (RFC 9068, RFC 7800 and product claims).
const USUAL: [&str; 8] = [
    claim::CLIENT_ID,
    claim::SCOPE,
    claim::AZP,
    claim::CRED,
    claim::CNF,
    claim::ROLES,
    claim::PERMISSIONS,
    claim::STATUS,
];

/// Members in the order of their names; no name twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(Vec<(Cow<'static, str>, Value)>);

impl Members {
    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.find(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Puts `value` under `name`, in place of what was there.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.find(&name) {
            Ok(at) => {
                if let Some(member) = self.0.get_mut(at) {
                    member.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.find(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// All members, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name))
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, Value)> for Members {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(members: I) -> Self {
        let mut all = Self::default();
        for (name, value) in members {
            all.insert(name, value);
        }
        all
    }
}

/// Members as they are read, in the order of the document.
#[derive(Default)]
pub(super) struct Unsorted(Vec<(Cow<'static, str>, Value)>);

impl Unsorted {
    pub(super) fn push(&mut self, name: &str, value: Value) {
        if self.0.is_empty() {
            self.0.reserve(USUAL.len());
        }
        let usual = USUAL.into_iter().find(|usual| *usual == name);
        self.0.push((usual.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed), value));
    }

    /// `None` if a name occurs twice. Sorting first keeps this from being
    /// quadratic in what a stranger sends.
    pub(super) fn sorted(mut self) -> Option<Members> {
        self.0.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let twice = self.0.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        (!twice).then_some(Members(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(members: &Members) -> Vec<&str> {
        members.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn members_are_kept_by_name() {
        let mut members: Members =
            [("scope", 1), ("azp", 2), ("x", 3)].map(|(n, v)| (n, Value::from(v))).into_iter().collect();
        assert_eq!(names(&members), ["azp", "scope", "x"]);
        members.insert("azp", 4.into());
        members.insert("b".to_owned(), 5.into());
        assert_eq!(members.get("azp"), Some(&4.into()));
        assert_eq!(members.remove("scope"), Some(1.into()));
        assert_eq!(members.remove("scope"), None);
        assert_eq!(names(&members), ["azp", "b", "x"]);
    }

    #[test]
    fn reading_finds_repeats_wherever_they_stand() {
        let read = |list: &[&str]| {
            let mut unsorted = Unsorted::default();
            list.iter().for_each(|name| unsorted.push(name, Value::Null));
            unsorted.sorted()
        };
        assert_eq!(read(&["scope", "b", "a"]).as_ref().map(names), Some(vec!["a", "b", "scope"]));
        assert!(read(&["scope", "b", "a", "scope"]).is_none());
        assert!(read(&["b", "b"]).is_none());
    }
}
