use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, ClientAuthorities, SubjectName};
use m2m_proto::token::confirmation::Confirmation;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer as Signer, KeyPair, SanType,
};

use super::*;
use crate::MutualTls;
use crate::config::ServerBuilder;
use crate::registry::SenderConstraint;

const NAME: &str = "app.example";

/// An authority, and a client certificate of it for `NAME`.
fn pki() -> (Vec<u8>, PeerCertificate) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap().der().to_vec();
    let signer = Signer::new(params, authority_key);

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::DnsName(NAME.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &signer).unwrap();
    (authority, PeerCertificate::new(leaf.der().to_vec(), Vec::new()).unwrap())
}

fn mutual_tls(settings: ServerBuilder) -> ServerBuilder {
    settings.mutual_tls(MutualTls::default())
}

fn some_certificate(text: &str) -> PeerCertificate {
    PeerCertificate::new(text.as_bytes().to_vec(), Vec::new()).unwrap()
}

// spec-test: 8705-AS1, 8705-AS3
#[tokio::test]
async fn a_certificate_of_a_trusted_authority_with_the_registered_name() {
    let (authority, certificate) = pki();
    // Inside the validity that rcgen gives by default.
    let authorities = ClientAuthorities::from_der([authority.as_slice()]).unwrap();
    let offered = MutualTls::default().authorities(authorities);
    let harness = Harness::with(|settings| settings.mutual_tls(offered)).await;
    harness.create_client("other").await;
    harness.credential("app", Proof::CertificateSubject(SubjectName::Dns(NAME.to_owned()))).await;
    harness.credential("other", Proof::CertificateSubject(SubjectName::Dns("else.example".to_owned()))).await;
    let ask = |client: &str| Ask::token().with("client_id", client);

    harness.post(TOKEN, ask("app").certificate(&certificate)).await.access_token();
    harness.post(TOKEN, ask("other").certificate(&certificate)).await.refused(400, "invalid_client");
    harness.post(TOKEN, ask("nobody").certificate(&certificate)).await.refused(400, "invalid_client");
    harness.post(TOKEN, ask("app")).await.refused(400, "invalid_client");
    let (_, stranger) = pki();
    harness.post(TOKEN, ask("app").certificate(&stranger)).await.refused(400, "invalid_client");
}

// spec-test: 8705-AS2
#[tokio::test]
async fn a_registered_certificate() {
    let harness = Harness::with(mutual_tls).await;
    let own = some_certificate("own");
    harness.credential("app", Proof::Certificate(own.thumbprint())).await;
    let ask = || Ask::token().with("client_id", "app");
    harness.post(TOKEN, ask().certificate(&own)).await.access_token();
    let other = some_certificate("other");
    harness.post(TOKEN, ask().certificate(&other)).await.refused(400, "invalid_client");
}

#[tokio::test]
async fn a_certificate_is_found_behind_many_secrets() {
    let harness = Harness::with(mutual_tls).await;
    for _ in 0..20 {
        harness.secret("app").await;
    }
    let own = some_certificate("own");
    harness.credential("app", Proof::Certificate(own.thumbprint())).await;
    let ask = Ask::token().with("client_id", "app").certificate(&own);
    harness.post(TOKEN, ask).await.access_token();
}

#[tokio::test]
async fn where_certificates_are_not_offered_none_is_looked_at() {
    let harness = Harness::new().await;
    let spec =
        CredentialSpec::new(client_id("app"), "one", Proof::Certificate(CertificateThumbprint::of(b"own")));
    let error = harness.server.admin().create_credential(spec).await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Misconfigured);
    let ask = Ask::token().with("client_id", "app").certificate(&some_certificate("own"));
    harness.post(TOKEN, ask).await.refused(400, "invalid_client");
}

/// However the client authenticates: binding is a question of its registration.
// spec-test: 8705-AS4
#[tokio::test]
async fn a_client_can_have_its_tokens_bound_to_its_certificate() {
    let harness = Harness::with(mutual_tls).await;
    let client = Client::new(client_id("bound"))
        .grant(identifier(ORDERS), Scope::parse("orders:read").unwrap())
        .sender_constraint(SenderConstraint::Mtls);
    harness.server.admin().create_client(client).await.unwrap();
    let secret = harness.secret("bound").await;
    let certificate = some_certificate("own");
    let ask = || Ask::token().basic("bound", &secret);

    let bare = harness.post(TOKEN, ask()).await;
    assert_eq!(bare.refused(400, "invalid_request"), "a client certificate is required");
    let answer = harness.post(TOKEN, ask().certificate(&certificate)).await;
    assert_eq!(answer.member("token_type"), "Bearer");
    let claims = harness.claims(&answer.access_token()).await;
    assert_eq!(claims.confirmation(), Some(&Confirmation::certificate(certificate.thumbprint())));
}
