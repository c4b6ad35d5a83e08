//! How a client proves who it is: [`Credentials`].
//!
//! One method per client, chosen by configuration and never by trial: trying
//! another method after a refusal would double the load and hide the reason.

mod certificate;
mod key;
mod overlap;
mod proof;
mod secret;
mod workload;

use std::fmt;
use std::sync::Arc;

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::Algorithm;

pub(crate) use certificate::Transport;
pub use certificate::{CertificateSource, ClientCertificate, HttpFactory};
pub use key::KeySource;
use overlap::Overlap;
pub(crate) use overlap::Which;
pub(crate) use proof::{Outgoing, Proof, ProofInput, Shown};
pub use secret::{FileSecret, FixedSecret, SecretFn, SecretSource};
pub use workload::{IdTokenRequest, ProjectedToken};

use crate::error::Error;

/// A client's credential and the method by which it is shown.
pub struct Credentials {
    method: ClientAuthMethod,
    material: Material,
}

enum Material {
    Secret(Overlap),
    SecretJwt(Overlap, Algorithm),
    Key(KeySource),
    Assertion(Arc<dyn SecretSource>),
    Certificate(Arc<CertificateSource>),
}

impl Credentials {
    /// A secret, sent by `method`: `client_secret_basic` or
    /// `client_secret_post`, or `client_secret_jwt` with HS256. `next` is the
    /// secret that will follow: tried once when the server refuses the first.
    ///
    /// Any other method makes building the client fail.
    #[must_use]
    pub fn secret(
        source: Arc<dyn SecretSource>,
        next: Option<Arc<dyn SecretSource>>,
        method: ClientAuthMethod,
    ) -> Self {
        let overlap = Overlap::new(source, next);
        let material = match method {
            ClientAuthMethod::ClientSecretJwt => Material::SecretJwt(overlap, Algorithm::Hs256),
            _ => Material::Secret(overlap),
        };
        Self { method, material }
    }

    /// `client_secret_jwt`: an assertion under a key made of the secret, with
    /// HS256, HS384 or HS512. The secret is at least as long as the hash.
    #[must_use]
    pub fn client_secret_jwt(
        source: Arc<dyn SecretSource>,
        next: Option<Arc<dyn SecretSource>>,
        algorithm: Algorithm,
    ) -> Self {
        let material = Material::SecretJwt(Overlap::new(source, next), algorithm);
        Self { method: ClientAuthMethod::ClientSecretJwt, material }
    }

    /// `private_key_jwt`: an assertion under the client's private key.
    #[must_use]
    pub fn key(source: KeySource) -> Self {
        Self { method: ClientAuthMethod::PrivateKeyJwt, material: Material::Key(source) }
    }

    /// An assertion that somebody else signs, a workload token: read for every
    /// request and sent as it is (RFC 7523 section 2.2). Not kept in stores.
    #[must_use]
    pub fn assertion(source: Arc<dyn SecretSource>) -> Self {
        Self { method: ClientAuthMethod::PrivateKeyJwt, material: Material::Assertion(source) }
    }

    /// A client certificate: `tls_client_auth` or
    /// `self_signed_tls_client_auth` (RFC 8705). Any other method makes
    /// building the client fail.
    #[must_use]
    pub fn certificate(source: CertificateSource, method: ClientAuthMethod) -> Self {
        Self { method, material: Material::Certificate(Arc::new(source)) }
    }

    /// The method's registered name.
    #[must_use]
    pub fn method(&self) -> ClientAuthMethod {
        self.method
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        use ClientAuthMethod as M;
        let fits = match &self.material {
            Material::Secret(_) => matches!(self.method, M::ClientSecretBasic | M::ClientSecretPost),
            Material::SecretJwt(_, algorithm) => algorithm.is_symmetric(),
            Material::Key(_) | Material::Assertion(_) => true,
            Material::Certificate(_) => self.method.uses_certificate(),
        };
        if fits {
            return Ok(());
        }
        Err(Error::misconfigured(format!("{} does not fit this kind of credential", self.method)))
    }

    pub(crate) fn certificate_source(&self) -> Option<&Arc<CertificateSource>> {
        match &self.material {
            Material::Certificate(source) => Some(source),
            _ => None,
        }
    }

    /// The thumbprint of a fixed key, for the cache key.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        match &self.material {
            Material::Key(source) => source.thumbprint(),
            _ => None,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        match &self.material {
            Material::Secret(overlap) | Material::SecretJwt(overlap, _) => overlap.version(),
            Material::Key(source) => source.version(),
            Material::Assertion(source) => source.version(),
            Material::Certificate(source) => source.version(),
        }
    }

    pub(crate) async fn look(&self) {
        match &self.material {
            Material::Secret(overlap) | Material::SecretJwt(overlap, _) => overlap.look().await,
            Material::Key(source) => source.look().await,
            Material::Assertion(source) => source.look().await,
            Material::Certificate(source) => source.look().await,
        }
    }

    /// Which secret comes first.
    pub(crate) fn first(&self) -> Which {
        match &self.material {
            Material::Secret(overlap) | Material::SecretJwt(overlap, _) => overlap.first(),
            _ => Which::Current,
        }
    }

    pub(crate) fn promote(&self, which: Which) {
        if let Material::Secret(overlap) | Material::SecretJwt(overlap, _) = &self.material {
            overlap.promote(which);
        }
    }

    /// Reads the credential. `None` if there is no such alternative.
    pub(crate) async fn read(&self, which: Which) -> Option<Result<Proof, Error>> {
        match &self.material {
            Material::Secret(overlap) => {
                let read = overlap.read(which).await?;
                Some(read.map(|secret| Proof::Secret { secret, method: self.method }))
            }
            Material::SecretJwt(overlap, algorithm) => {
                let read = overlap.read(which).await?;
                Some(read.and_then(|secret| Proof::hmac(secret, *algorithm)))
            }
            _ if which == Which::Next => None,
            Material::Key(source) => Some(source.read().await.map(Proof::Key)),
            Material::Assertion(source) => Some(source.read().await.map(Proof::Assertion)),
            Material::Certificate(source) => {
                Some(source.read().await.map(|certificate| Proof::Certificate(certificate.material())))
            }
        }
    }
}

/// Names the method; the sources say themselves what they show.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("method", &self.method).finish_non_exhaustive()
    }
}
