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

mod fetched {
    use super::*;

    fn verifier(documents: &Arc<Documents>) -> (Verifier, Arc<FixedClock>) {
        let clock = FixedClock::new();
        let http: Arc<dyn m2m_io::HttpClient> = Arc::clone(documents) as _;
        let given: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let builder = Verifier::builder().trust(issuer(), AUDIENCE).clock(given).http(http);
        (builder.build().unwrap(), clock)
    }

    #[tokio::test]
    async fn keys_are_discovered_once() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        let (verifier, _) = verifier(&documents);
        assert_eq!(documents.fetched(), 0, "nothing before the first token");
        for _ in 0..10 {
            verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
        }
        assert_eq!(documents.fetched(), 2, "metadata and key set");
    }

    #[tokio::test]
    async fn keys_can_be_had_before_the_first_token() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        let (verifier, clock) = verifier(&documents);
        verifier.prepare().await.unwrap();
        assert_eq!(documents.fetched(), 2, "metadata and key set");
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
        verifier.prepare().await.unwrap();
        assert_eq!(documents.fetched(), 0);
        documents.fail();
        clock.advance(10_000);
        assert!(matches!(verifier.prepare().await, Err(Reason::Unavailable(_))));
    }

    #[tokio::test]
    async fn implausible_tokens_cause_no_fetch() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        let (verifier, _) = verifier(&documents);
        for text in [
            "garbage".to_owned(),
            token_with(&key, "iss", json!("https://evil.example")),
            token_with(&key, "aud", json!("else")),
            token_with(&key, "exp", json!(1)),
            signed(&key, "JWT", &claims()),
        ] {
            refusal(&verifier, &Asked::bearer(&text)).await;
        }
        assert_eq!(documents.fetched(), 0);
    }

    #[tokio::test]
    async fn made_up_key_ids_cause_one_fetch_per_cooldown() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        let (verifier, clock) = verifier(&documents);
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
        clock.advance(60);
        documents.fetched();
        for number in 0..20 {
            let stranger = crate::fixture::key(Algorithm::Es256, &format!("made-up-{number}"));
            let rejection = refusal(&verifier, &Asked::bearer(&token(&stranger))).await;
            // Whether there is such a key, only a fetch can tell: after the first it is too soon for one.
            match number {
                0 => assert_eq!(rejection.reason(), &Reason::UnknownKey),
                _ => assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{rejection}"),
            }
        }
        assert_eq!(documents.fetched(), 1);
    }

    #[tokio::test]
    async fn a_new_key_is_found() {
        let (old, new) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "k2"));
        let documents = Documents::of(&[&old]);
        let (verifier, clock) = verifier(&documents);
        verifier.verify(&Asked::bearer(&token(&old)).parts()).await.unwrap();
        documents.publish(&[&old, &new]);
        clock.advance(60);
        verifier.verify(&Asked::bearer(&token(&new)).parts()).await.unwrap();
        verifier.verify(&Asked::bearer(&token(&old)).parts()).await.unwrap();
    }

    #[tokio::test]
    async fn unreachable_keys_are_503_and_not_the_tokens_fault() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        documents.fail();
        let (verifier, _) = verifier(&documents);
        let rejection = refusal(&verifier, &Asked::bearer(&token(&key))).await;
        answers(&rejection, 503, "");
        assert_eq!(rejection.to_response().headers()["retry-after"], "5");
        assert_eq!(rejection.code(), None);
    }

    #[tokio::test]
    async fn keys_at_hand_outlive_a_short_outage() {
        let key = key(Algorithm::Es256, "k1");
        let documents = Documents::of(&[&key]);
        let (verifier, clock) = verifier(&documents);
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
        documents.fail();
        clock.advance(120);
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    }
}

mod bound {
    use super::*;

    fn accepting(key: &SigningKey) -> Verifier {
        let origin = Origin::parse("https://orders.example").unwrap();
        verifier(key, |builder| builder.dpop(Dpop::new(origin)))
    }

    fn bound_to(key: &SigningKey, holder: &SigningKey) -> String {
        token_with(key, "cnf", json!({ "jkt": holder.thumbprint().as_str() }))
    }

    async fn reason(verifier: &Verifier, asked: &Asked) -> Reason {
        refusal(verifier, asked).await.reason().clone()
    }

    // spec-test: 9449-V1
    #[tokio::test]
    async fn the_holder_of_the_key_is_let_in() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let asked = Proved::by(&holder, &text).onto(Asked::with("DPoP", &text));
        let accepted = verifier.verify(&asked.parts()).await.unwrap();
        assert_eq!(accepted.binding().unwrap().jkt(), Some(holder.thumbprint()));
    }

    // spec-test: 9449-RS1
    #[tokio::test]
    async fn a_stolen_bound_token_is_worth_nothing() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let thief = crate::fixture::key(Algorithm::Es256, "t");
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let as_bearer = refusal(&verifier, &Asked::bearer(&text)).await;
        assert_eq!(as_bearer.code(), Some(ErrorCode::InvalidToken));
        let without = refusal(&verifier, &Asked::with("DPoP", &text)).await;
        assert_eq!(without.code(), Some(ErrorCode::InvalidDpopProof));
        let by_thief = Proved::by(&thief, &text).onto(Asked::with("DPoP", &text));
        assert_eq!(refusal(&verifier, &by_thief).await.code(), Some(ErrorCode::InvalidToken));
        assert!(
            verifier
                .verify(&Proved::by(&holder, &text).onto(Asked::with("DPoP", &text)).parts())
                .await
                .is_ok()
        );
    }

    // spec-test: 9449-RS2
    #[tokio::test]
    async fn a_proof_is_good_once() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let asked = Proved::by(&holder, &text).onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&asked.parts()).await.is_ok());
        let again = refusal(&verifier, &asked).await;
        assert_eq!(again.reason(), &Reason::ProofReplayed);
        assert_eq!(again.code(), Some(ErrorCode::InvalidDpopProof));
        let fresh = Proved { jti: "p2", ..Proved::by(&holder, &text) }.onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&fresh.parts()).await.is_ok());
    }

    /// Only an accepted proof takes room: a wrong one must not burn the identifier of a right one.
    #[tokio::test]
    async fn a_refused_proof_is_not_remembered() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let unbound = token(&key);
        let wrong = Proved::by(&holder, &unbound).onto(Asked::with("DPoP", &unbound));
        assert!(matches!(reason(&verifier, &wrong).await, Reason::Possession(_)));
        let right = Proved::by(&holder, &text).onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&right.parts()).await.is_ok());
    }

    // spec-test: 9449-V1
    #[tokio::test]
    async fn a_proof_for_something_else_is_refused() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let other_token = token_with(&key, "jti", json!("t2"));
        let by = || Proved::by(&holder, &text);
        let cases = [
            ("another path", Proved { url: "https://orders.example/bills", ..by() }),
            ("another origin", Proved { url: "https://evil.example/orders", ..by() }),
            ("another token", Proved { token: Some(&other_token), ..by() }),
            ("no token", Proved { token: None, ..by() }),
            ("too old", Proved { age: 61, ..by() }),
        ];
        for (name, proof) in cases {
            let rejection = refusal(&verifier, &proof.onto(Asked::with("DPoP", &text))).await;
            assert_eq!(rejection.code(), Some(ErrorCode::InvalidDpopProof), "{name}");
            assert_eq!(rejection.to_response().status(), 401, "{name}");
        }
        let mut posted = by().onto(Asked::with("DPoP", &text));
        posted.method = Method::POST;
        assert_eq!(refusal(&verifier, &posted).await.code(), Some(ErrorCode::InvalidDpopProof));
    }

    /// The origin is configuration: what a stranger writes into `Host` changes nothing.
    #[tokio::test]
    async fn the_host_header_is_not_believed() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (accepting(&key), bound_to(&key, &holder));
        let evil = Proved { url: "https://evil.example/orders", ..Proved::by(&holder, &text) };
        let mut asked = evil.onto(Asked::with("DPoP", &text));
        asked.headers.insert("host", http::HeaderValue::from_static("evil.example"));
        asked.headers.insert("x-forwarded-host", http::HeaderValue::from_static("evil.example"));
        asked.uri = "https://evil.example/orders".parse().unwrap();
        assert_eq!(refusal(&verifier, &asked).await.code(), Some(ErrorCode::InvalidDpopProof));
    }

    #[tokio::test]
    async fn without_dpop_settings_dpop_is_refused() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let (verifier, text) = (verifier(&key, |builder| builder), bound_to(&key, &holder));
        let asked = Proved::by(&holder, &text).onto(Asked::with("DPoP", &text));
        assert_eq!(reason(&verifier, &asked).await, Reason::DpopNotAccepted);
    }

    // spec-test: 9449-RS1
    #[tokio::test]
    async fn challenges_list_algorithms_and_the_scheme_that_was_used_first() {
        let key = key(Algorithm::Es256, "k1");
        let url = EndpointUri::parse("https://orders.example/.well-known/oauth-protected-resource").unwrap();
        let origin = Origin::parse("https://orders.example").unwrap();
        let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin)).resource_metadata(url));
        let rejection = refusal(&verifier, &Asked::bare()).await;
        let found: Vec<String> =
            rejection.challenges().iter().map(|one| one.encode().to_str().unwrap().to_owned()).collect();
        let metadata = r#"resource_metadata="https://orders.example/.well-known/oauth-protected-resource""#;
        let algs = r#"algs="ES256 ES384 EdDSA Ed25519 PS256""#;
        assert_eq!(found, [format!("Bearer {metadata}"), format!("DPoP {metadata}, {algs}")]);
        let proof = Proved::by(&key, "garbage").onto(Asked::with("DPoP", "garbage"));
        let dpop = refusal(&verifier, &proof).await;
        assert!(dpop.challenges()[0].encode().to_str().unwrap().starts_with("DPoP error=\"invalid_token\""));
        assert_eq!(dpop.challenges()[1].error, None);
    }

    // spec-test: 9449-AS3, 9449-C4
    #[tokio::test]
    async fn a_demanded_nonce_comes_with_the_refusal_and_makes_the_next_proof_good() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let origin = Origin::parse("https://orders.example").unwrap();
        let dpop = Dpop::new(origin).nonce(Nonce::Required);
        let verifier = verifier(&key, |builder| builder.dpop(dpop));
        let text = bound_to(&key, &holder);
        let first = refusal(&verifier, &Proved::by(&holder, &text).onto(Asked::with("DPoP", &text))).await;
        assert_eq!(first.code(), Some(ErrorCode::UseDpopNonce));
        let response = first.to_response();
        assert_eq!(response.status(), 401);
        let nonce = DpopNonce::from_headers(response.headers());
        assert_eq!(nonce.as_ref(), first.nonce());
        let second = Proved { nonce, ..Proved::by(&holder, &text) }.onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&second.parts()).await.is_ok());
        assert!(verifier.next_nonce().is_some());
    }

    // spec-test: 9449-AS3
    #[tokio::test]
    async fn nonces_are_good_for_minutes_and_then_replaced() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let secret = Secret::new(vec![7; 32]);
        let origin = Origin::parse("https://orders.example").unwrap();
        let dpop = Dpop::new(origin).nonce(Nonce::Required).nonce_key(secret.clone());
        let verifier = verifier(&key, |builder| builder.dpop(dpop));
        let text = bound_to(&key, &holder);
        let issued = |key: &Secret<Vec<u8>>, minutes_ago: u64| {
            let at = NOW.saturating_sub(std::time::Duration::from_secs(60 * minutes_ago));
            m2m_proto::dpop::NonceKey::new(key, "resource server").unwrap().issue(at)
        };
        let foreign = issued(&Secret::new(vec![8; 32]), 0);
        for (jti, nonce, good) in [
            ("p0", issued(&secret, 0), true),
            ("p4", issued(&secret, 4), true),
            ("p5", issued(&secret, 5), false),
            ("p6", foreign, false),
        ] {
            let proved = Proved { jti, nonce: Some(nonce), ..Proved::by(&holder, &text) };
            match verifier.verify(&proved.onto(Asked::with("DPoP", &text)).parts()).await {
                Ok(_) => assert!(good, "{jti}"),
                Err(rejection) => {
                    assert!(!good, "{jti}: {rejection}");
                    assert_eq!(rejection.code(), Some(ErrorCode::UseDpopNonce), "{jti}");
                    assert_eq!(rejection.nonce(), Some(&issued(&secret, 0)), "{jti}");
                }
            }
        }
    }

    /// Whoever has no good token, or not its key, takes no room.
    // spec-test: 9449-RS2
    #[tokio::test]
    async fn strangers_fill_no_replay_memory() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let stranger = crate::fixture::key(Algorithm::Es256, "k1");
        let origin = Origin::parse("https://orders.example").unwrap();
        let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin).replay_capacity(1)));
        let (text, forged) = (bound_to(&key, &holder), bound_to(&stranger, &stranger));
        for number in 0..20 {
            let jti = &*format!("p{number}");
            for (token, proof) in [
                (&forged, Proved { jti, ..Proved::by(&stranger, &forged) }),
                (&text, Proved { jti, ..Proved::by(&stranger, &text) }),
                (&text, Proved { jti, age: 100, ..Proved::by(&holder, &text) }),
                (&text, Proved { jti, url: "https://else.example/orders", ..Proved::by(&holder, &text) }),
                (&token(&key), Proved { jti, ..Proved::by(&holder, &token(&key)) }),
            ] {
                let rejection = refusal(&verifier, &proof.onto(Asked::with("DPoP", token))).await;
                assert_eq!(rejection.to_response().status(), 401, "{rejection}");
            }
        }
        let good = Proved::by(&holder, &text).onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&good.parts()).await.is_ok());
    }

    #[tokio::test]
    async fn a_full_replay_memory_refuses() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let origin = Origin::parse("https://orders.example").unwrap();
        let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin).replay_capacity(1)));
        let text = bound_to(&key, &holder);
        let proved = |jti| Proved { jti, ..Proved::by(&holder, &text) }.onto(Asked::with("DPoP", &text));
        assert!(verifier.verify(&proved("p1").parts()).await.is_ok());
        answers(&refusal(&verifier, &proved("p2")).await, 503, "");
    }

    // spec-test: 8705-RS1
    #[tokio::test]
    async fn a_token_bound_to_a_certificate_needs_that_certificate() {
        let key = key(Algorithm::Es256, "k1");
        let verifier = verifier(&key, |builder| builder);
        let own = PeerCertificate::new(b"own".to_vec(), Vec::new()).unwrap();
        let other = PeerCertificate::new(b"other".to_vec(), Vec::new()).unwrap();
        let thumbprint = CertificateThumbprint::of(b"own");
        let text = token_with(&key, "cnf", json!({ "x5t#S256": thumbprint.to_text() }));
        let asked = Asked::bearer(&text);
        let over = |certificate| RequestParts { certificate, ..asked.parts() };
        let accepted = verifier.verify(&over(Some(&own))).await.unwrap();
        assert_eq!(accepted.binding().unwrap().x5t_s256(), Some(thumbprint));
        for certificate in [None, Some(&other)] {
            let rejection = verifier.verify(&over(certificate)).await.unwrap_err();
            assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken));
        }
    }

    #[tokio::test]
    async fn an_api_can_demand_binding() {
        let key = key(Algorithm::Es256, "k1");
        let verifier = verifier(&key, |builder| builder.sender_constraint(SenderConstraint::Always));
        let rejection = refusal(&verifier, &Asked::bearer(&token(&key))).await;
        assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken));
    }

    #[tokio::test]
    async fn without_a_request_a_bound_token_is_reported_as_such() {
        let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
        let verifier = verifier(&key, |builder| builder);
        let claims = verifier.verify_token(&bound_to(&key, &holder)).await.unwrap();
        assert_eq!(claims.confirmation().unwrap().jkt(), Some(holder.thumbprint()));
        assert_eq!(verifier.verify_token(&token(&key)).await.unwrap().confirmation(), None);
        assert!(verifier.verify_token("garbage").await.is_err());
    }
}

mod again;
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
