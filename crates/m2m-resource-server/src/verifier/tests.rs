use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::jose::{Algorithm, SigningKey, base64url};
use m2m_proto::secret::Secret;
use m2m_proto::uri::{EndpointUri, Issuer, Origin, PlainHttp};
use serde_json::{Value, json};

use super::*;
use crate::fixture::*;
use crate::{Dpop, KeysFrom, Nonce, TrustedIssuer};

async fn refusal(verifier: &Verifier, asked: &Asked) -> Rejection {
    verifier.verify(&asked.parts()).await.unwrap_err()
}

/// The answer to `asked`: status, and the first challenge.
#[track_caller]
fn answers(rejection: &Rejection, status: u16, challenge: &str) {
    let response = rejection.to_response();
    let found = response.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap());
    assert_eq!((response.status().as_u16(), found), (status, challenge), "{rejection:?}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn a_good_token_is_accepted_and_tells_who_and_what() {
    for algorithm in
        [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256, Algorithm::Es384]
    {
        let key = key(algorithm, "k1");
        let verifier = verifier(&key, |builder| builder);
        let accepted = verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
        assert_eq!(accepted.client_id(), Some("app"));
        assert_eq!(accepted.subject(), Some("app"));
        assert_eq!(accepted.issuer(), Some(ISSUER));
        assert_eq!(accepted.scope().to_string(), "orders:read orders:write");
        assert_eq!(accepted.expires_at(), NOW.saturating_add(std::time::Duration::from_secs(600)));
        assert_eq!(accepted.binding(), None);
        assert_eq!(accepted.claims().jti.as_deref(), Some("t1"));
    }
}

// spec-test: 6750-RS1
#[tokio::test]
async fn the_scheme_has_no_case() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert!(verifier.verify(&Asked::with(scheme, &token(&key)).parts()).await.is_ok(), "{scheme}");
    }
}

// spec-test: 6750-RS2
#[tokio::test]
async fn without_a_token_the_challenge_is_bare() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    answers(&refusal(&verifier, &Asked::bare()).await, 401, "Bearer");
    answers(&refusal(&verifier, &Asked::with("Basic", "YTpi")).await, 401, "Bearer");
}

// spec-test: FAPI-RS1
#[tokio::test]
async fn a_token_in_the_query_is_not_looked_at() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let mut asked = Asked::bare();
    asked.uri = format!("/orders?access_token={}", token(&key)).parse().unwrap();
    assert_eq!(refusal(&verifier, &asked).await.reason(), &Reason::NoToken);
}

// spec-test: 6750-RS3
#[tokio::test]
async fn two_tokens_at_once_are_a_bad_request() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let mut asked = Asked::bearer(&token(&key));
    asked.headers.append("authorization", http::HeaderValue::from_static("DPoP abc"));
    let rejection = refusal(&verifier, &asked).await;
    assert_eq!(rejection.code(), Some(ErrorCode::InvalidRequest));
    assert_eq!(rejection.to_response().status(), 400);
}

/// Each of these differs from a good token in one thing, and is refused with 401 `invalid_token`.
// spec-test: 9068-RS1, 9068-RS2, 9700-RS1, JWT-V1, JWT-V3
#[tokio::test]
async fn one_wrong_thing_is_enough() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let now = NOW.seconds();
    let stranger = crate::fixture::key(Algorithm::Es256, "k1");
    let mut tampered = token(&key);
    tampered.replace_range(tampered.len() - 8.., "AAAAAAAA");
    let cases = [
        ("another audience", token_with(&key, "aud", json!("https://bills.example"))),
        ("no audience", token_with(&key, "aud", Value::Null)),
        ("audience with a slash more", token_with(&key, "aud", json!("https://orders.example/"))),
        ("expired", token_with(&key, "exp", json!(now - 31))),
        ("no expiry", token_with(&key, "exp", Value::Null)),
        ("not yet valid", token_with(&key, "nbf", json!(now + 31))),
        ("from the future", token_with(&key, "iat", json!(now + 31))),
        ("another issuer", token_with(&key, "iss", json!("https://evil.example"))),
        ("almost the issuer", token_with(&key, "iss", json!("https://as.example/"))),
        ("no issuer", token_with(&key, "iss", Value::Null)),
        ("no client", token_with(&key, "client_id", Value::Null)),
        ("no subject", token_with(&key, "sub", Value::Null)),
        ("no jti", token_with(&key, "jti", Value::Null)),
        ("typ JWT", signed(&key, "JWT", &claims())),
        ("an assertion", signed(&key, "client-authentication+jwt", &claims())),
        ("signed by a stranger", token(&stranger)),
        ("signature cut", tampered),
        ("cnf of no known kind", token_with(&key, "cnf", json!({ "x": "y" }))),
    ];
    for (name, text) in cases {
        let rejection = refusal(&verifier, &Asked::bearer(&text)).await;
        assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken), "{name}: {rejection}");
        assert_eq!(rejection.to_response().status(), 401, "{name}");
    }
}

#[tokio::test]
async fn skew_is_thirty_seconds_each_way() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let now = NOW.seconds();
    for (name, value) in [("exp", now - 29), ("nbf", now + 30), ("iat", now + 30)] {
        let text = token_with(&key, name, json!(value));
        assert!(verifier.verify(&Asked::bearer(&text).parts()).await.is_ok(), "{name}");
    }
}

// spec-test: JWT-V1
#[tokio::test]
async fn alg_none_in_any_spelling_is_refused() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let payload = base64url::encode(serde_json::to_vec(&claims()).unwrap());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = base64url::encode(format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"k1"}}"#));
        for text in [format!("{header}.{payload}."), format!("{header}.{payload}.AAAA")] {
            let rejection = refusal(&verifier, &Asked::bearer(&text)).await;
            assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken), "{text}");
        }
    }
}

/// The public key, taken for a shared secret.
#[tokio::test]
async fn a_token_signed_with_the_public_key_as_secret_is_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let key = key(algorithm, "k1");
        let verifier = verifier(&key, |builder| builder);
        let public = serde_json::to_vec(&key.public_jwk().unwrap().to_public_json()).unwrap();
        let confused =
            SigningKey::hmac(&Secret::new(public), Algorithm::Hs256).unwrap().with_key_id("k1".to_owned());
        let rejection = refusal(&verifier, &Asked::bearer(&token(&confused))).await;
        assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken));
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_accepted_is_refused_whoever_signed() {
    let key = key(Algorithm::Es256, "k1");
    let trusted = TrustedIssuer::new(issuer())
        .audience(AUDIENCE)
        .algorithms(&[Algorithm::EdDsa])
        .keys(crate::KeysFrom::Fixed(set(&[&key])));
    let verifier = Verifier::builder().trust_with(trusted).clock(FixedClock::new()).build().unwrap();
    let rejection = refusal(&verifier, &Asked::bearer(&token(&key))).await;
    assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken));
}

#[tokio::test]
async fn each_issuer_is_checked_with_its_own_audience_and_keys() {
    let (one, two) = (key(Algorithm::Es256, "k"), key(Algorithm::Es256, "k"));
    let trust = |url: &str, audience: &str, key: &SigningKey| {
        let issuer = m2m_proto::uri::Issuer::parse(url).unwrap();
        TrustedIssuer::new(issuer).audience(audience).keys(crate::KeysFrom::Fixed(set(&[key])))
    };
    let verifier = Verifier::builder()
        .trust_with(trust(ISSUER, AUDIENCE, &one))
        .trust_with(trust("https://two.example", "two", &two))
        .clock(FixedClock::new())
        .build()
        .unwrap();
    let of_two = |key: &SigningKey, audience: &str| {
        let mut claims = claims();
        claims.insert("iss".to_owned(), json!("https://two.example"));
        claims.insert("aud".to_owned(), json!(audience));
        signed(key, "at+jwt", &claims)
    };
    let ok = |text: String| {
        let verifier = verifier.clone();
        async move { verifier.verify(&Asked::bearer(&text).parts()).await.is_ok() }
    };
    assert!(ok(token(&one)).await);
    assert!(ok(of_two(&two, "two")).await);
    assert!(!ok(of_two(&one, "two")).await, "the key of another issuer");
    assert!(!ok(token(&two)).await, "the key of another issuer");
    assert!(!ok(of_two(&two, AUDIENCE)).await, "the audience of another issuer");
}

mod again;
mod bound;
mod fetched;
mod profiles;
mod waits;

#[tokio::test]
async fn a_route_demands_scopes() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let accepted = verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    let check = |text: &str| crate::Required::parse(text).unwrap().check(&accepted);
    assert!(check("orders:read").is_ok());
    assert!(check("orders:write orders:read").is_ok());
    let rejection = check("orders:read orders:admin").unwrap_err();
    answers(
        &rejection,
        403,
        "Bearer scope=\"orders:read orders:admin\", error=\"insufficient_scope\", \
         error_description=\"the token lacks a required scope\"",
    );
}

#[test]
fn settings_that_leave_a_check_open_are_refused() {
    use crate::Error;
    let build = |trusted: Vec<TrustedIssuer>| {
        let builder = Verifier::builder().http(Documents::of(&[]));
        let builder = trusted.into_iter().fold(builder, VerifierBuilder::trust_with);
        builder.build().map(drop)
    };
    let name = || ISSUER.to_owned();
    let trusted = || TrustedIssuer::new(issuer()).audience(AUDIENCE);
    assert_eq!(build(vec![trusted()]), Ok(()));
    assert_eq!(build(vec![]), Err(Error::NoIssuer));
    assert_eq!(build(vec![TrustedIssuer::new(issuer())]), Err(Error::NoAudience(name())));
    assert_eq!(build(vec![trusted().audience("")]), Err(Error::NoAudience(name())));
    assert_eq!(build(vec![trusted(), trusted()]), Err(Error::IssuerTwice(name())));
    assert_eq!(build(vec![trusted().algorithms(&[])]), Err(Error::Algorithms(name())));
    let shared = [Algorithm::Es256, Algorithm::Hs256];
    assert_eq!(build(vec![trusted().algorithms(&shared)]), Err(Error::Algorithms(name())));
}

#[test]
fn keys_travel_encrypted_or_not_beyond_this_machine() {
    use crate::Error;
    let build =
        |one: TrustedIssuer| Verifier::builder().http(Documents::of(&[])).trust_with(one).build().map(drop);
    let plain =
        |host: &str| TrustedIssuer::new(Issuer::parse(&format!("http://{host}")).unwrap()).audience(AUDIENCE);
    let url = || KeysFrom::Url(EndpointUri::parse("http://keys.example/jwks").unwrap());
    let refused = |url: &str| Err(Error::PlainHttp(url.to_owned()));
    assert_eq!(build(plain("127.0.0.1:8400")), Ok(()));
    assert_eq!(build(plain("as.example")), refused("http://as.example"));
    assert_eq!(build(plain("as.example").plain_http(PlainHttp::Allowed)), Ok(()));
    let trusted = || TrustedIssuer::new(issuer()).audience(AUDIENCE);
    assert_eq!(build(trusted().keys(url())), refused("http://keys.example/jwks"));
    assert_eq!(build(trusted().keys(url()).plain_http(PlainHttp::Allowed)), Ok(()));
}
