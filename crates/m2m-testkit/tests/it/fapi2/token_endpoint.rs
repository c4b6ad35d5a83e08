//! Our server, judged as authorization server: metadata, client authentication, sender constraint, clocks.

use m2m_proto::jose::{Algorithm, Claims, Compact};
use m2m_proto::security_profile::SecurityProfile;
use m2m_testkit::FixedKeys;
use serde_json::{Value, json};

use super::message::{Jwt, now};
use super::place::{Place, Shown};
use super::{ALL, Auth, Constrain, with_auth, with_constraint};

/// What an assertion that is wrong is answered with.
const CLIENT: &[&str] = &["invalid_client"];
/// The same where the request may be blamed, too.
const CLIENT_OR_REQUEST: &[&str] = &["invalid_client", "invalid_request"];

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// fapi2-security-profile-final-discovery-end-point-verification: the document is at the well-known place and names its
/// issuer; what it says of methods, algorithms and bound tokens is what the profile wants.
// spec-test: OIDF-AS1, FAPI-AS1, FAPI-X1
#[tokio::test]
async fn discovery_end_point_verification() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let metadata = place.metadata();
        assert_eq!(metadata["issuer"], place.issuer.as_str());
        let openid = format!("{}/.well-known/openid-configuration", place.issuer);
        assert_eq!(&place.get(Shown::Nothing, &openid, &[]).await.json, metadata);
        for endpoint in ["token", "introspection", "revocation"] {
            let methods = texts(&metadata[format!("{endpoint}_endpoint_auth_methods_supported")]);
            assert_eq!(methods, ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]);
            let algorithms =
                texts(&metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")]);
            assert_eq!(algorithms, ["PS256", "ES256", "EdDSA", "Ed25519"]);
            let alias = metadata["mtls_endpoint_aliases"][format!("{endpoint}_endpoint")].as_str().unwrap();
            assert!(alias.starts_with("https://") && !alias.starts_with(&place.issuer), "{alias}");
        }
        let proofs = texts(&metadata["dpop_signing_alg_values_supported"]);
        assert_eq!(proofs, ["ES256", "EdDSA", "Ed25519", "PS256"]);
        assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        assert_eq!(texts(&metadata["grant_types_supported"]), ["client_credentials", exchange]);
        let keys = place.get(Shown::Nothing, metadata["jwks_uri"].as_str().unwrap(), &[]).await.json;
        for key in keys["keys"].as_array().unwrap() {
            assert!(["PS256", "ES256", "EdDSA", "Ed25519"].contains(&key["alg"].as_str().unwrap()), "{key}");
            assert!(["d", "p", "q", "k"].iter().all(|private| key.get(private).is_none()), "{key}");
        }
    }
}

/// fapi2-security-profile-final-happy-flow: two clients get tokens and use them; a token is bound, carries what the
/// answer says, and is not cached on its way.
// spec-test: OIDF-AS2, FAPI-AS1
#[tokio::test]
async fn happy_flow() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let answer = place.send(&place.ask()).await;
        let token = answer.token();
        let expect = if variant.1 == Constrain::Dpop { "DPoP" } else { "Bearer" };
        assert!(answer.text("token_type").eq_ignore_ascii_case(expect));
        assert!(answer.json["expires_in"].as_u64().is_some_and(|life| life > 0));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(token.len() >= 22, "128 bits at least");
        let claims = Claims::parse(Compact::parse(&token).unwrap().payload()).unwrap();
        let member = if variant.1 == Constrain::Dpop { "jkt" } else { "x5t#S256" };
        assert!(claims.get("cnf").is_some_and(|cnf| cnf.get(member).is_some()), "{variant:?}");
        assert_eq!(place.call_rightly(&token).await.status, 200, "{variant:?}");

        let mut second = place.ask();
        if variant.0 == Auth::Mtls {
            second = second.with("client_id", "two");
        } else {
            let own = Jwt::assertion("two", &place.issuer, FixedKeys::signing(Algorithm::EdDsa));
            second = second.with("client_assertion", &own.sign());
        }
        if second.shown == Shown::One {
            second.shown = Shown::Two;
        }
        let second = place.send(&second).await.token();
        assert_ne!(second, token);
        // What is bound to the certificate of one client is worth nothing on the connection of the other.
        let expect = if variant.1 == Constrain::Mtls { 401 } else { 200 };
        assert_eq!(place.call_rightly(&second).await.status, expect, "{variant:?}");
    }
}

/// fapi2-security-profile-final-ensure-client-id-in-token-endpoint: `client_id` of one client with the credential of the
/// other is refused.
// spec-test: OIDF-AS7
#[tokio::test]
async fn ensure_client_id_in_token_endpoint() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let ask = match variant.0 {
            Auth::Mtls => place.ask().with("client_id", "two"),
            Auth::PrivateKeyJwt => {
                let borrowed = Jwt::assertion("two", &place.issuer, FixedKeys::signing(Algorithm::Ps256));
                place.ask().with("client_assertion", &borrowed.sign()).with("client_id", "two")
            }
        };
        place.send(&ask).await.refused(CLIENT);
        if variant.0 == Auth::PrivateKeyJwt {
            place.send(&place.ask().with("client_id", "two")).await.refused(CLIENT_OR_REQUEST);
        }
    }
}

/// fapi2-security-profile-final-ensure-holder-of-key-required: no proof, or no certificate, no token.
// spec-test: OIDF-AS8, FAPI-AS1
#[tokio::test]
async fn ensure_holder_of_key_required() {
    for variant in ALL {
        let place = Place::start(variant).await;
        let mut ask = place.ask();
        match variant.1 {
            Constrain::Dpop => ask.proof = None,
            Constrain::Mtls => ask.shown = Shown::Nothing,
        }
        place.send(&ask).await.refused(&["invalid_client", "invalid_request", "invalid_dpop_proof"]);
    }
}

/// fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails, though the key is registered for it.
// spec-test: OIDF-AS9, FAPI-X1
#[tokio::test]
async fn ensure_signed_client_assertion_with_rs256_fails() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let rs256 = |place: &Place| {
            let assertion = Jwt::assertion("one", &place.issuer, FixedKeys::signing(Algorithm::Rs256));
            place.ask().with("client_assertion", &assertion.sign())
        };
        let place = Place::start(variant).await;
        place.send(&rs256(&place)).await.refused(CLIENT_OR_REQUEST);
        let place = Place::under(SecurityProfile::Baseline, variant).await;
        place.send(&rs256(&place)).await.token();
    }
}

/// fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint: a client that only names itself is refused.
// spec-test: OIDF-AS10
#[tokio::test]
async fn ensure_client_assertion_in_token_endpoint() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let place = Place::start(variant).await;
        let ask =
            place.ask().without("client_assertion").without("client_assertion_type").with("client_id", "one");
        place.send(&ask).await.refused(CLIENT_OR_REQUEST);
    }
}

/// fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails.
// spec-test: OIDF-AS11
#[tokio::test]
async fn ensure_client_assertion_with_exp_is_5_minutes_in_past_fails() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let place = Place::start(variant).await;
        let old =
            place.assertion().claim("exp", now() - 300).claim("iat", now() - 360).claim("nbf", now() - 360);
        place.send(&place.ask().with("client_assertion", &old.sign())).await.refused(CLIENT_OR_REQUEST);
    }
}

/// fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails; and of the modules for PAR
/// fapi2-security-profile-final-par-endpoint-as-array-audience-fails and -par-token-endpoint-as-audience-fails, at the
/// token endpoint: only the issuer, and only as a bare string.
// spec-test: OIDF-AS12, FAPI-AS2
#[tokio::test]
async fn ensure_client_assertion_with_wrong_aud_fails() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let place = Place::start(variant).await;
        let (issuer, endpoint) = (place.issuer.clone(), place.token_endpoint());
        for wrong in [
            json!("https://other.example"),
            json!([issuer]),
            json!([issuer, "https://other.example"]),
            json!(endpoint),
            json!(format!("{issuer}/")),
            Value::Null,
        ] {
            let assertion = place.assertion().claim("aud", wrong.clone());
            let answer = place.send(&place.ask().with("client_assertion", &assertion.sign())).await;
            assert!(CLIENT_OR_REQUEST.contains(&answer.text("error")), "{wrong}: {answer:?}");
            answer.refused(CLIENT_OR_REQUEST);
        }
    }
}

/// fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails.
// spec-test: OIDF-AS13
#[tokio::test]
async fn ensure_client_assertion_with_no_sub_fails() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let place = Place::start(variant).await;
        let nobody = place.assertion().without("sub").sign();
        place.send(&place.ask().with("client_assertion", &nobody)).await.refused(CLIENT_OR_REQUEST);
    }
}

/// fapi2-security-profile-final-par-ensure-jwt-client-assertion-with-iat-nbf-8-seconds-in-the-future-is-accepted and
/// -over-60-seconds-in-the-future-fails: the suite runs them at PAR, the rule is that of every assertion.
// spec-test: FAPI-AS3
#[tokio::test]
async fn assertions_of_a_clock_that_is_ahead() {
    for variant in with_auth(Auth::PrivateKeyJwt) {
        let place = Place::start(variant).await;
        for (ahead, accepted) in [(8, true), (10, true), (62, false), (3600, false)] {
            let then = now() + ahead;
            let assertion = place.assertion().claim("iat", then).claim("nbf", then).claim("exp", then + 60);
            let answer = place.send(&place.ask().with("client_assertion", &assertion.sign())).await;
            match accepted {
                true => drop(answer.token()),
                false => answer.refused(CLIENT_OR_REQUEST),
            }
        }
    }
}

/// fapi2-security-profile-final-check-dpop-proof-nbf-exp, -ensure-dpopproof-with-iat-10seconds-before-succeeds and
/// -after-succeeds, at the token endpoint; the API is asked with the same kind of proof.
// spec-test: OIDF-AS4, OIDF-AS5, OIDF-AS6, FAPI-AS3
#[tokio::test]
async fn proofs_of_a_clock_that_is_off() {
    for variant in with_constraint(Constrain::Dpop) {
        let place = Place::start(variant).await;
        let with_dates = |proof: Jwt| proof.claim("nbf", now()).claim("exp", now() + 300);
        let behind = |proof: Jwt| proof.claim("iat", now() - 10);
        let ahead = |proof: Jwt| proof.claim("iat", now() + 10);
        for change in [with_dates as fn(Jwt) -> Jwt, behind, ahead] {
            let mut ask = place.ask();
            ask.proof = Some(change(place.proof()));
            let token = place.send(&ask).await.token();
            let proof = change(place.api_proof(&token)).sign();
            assert_eq!(place.call("DPoP", &token, &[proof]).await.status, 200);
        }
        for off in [now() + 3600, now() - 3600] {
            let mut ask = place.ask();
            ask.proof = Some(place.proof().claim("iat", off));
            place.send(&ask).await.refused(&["invalid_dpop_proof"]);
        }
    }
}

/// No module: a certificate that is registered itself is as good as one of an authority, and what its tokens are bound to
/// where nothing else is demanded.
// spec-test: FAPI-AS1, 8705-AS2
#[tokio::test]
async fn a_registered_certificate_authenticates_and_binds() {
    let place = Place::start((Auth::Mtls, Constrain::Mtls)).await;
    let identity = place.register_certificate("two").await;
    let ask = place.ask().with("client_id", "two");
    let answer = place.send_showing(&identity, &ask).await;
    let claims = Claims::parse(Compact::parse(&answer.token()).unwrap().payload()).unwrap();
    let bound_to = claims.get("cnf").and_then(|cnf| cnf.get("x5t#S256")).and_then(Value::as_str);
    assert_eq!(bound_to, Some(identity.peer().thumbprint().to_text().as_str()));
    let stranger = m2m_testkit::certificates::Identity::self_signed("stranger");
    place.send_showing(&stranger, &ask).await.refused(CLIENT);
}

/// No module: the profile knows no secrets, and a proof under RS256 or ES384 is none.
// spec-test: FAPI-AS1, FAPI-X1
#[tokio::test]
async fn secrets_and_other_algorithms_are_refused() {
    let place = Place::start((Auth::PrivateKeyJwt, Constrain::Dpop)).await;
    let ask = place.ask().without("client_assertion").without("client_assertion_type");
    place.send(&ask.with("client_id", "one").with("client_secret", "guessed")).await.refused(CLIENT);
    let hmac = Jwt::assertion("one", &place.issuer, FixedKeys::signing(Algorithm::Hs256));
    place.send(&place.ask().with("client_assertion", &hmac.sign())).await.refused(CLIENT);
    for algorithm in [Algorithm::Rs256, Algorithm::Es384] {
        let mut ask = place.ask();
        ask.proof = Some(Jwt::proof("POST", &place.token_endpoint(), None, FixedKeys::signing(algorithm)));
        place.send(&ask).await.refused(&["invalid_dpop_proof"]);
    }
}
