use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use bytes::Bytes;
use m2m_io::reqwest::{ProxyFrom, ReqwestHttp};
use m2m_io::task::Tasks;
use m2m_io::{Clock, HttpClient as _, Limits, SystemClock};
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::secret::SecretBytes;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::certificate::{Authority, Certified, Wish, self_signed};

mod connections;

fn wish(names: &[&str]) -> Wish {
    Wish {
        subject: "test".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: SystemClock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    }
}

/// Says who called: address, and the certificate's thumbprint.
fn router() -> Router {
    Router::new().route(
        "/",
        get(
            |Extension(address): Extension<ClientAddress>,
             certificate: Option<Extension<PeerCertificate>>| async move {
                let thumbprint =
                    certificate.map_or("none".to_owned(), |certificate| certificate.thumbprint().to_text());
                format!("{} {thumbprint}", address.0)
            },
        ),
    )
}

async fn listener() -> Listener {
    Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(SystemClock)).await.unwrap()
}

async fn ask(url: &str, ca: &Authority, own: Option<&Certified>) -> Result<String, m2m_io::HttpError> {
    let mut http =
        ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).ca_pem(ca.certificate_pem().as_bytes())?;
    if let Some(own) = own {
        let key = SecretBytes::from(own.key_pem.expose().as_bytes());
        http = http.client_certificate(own.certificate_pem.as_bytes(), &key)?;
    }
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    let response = http.build()?.send(request, &Limits::default()).await?;
    Ok(String::from_utf8(response.into_body().to_vec()).unwrap())
}

#[tokio::test]
async fn tells_the_router_who_called_and_with_which_certificate() {
    let ca = Authority::generate(&wish(&[])).unwrap();
    let leaf = ca.issue(&wish(&["127.0.0.1"])).unwrap();
    let config = server_config(Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap(),
    });
    let tasks = Tasks::new();
    let (plain, secure) = (listener().await, listener().await.tls(config.unwrap()));
    let (plain_url, secure_url) =
        (format!("http://{}/", plain.address()), format!("https://{}/", secure.address()));
    tasks.spawn("plain", plain.serve(router(), tasks.stopping()));
    tasks.spawn("secure", secure.serve(router(), tasks.stopping()));

    assert_eq!(ask(&plain_url, &ca, None).await.unwrap(), "127.0.0.1 none");
    assert_eq!(ask(&secure_url, &ca, None).await.unwrap(), "127.0.0.1 none");
    // A certificate that nobody vouches for is passed on: whether it counts is the endpoint's question.
    let own = self_signed(&wish(&[]), &SigningKey::generate(Algorithm::Es256).unwrap()).unwrap();
    let thumbprint =
        m2m_proto::client_auth::mutual_tls::CertificateThumbprint::of(&own.certificate_der).to_text();
    assert_eq!(ask(&secure_url, &ca, Some(&own)).await.unwrap(), format!("127.0.0.1 {thumbprint}"));
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_certificate_without_its_key_is_no_proof() {
    let ca = Authority::generate(&wish(&[])).unwrap();
    let leaf = ca.issue(&wish(&["127.0.0.1"])).unwrap();
    let config = server_config(Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap(),
    });
    let listener = listener().await.tls(config.unwrap());
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("secure", listener.serve(router(), tasks.stopping()));

    // A victim's public certificate, and a thief's key.
    let victim = ca.issue(&wish(&["victim.example"])).unwrap();
    let thief = ca.issue(&wish(&["thief.example"])).unwrap();
    assert!(handshake(address, &ca, &thief.certificate_der, &thief).await, "one's own key works");
    assert!(!handshake(address, &ca, &victim.certificate_der, &thief).await);
    tasks.shutdown().await;
}

/// Shows any certificate and signs with any key, as an attacker's TLS library would.
#[derive(Debug)]
struct Forger(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Forger {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
    fn has_certs(&self) -> bool {
        true
    }
}

async fn handshake(address: SocketAddr, ca: &Authority, shown: &[u8], signer: &Certified) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(signer.key_pem.expose().as_bytes()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shown = vec![CertificateDer::from(shown.to_vec())];
    let forger = Forger(Arc::new(rustls::sign::CertifiedKey::new(shown, key)));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(ca.certificate_der().to_vec())).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(forger));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::from(address.ip());
    // With TLS 1.3 the client is done before the server has judged; the first answer tells.
    let Ok(mut stream) = connector.connect(name, stream).await else { return false };
    if stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn requests_under_way_are_answered_after_the_stop() {
    let (arrived, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (arrived_inside, go_inside) = (Arc::clone(&arrived), Arc::clone(&go));
    let slow = Router::new().route(
        "/",
        get(move || async move {
            arrived_inside.notify_one();
            go_inside.notified().await;
            "done"
        }),
    );
    let listener = listener().await;
    let url = format!("http://{}/", listener.address());
    let tasks = Tasks::new();
    let serving = task::spawn_detached("listener", listener.serve(slow, tasks.stopping()));
    let ca = Authority::generate(&wish(&[])).unwrap();
    let (answer, ()) = tokio::join!(ask(&url, &ca, None), async {
        arrived.notified().await;
        tasks.shutdown().await;
        go.notify_one();
    });
    assert_eq!(answer.unwrap(), "done");
    serving.join().await;
    assert!(ask(&url, &ca, None).await.is_err(), "nobody listens any more");
}
