use std::hash::{BuildHasher as _, RandomState};

use proptest::prelude::*;

use super::*;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

#[track_caller]
fn check(text: &str, expect: Result<&str, ScopeError>) {
    assert_eq!(Scope::parse(text).map(|s| s.to_string()), expect.map(str::to_owned), "{text:?}");
}

#[test]
fn wire_form() {
    check("read:data", Ok("read:data"));
    check("b a b", Ok("b a"));
    check("!#[]~", Ok("!#[]~"));
    check("https://api.example.com/.default", Ok("https://api.example.com/.default"));
}

#[test]
fn refused() {
    check("", Err(ScopeError::Empty));
    check(" a", Err(ScopeError::Empty));
    check("a ", Err(ScopeError::Empty));
    check("a  b", Err(ScopeError::Empty));
    check("a\tb", Err(ScopeError::Character));
    check("a\"b", Err(ScopeError::Character));
    check("a\\b", Err(ScopeError::Character));
    check("é", Err(ScopeError::Character));
    check("a\0", Err(ScopeError::Character));
    check(&"x".repeat(257), Err(ScopeError::TokenTooLong));
    let many: Vec<String> = (0..1025).map(|i| i.to_string()).collect();
    check(&many.join(" "), Err(ScopeError::TooMany));
    assert_eq!(
        Scope::from_tokens(many.iter().map(|t| ScopeToken::parse(t).unwrap())),
        Err(ScopeError::TooMany)
    );
}

#[test]
fn lenient_reading_of_answers() {
    assert!(Scope::parse_lenient("").unwrap().is_empty());
    assert!(Scope::parse_lenient("  ").unwrap().is_empty());
    assert_eq!(Scope::parse_lenient(" a\n b ").unwrap().to_string(), "a b");
    assert_eq!(Scope::parse_lenient("a\"b"), Err(ScopeError::Character));
}

#[test]
fn case_counts() {
    assert!(scope("Read").contains("Read"));
    assert!(!scope("Read").contains("read"));
    assert_ne!(scope("Read"), scope("read"));
}

#[test]
fn a_subset_is_not_equal() {
    assert_ne!(scope("a"), scope("a b"));
    assert_ne!(scope("a b"), scope("a"));
    assert_ne!(Scope::empty(), scope("a"));
}

#[test]
fn a_repeat_does_not_cancel_out() {
    // yup-oauth2 XORs the hashes of scopes, so that {a,a} shares a key with {}.
    assert_ne!(scope("a a"), Scope::empty());
    assert_eq!(scope("a a").canonical(), "a");
    assert_ne!(scope("a b").canonical(), scope("ab").canonical());
}

#[test]
fn set_operations() {
    let (ab, bc) = (scope("a b"), scope("b c"));
    assert_eq!(ab.union(&bc).to_string(), "a b c");
    assert_eq!(ab.difference(&bc).to_string(), "a");
    assert_eq!(ab.intersection(&bc).to_string(), "b");
    assert!(scope("b").is_subset(&ab) && !ab.is_subset(&bc));
    assert!(Scope::empty().is_subset(&ab));
    assert_eq!(ab.len(), 2);
}

proptest! {
    #[test]
    fn parse_of_display_is_identity(tokens in proptest::collection::vec("[!#-\\[\\]-~]{1,12}", 1..30)) {
        let text = tokens.join(" ");
        let parsed = scope(&text);
        let again = scope(&parsed.to_string());
        prop_assert_eq!(parsed.to_string(), again.to_string());
        prop_assert_eq!(&parsed, &again);
        prop_assert!(tokens.iter().all(|t| parsed.contains(t)));
    }

    #[test]
    fn order_does_not_matter(mut tokens in proptest::collection::vec("[a-d]{1,2}", 1..20)) {
        let a = scope(&tokens.join(" "));
        tokens.reverse();
        let b = scope(&tokens.join(" "));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(a.canonical(), b.canonical());
        let hasher = RandomState::new();
        prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
        prop_assert!(a.difference(&b).is_empty());
    }
}
