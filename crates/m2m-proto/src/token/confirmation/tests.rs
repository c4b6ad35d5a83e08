use http::{HeaderMap, Method, Uri};
use serde_json::json;

use super::*;
use crate::dpop::proof::{DEFAULT_ALGORITHMS, Expect};
use crate::dpop::{DpopProof, NonceRule, ProofWindow, proof};
use crate::jose::{Algorithm, SigningKey};
use crate::names::header;
use crate::time::UnixTime;
use crate::token::AccessToken;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn token() -> AccessToken {
    AccessToken::parse("token").unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa).unwrap()
}

fn certificate(byte: u8) -> PeerCertificate {
    PeerCertificate::new(vec![byte; 9], Vec::new()).unwrap()
}

/// A verified proof, made for that token or, as for a token endpoint, for none.
fn proof(key: &SigningKey, token: Option<&AccessToken>) -> VerifiedProof {
    let uri: Uri = "https://api.example/".parse().unwrap();
    let built =
        DpopProof { method: &Method::GET, uri: &uri, now: NOW, jti: "j", nonce: None, access_token: token };
    let mut headers = HeaderMap::new();
    headers.insert(header::DPOP, built.build(key).unwrap());
    let expect = Expect {
        method: &Method::GET,
        uri: &uri,
        algorithms: &DEFAULT_ALGORITHMS,
        now: NOW,
        window: ProofWindow::default(),
        nonce: NonceRule::Unused,
        access_token: token,
        jkt: None,
    };
    proof::verify(&headers, &expect).unwrap()
}

struct Case {
    scheme: PresentationScheme,
    proof: Option<VerifiedProof>,
    certificate: Option<PeerCertificate>,
}

impl Case {
    fn verify(
        &self,
        cnf: Option<&Confirmation>,
        constraint: SenderConstraint,
    ) -> Result<Possession, ConfirmationError> {
        let presentation = Presentation::new(self.scheme, token());
        let evidence = Evidence {
            presentation: &presentation,
            proof: self.proof.as_ref(),
            certificate: self.certificate.as_ref(),
        };
        verify(cnf, &evidence, constraint)
    }

    fn when_bound(&self, cnf: Option<&Confirmation>) -> Result<Possession, ConfirmationError> {
        self.verify(cnf, SenderConstraint::WhenBound)
    }
}

fn bearer() -> Case {
    Case { scheme: PresentationScheme::Bearer, proof: None, certificate: None }
}

fn dpop(proof: VerifiedProof) -> Case {
    Case { scheme: PresentationScheme::Dpop, proof: Some(proof), certificate: None }
}

#[test]
fn an_unbound_token_is_a_bearer_token() {
    let possession = bearer().when_bound(None).unwrap();
    assert!(possession.is_bearer() && possession.confirmed().is_none());
    let refused = dpop(proof(&key(), Some(&token()))).when_bound(None).unwrap_err();
    assert_eq!(refused, ConfirmationError::UnboundAsDpop);
    assert_eq!(bearer().verify(None, SenderConstraint::Always).unwrap_err(), ConfirmationError::NotBound);
}

// spec-test: 9449-RS1
#[test]
fn a_key_bound_token_needs_the_key() {
    let key = key();
    let cnf = Confirmation::key(key.thumbprint().clone());
    let good = proof(&key, Some(&token()));
    let possession = dpop(good.clone()).verify(Some(&cnf), SenderConstraint::Always).unwrap();
    assert!(!possession.is_bearer());
    assert_eq!(possession.confirmed(), Some(&cnf));

    let check = |case: Case, expect| assert_eq!(case.when_bound(Some(&cnf)).unwrap_err(), expect);
    check(bearer(), ConfirmationError::BoundAsBearer);
    check(Case { proof: Some(good), ..bearer() }, ConfirmationError::BoundAsBearer);
    check(Case { scheme: PresentationScheme::Dpop, ..bearer() }, ConfirmationError::ProofMissing);
    check(dpop(proof(&self::key(), Some(&token()))), ConfirmationError::AnotherKey);
    check(dpop(proof(&key, None)), ConfirmationError::ProofForAnotherToken);
    let other = AccessToken::parse("other").unwrap();
    check(dpop(proof(&key, Some(&other))), ConfirmationError::ProofForAnotherToken);
}

// spec-test: 8705-RS1
#[test]
fn a_certificate_bound_token_needs_the_certificate() {
    let cnf = Confirmation::certificate(certificate(1).thumbprint());
    let with = |byte| Case { certificate: Some(certificate(byte)), ..bearer() };
    let possession = with(1).verify(Some(&cnf), SenderConstraint::Always).unwrap();
    assert!(!possession.is_bearer());
    assert_eq!(with(2).when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::AnotherCertificate);
    assert_eq!(bearer().when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::CertificateMissing);
    let as_dpop = Case { certificate: Some(certificate(1)), ..dpop(proof(&key(), Some(&token()))) };
    assert_eq!(as_dpop.when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::UnboundAsDpop);
}

#[test]
fn a_token_bound_to_both_needs_both() {
    let key = key();
    let cnf = Confirmation::key(key.thumbprint().clone()).and_certificate(certificate(1).thumbprint());
    let case = |byte| Case { certificate: Some(certificate(byte)), ..dpop(proof(&key, Some(&token()))) };
    assert!(case(1).when_bound(Some(&cnf)).is_ok());
    assert_eq!(case(2).when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::AnotherCertificate);
    let only_key = dpop(proof(&key, Some(&token())));
    assert_eq!(only_key.when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::CertificateMissing);
    let only_certificate = Case { certificate: Some(certificate(1)), ..bearer() };
    assert_eq!(only_certificate.when_bound(Some(&cnf)).unwrap_err(), ConfirmationError::BoundAsBearer);
}

// spec-test: 9449-AS1
// spec-test: 8705-AS4
#[test]
fn the_claim_round_trips() {
    let (jkt, x5t) =
        ("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    for claim in [json!({"jkt": jkt}), json!({"x5t#S256": x5t}), json!({"jkt": jkt, "x5t#S256": x5t})] {
        assert_eq!(Confirmation::from_json(&claim).unwrap().to_json(), claim);
    }
}

#[test]
fn a_claim_that_is_not_understood_is_refused() {
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let check =
        |claim: Value, expect| assert_eq!(Confirmation::from_json(&claim).unwrap_err(), expect, "{claim}");
    check(json!({}), ConfirmationError::UnknownMethod);
    check(json!({"jwk": {"kty": "EC"}}), ConfirmationError::UnknownMethod);
    check(json!({"jkt": jkt, "kid": "x"}), ConfirmationError::UnknownMethod);
    check(json!("jkt"), ConfirmationError::Malformed);
    check(Value::Null, ConfirmationError::Malformed);
    check(json!({"jkt": 7}), ConfirmationError::Malformed);
    check(json!({"jkt": "short"}), ConfirmationError::Malformed);
    check(json!({"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0="}), ConfirmationError::Malformed);
}
