//! What parties prove things with: client assertions, DPoP proofs, certificates and the names in them; and what servers
//! answer about tokens.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use m2m_proto::client_auth::assertion;
use m2m_proto::client_auth::mutual_tls::{
    self, CertificateThumbprint, ClientAuthorities, DistinguishedName, PeerCertificate, SubjectName,
};
use m2m_proto::client_id::ClientId;
use m2m_proto::dpop::{DpopNonce, NonceKey, NonceRule, ProofWindow, proof};
use m2m_proto::error::ErrorResponse;
use m2m_proto::introspection::{self, Introspection, IntrospectionRequest};
use m2m_proto::jose::{Algorithm, HeaderFields, Kind, jws};
use m2m_proto::metadata::{ClientMetadata, ResourceMetadata};
use m2m_proto::names::header;
use m2m_proto::revocation::{self, RevocationRequest};
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::Skew;
use m2m_proto::uri::ResourceUri;

use crate::{KEYS, NOW, read_form, signed};

/// What is accepted is the client's own, of this time, and signed; what a stranger made is not.
pub fn client_assertion(data: &[u8]) {
    let client_id = ClientId::parse("svc").expect("well-formed");
    let expect = assertion::Expect {
        client_id: &client_id,
        issuer: &KEYS.issuer,
        token_endpoint_audience: None,
        typ: assertion::TypRule::Explicit,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let key = KEYS.signing.verifying_key();
    let text = std::str::from_utf8(data).unwrap_or_default();
    assert!(assertion::verify(text, &expect, [key.as_ref()]).is_err());
    let signed = signed(Kind::ClientAssertion, data);
    if let Ok(verified) = assertion::verify(&signed, &expect, [key.as_ref()]) {
        assert!(!verified.jti().is_empty());
        assert!(verified.expires_at().saturating_add(Skew::DEFAULT.get()) > NOW);
    }
}

/// A proof that is accepted is of this time, and names something to remember it by.
pub fn dpop_proof(data: &[u8]) {
    let (uri, method) = (Uri::from_static("https://orders.example/orders"), Method::GET);
    let nonces = NonceKey::new(&SecretBytes::new(vec![1; 32]), "fuzz").expect("long enough");
    let proof_of = |text: &str, nonce: NonceRule<'_>| {
        let mut headers = HeaderMap::new();
        headers.insert(header::DPOP, HeaderValue::from_str(text).ok()?);
        let expect = proof::Expect {
            method: &method,
            uri: &uri,
            algorithms: &[Algorithm::EdDsa],
            now: NOW,
            window: ProofWindow::default(),
            nonce,
            access_token: None,
            jkt: None,
        };
        proof::verify(&headers, &expect).ok()
    };
    let text = std::str::from_utf8(data).unwrap_or_default();
    assert!(proof_of(text, NonceRule::Required(&nonces)).is_none());
    let _ = DpopNonce::parse(text);
    let fields = HeaderFields {
        typ: Kind::DpopProof.typ(),
        jwk: KEYS.signing.public_jwk(),
        ..HeaderFields::default()
    };
    let Ok(signed) = jws::sign(&fields, data, &KEYS.signing) else { return };
    if let Some(proof) = proof_of(&signed, NonceRule::Unused) {
        assert!(proof.replay_until() >= NOW);
        assert_eq!(&proof.jkt().as_str().len(), &KEYS.signing.thumbprint().as_str().len());
    }
    assert!(proof_of(&signed, NonceRule::Required(&nonces)).is_none());
}

/// A name that is read is equal to itself, and nobody vouches for what is no certificate.
pub fn certificate(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    if let Ok(name) = DistinguishedName::parse(text) {
        assert_eq!(name.as_str(), text);
    }
    for kind in ["tls_client_auth_subject_dn", "tls_client_auth_san_ip", "tls_client_auth_san_dns"] {
        let _ = SubjectName::parse(kind, text);
    }
    let _ = (CertificateThumbprint::parse(text), CertificateThumbprint::of_pem(data));
    assert!(ClientAuthorities::from_der([data]).is_err() || !data.is_empty());
    let _ = PeerCertificate::new(data.to_vec(), vec![data.to_vec()]);
    let _ = mutual_tls::validity(data);
    changed_certificate(data);
}

const CLIENT: &[u8] = include_bytes!("../../crates/m2m-proto/testdata/mtls/client.der");
const MIDDLE: &[u8] = include_bytes!("../../crates/m2m-proto/testdata/mtls/middle.der");
const ROOT: &[u8] = include_bytes!("../../crates/m2m-proto/testdata/mtls/root.der");

/// A certificate of a trusted authority with some bytes changed (two for the place, one for the value) is none, and is
/// read without harm.
fn changed_certificate(changes: &[u8]) {
    let mut der = CLIENT.to_vec();
    for change in changes.chunks_exact(3).take(16) {
        let [high, low, value] = *change else { continue };
        let place = usize::from(u16::from_be_bytes([high, low])) % der.len();
        der[place] = value;
    }
    let _ = mutual_tls::validity(&der);
    let is_changed = der != CLIENT;
    let authorities = ClientAuthorities::from_der([ROOT]).expect("an authority");
    let peer = PeerCertificate::new(der, vec![MIDDLE.to_vec()]).expect("of the right size");
    let subject = SubjectName::Dns("worker.example.com".to_owned());
    let verified = mutual_tls::verify_chain(&peer, &authorities, &subject, NOW);
    assert_eq!(verified.is_ok(), !is_changed);
}

/// What counts as active has an audience and an end, and is of nobody else.
pub fn introspection(data: &[u8]) {
    if let Some(form) = read_form(data) {
        let _ = (IntrospectionRequest::decode(&form), RevocationRequest::decode(&form));
    }
    for status in [200, 204, 400, 401, 503] {
        let mut response = Response::new(Bytes::copy_from_slice(data));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        let _ = (revocation::decode_response(&response), ErrorResponse::decode(&response));
        let Ok(told) = Introspection::decode(&response) else { continue };
        assert_eq!(status, 200);
        let expect = introspection::Expect {
            issuer: &KEYS.issuer,
            audience: "https://orders.example",
            now: NOW,
            skew: Skew::DEFAULT,
        };
        let active = told.is_active();
        if told.check(&expect).is_ok() {
            assert!(active);
        }
    }
}

/// Metadata is of the resource that was asked, or of nobody; what is written is read as itself.
pub fn other_metadata(data: &[u8]) {
    let resource = ResourceUri::parse("https://orders.example").expect("well-formed");
    if let Ok(metadata) = ResourceMetadata::decode(data, &resource) {
        assert_eq!(metadata.resource, resource);
        assert!(ResourceMetadata::decode(&metadata.encode(), &resource).is_ok());
    }
    if let Ok(metadata) = ClientMetadata::decode(data) {
        assert!(ClientMetadata::decode(&metadata.encode()).is_ok());
    }
}
