//! Credentials: how one instance of a client proves who it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::JwkSet;
use m2m_proto::secret::SecretString;
use m2m_proto::text::ShortText;
use m2m_proto::time::UnixTime;
use m2m_proto::uri::EndpointUri;

use super::client::Status;
use super::imported::{ImportedHash, SlowHash};
use super::issuer::Federated;

/// The name of a credential: made by the server, carried in `cred` of its tokens, not secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(ShortText);

impl CredentialId {
    pub(crate) fn from_letters(letters: &str) -> Self {
        Self(letters.into())
    }

    /// Accepts 1 to 64 ASCII letters, digits, `-` and `_`; `None` otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        well_formed.then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a client secret may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretUse {
    /// In the `Authorization` header or in the body.
    #[default]
    BasicOrPost,
    /// `client_secret_basic` only.
    Basic,
    /// `client_secret_post` only.
    Post,
}

impl SecretUse {
    /// Every use.
    pub const ALL: [Self; 3] = [Self::BasicOrPost, Self::Basic, Self::Post];

    /// Its name: `basic_or_post`, `basic`, `post`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BasicOrPost => "basic_or_post",
            Self::Basic => "basic",
            Self::Post => "post",
        }
    }
}

/// Which audience of a client assertion is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptedAudience {
    /// The issuer identifier alone (RFC 10070).
    #[default]
    Issuer,
    /// Also the URL of the token endpoint, for clients that know nothing else.
    IssuerOrTokenEndpoint,
}

/// What a new credential shall be; see [`CredentialSpec`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Proof {
    /// A secret made by the server and stored as a keyed hash.
    ClientSecret(SecretUse),
    /// A secret made by another system, of which this is the hash.
    ImportedHash(SlowHash, SecretUse),
    /// A secret made by another system, stored as a keyed hash from the beginning.
    ImportedSecret(SecretString, SecretUse),
    /// A secret made by the server and stored sealed, because checking an HMAC needs it readable.
    ClientSecretJwt,
    /// `private_key_jwt` with these public keys.
    PublicKeys(JwkSet),
    /// `private_key_jwt` with the keys found at this URL, fetched when needed.
    JwksUri(EndpointUri),
    /// `tls_client_auth`: a chain to the configured roots, and this name in the certificate.
    CertificateSubject(SubjectName),
    /// `self_signed_tls_client_auth`: exactly this certificate.
    Certificate(CertificateThumbprint),
    /// The tokens of a trusted issuer about a workload: nothing is kept that could leak.
    Federated(Federated),
}

/// An order for a credential.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CredentialSpec {
    /// Whose it is.
    pub client_id: ClientId,
    /// Which instance of the client uses it, for people.
    pub label: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// The audience its assertions may carry. Default: the issuer alone.
    pub accepted_audience: AcceptedAudience,
    /// The `typ` its assertions may carry. Default: `client-authentication+jwt` alone.
    pub accepted_typ: TypRule,
    /// Refused before. Default: valid at once.
    pub not_before: Option<UnixTime>,
    /// How long it is valid; its tokens never outlive it. Default: until revoked.
    pub expires_in: Option<Duration>,
    /// A text under which the order may be repeated without making a second credential. Default: none.
    pub idempotency_key: Option<String>,
}

impl CredentialSpec {
    /// A credential of `client_id`, valid at once and until revoked.
    #[must_use]
    pub fn new(client_id: ClientId, label: &str, proof: Proof) -> Self {
        Self {
            client_id,
            label: label.to_owned(),
            proof,
            accepted_audience: AcceptedAudience::Issuer,
            accepted_typ: TypRule::Explicit,
            not_before: None,
            expires_in: None,
            idempotency_key: None,
        }
    }

    /// Sets how long it is valid.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.expires_in = Some(lifetime);
        self
    }

    /// Sets from when on it is valid.
    #[must_use]
    pub fn not_before(mut self, moment: UnixTime) -> Self {
        self.not_before = Some(moment);
        self
    }

    /// Sets the text under which the order may be repeated.
    #[must_use]
    pub fn idempotency_key(mut self, key: String) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Sets which `typ` its assertions may carry.
    #[must_use]
    pub fn accepted_typ(mut self, accepted: TypRule) -> Self {
        self.accepted_typ = accepted;
        self
    }

    /// Sets which audience its assertions may carry.
    #[must_use]
    pub fn accepted_audience(mut self, accepted: AcceptedAudience) -> Self {
        self.accepted_audience = accepted;
        self
    }
}

/// The answer to a [`CredentialSpec`]: the only moment at which the secret is readable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreatedCredential {
    /// Names the credential from now on.
    pub id: CredentialId,
    /// The secret, for the two kinds that have one. It cannot be read again.
    pub client_secret: Option<SecretString>,
    /// Whether it was made before under the same idempotency key; then no secret comes along.
    pub repeated: bool,
}

/// What the server keeps of a credential.
#[derive(Clone)]
#[non_exhaustive]
pub enum Material {
    /// The keyed hash of a secret; the secret cannot be read back.
    SecretHash {
        /// HMAC-SHA256 under a key of the server.
        hash: [u8; 32],
        /// Where the secret may be sent.
        accepted: SecretUse,
    },
    /// A secret that another system made; it does not name its credential.
    ImportedSecret {
        /// The hash it came with, or the keyed one after its first use.
        hash: ImportedHash,
        /// Where the secret may be sent.
        accepted: SecretUse,
    },
    /// A secret sealed under a key of the server.
    SealedSecret {
        /// AES-GCM nonce, fresh per credential.
        nonce: [u8; 12],
        /// Ciphertext and tag; the credential id is authenticated with them.
        sealed: Vec<u8>,
    },
    /// Public keys of the client.
    PublicKeys(Arc<JwkSet>),
    /// Where the client publishes its keys.
    JwksUri(EndpointUri),
    /// A name in a certificate that chains to the configured roots.
    CertificateSubject(SubjectName),
    /// One certificate.
    Certificate(CertificateThumbprint),
    /// A workload of a trusted issuer.
    Federated(Arc<Federated>),
}

impl Material {
    /// Whether one order can have made both. What a server makes is new each time; what it was given is the same.
    pub(crate) fn is_of_the_same_order(&self, other: &Self) -> bool {
        let public = |set: &JwkSet| JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
        match (self, other) {
            (Self::SecretHash { accepted, .. }, Self::SecretHash { accepted: other, .. }) => {
                accepted == other
            }
            (Self::SealedSecret { .. }, Self::SealedSecret { .. }) => true,
            // A slow hash may have become a keyed one meanwhile, and says no more what it was made of.
            (Self::ImportedSecret { hash, accepted }, Self::ImportedSecret { hash: of, accepted: other }) => {
                let rehashed = matches!((hash, of), (ImportedHash::Keyed(_), ImportedHash::Slow(_)));
                accepted == other && (hash == of || rehashed)
            }
            (Self::PublicKeys(set), Self::PublicKeys(other)) => public(set) == public(other),
            (Self::JwksUri(uri), Self::JwksUri(other)) => uri == other,
            (Self::CertificateSubject(name), Self::CertificateSubject(other)) => name == other,
            (Self::Certificate(thumbprint), Self::Certificate(other)) => thumbprint == other,
            (Self::Federated(mapping), Self::Federated(other)) => mapping == other,
            _ => false,
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretHash { .. } => "SecretHash",
            Self::ImportedSecret { .. } => "ImportedSecret",
            Self::SealedSecret { .. } => "SealedSecret",
            Self::PublicKeys(_) => "PublicKeys",
            Self::JwksUri(_) => "JwksUri",
            Self::CertificateSubject(_) => "CertificateSubject",
            Self::Certificate(_) => "Certificate",
            Self::Federated(_) => "Federated",
        })
    }
}

/// A registered credential.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credential {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Which instance of the client uses it.
    pub label: String,
    /// What the server compares with.
    pub material: Material,
    /// The audience its assertions may carry.
    pub accepted_audience: AcceptedAudience,
    /// The `typ` its assertions may carry.
    pub accepted_typ: TypRule,
    /// When it was made.
    pub created_at: UnixTime,
    /// Refused before.
    pub not_before: UnixTime,
    /// Refused from then on; its tokens end then at the latest.
    pub expires_at: Option<UnixTime>,
    /// Whether it may be used.
    pub status: Status,
    /// Its place in the status lists, never given to another. The registry writes it.
    pub status_index: u64,
    /// The credential that it was made to take the place of.
    pub replaces: Option<CredentialId>,
    /// The credential that takes its place.
    pub replaced_by: Option<CredentialId>,
    /// SHA-256 of the key under which its creation may be repeated without making another.
    pub idempotency: Option<[u8; 32]>,
    /// Counts its changes, from 1; 0 before it is registered. The registry writes it.
    pub version: u64,
}

impl Credential {
    /// A credential of `client_id` that is active from `now` on until it is revoked.
    #[must_use]
    pub fn new(id: CredentialId, client_id: ClientId, material: Material, now: UnixTime) -> Self {
        Self {
            id,
            client_id,
            label: String::new(),
            material,
            accepted_audience: AcceptedAudience::Issuer,
            accepted_typ: TypRule::Explicit,
            created_at: now,
            not_before: now,
            expires_at: None,
            status: Status::Active,
            status_index: 0,
            replaces: None,
            replaced_by: None,
            idempotency: None,
            version: 0,
        }
    }

    /// Whether it may be used at `now`.
    #[must_use]
    pub fn usable(&self, now: UnixTime) -> bool {
        let expired = self.expires_at.is_some_and(|end| now >= end);
        self.status == Status::Active && now >= self.not_before && !expired
    }

    /// Whether it and its tokens are void at `now`: withdrawn, switched off or expired.
    #[must_use]
    pub fn has_ended(&self, now: UnixTime) -> bool {
        self.status != Status::Active || self.expires_at.is_some_and(|end| now >= end)
    }

    /// The method it is for; secrets answer `client_secret_basic` unless pinned to the body, and the tokens of trusted
    /// issuers `private_key_jwt`, as which they come.
    #[must_use]
    pub fn method(&self) -> ClientAuthMethod {
        match &self.material {
            Material::SecretHash { accepted: SecretUse::Post, .. }
            | Material::ImportedSecret { accepted: SecretUse::Post, .. } => {
                ClientAuthMethod::ClientSecretPost
            }
            Material::SecretHash { .. } | Material::ImportedSecret { .. } => {
                ClientAuthMethod::ClientSecretBasic
            }
            Material::SealedSecret { .. } => ClientAuthMethod::ClientSecretJwt,
            Material::PublicKeys(_) | Material::JwksUri(_) | Material::Federated(_) => {
                ClientAuthMethod::PrivateKeyJwt
            }
            Material::CertificateSubject(_) => ClientAuthMethod::TlsClientAuth,
            Material::Certificate(_) => ClientAuthMethod::SelfSignedTlsClientAuth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(not_before: u64, expires_at: Option<u64>, status: Status) -> Credential {
        let material = Material::SecretHash { hash: [0; 32], accepted: SecretUse::Post };
        let id = CredentialId::from_letters("c");
        let client_id = ClientId::parse("app").unwrap();
        let expires_at = expires_at.map(UnixTime::from_seconds);
        let valid = Credential::new(id, client_id, material, UnixTime::from_seconds(not_before));
        Credential { expires_at, status, ..valid }
    }

    #[test]
    fn usable_between_its_dates_while_active() {
        let at = UnixTime::from_seconds;
        let check = |credential: Credential, now: u64, expect: bool| {
            assert_eq!(credential.usable(at(now)), expect, "{credential:?} at {now}");
        };
        check(credential(100, Some(200), Status::Active), 99, false);
        check(credential(100, Some(200), Status::Active), 100, true);
        check(credential(100, Some(200), Status::Active), 199, true);
        check(credential(100, Some(200), Status::Active), 200, false);
        check(credential(100, None, Status::Active), u64::from(u32::MAX), true);
        check(credential(100, None, Status::Disabled), 150, false);
        check(credential(100, None, Status::Revoked), 150, false);
    }

    #[test]
    fn debug_shows_no_material() {
        let shown = format!("{:?}", credential(0, None, Status::Active));
        assert!(shown.contains("material: SecretHash,"), "{shown}");
    }
}
