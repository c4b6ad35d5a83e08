//! Tokens that are bound to a key or a certificate.

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
        verifier.verify(&Proved::by(&holder, &text).onto(Asked::with("DPoP", &text)).parts()).await.is_ok()
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
