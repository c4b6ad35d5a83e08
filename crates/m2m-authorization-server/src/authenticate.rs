//! Who asks: what a request presents, against what is registered.
//!
//! Sections: RFC 6749 §2.3; RFC 7523 §3, RFC 10070; RFC 8705 §2
//! Enforces, in this order:
//! - client and credential are registered, active and within their dates
//! - the credential is for the method that was used
//! - the secret, the signature with all claims of the assertion, or the certificate is right
//!
//! Does not enforce: that an assertion is fresh (`admission`), nor a budget of failures (`limits`).
//! Limits: an assertion is checked against the keys of at most 16 credentials, a certificate
//! against at most 16 credentials for certificates. Secrets that another system made: `imported`.
//!
//! A stranger is told nothing: unknown client, unknown credential and wrong secret are one error
//! with one cost. What is wrong with an assertion is explained only to who holds the client's key.

mod federated;
pub(crate) mod imported;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use m2m_io::{BoxFuture, Clock, HttpClient, KeysError, KeysLocation, Reach, RemoteKeys};
use m2m_proto::client_auth::assertion::{Expect, TypRule};
use m2m_proto::client_auth::mutual_tls::{self, ClientAuthorities};
use m2m_proto::client_auth::{
    AssertionError, ClientAuthMethod, PeerCertificate, Presented, PresentedKind, SecretPair,
    UnverifiedAssertion, VerifiedAssertion,
};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::VerifyingKey;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::decoy::{Decoys, signed_by_any};
use crate::federation::{External, ExternalToken, Federation, FederationError, Way};
use crate::registry::secret::ParsedSecret;
use crate::registry::vault::Vault;
use crate::registry::{
    AcceptedAudience, Client, Credential, CredentialId, Material, Registration, Registry, SecretUse, Status,
};

/// Credentials whose keys are tried against one assertion.
const MAX_TRIED_CREDENTIALS: usize = 16;

/// Why a client is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// Unknown client, unknown or unusable credential, wrong secret, signature or certificate.
    #[error("client authentication failed")]
    Refused,
    /// The assertion was signed with a key of the client, but something else about it is wrong.
    #[error("client authentication failed: {0}")]
    Assertion(#[from] AssertionError),
    /// The token of a trusted issuer stands for nobody. A stranger is told no more than of any other failure.
    #[error("{0}")]
    External(Box<FederationError>),
    /// The credential is right, and the client may not be used from there.
    #[error("this client may not be used from this address")]
    Network,
    /// The client's keys could not be fetched.
    #[error("the keys of the client cannot be fetched")]
    KeysUnreachable,
    /// The hash of another system had to be checked, and too many of those are under way.
    #[error("too many imported secrets are used for the first time at once")]
    Busy,
}

/// A client that is who it says. Made by this module only, demanded by `policy`.
#[derive(Debug)]
pub struct AuthenticatedClient {
    registration: Arc<Registration>,
    credential: Arc<Credential>,
    method: ClientAuthMethod,
    /// Set apart, for its size would be moved around with every secret too.
    assertion: Option<Box<VerifiedAssertion>>,
    external: Option<Box<ExternalToken>>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.registration.client()
    }

    /// The client as it was registered when it was believed.
    pub(crate) fn registration(&self) -> &Arc<Registration> {
        &self.registration
    }

    /// Which of its credentials was used.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// How.
    #[must_use]
    pub fn method(&self) -> ClientAuthMethod {
        self.method
    }

    /// The assertion, verified and not yet consumed.
    pub(crate) fn assertion(&self) -> Option<&VerifiedAssertion> {
        self.assertion.as_deref()
    }

    /// A client that nobody checked, for the tests of what comes after.
    #[cfg(test)]
    pub(crate) fn for_test(registration: Arc<Registration>, credential: Arc<Credential>) -> Self {
        Self {
            registration,
            credential,
            method: ClientAuthMethod::ClientSecretBasic,
            assertion: None,
            external: None,
        }
    }
}

/// What assertions are measured against, the same for all.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Issuer,
    pub(crate) token_endpoint: EndpointUri,
    pub(crate) skew: Skew,
    /// Who may vouch for certificates; `None` where certificates are not offered.
    pub(crate) authorities: Option<ClientAuthorities>,
}

/// Whether a client is who it says: known at once, but for assertions, whose keys may have to be fetched.
pub(crate) enum Believed<'a> {
    Now(Result<AuthenticatedClient, AuthenticationError>),
    Later(BoxFuture<'a, Result<AuthenticatedClient, AuthenticationError>>),
}

/// Checks what requests present.
#[derive(Debug)]
pub(crate) struct Authenticator {
    pub(crate) rules: Rules,
    pub(crate) vault: Vault,
    pub(crate) published: PublishedKeys,
    pub(crate) decoys: Decoys,
    pub(crate) slow_checks: imported::SlowChecks,
    pub(crate) federation: Federation,
}

impl Authenticator {
    /// Checks one request. The errors say who is not believed; see [`AuthenticationError`].
    // spec: 6749-AS1
    pub(crate) fn authenticate<'a>(
        &'a self,
        presented: &'a Presented,
        registry: &'a Registry,
        now: UnixTime,
    ) -> Believed<'a> {
        Believed::Now(match presented.kind() {
            PresentedKind::SecretBasic(pair) => {
                // The form-decoded reading, unless only the raw one names a client.
                let known = |pair: &&SecretPair| registry.registration(pair.client_id()).is_some();
                let reading = pair.readings().find(known).unwrap_or(pair.preferred());
                let believed = self.secret(reading, ClientAuthMethod::ClientSecretBasic, registry, now);
                // A secret that was made elsewhere may hold what one of the readings changes.
                match pair.readings().find(|other| !std::ptr::eq(*other, reading)) {
                    Some(other) if believed.is_err() => {
                        self.secret(other, ClientAuthMethod::ClientSecretBasic, registry, now)
                    }
                    _ => believed,
                }
            }
            PresentedKind::SecretPost(pair) => {
                self.secret(pair, ClientAuthMethod::ClientSecretPost, registry, now)
            }
            PresentedKind::Svid { client_id, token } => {
                let external = External { token, way: Way::Svid, client: Some(client_id) };
                return Believed::Later(Box::pin(self.federated(external, registry, now)));
            }
            PresentedKind::Assertion { client_id, assertion } => {
                if let Some(token) = self.external(assertion, registry) {
                    return Believed::Later(Box::pin(async move {
                        let external =
                            External { token: &token, way: Way::Assertion, client: Some(client_id) };
                        self.federated(external, registry, now).await
                    }));
                }
                match active(registry, client_id) {
                    Some(registration) => {
                        return Believed::Later(Box::pin(self.assertion(assertion, registration, now)));
                    }
                    None => Err(self.pretend(assertion, client_id, now)),
                }
            }
            PresentedKind::Certificate { client_id, certificate } => active(registry, client_id)
                .ok_or(AuthenticationError::Refused)
                .and_then(|registration| self.certificate(certificate, registration, now)),
            _ => Err(AuthenticationError::Refused),
        })
    }

    /// One lookup, one keyed hash, one comparison, whatever is registered.
    // spec: 6749-AS2
    fn secret(
        &self,
        pair: &SecretPair,
        method: ClientAuthMethod,
        registry: &Registry,
        now: UnixTime,
    ) -> Result<AuthenticatedClient, AuthenticationError> {
        let text = pair.secret().expose();
        let registration = active(registry, pair.client_id());
        let credential = ParsedSecret::parse(text)
            .zip(registration)
            .and_then(|(parsed, registration)| registration.credential(parsed.id))
            .filter(|credential| credential.usable(now));
        if credential.is_none() {
            return self.imported_secret(text, registration, method, now);
        }
        let hash = credential.and_then(|credential| match &credential.material {
            Material::SecretHash { hash, accepted } if accepts(*accepted, method) => Some(hash),
            _ => None,
        });
        let right = self.vault.check(text, hash);
        match (registration, credential) {
            (Some(registration), Some(credential)) if right => Ok(AuthenticatedClient {
                registration: Arc::clone(registration),
                credential: Arc::clone(credential),
                method,
                assertion: None,
                external: None,
            }),
            _ => Err(AuthenticationError::Refused),
        }
    }

    // spec: 7523-AS1, 7523-AS3, OIDF-AS11, OIDF-AS13
    async fn assertion(
        &self,
        presented: &UnverifiedAssertion,
        registration: &Arc<Registration>,
        now: UnixTime,
    ) -> Result<AuthenticatedClient, AuthenticationError> {
        let mut error = AuthenticationError::Refused;
        let mut unreachable = false;
        let credentials = registration.credentials().iter().filter(|credential| credential.usable(now));
        let mut tried = 0;
        for credential in credentials {
            let keys = match self.keys(credential, presented).await {
                Ok(Some(keys)) => keys,
                // Another instance of the client may have signed; it does not depend on this one.
                Err(AuthenticationError::KeysUnreachable) => {
                    unreachable = true;
                    continue;
                }
                Ok(None) | Err(_) => continue,
            };
            let expect = self.expect(credential, now);
            match presented.verify(&expect, keys.iter().map(AsRef::as_ref)) {
                Ok(assertion) => return Ok(believed(registration, credential, Some(assertion))),
                Err(AssertionError::NoKey) => continue,
                Err(reason) if signed_by_any(presented, &keys) => error = reason.into(),
                Err(_) => {}
            }
            tried += 1;
            if tried >= MAX_TRIED_CREDENTIALS {
                break;
            }
        }
        if tried == 0 && !unreachable {
            return Err(self.pretend(presented, &registration.client().id, now));
        }
        // What is explained is explained to the client itself, so no other key matters then.
        if unreachable && error == AuthenticationError::Refused {
            error = AuthenticationError::KeysUnreachable;
        }
        Err(error)
    }

    /// Refuses whoever has no key here, after the work that a wrong signature takes.
    fn pretend(
        &self,
        presented: &UnverifiedAssertion,
        client_id: &ClientId,
        now: UnixTime,
    ) -> AuthenticationError {
        let expect = Expect {
            client_id,
            issuer: &self.rules.issuer,
            token_endpoint_audience: None,
            typ: TypRule::Explicit,
            now,
            skew: self.rules.skew,
        };
        self.decoys.check(presented, &expect);
        AuthenticationError::Refused
    }

    fn expect<'a>(&'a self, credential: &'a Credential, now: UnixTime) -> Expect<'a> {
        let endpoint_too = credential.accepted_audience == AcceptedAudience::IssuerOrTokenEndpoint;
        Expect {
            client_id: &credential.client_id,
            issuer: &self.rules.issuer,
            token_endpoint_audience: endpoint_too.then_some(&self.rules.token_endpoint),
            typ: credential.accepted_typ,
            now,
            skew: self.rules.skew,
        }
    }

    /// The keys of a credential that may have signed; `None` where it is not for assertions.
    // spec: JWT-V1, JWT-V7
    async fn keys(
        &self,
        credential: &Credential,
        presented: &UnverifiedAssertion,
    ) -> Result<Option<Vec<Arc<VerifyingKey>>>, AuthenticationError> {
        let algorithm = presented.algorithm();
        match &credential.material {
            Material::PublicKeys(set) => {
                Ok(Some(set.find(presented.key_id(), algorithm).map(Arc::clone).collect()))
            }
            Material::JwksUri(uri) if !algorithm.is_symmetric() => {
                let key = self.published.find(&credential.id, uri, presented).await?;
                Ok(Some(key.into_iter().collect()))
            }
            Material::SealedSecret { nonce, sealed } if algorithm.is_symmetric() => {
                let secret = self
                    .vault
                    .open(*nonce, sealed, &credential.id)
                    .map_err(|_| AuthenticationError::Refused)?;
                let key = VerifyingKey::hmac(&secret, algorithm).map_err(|_| AuthenticationError::Refused)?;
                Ok(Some(vec![Arc::new(key)]))
            }
            _ => Ok(None),
        }
    }

    // spec: 8705-AS3
    fn certificate(
        &self,
        certificate: &PeerCertificate,
        registration: &Arc<Registration>,
        now: UnixTime,
    ) -> Result<AuthenticatedClient, AuthenticationError> {
        let authorities = self.rules.authorities.as_ref().ok_or(AuthenticationError::Refused)?;
        let matches = |credential: &&Arc<Credential>| match &credential.material {
            Material::CertificateSubject(subject) => {
                mutual_tls::verify_chain(certificate, authorities, subject, now).is_ok()
            }
            Material::Certificate(thumbprint) => {
                mutual_tls::verify_registered(certificate, std::slice::from_ref(thumbprint)).is_ok()
            }
            _ => false,
        };
        let certificates = registration
            .credentials()
            .iter()
            .filter(|credential| credential.usable(now) && credential.method().uses_certificate());
        let credential =
            certificates.take(MAX_TRIED_CREDENTIALS).find(matches).ok_or(AuthenticationError::Refused)?;
        Ok(believed(registration, credential, None))
    }
}

/// A client that used a credential which is for one method only.
fn believed(
    registration: &Arc<Registration>,
    credential: &Arc<Credential>,
    assertion: Option<VerifiedAssertion>,
) -> AuthenticatedClient {
    AuthenticatedClient {
        registration: Arc::clone(registration),
        credential: Arc::clone(credential),
        method: credential.method(),
        assertion: assertion.map(Box::new),
        external: None,
    }
}

fn active<'r>(registry: &'r Registry, id: &ClientId) -> Option<&'r Arc<Registration>> {
    registry.registration(id).filter(|registration| registration.client().status == Status::Active)
}

fn accepts(accepted: SecretUse, method: ClientAuthMethod) -> bool {
    match accepted {
        SecretUse::BasicOrPost => true,
        SecretUse::Basic => method == ClientAuthMethod::ClientSecretBasic,
        SecretUse::Post => method == ClientAuthMethod::ClientSecretPost,
    }
}

/// The keys that clients publish at a `jwks_uri`, one cache per credential.
///
/// Bounded by the number of credentials registered for this; a withdrawn one is forgotten when the
/// process ends.
#[derive(Debug)]
pub(crate) struct PublishedKeys {
    http: Option<Arc<dyn HttpClient>>,
    clock: Arc<dyn Clock>,
    sets: Mutex<HashMap<CredentialId, RemoteKeys>>,
}

impl PublishedKeys {
    pub(crate) fn new(http: Option<Arc<dyn HttpClient>>, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock, sets: Mutex::default() }
    }

    pub(crate) fn can_fetch(&self) -> bool {
        self.http.is_some()
    }

    async fn find(
        &self,
        id: &CredentialId,
        uri: &EndpointUri,
        presented: &UnverifiedAssertion,
    ) -> Result<Option<Arc<VerifyingKey>>, AuthenticationError> {
        let Some(set) = self.set(id, uri) else { return Err(AuthenticationError::KeysUnreachable) };
        match set.find(presented.key_id(), presented.algorithm()).await {
            Ok(key) => Ok(Some(key)),
            Err(KeysError::Unavailable(_)) => Err(AuthenticationError::KeysUnreachable),
            Err(_) => Ok(None),
        }
    }

    fn set(&self, id: &CredentialId, url: &EndpointUri) -> Option<RemoteKeys> {
        let http = self.http.as_ref()?;
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let fetched = || {
            // Whoever registered the URL is not trusted with our network.
            let location = KeysLocation::Url { url: url.clone(), reach: Reach::Registered };
            RemoteKeys::new(location, Arc::clone(http), Arc::clone(&self.clock))
        };
        Some(sets.entry(id.clone()).or_insert_with(fetched).clone())
    }
}
