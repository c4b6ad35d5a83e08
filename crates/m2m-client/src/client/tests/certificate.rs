//! Mutual TLS: endpoint aliases, and certificates that rotate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use m2m_io::HttpClient;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;

use crate::testing::{FakeServer, TestClock, TestRandom, answer, endpoints, secret, settle, token_answer};
use crate::{
    CertificateSource, Client, ClientBuilder, Credentials, ErrorKind, FileSecret, HttpFactory, MemoryStore,
    SecretFn, Server, TokenSpec, TokenStore,
};

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

/// A token and a chain of files or functions, whoever reads them, at a fixed endpoint.
fn bound(server: &Arc<FakeServer>, clock: &TestClock, source: CertificateSource) -> ClientBuilder {
    let http = Arc::clone(server) as Arc<dyn HttpClient>;
    Client::builder(Server::endpoints(endpoints()))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(Credentials::certificate(source, ClientAuthMethod::TlsClientAuth))
        .audience("https://api.example")
        .clock(Arc::new(clock.clone()))
        .random(Arc::new(TestRandom::seeded(1)))
        .http_factory(HttpFactory::new(move |_| Ok(Arc::clone(&http))))
}

/// Files have no version before they are read; the first one is no rotation.
#[tokio::test]
async fn the_first_reading_of_a_certificate_costs_no_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, name).unwrap();
        Arc::new(FileSecret::new(path))
    };
    let (server, clock) = (FakeServer::issuing(3600), TestClock::new());
    let client = bound(&server, &clock, CertificateSource::new(file("chain"), file("key"))).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    for _ in 0..5 {
        clock.pass(1).await;
        for _ in 0..3 {
            tokio::task::spawn_blocking(|| {}).await.unwrap();
            settle().await;
        }
    }
    assert_eq!(client.token(&TokenSpec::default()).await.unwrap().access_token().expose(), "t1");
    std::fs::write(directory.path().join("chain"), "renewed").unwrap();
    for _ in 0..5 {
        clock.pass(1).await;
        for _ in 0..3 {
            tokio::task::spawn_blocking(|| {}).await.unwrap();
            settle().await;
        }
    }
    assert_eq!(client.token(&TokenSpec::default()).await.unwrap().access_token().expose(), "t2");
}

/// Tokens are bound to the certificate, not to its key: one that is renewed
/// under the same key cannot use them.
#[tokio::test]
async fn a_renewed_certificate_of_the_same_key_finds_nothing_in_the_store() {
    let (server, clock) = (FakeServer::issuing(3600), TestClock::new());
    let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    for (chain, expected) in [("one", "t1"), ("one", "t1"), ("two", "t2")] {
        let source = CertificateSource::new(secret(chain), secret("key"));
        let client = bound(&server, &clock, source).store(Arc::clone(&store)).build().unwrap();
        let token = client.token(&TokenSpec::default()).await.unwrap();
        assert_eq!(token.access_token().expose(), expected);
    }
}

/// A certificate that cannot be read any more does not keep a valid token from the API.
#[tokio::test]
async fn an_api_call_reads_no_certificate() {
    let (server, clock) = (FakeServer::issuing(3600), TestClock::new());
    let reads = Arc::new(AtomicUsize::new(0));
    let chain = SecretFn::new({
        let reads = Arc::clone(&reads);
        move || {
            reads.fetch_add(1, Ordering::SeqCst);
            async { Ok(SecretString::from("chain")) }
        }
    });
    let source = CertificateSource::new(Arc::new(chain), secret("key"));
    let client = bound(&server, &clock, source).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    let before = reads.load(Ordering::SeqCst);
    let request = http::Request::get("https://api.example/").body(bytes::Bytes::new()).unwrap();
    client.execute(&TokenSpec::default(), request).await.unwrap();
    assert_eq!(reads.load(Ordering::SeqCst), before);
}
