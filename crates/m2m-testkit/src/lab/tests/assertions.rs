//! Every rule about an assertion, one broken at a time.

use std::sync::Arc;

use m2m_proto::jose::Algorithm;
use serde_json::{Value, json};

use super::{ask_at, claims_at, jwt, key_rule, missing, now, public, refused, signed};
use crate::ManualClock;
use crate::lab::answer::Words;
use crate::lab::assertion::{Fault, Moment, Used};
use crate::lab::{
    AssertionRule, Behaviour, ClientProof, GrantProof, GrantRule, JtiRule, Lab, Outcome, ScopePlace,
    Situation, Subject, TypRule,
};

/// Rules are tried at one moment; labs that serve have the time of day.
const NOW: u64 = ManualClock::START.seconds();

fn claims(jti: &str) -> Value {
    claims_at(jti, NOW)
}

fn verdict(rule: &AssertionRule, token: &str, used: &mut Used) -> Result<(), Fault> {
    let mut words = Words::default();
    words.set("origin", "https://as.example");
    let at = Moment { now: ManualClock::START, words };
    rule.check(token, &at, used).map(drop)
}

/// Good claims with one changed; null takes it out.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("1");
    claims[name] = value;
    if claims[name].is_null() {
        claims.as_object_mut().unwrap().remove(name);
    }
    claims
}

#[test]
fn every_claim_counts() {
    let now = NOW;
    let check = |name: &str, value: Value, expect: Result<(), Fault>| {
        let found = verdict(&key_rule(), &jwt(&with(name, value.clone())), &mut Used::new());
        assert_eq!(found, expect, "{name} {value}");
    };
    check("other", json!(1), Ok(()));
    check("aud", json!(["https://as.example/"]), Ok(()));
    check("iat", Value::Null, Ok(()));
    for (name, value) in [
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("sub", Value::Null),
        ("aud", json!("https://as.example")),
        ("aud", json!(["https://as.example/", "https://as.example/token"])),
        ("aud", Value::Null),
        ("exp", Value::Null),
        ("exp", json!((now + 60).to_string())),
        ("iat", json!(now.to_string())),
        ("jti", Value::Null),
        ("jti", json!("")),
    ] {
        check(name, value, Err(Fault::Wrong));
    }
    check("exp", json!(now - 5), Ok(()));
    check("exp", json!(now - 11), Err(Fault::Clock));
    check("iat", json!(now + 5), Ok(()));
    check("iat", json!(now + 15), Err(Fault::Clock));
    check("nbf", json!(now + 15), Err(Fault::Clock));
    check("exp", json!(now + 300), Ok(()));
    check("exp", json!(now + 301), Err(Fault::Clock));
    check("iat", json!(now - 250), Err(Fault::Clock));
}

#[test]
fn the_header_counts() {
    let check = |change: &dyn Fn(&mut AssertionRule), header: Value, expect: Result<(), Fault>| {
        let mut rule = key_rule();
        change(&mut rule);
        let found = verdict(&rule, &signed(&header, &claims("1")), &mut Used::new());
        assert_eq!(found, expect, "{header}");
    };
    let plain = || json!({"alg": "RS256"});
    let typed = || json!({"alg": "RS256", "typ": "JWT"});
    check(&|_| {}, plain(), Ok(()));
    check(&|_| {}, json!({"alg": "RS384"}), Err(Fault::Wrong));
    check(&|_| {}, json!({"alg": "none"}), Err(Fault::Wrong));
    check(&|rule| rule.algorithms = vec![Algorithm::Rs256], plain(), Ok(()));
    check(&|rule| rule.algorithms = vec![Algorithm::Ps256], plain(), Err(Fault::Wrong));
    check(&|rule| rule.typ = TypRule::Exactly("JWT".to_owned()), typed(), Ok(()));
    check(&|rule| rule.typ = TypRule::Exactly("JWT".to_owned()), plain(), Err(Fault::Wrong));
    check(&|rule| rule.typ = TypRule::Absent, plain(), Ok(()));
    check(&|rule| rule.typ = TypRule::Absent, typed(), Err(Fault::Wrong));
    let key_id = |rule: &mut AssertionRule| rule.key_id = Some("k1".to_owned());
    check(&key_id, json!({"alg": "RS256", "kid": "k1"}), Ok(()));
    check(&key_id, plain(), Err(Fault::Wrong));
    let thumbprint = |rule: &mut AssertionRule| rule.x5t_s256 = Some("abc".to_owned());
    check(&thumbprint, json!({"alg": "RS256", "x5t#S256": "abc"}), Ok(()));
    check(&thumbprint, json!({"alg": "RS256", "x5t#S256": "abd"}), Err(Fault::Wrong));
    check(&thumbprint, plain(), Err(Fault::Wrong));
    check(&|rule| rule.keys = vec![public(Algorithm::Es256)], plain(), Err(Fault::Wrong));
    for token in ["", "a.b.c", "e30.e30", "e30.e30.e30"] {
        assert_eq!(verdict(&key_rule(), token, &mut Used::new()), Err(Fault::Wrong), "{token}");
    }
}

#[test]
fn subjects_lifetimes_and_other_claims_are_as_the_rule_says() {
    let check = |change: &dyn Fn(&mut AssertionRule), claims: &Value, expect: Result<(), Fault>| {
        let mut rule = key_rule();
        change(&mut rule);
        assert_eq!(verdict(&rule, &jwt(claims), &mut Used::new()), expect, "{claims}");
    };
    let absent = |rule: &mut AssertionRule| rule.subject = Subject::Absent;
    check(&absent, &with("sub", Value::Null), Ok(()));
    check(&absent, &claims("1"), Err(Fault::Wrong));
    check(&|rule| rule.subject = Subject::Any, &with("sub", json!("x")), Ok(()));
    check(&|rule| rule.max_lifetime = None, &with("exp", json!(NOW + 100_000)), Ok(()));
    check(&|rule| rule.audience = "{origin}/".to_owned(), &claims("1"), Ok(()));
    let other = |rule: &mut AssertionRule| {
        rule.claims.insert("box_sub_type".to_owned(), json!("enterprise"));
    };
    check(&other, &with("box_sub_type", json!("enterprise")), Ok(()));
    check(&other, &claims("1"), Err(Fault::Wrong));
}

#[test]
fn a_jti_is_used_once_where_the_rule_says_so() {
    let twice = |jti: JtiRule, claims: &Value| {
        let (mut used, rule) = (Used::new(), AssertionRule { jti, ..key_rule() });
        [(); 2].map(|()| verdict(&rule, &jwt(claims), &mut used))
    };
    assert_eq!(twice(JtiRule::Required, &claims("1")), [Ok(()), Err(Fault::Replayed)]);
    assert_eq!(twice(JtiRule::Optional, &claims("1")), [Ok(()), Err(Fault::Replayed)]);
    assert_eq!(twice(JtiRule::Optional, &with("jti", Value::Null)), [Ok(()), Ok(())]);
    assert_eq!(twice(JtiRule::Unchecked, &claims("1")), [Ok(()), Ok(())]);
    // One that is refused for another reason is not used up.
    let mut used = Used::new();
    assert_eq!(verdict(&key_rule(), &jwt(&with("exp", json!(1))), &mut used), Err(Fault::Clock));
    assert_eq!(verdict(&key_rule(), &jwt(&claims("1")), &mut used), Ok(()));
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn bearer_claims(scope: &str) -> Value {
    let now = now();
    json!({"iss": "robot@project", "aud": "https://as.example/token", "scope": scope, "iat": now, "exp": now + 3600})
}

#[tokio::test]
async fn a_grant_assertion_carries_the_scope_and_is_judged_by_the_labs_clock() {
    let rule =
        AssertionRule::jwt_bearer("robot@project", public(Algorithm::Rs256), "https://as.example/token");
    let mut behaviour = Behaviour::new(ClientProof::None);
    behaviour.grant = GrantRule::jwt_bearer(rule);
    behaviour.scope.place = ScopePlace::Claim;
    behaviour.scope.required = true;
    behaviour.scope.known = vec!["a".to_owned()];
    let lab = Lab::start(behaviour).await;
    let form = |claims: &Value| format!("grant_type={GRANT}&assertion={}", jwt(claims));
    let good = form(&bearer_claims("a"));
    let check = async |form: &str, expect: Outcome| {
        assert_eq!(ask_at(&lab, "", &[], form).await.0, expect, "{form}");
    };
    check(&good, Outcome::Granted).await;
    check(&good, Outcome::Granted).await;
    check(&form(&bearer_claims("")), missing("scope")).await;
    check(&form(&bearer_claims("a b")), refused(Situation::UnknownScope)).await;
    check(&format!("{good}&scope=a"), refused(Situation::Malformed)).await;
    check(&format!("grant_type={GRANT}"), missing("assertion")).await;
    let mut wrong = bearer_claims("a");
    wrong["sub"] = json!("somebody");
    check(&form(&wrong), refused(Situation::WrongGrant)).await;
    lab.change(|behaviour| behaviour.clock_offset = -300);
    check(&good, refused(Situation::Clock)).await;
    lab.change(|behaviour| behaviour.clock_offset = 3700);
    check(&good, refused(Situation::Clock)).await;
}

#[tokio::test]
async fn a_token_is_exchanged_for_the_right_one_of_the_right_type() {
    let form = |kind: &str, token: &str| {
        format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type={kind}&subject_token={token}"
        )
    };
    for (proof, good) in [
        (GrantProof::SubjectToken("t0ken".to_owned(), "a".to_owned()), "t0ken".to_owned()),
        (GrantProof::SubjectJwt(key_rule(), "a".to_owned()), jwt(&claims_at("1", now()))),
    ] {
        let mut behaviour = Behaviour::new(ClientProof::None);
        behaviour.grant = GrantRule::token_exchange(proof);
        let lab = Lab::start(behaviour).await;
        let check = async |form: &str, expect: Outcome| {
            assert_eq!(ask_at(&lab, "", &[], form).await.0, expect, "{form}");
        };
        check(&form("b", &good), refused(Situation::WrongGrant)).await;
        check(&form("a", "other"), refused(Situation::WrongGrant)).await;
        check(&form("a", ""), missing("subject_token")).await;
        check(&form("", &good), missing("subject_token_type")).await;
        check(&form("a", &good), Outcome::Granted).await;
    }
}

#[tokio::test]
async fn the_date_tells_the_labs_clock() {
    let lab = Lab::with_clock(Behaviour::with_secret("app", "s3cret"), Arc::new(ManualClock::new())).await;
    let date = async || {
        let (_, response) = super::ask(&lab, &[], super::SECRET).await;
        response.headers()["date"].to_str().unwrap().to_owned()
    };
    assert_eq!(date().await, "Sun, 22 Nov 2026 10:40:00 GMT");
    lab.change(|behaviour| behaviour.clock_offset = 300);
    assert_eq!(date().await, "Sun, 22 Nov 2026 10:45:00 GMT");
    lab.change(|behaviour| behaviour.clock_offset = -300);
    assert_eq!(date().await, "Sun, 22 Nov 2026 10:35:00 GMT");
}
