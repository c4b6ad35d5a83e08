//! An axum router behind TLS on a loopback socket, with or without client certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use m2m_io::task::{self, Task};
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::certificates::{Authority, Identity};

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug)]
pub enum Clients<'a> {
    /// They are not asked.
    NotAsked,
    /// One that this authority issued.
    IssuedBy(&'a Authority),
    /// Any: only possession of its key is checked, as for `self_signed_tls_client_auth`.
    Any,
    /// The same, and without one they are let in too.
    Asked,
}

/// A running server. Requests carry the client's certificate, if any, as the extension [`PeerCertificate`]. Stops when
/// dropped.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    task: Task,
}

impl TlsServer {
    /// Serves `router` on 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the certificates do not fit or no socket can be had.
    pub async fn start(identity: &Identity, clients: Clients<'_>, router: Router) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(identity, clients)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("its address");
        let task = task::spawn_detached("TLS server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let conversation = converse(acceptor.clone(), stream, router.clone());
                task::spawn_detached("TLS connection", conversation);
            }
        });
        Self { address, task }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL at this server by the name `localhost`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Errors end the connection: the client sees them.
async fn converse(acceptor: TlsAcceptor, stream: TcpStream, router: Router) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let peer = stream.get_ref().1.peer_certificates().and_then(|chain| {
        let (own, rest) = chain.split_first()?;
        PeerCertificate::new(own.to_vec(), rest.iter().map(|der| der.to_vec()).collect()).ok()
    });
    let serve = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        router.clone().oneshot(request)
    });
    let _ended = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), serve).await;
}

fn config(identity: &Identity, clients: Clients<'_>) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ClientCertVerifier> = match clients {
        Clients::NotAsked => Arc::new(NoClientAuth),
        Clients::Any => Arc::new(AnyClient { provider: Arc::clone(&provider), demanded: true }),
        Clients::Asked => Arc::new(AnyClient { provider: Arc::clone(&provider), demanded: false }),
        Clients::IssuedBy(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(authority.der())).expect("a root");
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            builder.build().expect("a verifier")
        }
    };
    let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose()).expect("a key");
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_client_cert_verifier(verifier);
    let mut config =
        builder.with_single_cert(chain.expect("a chain"), key).expect("a certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Asks for a certificate and takes any whose key the client holds.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    demanded: bool,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.demanded
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
