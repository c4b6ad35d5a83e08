//! Mutual TLS: endpoint aliases, and certificates that rotate.

use std::sync::{Arc, Mutex};

use m2m_io::HttpClient;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;

use crate::testing::{FakeServer, TestClock, TestRandom, answer, secret, token_answer};
use crate::{CertificateSource, Client, Credentials, ErrorKind, HttpFactory, SecretFn, Server, TokenSpec};

const METADATA: &str = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token",
    "revocation_endpoint":"https://as.example/revoke",
    "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example/token"}}"#;

fn server() -> Arc<FakeServer> {
    FakeServer::new(|request, n| {
        Ok(match request.uri().path() {
            "/token" => token_answer(&format!("t{n}"), "3600"),
            "/revoke" => answer(200, ""),
            _ => answer(200, METADATA),
        })
    })
}

/// Certificates as the HTTP client was made with them, in order.
type Made = Arc<Mutex<Vec<Option<String>>>>;

fn world(certificate: &Arc<Mutex<String>>) -> (Arc<FakeServer>, TestClock, Made, Client) {
    let (server, clock, made) = (server(), TestClock::new(), Made::default());
    let chain = SecretFn::new({
        let certificate = Arc::clone(certificate);
        move || {
            let text = certificate.lock().unwrap().clone();
            async move { Ok(SecretString::from(text.as_str())) }
        }
    });
    let factory = HttpFactory::new({
        let (server, made) = (Arc::clone(&server), Arc::clone(&made));
        move |certificate| {
            let pem =
                certificate.map(|certificate| String::from_utf8(certificate.chain_pem.clone()).unwrap());
            made.lock().unwrap().push(pem);
            Ok(Arc::clone(&server) as Arc<dyn HttpClient>)
        }
    });
    let source = CertificateSource::new(Arc::new(chain), secret("key"));
    let client = Client::builder(Server::issuer(Issuer::parse("https://as.example").unwrap()))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(Credentials::certificate(source, ClientAuthMethod::TlsClientAuth))
        .clock(Arc::new(clock.clone()))
        .random(Arc::new(TestRandom::seeded(1)))
        .http_factory(factory)
        .build()
        .unwrap();
    (server, clock, made, client)
}

// spec-test: 8705-C1
// spec-test: 8705-C2
#[tokio::test]
async fn aliases_come_first_and_the_client_names_itself() {
    let (server, _clock, _made, client) = world(&Arc::new(Mutex::new("one".into())));
    let token = client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(server.request(1).uri(), "https://mtls.example/token");
    assert_eq!(server.form(1).get("client_id"), Some("c"));
    assert!(server.form(1).get("client_secret").is_none());
    assert!(!server.request(1).headers().contains_key("authorization"));
    client.revoke(token.access_token()).await.unwrap();
    assert_eq!(server.request(2).uri(), "https://as.example/revoke", "no alias: the ordinary one");
}

// spec-test: 8705-C3
#[tokio::test]
async fn a_new_certificate_means_a_new_connection() {
    let certificate = Arc::new(Mutex::new("one".to_owned()));
    let (_server, _clock, made, client) = world(&certificate);
    for _ in 0..3 {
        client.renew(&TokenSpec::default()).await.unwrap();
    }
    *certificate.lock().unwrap() = "two".into();
    client.renew(&TokenSpec::default()).await.unwrap();
    let pem = |text: &str| Some(text.to_owned());
    assert_eq!(*made.lock().unwrap(), [None, pem("one"), pem("two")], "and discovery shows none");
}

#[test]
fn a_certificate_is_not_sent_by_a_method_for_secrets() {
    let source = CertificateSource::new(secret("chain"), secret("key"));
    let error = Client::builder(Server::issuer(Issuer::parse("https://as.example").unwrap()))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(Credentials::certificate(source, ClientAuthMethod::ClientSecretBasic))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}
