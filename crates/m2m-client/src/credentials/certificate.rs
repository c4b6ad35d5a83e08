//! A client certificate for mutual TLS (RFC 8705): [`CertificateSource`].
//!
//! The certificate lives in the HTTP client, so a rotated certificate means a
//! new HTTP client, and, because tokens are bound to it, new tokens.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use m2m_io::{HttpClient, HttpError};
use m2m_proto::jose::crypto::sha256;
use m2m_proto::secret::SecretBytes;

use super::secret::SecretSource;
use crate::error::Error;

/// A certificate chain and its private key, both as PEM text.
#[derive(Debug)]
pub struct CertificateSource {
    chain: Arc<dyn SecretSource>,
    key: Arc<dyn SecretSource>,
}

impl CertificateSource {
    /// The chain, leaf first, and the leaf's private key.
    #[must_use]
    pub fn new(chain: Arc<dyn SecretSource>, key: Arc<dyn SecretSource>) -> Self {
        Self { chain, key }
    }

    pub(crate) async fn read(&self) -> Result<ClientCertificate, Error> {
        let (chain, key) = (self.chain.read().await?, self.key.read().await?);
        let chain_pem = chain.expose().as_bytes().to_vec();
        Ok(ClientCertificate { chain_pem, key_pem: SecretBytes::from(key.expose().as_bytes()) })
    }

    pub(crate) fn version(&self) -> u64 {
        self.chain.version().wrapping_shl(32) ^ self.key.version()
    }

    pub(crate) async fn look(&self) {
        self.chain.look().await;
        self.key.look().await;
    }
}

/// What an HTTP client presents in the TLS handshake.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The chain, leaf first.
    pub chain_pem: Vec<u8>,
    /// The leaf's key.
    pub key_pem: SecretBytes,
}

impl ClientCertificate {
    /// All of it as one secret. Tokens are bound to the certificate, so one
    /// that is renewed under the same key is another (RFC 8705 section 3).
    pub(crate) fn material(&self) -> SecretBytes {
        SecretBytes::new([self.key_pem.expose(), self.chain_pem.as_slice()].concat())
    }
}

type Connect = dyn Fn(Option<&ClientCertificate>) -> Result<Arc<dyn HttpClient>, HttpError> + Send + Sync;

/// Makes HTTP clients, with a client certificate or without.
#[derive(Clone)]
pub struct HttpFactory(Arc<Connect>);

impl HttpFactory {
    /// Calls `make` when the client is built and whenever its certificate has
    /// changed.
    pub fn new<F>(make: F) -> Self
    where
        F: Fn(Option<&ClientCertificate>) -> Result<Arc<dyn HttpClient>, HttpError> + Send + Sync + 'static,
    {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self, certificate: Option<&ClientCertificate>) -> Result<Arc<dyn HttpClient>, Error> {
        (self.0)(certificate).map_err(|error| Error::misconfigured(error.to_string()))
    }
}

impl fmt::Debug for HttpFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFactory(..)")
    }
}

/// The HTTP client in use: one for good, or one for each certificate.
#[derive(Debug)]
pub(crate) enum Transport {
    Fixed(Arc<dyn HttpClient>),
    Certificate { source: Arc<CertificateSource>, factory: HttpFactory, made: Mutex<Option<Made>> },
}

#[derive(Debug)]
pub(crate) struct Made {
    digest: [u8; 32],
    /// The source's version when it was made.
    version: u64,
    http: Arc<dyn HttpClient>,
}

impl Transport {
    /// A client for each certificate that the source gives.
    pub(crate) fn rotating(source: Arc<CertificateSource>, factory: HttpFactory) -> Self {
        Self::Certificate { source, factory, made: Mutex::new(None) }
    }

    /// The client for a call to an API: as it is, unless the certificate is
    /// known to have changed. One that cannot be read does not stop a call
    /// whose token is good.
    pub(crate) async fn for_call(&self) -> Result<Arc<dyn HttpClient>, Error> {
        let Self::Certificate { source, made, .. } = self else { return self.current().await };
        let known = {
            let made = made.lock().unwrap_or_else(PoisonError::into_inner);
            made.as_ref().map(|made| (made.version, Arc::clone(&made.http)))
        };
        match known {
            Some((version, http)) if version == source.version() => Ok(http),
            Some((_, http)) => Ok(self.current().await.unwrap_or(http)),
            None => self.current().await,
        }
    }

    /// The client to use now. Reads the certificate where there is one.
    // spec: 8705-C3
    pub(crate) async fn current(&self) -> Result<Arc<dyn HttpClient>, Error> {
        let (source, factory, made) = match self {
            Self::Fixed(http) => return Ok(Arc::clone(http)),
            Self::Certificate { source, factory, made } => (source, factory, made),
        };
        let certificate = source.read().await?;
        let version = source.version();
        let digest = sha256(&[certificate.chain_pem.as_slice(), certificate.key_pem.expose()].concat());
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.as_mut() {
            Some(known) if known.digest == digest => {
                known.version = version;
                Ok(Arc::clone(&known.http))
            }
            _ => {
                let http = factory.make(Some(&certificate))?;
                *made = Some(Made { digest, version, http: Arc::clone(&http) });
                Ok(http)
            }
        }
    }
}
