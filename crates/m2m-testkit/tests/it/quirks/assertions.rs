//! What a client assertion holds: for whom it is, how long it lives, and what else services look for.

use std::sync::Arc;
use std::time::Duration;

use m2m_client::{Credentials, ErrorKind, KeySource, SecretSource};
use m2m_proto::jose::{Algorithm, base64url};
use m2m_testkit::FixedKeys;
use m2m_testkit::lab::{AssertionRule, Behaviour, ClientProof, JtiRule, Lab, Situation, TypRule, six};
use serde_json::{Value, json};

use super::{CLIENT, SECRET, STANDARD_SERVICE, ask, does_not, gets, key, lab, named, rsa, secret, silent};

const AUDIENCE: &str = "https://issuer.example/";

fn rule() -> AssertionRule {
    AssertionRule::private_key_jwt(CLIENT, rsa(), AUDIENCE)
}

fn wants(rule: AssertionRule) -> Behaviour {
    Behaviour::new(ClientProof::Assertion(rule))
}

/// Header and claims of the last assertion.
fn sent(lab: &Lab) -> (Value, Value) {
    let assertion = lab.record().last().form("client_assertion").remove(0);
    let mut parts = assertion.split('.').map(|part| base64url::decode(part).unwrap_or_default());
    let mut read = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (read(), read())
}

/// Every service with every client: only what it was told fits.
async fn check_matrix(table: &[(&str, AssertionRule)]) {
    for (wanted, (name, rule)) in table.iter().enumerate() {
        let lab = lab(wants(rule.clone())).await;
        for (given, (says, _)) in table.iter().enumerate() {
            let name = format!("{name} to {says}");
            let builder = named(&lab, &format!("[assertion]\n{says}")).credentials(key());
            if wanted == given {
                gets(&name, &lab, builder).await;
            } else {
                does_not(&name, &lab, builder, &Situation::WrongClient).await;
            }
        }
    }
}

// spec-test: 7523-C4
#[tokio::test]
async fn the_audience_is_the_one_that_the_service_wants() {
    let audience = |audience: &str| AssertionRule { audience: audience.to_owned(), ..rule() };
    check_matrix(&[
        ("audience = \"issuer\"", audience(AUDIENCE)),
        ("audience = \"token_endpoint\"", audience("{origin}/token")),
        ("audience = \"host\"", audience("127.0.0.1")),
        ("audience = \"https://login.example/{account}\"", audience("https://login.example/42")),
    ])
    .await;
    // An issuer without the slash that the catalogue knows is another one.
    let lab = lab(wants(audience("https://issuer.example"))).await;
    let builder = named(&lab, STANDARD_SERVICE).credentials(key());
    does_not("no slash", &lab, builder, &Situation::WrongClient).await;
}

#[tokio::test]
async fn the_type_is_the_one_that_the_service_wants() {
    let typ = |typ: &str| AssertionRule { typ: TypRule::Exactly(typ.to_owned()), ..rule() };
    check_matrix(&[
        ("typ = \"JWT\"", typ("JWT")),
        ("typ = \"client-authentication+jwt\"", typ("client-authentication+jwt")),
        ("typ = \"\"", AssertionRule { typ: TypRule::Absent, ..rule() }),
    ])
    .await;
}

#[tokio::test]
async fn an_assertion_lives_as_long_as_the_service_allows() {
    let check = async |max_lifetime: Option<u64>, life: u64, stated: u64, expect: Result<(), ()>| {
        let lab = lab(wants(AssertionRule { max_lifetime, ..rule() })).await;
        let says = format!("[assertion]\nlifetime = {life}\nmax_lifetime = {stated}");
        let name = format!("{says} where {max_lifetime:?} is allowed");
        let builder = named(&lab, &says).credentials(key());
        match expect {
            Ok(()) => drop(gets(&name, &lab, builder).await),
            Err(()) => drop(does_not(&name, &lab, builder, &Situation::Clock).await),
        }
    };
    check(Some(60), 60, 60, Ok(())).await;
    check(Some(60), 300, 300, Err(())).await;
    check(Some(300), 300, 300, Ok(())).await;
    check(Some(300), 600, 600, Err(())).await;
    check(Some(3600), 3600, 3600, Ok(())).await;
    check(Some(86_400), 3600, 86_400, Ok(())).await;
    check(None, 600, 3600, Ok(())).await;
    // What the catalogue says is allowed is a bound for settings, and an hour is one for every catalogue.
    let lab = lab(wants(rule())).await;
    for (says, life) in [
        ("", 301),
        ("[assertion]\nlifetime = 301", 60),
        ("[assertion]\nmax_lifetime = 60", 61),
        ("[assertion]\nmax_lifetime = 86400", 3601),
    ] {
        let mut builder = named(&lab, says).credentials(key());
        if life != 60 {
            builder = builder.assertion_lifetime(Duration::from_secs(life));
        }
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Misconfigured, "{says} {life}");
    }
}

/// A clock that is behind takes an assertion that begins in the past, and no other.
#[tokio::test]
async fn an_assertion_may_begin_in_the_past() {
    let mut behaviour = wants(rule());
    behaviour.clock_offset = -30;
    let lab = lab(behaviour).await;
    let client = |says: &str| named(&lab, says).credentials(key());
    does_not("now", &lab, client(STANDARD_SERVICE), &Situation::Clock).await;
    gets("before", &lab, client("[assertion]\nbackdate = 30")).await;
    // It counts into the life that the service sees.
    lab.change(|behaviour| behaviour.clock_offset = 0);
    let long = client("[assertion]\nbackdate = 30\nlifetime = 300\nmax_lifetime = 3600");
    does_not("long", &lab, long, &Situation::Clock).await;
}

#[tokio::test]
async fn a_jti_is_there_and_fresh_or_is_not_there() {
    let without = "[assertion]\njti = false";
    let lab = lab(wants(rule())).await;
    does_not("required", &lab, named(&lab, without).credentials(key()), &Situation::WrongClient).await;
    let client = named(&lab, STANDARD_SERVICE).credentials(key()).build().unwrap();
    for _ in 0..3 {
        client.renew(&client.spec()).await.unwrap();
    }
    let optional = AssertionRule { jti: JtiRule::Optional, ..rule() };
    lab.change(|behaviour| behaviour.client = ClientProof::Assertion(optional));
    let client = named(&lab, without).credentials(key()).build().unwrap();
    for _ in 0..2 {
        client.renew(&client.spec()).await.unwrap();
        assert!(sent(&lab).1.get("jti").is_none(), "it would be single use");
    }
}

#[tokio::test]
async fn the_thumbprint_of_the_certificate_is_in_the_header() {
    let demanding = AssertionRule { x5t_s256: Some(six::certificate_thumbprint()), ..rule() };
    let lab = lab(wants(demanding)).await;
    let certified = || {
        let source = KeySource::fixed(Arc::new(FixedKeys::signing(Algorithm::Rs256)));
        let certificate: Arc<dyn SecretSource> = secret(&six::certificate_pem());
        Credentials::key_of_certificate(source, certificate)
    };
    let says = "[assertion]\nx5t_s256 = true";
    gets("thumbprint", &lab, named(&lab, says).credentials(certified())).await;
    let standard = named(&lab, STANDARD_SERVICE).credentials(certified());
    does_not("none", &lab, standard, &Situation::WrongClient).await;
    assert!(sent(&lab).0.get("x5t#S256").is_none());
    let error = ask(named(&lab, says).credentials(key())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn further_claims_are_in_it() {
    let mut demanding = rule();
    demanding.claims.insert("resource_server".to_owned(), json!("rs-42"));
    let lab = lab(wants(demanding)).await;
    let says = "[assertion.claims]\nresource_server = \"rs-{account}\"";
    gets("claim", &lab, named(&lab, says).credentials(key())).await;
    let standard = named(&lab, STANDARD_SERVICE).credentials(key());
    does_not("none", &lab, standard, &Situation::WrongClient).await;
}

/// A key as text: the algorithm is the first that the service takes and the key can.
#[tokio::test]
async fn the_algorithm_is_one_that_the_service_takes() {
    let text = |algorithm| {
        let pem: Arc<dyn SecretSource> = secret(FixedKeys::pem(Algorithm::Rs256));
        Credentials::key(KeySource::text(pem, algorithm, None))
    };
    let keys = vec![Arc::clone(FixedKeys::signing(Algorithm::Ps256).verifying_key())];
    let lab = lab(wants(AssertionRule { algorithms: vec![Algorithm::Ps256], keys, ..rule() })).await;
    let says = "[assertion]\nalgorithms = [\"ES256\", \"PS256\", \"RS256\"]";
    gets("accepted", &lab, named(&lab, says).credentials(text(None))).await;
    assert_eq!(sent(&lab).0["alg"], "PS256");
    let standard = named(&lab, STANDARD_SERVICE).credentials(text(None));
    does_not("the key's own", &lab, standard, &Situation::WrongClient).await;
    // What is stated has the last word.
    let stated = named(&lab, says).credentials(text(Some(Algorithm::Rs256)));
    does_not("stated", &lab, stated, &Situation::WrongClient).await;
    let builder = named(&lab, "[assertion]\nalgorithms = [\"ES256\"]").credentials(text(None));
    let error = ask(builder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("ES256"), "{error}");
}

#[tokio::test]
async fn a_service_that_needs_a_key_id_is_not_asked_without() {
    let demanding = AssertionRule { key_id: Some("key-1".to_owned()), ..rule() };
    let lab = lab(wants(demanding)).await;
    let text = |key_id: Option<&str>| {
        let pem: Arc<dyn SecretSource> = secret(FixedKeys::pem(Algorithm::Rs256));
        Credentials::key(KeySource::text(pem, None, key_id.map(str::to_owned)))
    };
    let says = "[assertion]\nkey_id = \"required\"";
    gets("named", &lab, named(&lab, says).credentials(text(Some("key-1")))).await;
    let standard = named(&lab, STANDARD_SERVICE).credentials(text(None));
    does_not("none", &lab, standard, &Situation::WrongClient).await;
    let _earlier = lab.record().take();
    let error = ask(named(&lab, says).credentials(text(None))).await.unwrap_err();
    assert_eq!((error.kind(), lab.record().count()), (ErrorKind::Misconfigured, 0));
    assert!(error.to_string().contains("key_id"), "{error}");
}

#[tokio::test]
async fn a_secret_signs_where_the_service_wants_it() {
    // As long as HS256 wants it.
    let long = SECRET.repeat(3);
    let rule = AssertionRule::client_secret_jwt(CLIENT, &long, Algorithm::Hs256, AUDIENCE);
    let lab = lab(wants(rule)).await;
    let signing = || Credentials::client_secret_jwt(secret(&long), None, Algorithm::Hs256);
    gets("signed", &lab, named(&lab, STANDARD_SERVICE).credentials(signing())).await;
    does_not("sent", &lab, named(&lab, STANDARD_SERVICE), &Situation::WrongClient).await;
    let other = Credentials::client_secret_jwt(secret(&long), None, Algorithm::Hs384);
    does_not("other", &lab, named(&lab, STANDARD_SERVICE).credentials(other), &Situation::WrongClient).await;
    let short = Credentials::client_secret_jwt(secret(SECRET), None, Algorithm::Hs256);
    let error = named(&lab, STANDARD_SERVICE).credentials(short).build().unwrap();
    let error = error.renew(&error.spec()).await.unwrap_err();
    silent(&error);
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

/// A token of somebody else in place of an assertion of ours is sent as it is.
#[tokio::test]
async fn a_workload_token_is_the_assertion() {
    let foreign = workload_token();
    let lab = lab(wants(AssertionRule { jti: JtiRule::Unchecked, ..rule() })).await;
    let says = "[auth]\nclient_id_in_body = true";
    let federated = Credentials::assertion(secret(&format!("{foreign}\n")));
    gets("federated", &lab, named(&lab, says).credentials(federated)).await;
    assert_eq!(lab.record().last().form("client_assertion"), [foreign]);
    assert_eq!(lab.record().last().form("client_id"), [CLIENT]);
    let other = Credentials::assertion(secret("eyJhbGciOiJub25lIn0.e30."));
    does_not("other", &lab, named(&lab, says).credentials(other), &Situation::WrongClient).await;
}

/// What a platform gives its workload for this audience.
fn workload_token() -> String {
    let now = m2m_testkit::ManualClock::START.seconds();
    let claims = json!({"iss": CLIENT, "sub": CLIENT, "aud": AUDIENCE, "iat": now, "exp": now + 300});
    let header = m2m_proto::jose::HeaderFields::default();
    let signing = FixedKeys::signing(Algorithm::Rs256);
    m2m_proto::jose::jws::sign(&header, claims.to_string().as_bytes(), &signing).unwrap()
}
