//! Tokens that somebody else made, or made for something else.

use m2m_proto::jose::{HeaderFields, jws};
use m2m_proto::secret::Secret;

use super::*;

// spec-test: JWT-V1
#[tokio::test]
async fn the_algorithm_is_that_of_the_issuers_key() {
    let place = Federal::new().await;
    let claims = place.claims(&json!({})).encode();
    let public = place.key.public_jwk().unwrap();
    let json = Value::Object(public.to_public_json()).to_string().into_bytes();
    for bytes in [json, place.key.verifying_key().thumbprint().to_string().into_bytes()] {
        let confused = SigningKey::hmac(&Secret::new(bytes), Algorithm::Hs256).unwrap();
        let header = HeaderFields { kid: Some("p1"), ..HeaderFields::default() };
        place.is_refused(&jws::sign(&header, &claims, &confused).unwrap()).await;
    }
    for algorithm in [Algorithm::EdDsa, Algorithm::Es384, Algorithm::Es256] {
        let stranger = SigningKey::generate(algorithm).unwrap().with_key_id("p1".to_owned());
        place.is_refused(&jws::sign(&HeaderFields::default(), &claims, &stranger).unwrap()).await;
    }
}

#[tokio::test]
async fn no_key_comes_from_the_token() {
    let place = Federal::new().await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = stranger.public_jwk().unwrap();
    let header = HeaderFields { jwk: Some(jwk), ..HeaderFields::default() };
    let token = jws::sign(&header, &place.claims(&json!({})).encode(), &stranger).unwrap();
    place.is_refused(&token).await;
}

/// A key of one issuer says nothing about another, whatever its name is.
#[tokio::test]
async fn a_key_of_another_issuer_is_refused() {
    let place = Federal::new().await;
    let other_key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("o1".to_owned());
    let other = TrustedIssuer::new(
        IssuerId::parse("other").unwrap(),
        Named::issuer("https://other.example").unwrap(),
        set_of(&other_key),
    );
    place.harness.server.admin().create_issuer(other).await.unwrap();
    for kid in ["o1", "p1"] {
        let header = HeaderFields { kid: Some(kid), ..HeaderFields::default() };
        let token = jws::sign(&header, &place.claims(&json!({})).encode(), &other_key).unwrap();
        place.is_refused(&token).await;
    }
    // And with its own name, the subject is none of ours.
    let claims = place.claims(&json!({"iss": "https://other.example"})).encode();
    place.is_refused(&jws::sign(&HeaderFields::default(), &claims, &other_key).unwrap()).await;
}

/// GHSA-wxg7-w2v3-w38g: what is missing was not checked.
#[tokio::test]
async fn claims_must_be_there_right_and_in_time() {
    let place = Federal::new().await;
    let at = place.harness.now().seconds();
    for changes in [
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"sub": null}),
        json!({"aud": null}),
        json!({"iss": null}),
        json!({"sub": ""}),
        json!({"exp": at - 60, "iat": at - 600}),
        json!({"nbf": at + 60}),
        json!({"iat": at + 60}),
        json!({"exp": at + 86_400}),
        json!({"aud": "https://other.example"}),
        json!({"aud": ["https://as.example/"]}),
        json!({"aud": "https://as.example/oauth2/token"}),
        json!({"iss": "https://platform.example/"}),
        json!({"iss": "https://unknown.example"}),
        json!({"sub": "repo:acme/app:ref:refs/heads/mainx"}),
        json!({"sub": "repo:ACME/app:ref:refs/heads/main"}),
    ] {
        place.is_refused(&place.token(&changes)).await;
    }
    place.as_client(&place.token(&json!({}))).await.access_token();
}

/// GHSA-v9xq-2mvm-x8xc: a bound token is none for its bearer.
#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let place = Federal::new().await;
    place
        .is_refused(&place.token(&json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})))
        .await;
    place.is_refused(&place.token(&json!({"cnf": {}}))).await;
}

#[tokio::test]
async fn tokens_of_other_kinds_are_none() {
    let place = Federal::new().await;
    for typ in ["at+jwt", "client-authentication+jwt", "dpop+jwt", "application/at+jwt"] {
        let header = HeaderFields { typ: Some(typ), ..HeaderFields::default() };
        let token = jws::sign(&header, &place.claims(&json!({})).encode(), &place.key).unwrap();
        place.is_refused(&token).await;
    }
    for garbage in ["", "a", "a.b.c", "e30.e30.", "..", "\u{1f511}"] {
        let answer = place.as_grant(garbage).await;
        assert_eq!(answer.status, 400, "{garbage}: {}", answer.text());
    }
}

/// What this server signs itself opens nothing, even if somebody stored it as an issuer.
#[tokio::test]
async fn this_server_is_never_an_issuer_that_it_trusts() {
    let harness = Harness::new().await;
    let key = platform_key();
    let own = || TrustedIssuer::new(platform_id(), Named::issuer(ISSUER).unwrap(), set_of(&key));
    let error = harness.server.admin().create_issuer(own()).await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    // Past the admin API, as a restored backup of another server would be.
    let store = state_of(&harness.server);
    store.store.change(crate::registry::Change::CreateIssuer(own())).await.unwrap();
    let mapping = Federated::new(platform_id(), exact("app"));
    harness.credential("app", Proof::Federated(mapping)).await;
    let at = harness.now().seconds();
    let claims = json!({"iss": ISSUER, "sub": "app", "aud": ISSUER, "iat": at, "exp": at + 60}).to_string();
    let token = jws::sign(&HeaderFields::default(), claims.as_bytes(), &key).unwrap();
    harness.post(TOKEN, grant(&token)).await.refused(400, "invalid_grant");
    let ask = Ask::token().assertion(&token).with(param::CLIENT_ID, "app");
    harness.post(TOKEN, ask).await.refused(400, "invalid_client");
}

/// A client whose own key is registered gains nothing by calling itself like an issuer.
#[tokio::test]
async fn a_clients_own_assertion_and_an_external_token_do_not_pass_for_each_other() {
    let place = Federal::new().await;
    let own = place.harness.key("app", Algorithm::Es256).await;
    let token = jws::sign(&HeaderFields::default(), &place.claims(&json!({})).encode(), &own).unwrap();
    place.is_refused(&token).await;
    let claims = place.claims(&json!({"iss": "app", "sub": "app", "aud": ISSUER})).encode();
    let header = HeaderFields { typ: Some("client-authentication+jwt"), ..HeaderFields::default() };
    place.is_refused(&jws::sign(&header, &claims, &place.key).unwrap()).await;
}
