use std::time::Duration;

use serde_json::json;

use crate::jose::kind::{AudienceRule, Expect, KindError, LifeRule, TypPolicy, check_claims, check_header};
use crate::jose::{Algorithm, Audience, Claims, Header, Kind};
use crate::time::{Skew, UnixTime};

use super::signing_key;

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(NOW.seconds().checked_add_signed(seconds).unwrap())
}

fn header(alg: &str, typ: Option<&str>) -> Header {
    let typ = typ.map(|typ| format!(r#","typ":"{typ}""#)).unwrap_or_default();
    Header::parse(format!(r#"{{"alg":"{alg}"{typ}}}"#).as_bytes()).unwrap()
}

/// Claims that fit every kind at [`NOW`].
fn claims() -> Claims {
    let rest = ["client_id", "htm", "htu", "ttl", "revoked", "status_list", "token_introspection"];
    Claims {
        iss: Some("https://as".into()),
        sub: Some("s".into()),
        aud: Some(Audience::One("https://rs".into())),
        exp: Some(at(60)),
        iat: Some(NOW),
        nbf: None,
        jti: Some("j".into()),
        rest: rest.into_iter().map(|name| (name.to_owned(), json!("x"))).collect(),
    }
}

fn expect() -> Expect<'static> {
    Expect::at(NOW).issuer("https://as").audience(&["https://rs", "rs"]).skew(Skew::NONE)
}

#[test]
fn no_kind_passes_for_another() {
    // spec-test: JWT-V3
    for written in Kind::ALL {
        for read in Kind::ALL {
            let Some(typ) = written.typ() else { continue };
            let result = check_header(read, &header("ES256", Some(typ)), TypPolicy::Row);
            // A DPoP proof lacks its key here, which is the next check.
            let typ_fits = !matches!(result, Err(KindError::WrongTyp { .. }));
            assert_eq!(typ_fits, written == read, "{written:?} as {read:?}");
        }
    }
}

#[test]
fn typ_policies() {
    let check = |kind, typ: Option<&str>, policy: TypPolicy<'_>, expect: bool| {
        assert_eq!(
            check_header(kind, &header("ES256", typ), policy).is_ok(),
            expect,
            "{kind:?} {typ:?} {policy:?}"
        );
    };
    use Kind::{AccessToken, AuthorizationGrant, ClientAssertion, WorkloadToken};
    check(AccessToken, Some("application/AT+jwt"), TypPolicy::Row, true);
    check(AccessToken, Some("JWT"), TypPolicy::Row, false);
    check(AccessToken, None, TypPolicy::Row, false);
    check(ClientAssertion, Some("JWT"), TypPolicy::Row, false);
    check(ClientAssertion, Some("jwt"), TypPolicy::OrUntyped, true);
    check(ClientAssertion, None, TypPolicy::OrUntyped, true);
    check(ClientAssertion, Some("client-authentication+jwt"), TypPolicy::OrUntyped, true);
    check(ClientAssertion, Some("at+jwt"), TypPolicy::OrUntyped, false);
    check(AccessToken, Some("JWT"), TypPolicy::OneOf(&["JWT", "application/okta-internal-at+jwt"]), true);
    check(AccessToken, Some("at+jwt"), TypPolicy::OneOf(&["JWT"]), false);
    check(AccessToken, None, TypPolicy::OneOf(&["JWT"]), false);
    check(AccessToken, None, TypPolicy::OneOf(&["JWT", ""]), true);
    for kind in [AuthorizationGrant, WorkloadToken] {
        check(kind, None, TypPolicy::Row, true);
        check(kind, Some("JWT"), TypPolicy::Row, true);
        check(kind, Some("application/at+JWT"), TypPolicy::Row, false);
        check(kind, Some("dpop+jwt"), TypPolicy::OrUntyped, false);
    }
}

#[test]
fn shared_secrets_sign_client_assertions_only() {
    for kind in Kind::ALL {
        let result = check_header(kind, &header("HS256", kind.typ()), TypPolicy::Row);
        let expect = match kind {
            Kind::ClientAssertion => Ok(()),
            _ => Err(KindError::SymmetricAlgorithm(Algorithm::Hs256)),
        };
        assert_eq!(result, expect, "{kind:?}");
    }
}

#[test]
fn a_proof_carries_a_public_key() {
    let proof = |jwk: &str| {
        let text = format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA"{jwk}}}"#);
        check_header(Kind::DpopProof, &Header::parse(text.as_bytes()).unwrap(), TypPolicy::Row)
    };
    let public =
        serde_json::to_string(&signing_key(Algorithm::EdDsa).public_jwk().unwrap().to_public_json()).unwrap();
    assert_eq!(proof(&format!(r#","jwk":{public}"#)), Ok(()));
    assert_eq!(proof(""), Err(KindError::MissingHeaderKey));
    let private = public.replacen('{', r#"{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#, 1);
    assert_eq!(proof(&format!(r#","jwk":{private}"#)), Err(KindError::PrivateHeaderKey));
    assert_eq!(proof(r#","jwk":{"kty":"oct","k":"AA"}"#), Err(KindError::PrivateHeaderKey));
}

#[test]
fn required_claims_are_required() {
    for kind in Kind::ALL {
        assert_eq!(check_claims(kind, &claims(), &expect()), Ok(()), "{kind:?}");
        for name in kind.row().required {
            let mut claims = claims();
            match *name {
                "iss" => claims.iss = None,
                "sub" => claims.sub = None,
                "aud" => claims.aud = None,
                "exp" => claims.exp = None,
                "iat" => claims.iat = None,
                "jti" => claims.jti = None,
                other => drop(claims.rest.remove(other)),
            }
            let missing = KindError::MissingClaim((*name).to_owned());
            assert_eq!(check_claims(kind, &claims, &expect()), Err(missing), "{kind:?} {name}");
        }
    }
    let mut without = claims();
    without.jti = None;
    let profile = Expect { required: Some(&["iss", "azp"]), ..expect() };
    let result = check_claims(Kind::AccessToken, &without, &profile);
    assert_eq!(result, Err(KindError::MissingClaim("azp".into())));
    let profile = Expect { required: Some(&["iss"]), ..expect() };
    assert_eq!(check_claims(Kind::AccessToken, &without, &profile), Ok(()));
}

#[test]
fn the_issuer_is_exact() {
    for found in ["https://as/", "HTTPS://as", "https://as ", ""] {
        let claims = Claims { iss: Some(found.into()), ..claims() };
        let error = KindError::WrongIssuer { found: Some(found.into()) };
        assert_eq!(check_claims(Kind::AccessToken, &claims, &expect()), Err(error));
    }
}

#[test]
fn audiences_by_rule() {
    // spec-test: JOSE-V6, JWT-V2
    let check = |kind, aud: &[&str], fits: bool| {
        let aud = Audience::Many(aud.iter().map(|&value| value.to_owned()).collect());
        let result = check_claims(kind, &Claims { aud: Some(aud), ..claims() }, &expect());
        assert_eq!(result, if fits { Ok(()) } else { Err(KindError::WrongAudience) });
    };
    check(Kind::AccessToken, &["https://rs"], true);
    check(Kind::AccessToken, &["https://other", "rs"], true);
    check(Kind::AccessToken, &["https://other"], false);
    check(Kind::AccessToken, &["https://rs/"], false);
    check(Kind::AccessToken, &[], false);
    check(Kind::ClientAssertion, &["rs"], true);
    check(Kind::ClientAssertion, &["rs", "https://other"], false);
    check(Kind::ClientAssertion, &[], false);
    let unknown = Expect { audience: &[], ..expect() };
    assert_eq!(check_claims(Kind::AccessToken, &claims(), &unknown), Err(KindError::WrongAudience));
    let lenient = Expect { audience_rule: Some(AudienceRule::Unchecked), ..unknown };
    assert_eq!(check_claims(Kind::AccessToken, &claims(), &lenient), Ok(()));
}

#[test]
fn times_at_the_very_second() {
    // spec-test: JOSE-V6
    let skewed = Expect { skew: Skew::new(Duration::from_secs(30)), ..expect() };
    let check = |claims: &Claims, expect: &Expect<'_>| check_claims(Kind::AccessToken, claims, expect);
    let exp = |seconds| Claims { exp: Some(at(seconds)), ..claims() };
    assert_eq!(check(&exp(1), &expect()), Ok(()));
    assert_eq!(check(&exp(0), &expect()), Err(KindError::Expired { since: Duration::ZERO }));
    assert_eq!(check(&exp(-29), &skewed), Ok(()));
    assert_eq!(check(&exp(-30), &skewed), Err(KindError::Expired { since: Duration::from_secs(30) }));
    let nbf = |seconds| Claims { nbf: Some(at(seconds)), ..claims() };
    assert_eq!(check(&nbf(0), &expect()), Ok(()));
    assert_eq!(check(&nbf(1), &expect()), Err(KindError::NotYetValid { ahead: Duration::from_secs(1) }));
    assert_eq!(check(&nbf(30), &skewed), Ok(()));
    let iat = |seconds| Claims { iat: Some(at(seconds)), ..claims() };
    assert_eq!(check(&iat(1), &expect()), Err(KindError::IssuedInFuture { ahead: Duration::from_secs(1) }));
    assert_eq!(check(&iat(30), &skewed), Ok(()));
    assert_eq!(check(&iat(31), &skewed), Err(KindError::IssuedInFuture { ahead: Duration::from_secs(31) }));
}

#[test]
fn lives_are_limited() {
    let exp = |seconds| Claims { exp: Some(at(seconds)), ..claims() };
    let limit = Duration::from_secs(300);
    assert_eq!(check_claims(Kind::ClientAssertion, &exp(300), &expect()), Ok(()));
    assert_eq!(
        check_claims(Kind::ClientAssertion, &exp(301), &expect()),
        Err(KindError::LivesTooLong { limit })
    );
    assert_eq!(check_claims(Kind::AuthorizationGrant, &exp(3600), &expect()), Ok(()));
    assert!(check_claims(Kind::AuthorizationGrant, &exp(3601), &expect()).is_err());
    assert_eq!(check_claims(Kind::AccessToken, &exp(1_000_000), &expect()), Ok(()));
    let shorter = Expect { life: Some(LifeRule::UntilExpiry(Duration::from_secs(10))), ..expect() };
    assert!(check_claims(Kind::AccessToken, &exp(11), &shorter).is_err());
    for kind in [Kind::DpopProof, Kind::IntrospectionResponse] {
        let iat = |seconds| Claims { iat: Some(at(seconds)), ..claims() };
        assert_eq!(check_claims(kind, &iat(-60), &expect()), Ok(()));
        let limit = Duration::from_secs(60);
        assert_eq!(check_claims(kind, &iat(-61), &expect()), Err(KindError::TooOld { limit }));
    }
}

/// Whoever sends the token chooses its `typ`, and the error ends in a log.
#[test]
fn a_strange_typ_is_shown_harmlessly() {
    let typ = format!(r"a\u001b[2J\nb\u202e{}", "x".repeat(100));
    let error = check_header(Kind::AccessToken, &header("ES256", Some(&typ)), TypPolicy::Row).unwrap_err();
    let KindError::WrongTyp { found, .. } = &error else { panic!("{error:?}") };
    assert_eq!(found.as_deref(), Some(format!("a?[2J?b?{}", "x".repeat(56)).as_str()));
    assert!(!error.to_string().contains(char::is_control));
}
