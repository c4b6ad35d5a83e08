//! How a client proves who it is: [`Credentials`].
//!
//! One method per client, chosen by configuration and never by trial: trying
//! another method after a refusal would double the load and hide the reason.

mod certificate;
mod key;
mod overlap;
mod proof;
mod secret;
mod signing;
mod workload;

use std::fmt;
use std::sync::Arc;

use m2m_proto::client_auth::{CertificateThumbprint, ClientAuthMethod};
use m2m_proto::jose::Algorithm;
use m2m_proto::names::{assertion_type, auth_method};
use m2m_proto::secret::{SecretBytes, SecretString};

pub(crate) use certificate::Transport;
pub use certificate::{CertificateSource, ClientCertificate, HttpFactory};
pub use key::KeySource;
use overlap::Overlap;
pub(crate) use overlap::Which;
pub(crate) use proof::{Outgoing, Proof};
pub use secret::{FileSecret, FixedSecret, SecretFn, SecretSource};
pub(crate) use signing::ProofInput;
pub use workload::{IdTokenRequest, ProjectedToken};

use crate::error::Error;

/// A client's credential and the method by which it is shown.
pub struct Credentials {
    /// `None`: the grant says who we are.
    method: Option<ClientAuthMethod>,
    material: Material,
    /// What tokens are bound to, where it does not authenticate.
    binding: Option<Arc<CertificateSource>>,
}

enum Material {
    Secret(Overlap),
    SecretJwt(Overlap, Algorithm),
    Key { source: KeySource, certificate: Option<Arc<dyn SecretSource>> },
    Assertion { source: Arc<dyn SecretSource>, kind: &'static str },
    Nothing,
    Certificate(Arc<CertificateSource>),
}

impl Credentials {
    fn of(method: Option<ClientAuthMethod>, material: Material) -> Self {
        Self { method, material, binding: None }
    }

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
        Self::of(Some(method), material)
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
        Self::of(Some(ClientAuthMethod::ClientSecretJwt), material)
    }

    /// `private_key_jwt`: an assertion under the client's private key.
    #[must_use]
    pub fn key(source: KeySource) -> Self {
        Self::key_with(source, None)
    }

    /// As [`Credentials::key`] for services that find the key by its
    /// certificate (PEM): its thumbprint goes into the header `x5t#S256`
    /// (RFC 7515 section 4.1.8) if the preset wants it there.
    #[must_use]
    pub fn key_of_certificate(source: KeySource, certificate: Arc<dyn SecretSource>) -> Self {
        Self::key_with(source, Some(certificate))
    }

    fn key_with(source: KeySource, certificate: Option<Arc<dyn SecretSource>>) -> Self {
        let material = Material::Key { source, certificate };
        Self::of(Some(ClientAuthMethod::PrivateKeyJwt), material)
    }

    /// No client authentication: the grant itself says who we are (RFC 7521
    /// section 4.1), or the service goes by where we are.
    #[must_use]
    pub fn none() -> Self {
        Self::of(None, Material::Nothing)
    }

    /// An assertion that somebody else signs, a workload token: read for every
    /// request and sent as it is (RFC 7523 section 2.2). Not kept in stores.
    #[must_use]
    pub fn assertion(source: Arc<dyn SecretSource>) -> Self {
        Self::foreign(source, assertion_type::JWT_BEARER)
    }

    /// As [`Credentials::assertion`] for a JWT-SVID of SPIFFE, which has an
    /// assertion type of its own (draft-ietf-oauth-spiffe-client-auth).
    #[must_use]
    pub fn jwt_svid(source: Arc<dyn SecretSource>) -> Self {
        Self::foreign(source, assertion_type::JWT_SPIFFE)
    }

    fn foreign(source: Arc<dyn SecretSource>, kind: &'static str) -> Self {
        let material = Material::Assertion { source, kind };
        Self::of(Some(ClientAuthMethod::PrivateKeyJwt), material)
    }

    /// A client certificate: `tls_client_auth` or
    /// `self_signed_tls_client_auth` (RFC 8705). Any other method makes
    /// building the client fail.
    #[must_use]
    pub fn certificate(source: CertificateSource, method: ClientAuthMethod) -> Self {
        Self::of(Some(method), Material::Certificate(Arc::new(source)))
    }

    /// Shows this certificate too, on every connection to the server and to APIs, so that tokens are bound to it
    /// (RFC 8705 section 3), however the client authenticates. Where the certificate itself authenticates
    /// ([`Credentials::certificate`]), it is the one that is shown.
    #[must_use]
    pub fn bound_to(mut self, source: CertificateSource) -> Self {
        self.binding = Some(Arc::new(source));
        self
    }

    /// The certificate that is shown besides, read; `None` where there is none.
    pub(crate) async fn binding_material(&self) -> Option<Result<SecretBytes, Error>> {
        let read = self.binding.as_ref()?.read().await;
        Some(read.map(|certificate| certificate.material()))
    }

    /// The method, where the client authenticates by something of its own: not by what somebody else signed.
    pub(crate) fn own_method(&self) -> Option<ClientAuthMethod> {
        match &self.material {
            Material::Assertion { .. } | Material::Nothing => None,
            _ => self.method,
        }
    }

    /// Whether it is what somebody else signed.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.material, Material::Assertion { .. })
    }

    /// The method; `None` where the client does not authenticate.
    #[must_use]
    pub fn method(&self) -> Option<ClientAuthMethod> {
        self.method
    }

    /// The method's registered name (RFC 7591 section 2).
    #[must_use]
    pub fn method_name(&self) -> &'static str {
        self.method.map_or(auth_method::NONE, ClientAuthMethod::as_str)
    }

    pub(crate) fn uses_certificate(&self) -> bool {
        self.binding.is_some() || self.authenticates_by_certificate()
    }

    fn authenticates_by_certificate(&self) -> bool {
        self.method.is_some_and(ClientAuthMethod::uses_certificate)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        use ClientAuthMethod as M;
        let fits = match &self.material {
            Material::Secret(_) => matches!(self.method, Some(M::ClientSecretBasic | M::ClientSecretPost)),
            Material::SecretJwt(_, algorithm) => algorithm.is_symmetric(),
            Material::Key { .. } | Material::Assertion { .. } | Material::Nothing => true,
            Material::Certificate(_) => self.authenticates_by_certificate(),
        };
        if fits {
            return Ok(());
        }
        Err(Error::misconfigured(format!("{} does not fit this kind of credential", self.method_name())))
    }

    /// What the service takes of a key whose algorithm nobody has stated.
    pub(crate) fn accept(&mut self, algorithms: &[Algorithm]) {
        if let Material::Key { source, .. } = &mut self.material {
            source.accept(algorithms);
        }
    }

    pub(crate) fn certificate_source(&self) -> Option<&Arc<CertificateSource>> {
        match &self.material {
            Material::Certificate(source) => Some(source),
            _ => self.binding.as_ref(),
        }
    }

    /// The thumbprint of a fixed key, for the cache key.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        match &self.material {
            Material::Key { source, .. } => source.thumbprint(),
            _ => None,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        let binding = self.binding.as_ref().map_or(0, |source| source.version());
        // Each is a count: when either moves, so does the sum.
        binding.wrapping_add(self.own_version())
    }

    fn own_version(&self) -> u64 {
        match &self.material {
            Material::Secret(overlap) | Material::SecretJwt(overlap, _) => overlap.version(),
            Material::Key { source, .. } => source.version(),
            Material::Assertion { source, .. } => source.version(),
            Material::Nothing => 0,
            Material::Certificate(source) => source.version(),
        }
    }

    pub(crate) async fn look(&self) {
        if let Some(source) = &self.binding {
            source.look().await;
        }
        match &self.material {
            Material::Secret(overlap) | Material::SecretJwt(overlap, _) => overlap.look().await,
            Material::Key { source, .. } => source.look().await,
            Material::Assertion { source, .. } => source.look().await,
            Material::Nothing => {}
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
                let (read, method) = (overlap.read(which).await?, self.method?);
                Some(read.map(|secret| Proof::Secret { secret, method }))
            }
            Material::SecretJwt(overlap, algorithm) => {
                let read = overlap.read(which).await?;
                Some(read.and_then(|secret| Proof::hmac(secret, *algorithm)))
            }
            _ if which == Which::Next => None,
            Material::Key { source, certificate } => Some(key_proof(source, certificate.as_deref()).await),
            Material::Assertion { source, kind } => {
                Some(source.read().await.map(|text| Proof::Assertion { text, kind }))
            }
            Material::Nothing => Some(Ok(Proof::Nothing)),
            Material::Certificate(source) => {
                Some(source.read().await.map(|certificate| Proof::Certificate(certificate.material())))
            }
        }
    }
}

async fn key_proof(source: &KeySource, certificate: Option<&dyn SecretSource>) -> Result<Proof, Error> {
    let key = source.read().await?;
    let certificate = match certificate {
        Some(certificate) => Some(thumbprint_of(&certificate.read().await?)?),
        None => None,
    };
    Ok(Proof::Key { key, certificate })
}

fn thumbprint_of(pem: &SecretString) -> Result<CertificateThumbprint, Error> {
    CertificateThumbprint::of_pem(pem.expose().as_bytes())
        .map_err(|error| Error::misconfigured(format!("the certificate cannot be used: {error}")))
}

/// Names the method; the sources say themselves what they show.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("method", &self.method_name()).finish_non_exhaustive()
    }
}
