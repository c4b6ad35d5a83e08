//! Whether two mappings may mean the same workload: then a token of it stands for nobody, where both match. Pure.
//!
//! It tells what the registry can see. Two mappings are apart where their subjects have no name in common, or a claim
//! must be one thing here and another there; whatever else is told as overlap, although a platform may never make a
//! token that both match. What is told as apart never meets in one token.
//! Does not enforce: anything: such a mapping is allowed, as two conditions may be disjoint by what they mean.

use std::sync::Arc;

use m2m_proto::time::UnixTime;

use super::conditions::{Condition, Literal, Test};
use super::pattern::Pattern;
use crate::registry::{Credential, ExternalSubject, Federated, Material, Registration, Registry, Status};

/// Whether one token may fulfil both, as far as they say.
#[must_use]
pub fn may_meet(one: &Federated, other: &Federated) -> bool {
    one.issuer == other.issuer
        && subjects_meet(&one.subject, &other.subject)
        && !one.conditions.iter().any(|a| other.conditions.iter().any(|b| exclude(a, b)))
}

/// Other credentials in use that may stand for the workloads of a federated one, with their clients: where two do, a
/// token of such a workload is refused. None for a credential of another method, or one that has ended.
pub(crate) fn with<'r>(
    credential: &'r Credential,
    registry: &'r Registry,
    now: UnixTime,
) -> impl Iterator<Item = (&'r Arc<Registration>, &'r Arc<Credential>)> {
    let mapping = match &credential.material {
        Material::Federated(mapping) if !credential.has_ended(now) => Some(mapping),
        _ => None,
    };
    let meets = |mapping: &Federated, other: &Credential| match &other.material {
        Material::Federated(others) => may_meet(mapping, others),
        _ => false,
    };
    let others = mapping.into_iter().flat_map(move |mapping| {
        registry.mapped_to(&mapping.issuer).filter(move |(_, other)| meets(mapping, other))
    });
    others.filter(move |(registration, other)| {
        other.id != credential.id && !other.has_ended(now) && registration.client().status != Status::Revoked
    })
}

fn subjects_meet(one: &ExternalSubject, other: &ExternalSubject) -> bool {
    match (one, other) {
        (ExternalSubject::Matching(one), ExternalSubject::Matching(other)) => one.meets(other),
        (ExternalSubject::Exact(own), meant) | (meant, ExternalSubject::Exact(own)) => meant.matches(own),
    }
}

/// Whether no token fulfils both.
fn exclude(one: &Condition, other: &Condition) -> bool {
    if one.claim() != other.claim() {
        return false;
    }
    match (one.test(), other.test()) {
        (Test::Matches(one), Test::Matches(other)) => !one.meets(other),
        (Test::Matches(pattern), values) | (values, Test::Matches(pattern)) => {
            !literals(values).iter().any(|literal| is_meant(pattern, literal))
        }
        (one, other) => !literals(one).iter().any(|literal| literals(other).contains(literal)),
    }
}

fn literals(test: &Test) -> &[Literal] {
    match test {
        Test::Equals(literal) => std::slice::from_ref(literal),
        Test::OneOf(literals) => literals,
        Test::Matches(_) => &[],
    }
}

fn is_meant(pattern: &Pattern, literal: &Literal) -> bool {
    matches!(literal, Literal::Text(text) if pattern.matches(text))
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::Claims;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::federation::ClaimPath;
    use crate::registry::IssuerId;

    fn subject(text: &str) -> ExternalSubject {
        match text.contains('*') {
            true => ExternalSubject::Matching(Pattern::parse(text).unwrap()),
            false => ExternalSubject::Exact(text.to_owned()),
        }
    }

    fn mapping(sub: &str, conditions: &[(&str, Test)]) -> Federated {
        let issuer = IssuerId::parse("platform").unwrap();
        let condition = |(claim, test): &(&str, Test)| {
            Condition::new(ClaimPath::parse(claim).unwrap(), test.clone()).unwrap()
        };
        conditions.iter().map(condition).fold(Federated::new(issuer, subject(sub)), Federated::condition)
    }

    fn one_of(values: &[&str]) -> Test {
        Test::OneOf(values.iter().map(|value| Literal::Text((*value).to_owned())).collect())
    }

    #[test]
    fn subjects_that_have_a_name_in_common_may_meet() {
        let check = |one: &str, other: &str, expect: bool| {
            let (one, other) = (mapping(one, &[]), mapping(other, &[]));
            assert_eq!(may_meet(&one, &other), expect, "{one:?} {other:?}");
            assert_eq!(may_meet(&other, &one), expect, "either way");
        };
        check("a", "a", true);
        check("a", "b", false);
        check("repo:acme/app", "repo:acme/*", true);
        check("repo:acme/app", "repo:acme/*:x", false);
        check("repo:*/app", "repo:acme/*", true);
        check("repo:*/app", "repo:acme/web", false);
        check("repo:acme/app:**", "repo:acme/*:ref:main", true);
        check("repo:acme/app:**", "repo:acme/app", false);
        check("repo:acme/app:**", "repo:**", true);
        check("a/*", "a:*", false);
        let elsewhere = Federated { issuer: IssuerId::parse("other").unwrap(), ..mapping("a", &[]) };
        assert!(!may_meet(&mapping("a", &[]), &elsewhere));
    }

    #[test]
    fn conditions_that_exclude_each_other_keep_mappings_apart() {
        let equals = |value: Value| Test::Equals(Literal::of(&value).unwrap());
        let matches = |text: &str| Test::Matches(Pattern::parse(text).unwrap());
        let check = |one: (&str, Test), other: (&str, Test), expect: bool| {
            let (one, other) = (mapping("s", &[one]), mapping("s", &[other]));
            assert_eq!(may_meet(&one, &other), expect, "{one:?} {other:?}");
            assert_eq!(may_meet(&other, &one), expect, "either way");
        };
        check(("env", equals(json!("a"))), ("env", equals(json!("b"))), false);
        check(("env", equals(json!("a"))), ("/env", equals(json!("b"))), false);
        check(("env", equals(json!("a"))), ("ref", equals(json!("b"))), true);
        check(("env", equals(json!("1"))), ("env", equals(json!(1))), false);
        check(("env", one_of(&["a", "b"])), ("env", one_of(&["b", "c"])), true);
        check(("env", one_of(&["a", "b"])), ("env", equals(json!("c"))), false);
        check(("env", matches("a/*")), ("env", equals(json!("a/b"))), true);
        check(("env", matches("a/*")), ("env", one_of(&["a", "b/c"])), false);
        check(("env", matches("a/*")), ("env", matches("*/b")), true);
        check(("env", matches("a/*")), ("env", matches("b/*")), false);
    }

    fn name() -> impl Strategy<Value = String> {
        "[ab*]{1,2}([/:][ab*]{0,2}){0,3}"
            .prop_filter("no pattern", |text| !text.contains('*') || Pattern::parse(text).is_ok())
    }

    proptest! {
        /// What a token matches twice is never told as apart.
        #[test]
        fn whatever_matches_both_is_an_overlap(
            one in name(), other in name(), sub in "[ab]{1,2}([/:][ab]{0,2}){0,3}",
            env in "[ab]/[ab]", values in prop::collection::vec("[ab]/[ab]", 1..3), pattern in "([ab]/\\*|\\*/[ab])",
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let one = mapping(&one, &[("env", one_of(&values))]);
            let other = mapping(&other, &[("env", Test::Matches(Pattern::parse(&pattern).unwrap()))]);
            let claims = Claims::parse(json!({"sub": sub, "env": env}).to_string().as_bytes()).unwrap();
            let fits = |mapping: &Federated| {
                mapping.subject.matches(&sub) && mapping.conditions.iter().all(|one| one.holds(&claims))
            };
            prop_assert!(!(fits(&one) && fits(&other)) || may_meet(&one, &other));
        }
    }
}
