use std::collections::HashSet;

use m2m_proto::scope::Scope;
use m2m_proto::uri::ResourceUri;

use super::{CacheKey, Identity};
use crate::spec::TokenSpec;

fn identity() -> Identity {
    Identity {
        server: "https://as.example".into(),
        client_id: "c".into(),
        method: "client_secret_basic".into(),
        credential: String::new(),
        binding: String::new(),
        grant: "client_credentials".into(),
        dialect: String::new(),
        assertion_audience: "issuer".into(),
    }
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn key(spec: &TokenSpec) -> CacheKey {
    CacheKey::new(&identity(), spec)
}

/// yup-oauth2 XORs hashes, so that a repeated scope cancels itself out.
#[test]
fn a_repeated_scope_is_neither_lost_nor_different() {
    let once = key(&TokenSpec::new().scope(scope("a b")));
    assert_eq!(once, key(&TokenSpec::new().scope(Scope::parse_lenient("a b a").unwrap())));
    assert_eq!(once, key(&TokenSpec::new().scope(scope("b a"))));
    assert_ne!(once, key(&TokenSpec::new().scope(scope("b"))));
    assert_ne!(key(&TokenSpec::new()), key(&TokenSpec::new().scope(Scope::parse_lenient("a a").unwrap())));
}

#[test]
fn no_scope_and_the_empty_scope_differ() {
    assert_ne!(key(&TokenSpec::new()), key(&TokenSpec::new().scope(Scope::empty())));
}

/// Everything that goes into the request goes into the key: Duende leaves the
/// audience out, and one tenant got another one's token.
#[test]
fn everything_that_is_asked_for_is_in_the_key() {
    let resource = |text| ResourceUri::parse(text).unwrap();
    let specs = [
        TokenSpec::new(),
        TokenSpec::new().scope(scope("a")),
        TokenSpec::new().scope(scope("ab")),
        TokenSpec::new().audience("a"),
        TokenSpec::new().audience("a").audience("b"),
        TokenSpec::new().audience("ab"),
        TokenSpec::new().resource(resource("https://a.example")),
        TokenSpec::new().audience("https://a.example"),
        TokenSpec::new().param("tenant", "a"),
        TokenSpec::new().param("tenant", "b"),
        TokenSpec::new().param("tenanta", ""),
        TokenSpec::new().param("tenant", "a").param("x", "y"),
    ];
    let keys: HashSet<CacheKey> = specs.iter().map(key).collect();
    assert_eq!(keys.len(), specs.len());
}

#[test]
fn who_asks_whom_and_how_is_in_the_key() {
    let change: [fn(&mut Identity); 8] = [
        |identity| identity.server.push('x'),
        |identity| identity.client_id.push('x'),
        |identity| identity.method.push('x'),
        |identity| identity.credential.push('x'),
        |identity| identity.binding.push('x'),
        |identity| identity.grant.push('x'),
        |identity| identity.dialect.push('x'),
        |identity| identity.assertion_audience.push('x'),
    ];
    let mut keys = HashSet::from([CacheKey::new(&identity(), &TokenSpec::new())]);
    for change in change {
        let mut changed = identity();
        change(&mut changed);
        keys.insert(CacheKey::new(&changed, &TokenSpec::new()));
    }
    assert_eq!(keys.len(), change.len() + 1);
}

/// A part's end is not a matter of its content.
#[test]
fn parts_do_not_run_together() {
    let with = |server: &str, client_id: &str| {
        let identity = Identity { server: server.into(), client_id: client_id.into(), ..identity() };
        CacheKey::new(&identity, &TokenSpec::new())
    };
    assert_ne!(with("ab", "c"), with("a", "bc"));
    assert_ne!(with("a\0b", ""), with("a", "b"));
}

/// A label is for people: it must not split one token into two.
#[test]
fn the_label_is_not_in_the_key() {
    assert_eq!(key(&TokenSpec::new()), key(&TokenSpec::new().label("orders")));
}

#[test]
fn the_key_is_a_file_name() {
    let text = key(&TokenSpec::new()).to_string();
    assert_eq!(text.len(), 64);
    assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
