//! TLS on the listening side: our certificate, and whatever certificate the client can prove to hold.

use std::sync::Arc;

use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WantsServerCert;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};

use super::RenewedCertificate;

/// Our certificate chain, leaf first, and its private key.
#[derive(Debug)]
pub struct Certificates {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Key of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// Whether a listener asks for client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It does, and goes on without one.
    ForCertificates,
    /// It does not: browsers and old clients stumble over being asked.
    ForNothing,
}

/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, client certificates asked for and not demanded.
///
/// # Errors
/// When the key does not belong to the certificate or cannot be used.
pub fn server_config(own: Certificates) -> Result<Arc<ServerConfig>, Error> {
    let config = builder(Asks::ForCertificates)?.with_single_cert(own.chain, own.key)?;
    Ok(finished(config))
}

/// The same with a certificate that may change while it is served, and client certificates as said.
///
/// # Errors
/// Only when the crypto library has no safe protocol version.
pub fn renewed_config(own: Arc<RenewedCertificate>, asks: Asks) -> Result<Arc<ServerConfig>, Error> {
    Ok(finished(builder(asks)?.with_cert_resolver(own)))
}

fn builder(asks: Asks) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(match asks {
        Asks::ForCertificates => builder.with_client_cert_verifier(verifier),
        Asks::ForNothing => builder.with_no_client_auth(),
    })
}

fn finished(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The certificate that the peer showed, if it showed one of acceptable size.
pub(super) fn of_peer(connection: &ServerConnection) -> Option<PeerCertificate> {
    let (own, intermediates) = connection.peer_certificates()?.split_first()?;
    let intermediates = intermediates.iter().map(|der| der.to_vec()).collect();
    match PeerCertificate::new(own.to_vec(), intermediates) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            tracing::debug!(%error, "client certificate left out");
            None
        }
    }
}

/// Accepts every certificate whose private key the peer proves to hold. The proof is the handshake signature, which
/// is checked here; who the certificate speaks for is not (RFC 8705 §2: the token endpoint decides by registration).
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
