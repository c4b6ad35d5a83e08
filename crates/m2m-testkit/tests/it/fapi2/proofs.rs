//! Our server, judged as the API: the schemes of tokens, and what a proof may look like.

use m2m_proto::jose::Algorithm;
use m2m_testkit::FixedKeys;
use serde_json::{Value, json};

use super::message::{Jwt, now};
use super::place::{Answer, Place, Shown};
use super::{ALL, Constrain, with_constraint};

/// What the API answers a proof or a token that is wrong.
#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert!([400, 401].contains(&answer.status), "{what}: {answer:?}");
}

/// fapi2-security-profile-final-access-token-type-header-case-sensitivity: the scheme is compared without case.
// spec-test: OIDF-AS3
#[tokio::test]
async fn access_token_type_header_case_sensitivity() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let token = place.token().await;
        let schemes = match variant.1 {
            Constrain::Dpop => ["dPoP", "DPOP", "dpop"],
            Constrain::Mtls => ["bEARER", "BEARER", "bearer"],
        };
        for scheme in schemes {
            let proofs = match variant.1 {
                Constrain::Dpop => vec![place.api_proof(&token).sign()],
                Constrain::Mtls => Vec::new(),
            };
            assert_eq!(place.call(scheme, &token, &proofs).await.status, 200, "{scheme}");
        }
    }
}

/// A change to a proof that is right, and what it is called in a failure.
type Change<'a> = (&'a str, Box<dyn Fn(Jwt) -> Jwt + 'a>);

fn change<'a>(name: &'a str, make: impl Fn(Jwt) -> Jwt + 'a) -> Change<'a> {
    (name, Box::new(make))
}

/// fapi2-security-profile-final-dpop-negative-tests, the half that must be refused.
// spec-test: OIDF-AS14, 9449-V1
#[tokio::test]
async fn dpop_negative_tests() {
    for variant in with_constraint(Constrain::Dpop) {
        let place = Place::start(variant).await;
        let token = place.token().await;
        let right = || place.api_proof(&token);
        let private = || {
            let jwk = json!({ "kty": "EC", "crv": "P-256", "x": right().header["jwk"]["x"],
                              "y": right().header["jwk"]["y"], "d": "AAAA" });
            right().header("jwk", jwk)
        };
        let changes = [
            change("typ is missing", |proof| proof.header("typ", Value::Null)),
            change("typ is another", |proof| proof.header("typ", "JWT")),
            change("alg is missing", |proof| proof.header("alg", Value::Null)),
            change("jwk is missing", |proof| proof.header("jwk", Value::Null)),
            change("jwk is a private key", |_| private()),
            change("jti is missing", |proof| proof.without("jti")),
            change("htm is missing", |proof| proof.without("htm")),
            change("htm is another", |proof| proof.claim("htm", "PUT")),
            change("htu is missing", |proof| proof.without("htu")),
            change("htu is another", |proof| proof.claim("htu", format!("{}/others", place.api))),
            change("iat is missing", |proof| proof.without("iat")),
            change("iat is an hour ahead", |proof| proof.claim("iat", now() + 3600)),
            change("iat is an hour ago", |proof| proof.claim("iat", now() - 3600)),
            change("ath is missing", |proof| proof.without("ath")),
            change("ath is of another token", |proof| {
                proof.claim("ath", "5C9rk2PQMhQTX8sL0hjyUBBJZ3gl3g2sR8SrLqEMRKw")
            }),
            change("the signature is of another key", |proof| {
                proof.signed_by(FixedKeys::signing(Algorithm::Es384))
            }),
            change("the key is another", |_| {
                Jwt::proof("GET", &place.orders(), Some(&token), FixedKeys::signing(Algorithm::EdDsa))
            }),
            change("the algorithm is RS256", |_| {
                Jwt::proof("GET", &place.orders(), Some(&token), FixedKeys::signing(Algorithm::Rs256))
            }),
        ];
        for (name, change) in &changes {
            refused(&place.call("DPoP", &token, &[change(right()).sign()]).await, name);
        }
        refused(&place.call("DPoP", &token, &[right().unsigned()]).await, "alg is none");
        refused(&place.call("DPoP", &token, &["no.jwt".to_owned()]).await, "no JWT");
        refused(&place.call("DPoP", &token, &[right().sign(), right().sign()]).await, "two proofs");
        refused(&place.call("DPoP", &token, &[]).await, "no proof");
        refused(&place.call("Bearer", &token, &[]).await, "no proof, as Bearer");
        let once = right().sign();
        assert_eq!(place.call("DPoP", &token, std::slice::from_ref(&once)).await.status, 200);
        refused(&place.call("DPoP", &token, &[once]).await, "a proof twice");
        assert_eq!(place.call_rightly(&token).await.status, 200, "nothing of this has harmed the token");
    }
}

/// fapi2-security-profile-final-dpop-negative-tests, the half that must be accepted.
// spec-test: OIDF-AS14, 9449-V1
#[tokio::test]
async fn dpop_proofs_that_are_unusual_and_right() {
    for variant in with_constraint(Constrain::Dpop) {
        let place = Place::start(variant).await;
        let token = place.token().await;
        let orders = place.orders();
        let upper = orders.replace("https://localhost", "HTTPS://LOCALHOST");
        let changes = [
            change("a query and a fragment in htu", |proof| proof.claim("htu", format!("{orders}?a=b#c"))),
            change("claims and parameters nobody knows", |proof| {
                proof.claim("unknown", "x").header("unknown", "x")
            }),
            change("scheme and host in capitals", |proof| proof.claim("htu", upper.clone())),
        ];
        for (name, change) in &changes {
            let proof = change(place.api_proof(&token)).sign();
            assert_eq!(place.call("DPoP", &token, &[proof]).await.status, 200, "{name}");
        }
        let headers = [("authorization", format!("DPoP {token}")), ("DPOP", place.api_proof(&token).sign())];
        let shown = if variant.0 == super::Auth::Mtls { Shown::One } else { Shown::Nothing };
        assert_eq!(place.get(shown, &orders, &headers).await.status, 200, "the header's name in capitals");
    }
}

/// No module: a token in the query, or one of another client's certificate, is none.
// spec-test: FAPI-RS1, 8705-RS1
#[tokio::test]
async fn tokens_come_in_the_header_and_from_their_holder() {
    for variant in with_constraint(Constrain::Mtls) {
        let place = Place::start(variant).await;
        let token = place.token().await;
        let query = format!("{}?access_token={token}", place.orders());
        assert_eq!(place.get(Shown::One, &query, &[]).await.status, 401);
        let header = [("authorization", format!("Bearer {token}"))];
        assert_eq!(place.get(Shown::Two, &place.orders(), &header).await.status, 401);
        assert_eq!(place.get(Shown::Nothing, &place.orders(), &header).await.status, 401);
        assert_eq!(place.get(Shown::One, &place.orders(), &header).await.status, 200);
    }
}

/// No module: what is withdrawn is refused, though signature and binding are right.
// spec-test: FAPI-RS1
#[tokio::test]
async fn a_token_of_a_withdrawn_client_is_refused() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let token = place.token().await;
        let one = m2m_proto::client_id::ClientId::parse("one").unwrap();
        // Before the first call, so that the list that the API reads knows it.
        place.server.admin().revoke_client(&one).await.unwrap();
        assert_eq!(place.call_rightly(&token).await.status, 401, "{variant:?}");
        place.send(&place.ask()).await.refused(&["invalid_client"]);
    }
}
