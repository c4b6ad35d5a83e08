//! Interoperability with npm `oidc-provider`, run as a black box: what a conforming
//! server of somebody else accepts and answers. The library is driven here, the
//! binary in `binary.rs`. Where the peer is not fetched the tests say so and pass;
//! `cargo xtask test` fetches it and then requires it.

mod binary;
pub(crate) mod party;

use m2m_client::{
    CertificateSource, Client, ClientBuilder, Credentials, Dpop, ErrorKind, HttpFactory, KeySource, TokenSpec,
};
use m2m_io::{EgressRules, HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::scope::Scope;
use m2m_proto::token::{AccessToken, TokenType};
use m2m_proto::uri::ResourceUri;
use party::{ALGORITHMS, Certificate, Party};
use std::sync::Arc;

use crate::peer::{self, code, secret};

fn with_secret(party: &Party, method: ClientAuthMethod) -> Credentials {
    Credentials::secret(secret(party.server.said("secret")), None, method)
}

fn with_key(party: &Party, algorithm: Algorithm) -> Credentials {
    let der = party.key(algorithm).to_pkcs8_der().unwrap();
    let key = SigningKey::from_pkcs8_der(der.expose(), Some(algorithm)).unwrap();
    Credentials::key(KeySource::fixed(Arc::new(key)))
}

fn builder(party: &Party, client_id: &str, credentials: Credentials) -> ClientBuilder {
    peer::client(&party.server, client_id, credentials).scope(Scope::parse("orders:read").unwrap())
}

fn client(party: &Party, client_id: &str, credentials: Credentials) -> Client {
    builder(party, client_id, credentials).build().unwrap()
}

#[track_caller]
fn is_jwt(token: &AccessToken) {
    assert_eq!(token.expose().split('.').count(), 3, "the API asks for JWTs");
}

#[tokio::test]
async fn oidc_provider_gives_a_token_for_every_authentication_method() {
    let Some(party) = Party::start() else { return };
    let mut clients = vec![
        client(&party, "basic", with_secret(&party, ClientAuthMethod::ClientSecretBasic)),
        client(&party, "basic:odd id+%", with_secret(&party, ClientAuthMethod::ClientSecretBasic)),
        client(&party, "post", with_secret(&party, ClientAuthMethod::ClientSecretPost)),
        client(&party, "secret-jwt", with_secret(&party, ClientAuthMethod::ClientSecretJwt)),
    ];
    for algorithm in ALGORITHMS {
        let id = format!("private-key-jwt-{}", algorithm.name());
        clients.push(client(&party, &id, with_key(&party, *algorithm)));
    }
    for client in clients {
        let token = client.token(&client.spec()).await.unwrap();
        is_jwt(token.access_token());
        assert_eq!(*token.token_type(), TokenType::Bearer);
        assert_eq!(token.scope().map(ToString::to_string).as_deref(), Some("orders:read"));
    }
}

// spec-test: 9449-C1, 9449-C4
#[tokio::test]
async fn oidc_provider_binds_tokens_to_a_dpop_key_with_and_without_its_nonce() {
    let Some(party) = Party::start() else { return };
    let mut clients = Vec::new();
    for id in ["dpop", "dpop-nonce"] {
        for dpop in [Dpop::Ephemeral(Algorithm::Es256), Dpop::Ephemeral(Algorithm::EdDsa)] {
            let credentials = with_secret(&party, ClientAuthMethod::ClientSecretBasic);
            clients.push(builder(&party, id, credentials).dpop(dpop).build().unwrap());
        }
    }
    // The nonce costs a second request, for which the assertion must be new too.
    let assertion = builder(&party, "dpop-nonce-private-key-jwt-ES256", with_key(&party, Algorithm::Es256));
    clients.push(assertion.dpop(Dpop::Ephemeral(Algorithm::Es256)).build().unwrap());
    for client in clients {
        let token = client.token(&client.spec()).await.unwrap();
        assert_eq!(*token.token_type(), TokenType::Dpop);
        let introspection = introspect_opaque(&client).await;
        assert!(introspection.contains("jkt"), "{introspection}");
    }
}

/// The server introspects opaque tokens only.
async fn introspect_opaque(client: &Client) -> String {
    let resource = ResourceUri::parse("https://opaque.example").unwrap();
    let token = client.token(&TokenSpec::new().resource(resource)).await.unwrap();
    let introspection = client.introspect(token.access_token()).await.unwrap();
    assert!(introspection.is_active());
    format!("{:?}", introspection.claims())
}

// spec-test: 8707-C1, 7662-RS2, 7009-C1
#[tokio::test]
async fn oidc_provider_issues_for_resources_introspects_and_revokes() {
    let Some(party) = Party::start() else { return };
    let client = client(&party, "basic", with_secret(&party, ClientAuthMethod::ClientSecretBasic));
    let jwt = ResourceUri::parse("https://orders.example").unwrap();
    let opaque = ResourceUri::parse("https://opaque.example").unwrap();
    let jwt = client.token(&TokenSpec::new().resource(jwt)).await.unwrap();
    is_jwt(jwt.access_token());
    let opaque = client.token(&TokenSpec::new().resource(opaque)).await.unwrap();
    assert_eq!(opaque.access_token().expose().split('.').count(), 1);
    assert!(client.introspect(opaque.access_token()).await.unwrap().is_active());
    client.revoke(opaque.access_token()).await.unwrap();
    assert!(!client.introspect(opaque.access_token()).await.unwrap().is_active());
    // Revoking twice is no error, nor is asking about a token that never was.
    client.revoke(opaque.access_token()).await.unwrap();
    let unknown = AccessToken::parse("no-such-token").unwrap();
    assert!(!client.introspect(&unknown).await.unwrap().is_active());
    // This server refuses to introspect a JWT; that is its answer, not "inactive".
    let refused = client.introspect(jwt.access_token()).await.unwrap_err();
    assert_eq!(code(&refused).as_deref(), Some("unsupported_token_type"));
}

// spec-test: 8705-C1, 8705-C2
#[tokio::test]
async fn oidc_provider_gives_tokens_by_mutual_tls_at_its_endpoint_aliases() {
    let Some(party) = Party::start() else { return };
    for (id, method, certificate) in [
        ("tls", ClientAuthMethod::TlsClientAuth, &party.signed),
        ("self-signed-tls", ClientAuthMethod::SelfSignedTlsClientAuth, &party.self_signed),
    ] {
        let (credentials, factory) = with_certificate(&party, method, certificate);
        let client = builder(&party, id, credentials).http_factory(factory).build().unwrap();
        let token = client.token(&client.spec()).await.unwrap();
        is_jwt(token.access_token());
        let introspection = introspect_opaque(&client).await;
        assert!(introspection.contains("x5t#S256"), "{introspection}");
    }
    // The other client's certificate is refused.
    let (credentials, factory) =
        with_certificate(&party, ClientAuthMethod::TlsClientAuth, &party.self_signed);
    let client = builder(&party, "tls", credentials).http_factory(factory).build().unwrap();
    let refused = client.token(&client.spec()).await.unwrap_err();
    assert_eq!(code(&refused).as_deref(), Some("invalid_client"));
}

/// The aliases are on another port, so not on the issuer's origin: the operator
/// has to allow it.
pub(crate) fn with_certificate(
    party: &Party,
    method: ClientAuthMethod,
    pem: &Certificate,
) -> (Credentials, HttpFactory) {
    let source = CertificateSource::new(secret(&pem.chain), secret(&pem.key));
    let (ca, origin) = (party.ca.clone(), party.server.said("mtls_origin").to_owned());
    let factory = HttpFactory::new(move |certificate| {
        let mut http = ReqwestHttp::builder().ca_pem(ca.as_bytes())?;
        http = http.egress(EgressRules::new().allow(&origin).expect("an origin"));
        if let Some(certificate) = certificate {
            http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(http.build()?) as Arc<dyn HttpClient>)
    });
    (Credentials::certificate(source, method), factory)
}

#[tokio::test]
async fn oidc_provider_refusals_are_verdicts_and_its_death_is_not() {
    let Some(mut party) = Party::start() else { return };
    let basic = ClientAuthMethod::ClientSecretBasic;
    let wrong = client(&party, "basic", Credentials::secret(secret("not the secret"), None, basic));
    let error = wrong.token(&wrong.spec()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(code(&error).as_deref(), Some("invalid_client"));
    assert!(!error.is_transient());
    let scope = client(&party, "basic", with_secret(&party, basic));
    let spec = TokenSpec::new().scope(Scope::parse("orders:delete").unwrap());
    let error = scope.token(&spec).await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("invalid_scope"));
    let held = client(&party, "basic", with_secret(&party, basic));
    let before = held.token(&held.spec()).await.unwrap();
    let cold = client(&party, "basic", with_secret(&party, basic));
    party.server.stop();
    let error = cold.token(&cold.spec()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.is_transient());
    assert!(!error.hint().is_empty());
    // Who has a token goes on.
    let after = held.token(&held.spec()).await.unwrap();
    assert_eq!(before.access_token().expose(), after.access_token().expose());
}
