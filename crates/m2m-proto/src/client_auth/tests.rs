use serde_json::{Value, json};

use super::*;
use crate::jose::{Algorithm, HeaderFields, SigningKey, jws};
use crate::names::media_type;
use crate::secret::SecretBytes;

const BASIC: &str = "Basic YmlsbGluZzpzM2NyZXQ="; // billing:s3cret

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn assertion(claims: &Value) -> String {
    let key = SigningKey::hmac(&SecretBytes::new(vec![7; 32]), Algorithm::Hs256).unwrap();
    jws::sign(&HeaderFields::default(), claims.to_string().as_bytes(), &key).unwrap()
}

fn own_assertion() -> String {
    assertion(&json!({"iss": "billing", "sub": "billing"}))
}

fn certificate() -> PeerCertificate {
    PeerCertificate::new(vec![1, 2, 3], Vec::new()).unwrap()
}

struct Request<'a> {
    authorization: &'a [&'a str],
    form: &'a [(&'a str, &'a str)],
    certificate: bool,
}

impl Request<'_> {
    fn present(&self) -> Result<Presented, PresentedError> {
        let mut form = crate::form::FormWriter::new();
        for (name, value) in self.form {
            form.push(name, value);
        }
        let body = form.finish();
        let form = Form::parse(Some(media_type::FORM), &body).unwrap();
        let certificate = self.certificate.then(certificate);
        Presented::from_request(&headers(self.authorization), &form, certificate.as_ref())
    }
}

fn form<'a>(form: &'a [(&'a str, &'a str)]) -> Request<'a> {
    Request { authorization: &[], form, certificate: false }
}

fn basic<'a>(form: &'a [(&'a str, &'a str)]) -> Request<'a> {
    Request { authorization: &[BASIC], form, certificate: false }
}

const TYPE: (&str, &str) = ("client_assertion_type", assertion_type::JWT_BEARER);

#[test]
fn each_method_alone() {
    let own = own_assertion();
    let check = |request: &Request<'_>, name: &str| {
        let presented = request.present().unwrap();
        let found = match presented.kind() {
            PresentedKind::SecretBasic(pair) => {
                assert_eq!(pair.preferred().secret().expose(), "s3cret");
                "basic"
            }
            PresentedKind::SecretPost(pair) => {
                assert_eq!(pair.secret().expose(), "s3cret");
                "post"
            }
            PresentedKind::Assertion { assertion, .. } => {
                assert_eq!(assertion.expose(), own);
                "assertion"
            }
            PresentedKind::Certificate { certificate: found, .. } => {
                assert_eq!(found.thumbprint(), certificate().thumbprint());
                "certificate"
            }
            PresentedKind::Svid { .. } => "svid",
        };
        assert_eq!((found, presented.client_id().as_str()), (name, "billing"));
        assert!(!format!("{presented:?}").contains("s3cret"));
    };
    check(&basic(&[]), "basic");
    check(&basic(&[("client_id", "billing")]), "basic");
    check(&form(&[("client_id", "billing"), ("client_secret", "s3cret")]), "post");
    check(&form(&[TYPE, ("client_assertion", &own)]), "assertion");
    check(&form(&[TYPE, ("client_assertion", &own), ("client_id", "billing")]), "assertion");
    let with_certificate = |request: Request<'static>| Request { certificate: true, ..request };
    check(&with_certificate(form(&[("client_id", "billing")])), "certificate");
    // A certificate beside another method only binds the token.
    check(&with_certificate(basic(&[])), "basic");
    check(&with_certificate(form(&[("client_id", "billing"), ("client_secret", "s3cret")])), "post");
}

// spec-test: 6749-C5
// spec-test: 6749-AS2
#[test]
fn two_methods_are_refused() {
    let own = own_assertion();
    let secret = ("client_secret", "s3cret");
    let id = ("client_id", "billing");
    let check = |request: &Request<'_>| {
        assert_eq!(request.present().unwrap_err(), PresentedError::SeveralMethods);
    };
    check(&basic(&[id, secret]));
    check(&basic(&[secret]));
    check(&basic(&[TYPE, ("client_assertion", &own)]));
    check(&form(&[id, secret, TYPE, ("client_assertion", &own)]));
    check(&basic(&[id, secret, TYPE, ("client_assertion", &own)]));
    let twice = Request { authorization: &[BASIC, BASIC], form: &[], certificate: false };
    assert_eq!(twice.present().unwrap_err(), PresentedError::RepeatedHeader);
}

// spec-test: 6749-AS1
#[test]
fn no_method_is_refused_whatever_else_is_there() {
    let check = |request: &Request<'_>| {
        assert_eq!(request.present().unwrap_err(), PresentedError::Unauthenticated);
    };
    check(&form(&[]));
    check(&form(&[("client_id", "billing")]));
    check(&form(&[("client_id", "billing"), ("client_secret", "")]));
    check(&Request { authorization: &[], form: &[], certificate: true });
}

// spec-test: 7523-C1
// spec-test: 7523-AS3
#[test]
fn assertions_come_with_their_type_and_their_client() {
    let own = own_assertion();
    let check = |form_fields: &[(&str, &str)], expect: &PresentedError| {
        assert_eq!(form(form_fields).present().unwrap_err(), *expect, "{form_fields:?}");
    };
    check(&[("client_assertion", &own)], &PresentedError::AssertionIncomplete);
    check(&[TYPE], &PresentedError::AssertionIncomplete);
    let saml = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    check(&[saml, ("client_assertion", &own)], &PresentedError::AssertionTypeUnknown);
    let not_jwt = form(&[TYPE, ("client_assertion", "x")]).present().unwrap_err();
    assert!(matches!(not_jwt, PresentedError::Assertion(_)));
    let named = [TYPE, ("client_assertion", own.as_str()), ("client_id", "payroll")];
    check(&named, &PresentedError::ClientIdMismatch);
    let anonymous = assertion(&json!({}));
    check(&[TYPE, ("client_assertion", &anonymous)], &PresentedError::ClientIdMissing);
}

#[test]
fn tokens_of_other_issuers_need_client_id() {
    let foreign = assertion(&json!({"iss": "https://k8s.example", "sub": "system:serviceaccount:a:b"}));
    let fields = [TYPE, ("client_assertion", foreign.as_str()), ("client_id", "billing")];
    assert_eq!(form(&fields).present().unwrap().client_id().as_str(), "billing");
    assert_eq!(form(&fields[..2]).present().unwrap_err(), PresentedError::ClientIdMissing);
}

// spec-test: 7523-AS3a
#[test]
fn client_id_must_be_the_same_and_well_formed() {
    let check = |request: &Request<'_>, expect: &PresentedError| {
        assert_eq!(request.present().unwrap_err(), *expect);
    };
    check(&basic(&[("client_id", "payroll")]), &PresentedError::ClientIdMismatch);
    check(&form(&[("client_secret", "s")]), &PresentedError::ClientIdMissing);
    check(&form(&[("client_id", "é"), ("client_secret", "s")]), &PresentedError::ClientIdMalformed);
    let malformed = Request { authorization: &[], form: &[("client_id", "é")], certificate: true };
    check(&malformed, &PresentedError::ClientIdMalformed);
    let newline = form(&[("client_id", "a"), ("client_secret", "s\n")]);
    check(&newline, &PresentedError::Post(SecretError::ControlCharacter));
    for (header, expect) in [("Bearer abc", SecretError::NotBasic), ("Basic ====", SecretError::NotBase64)] {
        let request = Request { authorization: &[header], form: &[], certificate: false };
        check(&request, &PresentedError::Basic(expect));
    }
}

// spec-test: SPIFFE-C1
#[test]
fn a_svid_comes_with_a_client_id_and_needs_no_issuer() {
    const SPIFFE: (&str, &str) = ("client_assertion_type", assertion_type::JWT_SPIFFE);
    let svid = assertion(&json!({"sub": "spiffe://prod.example/api"}));
    let presented = form(&[SPIFFE, ("client_assertion", &svid), ("client_id", "billing")]).present().unwrap();
    assert_eq!(presented.client_id().as_str(), "billing");
    assert!(matches!(presented.kind(), PresentedKind::Svid { .. }), "never a client's own assertion");
    let check = |request: Request<'_>, refused: &PresentedError| {
        assert_eq!(request.present().err().as_ref(), Some(refused));
    };
    check(form(&[SPIFFE, ("client_assertion", &svid)]), &PresentedError::ClientIdMissing);
    check(form(&[SPIFFE, ("client_id", "billing")]), &PresentedError::AssertionIncomplete);
    check(basic(&[SPIFFE, ("client_assertion", &svid)]), &PresentedError::SeveralMethods);
}
