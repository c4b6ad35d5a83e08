use bytes::Bytes;
use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, jws};
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;
use m2m_proto::token::TokenResponse;
use serde_json::{Value, json};

use super::{Asked, Seen, look, look_outside};
use crate::Inspect;
use crate::spec::TokenSpec;

const NOW: u64 = 1_000_000;

fn jwt(claims: &Value) -> String {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let header = HeaderFields { typ: Some("at+jwt"), ..HeaderFields::default() };
    jws::sign(&header, claims.to_string().as_bytes(), &key).unwrap()
}

fn seen(spec: &TokenSpec, binding: Option<&str>, token: &str, scope: Option<&str>) -> Seen {
    let mut body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 600});
    if let Some(scope) = scope {
        body["scope"] = scope.into();
    }
    let answer = TokenResponse::decode(&http::Response::new(Bytes::from(body.to_string()))).unwrap();
    look(&Asked { spec, binding }, &answer, UnixTime::from_seconds(NOW))
}

fn check(spec: &TokenSpec, binding: Option<&str>, claims: &Value, finding: Option<&str>) {
    assert_eq!(seen(spec, binding, &jwt(claims), None).finding().as_deref(), finding, "{claims}");
}

#[test]
fn a_smaller_scope_is_found_and_a_larger_one_is_not_missed() {
    let spec = TokenSpec::new().scope(Scope::parse("read write").unwrap());
    let finding = |scope| seen(&spec, None, "opaque", scope).finding();
    assert_eq!(finding(Some("read")).unwrap(), "scope not granted: write");
    assert_eq!(finding(Some("write read")), None);
    assert_eq!(finding(Some("write read more")), None);
    assert_eq!(finding(None), None, "not said means as asked");
}

#[test]
fn an_opaque_token_is_not_looked_into() {
    let spec = TokenSpec::new().audience("https://api.example");
    assert_eq!(seen(&spec, Some("jkt"), "opaque", None), Seen::default());
}

/// `inspect = "off"`: the scope is compared all the same, the claims are not read.
#[test]
fn from_outside_only_the_scope_is_seen() {
    let spec = TokenSpec::new().scope(Scope::parse("read write").unwrap()).audience("a");
    let token = jwt(&json!({"aud": "b", "exp": NOW + 60}));
    let body = json!({"access_token": token, "expires_in": 600, "scope": "read"});
    let answer = TokenResponse::decode(&http::Response::new(Bytes::from(body.to_string()))).unwrap();
    let seen = look_outside(&Asked { spec: &spec, binding: Some("jkt") }, &answer);
    assert_eq!((seen.finding().as_deref(), seen.life), (Some("scope not granted: write"), None));
}

#[test]
fn the_audience_is_among_those_of_the_token() {
    let spec = TokenSpec::new().audience("a").audience("b");
    check(&spec, None, &json!({"aud": ["a", "b", "c"]}), None);
    check(&spec, None, &json!({"aud": "a"}), Some("aud does not name b"));
    check(&spec, None, &json!({}), Some("aud does not name a; aud does not name b"));
    check(&TokenSpec::new(), None, &json!({"aud": "x"}), None);
}

#[test]
fn the_binding_is_to_our_key() {
    let spec = TokenSpec::new();
    check(&spec, Some("k"), &json!({"cnf": {"jkt": "k"}}), None);
    check(&spec, Some("k"), &json!({"cnf": {"jkt": "l"}}), Some("cnf binds the token to another DPoP key"));
    check(&spec, Some("k"), &json!({}), Some("cnf does not bind the token to the DPoP key"));
    let foreign = Some("cnf binds the token to a DPoP key that is not ours");
    check(&spec, None, &json!({"cnf": {"jkt": "k"}}), foreign);
    check(&spec, None, &json!({"cnf": {"x5t#S256": "t"}}), None);
}

/// `exp` against `expires_in` = 600, and the life that is left by the token's word.
#[test]
fn a_readable_exp_may_only_shorten() {
    let life =
        |claims: Value| seen(&TokenSpec::new(), None, &jwt(&claims), None).life.map(|life| life.as_secs());
    assert_eq!(life(json!({"exp": NOW + 100})), Some(100));
    assert_eq!(life(json!({"exp": NOW + 100, "iat": NOW - 500})), Some(100));
    // Our clock is behind: the server's own pair counts.
    assert_eq!(life(json!({"exp": NOW + 1600, "iat": NOW + 1000})), Some(600));
    // Our clock is ahead: the token is not dead because of it.
    assert_eq!(life(json!({"exp": NOW - 400, "iat": NOW - 1000})), Some(600));
    assert_eq!(life(json!({"exp": NOW - 400})), None);
    assert_eq!(life(json!({})), None);
}

#[test]
fn an_exp_before_its_time_is_found() {
    let spec = TokenSpec::new();
    check(&spec, None, &json!({"exp": NOW + 600}), None);
    check(&spec, None, &json!({"exp": NOW + 545}), None);
    check(&spec, None, &json!({"exp": NOW + 300}), Some("exp is earlier than expires_in says"));
    check(&spec, None, &json!({"exp": NOW - 1}), Some("exp is in the past by this machine's clock"));
}

#[test]
fn a_rule_is_found_by_its_name() {
    let check = |text, expect| assert_eq!(Inspect::parse(text), expect, "{text}");
    check("off", Some(Inspect::Off));
    check("warn", Some(Inspect::Warn));
    check("error", Some(Inspect::Error));
    check("Error", None);
}
