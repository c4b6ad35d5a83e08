//! Credentials: making, rotating and withdrawing them, one instance at a time.

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::jose::crypto::sha256;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;

use super::Admin;
use crate::audit::{Event, LastUse, Record};
use crate::authenticate::imported::MAX_SLOW;
use crate::error::{Error, ErrorKind};
use crate::observe;
use crate::profile;
use crate::registry::secret;
use crate::registry::{
    Change, Conflict, CreatedCredential, Credential, CredentialId, CredentialSpec, ImportedHash, Material,
    Proof, Registry, Status,
};
use crate::store::{StoreError, Usage};

/// Whether a credential can be taken away without anybody noticing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// It cannot be used any more.
    Ended,
    /// Its successor is in use, and whoever used it last has renewed its token since.
    Safe,
    /// Nothing takes its place.
    InUse,
    /// Its successor was never used.
    SuccessorUnused,
    /// It was used so recently that a process with it may still be running.
    UsedRecently,
}

impl Removal {
    /// Whether it can be removed.
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Ended | Self::Safe)
    }

    /// Why, for people.
    #[must_use]
    pub fn because(self) -> &'static str {
        match self {
            Self::Ended => "it is revoked or expired",
            Self::Safe => "its successor is in use, and it was not used for a whole token life",
            Self::InUse => "nothing takes its place: rotate it first",
            Self::SuccessorUnused => "its successor was never used",
            Self::UsedRecently => "it was used less than one token life ago",
        }
    }

    /// Decides about `credential`. A process that goes on with the old secret asks for a token at least once
    /// per `life`, the longest that its tokens can have.
    #[must_use]
    pub fn of(
        credential: &Credential,
        successor: Option<&Credential>,
        usage: &Usage,
        life: Duration,
        now: UnixTime,
    ) -> Self {
        if credential.status == Status::Revoked || credential.expires_at.is_some_and(|end| end <= now) {
            return Self::Ended;
        }
        let last = |id: &CredentialId| usage.credentials.get(id).map(|used: &LastUse| used.at);
        match (successor.filter(|next| next.usable(now)), last(&credential.id)) {
            (None, _) => Self::InUse,
            (Some(next), _) if last(&next.id).is_none() => Self::SuccessorUnused,
            (Some(_), Some(used)) if now.since(used) < life => Self::UsedRecently,
            (Some(_), _) => Self::Safe,
        }
    }
}

/// How a credential is followed by another.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rotation {
    /// How long the old one stays usable, at most.
    pub overlap: Duration,
    /// How long the new one is valid. Default: as long as the old one was when it was made.
    pub expires_in: Option<Duration>,
    /// What the new one is made of. Default: a secret is followed by a secret of the same kind.
    pub proof: Option<Proof>,
}

impl Rotation {
    /// With an overlap, and everything else as before.
    #[must_use]
    pub fn new(overlap: Duration) -> Self {
        Self { overlap, expires_in: None, proof: None }
    }
}

impl Admin {
    /// Adds a credential to a client. A secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `Unknown` for an unregistered client; `Conflict` when it is revoked, has 64 credentials in use or 4
    /// imported secrets that were never used;
    /// `Misconfigured` for a `jwks_uri` when the server has no HTTP client, and for certificates
    /// when it does not offer them; `Invalid` for what the security profile does not allow.
    pub async fn create_credential(&self, spec: CredentialSpec) -> Result<CreatedCredential, Error> {
        self.check_slow_hashes(&spec)?;
        let (credential, client_secret) = self.credential(spec)?;
        self.add(
            Change::CreateCredential(credential.clone()),
            &credential,
            Event::CredentialCreated,
            client_secret,
        )
        .await
    }

    /// Adds a credential in place of `old`, which stays usable for the overlap at most.
    ///
    /// # Errors
    /// As [`Admin::create_credential`]; `Conflict` when it was rotated already or is revoked, `Invalid`
    /// for keys and certificates without a new `proof`.
    pub async fn rotate_credential(
        &self,
        old: &CredentialId,
        rotation: Rotation,
    ) -> Result<CreatedCredential, Error> {
        let registry = self.registry()?;
        let before = registry.credential(old).ok_or_else(|| unknown(old))?;
        if matches!(before.material, Material::Federated(_)) {
            let text = "a federated credential has nothing to rotate: make another one, and revoke this one";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let proof = rotation.proof.or_else(|| same_kind(&before.material)).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "a key or a certificate is rotated by giving the new one")
        })?;
        let spec = CredentialSpec {
            accepted_audience: before.accepted_audience,
            accepted_typ: before.accepted_typ,
            expires_in: rotation.expires_in.or(before.expires_at.map(|end| end.since(before.not_before))),
            ..CredentialSpec::new(before.client_id.clone(), &before.label, proof)
        };
        let (credential, client_secret) = self.credential(spec)?;
        let end = self.now().saturating_add(rotation.overlap);
        let change = Change::RotateCredential(credential.clone(), old.clone(), end);
        self.add(change, &credential, Event::CredentialRotated, client_secret).await
    }

    /// A hash beyond those that are checked would be refused in silence.
    fn check_slow_hashes(&self, spec: &CredentialSpec) -> Result<(), Error> {
        if !matches!(spec.proof, Proof::ImportedHash(..)) {
            return Ok(());
        }
        let registry = self.registry()?;
        let now = self.now();
        let slow = |own: &&Arc<Credential>| {
            let hash = matches!(own.material, Material::ImportedSecret { hash: ImportedHash::Slow(_), .. });
            hash && !own.has_ended(now)
        };
        let repeated = |own: &Arc<Credential>| {
            let key = spec.idempotency_key.as_ref().map(|key| sha256(key.as_bytes()));
            key.is_some() && own.idempotency == key
        };
        match registry.registration(&spec.client_id).map(|registration| registration.credentials()) {
            Some(own) if own.iter().filter(slow).count() >= MAX_SLOW && !own.iter().any(repeated) => {
                let text = format!("{} has {MAX_SLOW} imported secrets that were never used", spec.client_id);
                Err(Error::new(ErrorKind::Conflict, text))
            }
            _ => Ok(()),
        }
    }

    async fn add(
        &self,
        change: Change,
        credential: &Credential,
        event: Event,
        client_secret: Option<SecretString>,
    ) -> Result<CreatedCredential, Error> {
        let record = self.about_credential(event, credential);
        match self.make(change, record).await {
            Ok(_) => Ok(CreatedCredential { id: credential.id.clone(), client_secret, repeated: false }),
            Err(StoreError::Conflict(Conflict::Repeated(id))) => self.repeated(id, credential),
            Err(error) => Err(error.into()),
        }
    }

    /// The same order again gets what it made; another order under the same key is a mistake.
    fn repeated(&self, id: CredentialId, ordered: &Credential) -> Result<CreatedCredential, Error> {
        let registry = self.registry()?;
        let known = registry.credential(&id).ok_or_else(|| unknown(&id))?;
        let same = known.label == ordered.label && known.material.is_of_the_same_order(&ordered.material);
        if !same {
            let text = "the idempotency key was used for another order";
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(CreatedCredential { id, client_secret: None, repeated: true })
    }

    fn about_credential(&self, event: Event, credential: &Credential) -> Record {
        Record {
            client_id: Some(credential.client_id.clone()),
            credential: Some(credential.id.clone()),
            ..self.record(event)
        }
    }

    fn credential(&self, spec: CredentialSpec) -> Result<(Credential, Option<SecretString>), Error> {
        profile::credential(self.state.profile, &spec)
            .map_err(|outside| Error::new(ErrorKind::Invalid, outside.to_string()))?;
        let id = secret::generate_id(self.state.random.as_ref());
        let now = self.now();
        let (material, client_secret) = self.material(spec.proof, &id)?;
        let not_before = spec.not_before.unwrap_or(now);
        let credential = Credential {
            label: spec.label,
            accepted_audience: spec.accepted_audience,
            accepted_typ: spec.accepted_typ,
            not_before,
            expires_at: spec.expires_in.map(|life| not_before.saturating_add(life)),
            idempotency: spec.idempotency_key.map(|key| sha256(key.as_bytes())),
            ..Credential::new(id, spec.client_id, material, now)
        };
        Ok((credential, client_secret))
    }

    fn material(&self, proof: Proof, id: &CredentialId) -> Result<(Material, Option<SecretString>), Error> {
        let state = &self.state;
        let random = state.random.as_ref();
        Ok(match proof {
            Proof::ClientSecret(accepted) => {
                let secret = secret::generate(id, random);
                let hash = state.vault().hash(&secret);
                (Material::SecretHash { hash, accepted }, Some(secret))
            }
            Proof::ImportedHash(slow, accepted) => {
                (Material::ImportedSecret { hash: ImportedHash::Slow(slow), accepted }, None)
            }
            Proof::ImportedSecret(secret, accepted) => {
                let hash = ImportedHash::Keyed(state.vault().hash(&secret));
                (Material::ImportedSecret { hash, accepted }, None)
            }
            Proof::ClientSecretJwt => {
                let secret = secret::generate(id, random);
                let sealed = state.vault().seal(&secret, id, random);
                let (nonce, sealed) = sealed.map_err(|error| Error::internal(error.to_string()))?;
                (Material::SealedSecret { nonce, sealed }, Some(secret))
            }
            Proof::PublicKeys(set) => (Material::PublicKeys(Arc::new(set)), None),
            Proof::JwksUri(uri) if state.authenticator.published.can_fetch() => {
                (Material::JwksUri(uri), None)
            }
            Proof::JwksUri(_) => {
                return Err(Error::misconfigured("this server has no HTTP client to fetch a jwks_uri with"));
            }
            Proof::CertificateSubject(_) | Proof::Certificate(_) if state.mutual_tls.is_none() => {
                return Err(Error::misconfigured("this server does not offer client certificates"));
            }
            Proof::Federated(mapping) => (Material::Federated(Arc::new(mapping)), None),
            Proof::CertificateSubject(subject) => (Material::CertificateSubject(subject), None),
            Proof::Certificate(thumbprint) => (Material::Certificate(thumbprint), None),
        })
    }

    /// Withdraws a credential for good: it is refused at once, and its tokens are inactive.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn revoke_credential(&self, id: &CredentialId) -> Result<Arc<Credential>, Error> {
        let change = Change::SetCredentialStatus(id.clone(), Status::Revoked);
        let client_id = self.registry()?.credential(id).map(|credential| credential.client_id.clone());
        let about = self.record(Event::CredentialRevoked);
        let record = Record { client_id, credential: Some(id.clone()), ..about };
        let registry = self.make(change, record).await?;
        observe::count_by(observe::REVOCATIONS, "what", "credential");
        credential_of(&registry, id)
    }
}

/// What a secret is followed by; keys and certificates come from outside.
fn same_kind(material: &Material) -> Option<Proof> {
    match material {
        Material::SecretHash { accepted, .. } | Material::ImportedSecret { accepted, .. } => {
            Some(Proof::ClientSecret(*accepted))
        }
        Material::SealedSecret { .. } => Some(Proof::ClientSecretJwt),
        Material::JwksUri(uri) => Some(Proof::JwksUri(uri.clone())),
        _ => None,
    }
}

fn credential_of(registry: &Registry, id: &CredentialId) -> Result<Arc<Credential>, Error> {
    registry.credential(id).cloned().ok_or_else(|| unknown(id))
}

fn unknown(id: &CredentialId) -> Error {
    Conflict::Unknown(id.as_str().to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const LIFE: Duration = Duration::from_secs(600);

    fn used(seconds: &[(&str, u64)]) -> Usage {
        let last = |(id, second): &(&str, u64)| {
            let at = UnixTime::from_seconds(*second);
            (CredentialId::parse(id).unwrap(), LastUse { at, address: None })
        };
        Usage { credentials: seconds.iter().map(last).collect(), ..Usage::default() }
    }

    #[test]
    fn a_rotation_knows_when_it_is_finished() {
        let now = UnixTime::from_seconds(10_000);
        let old = fixture::credential("old");
        let rotated = Credential { replaced_by: CredentialId::parse("new"), ..old.clone() };
        let new = fixture::credential("new");
        let gone = Credential { status: Status::Revoked, ..new.clone() };
        let dead = Removal::of(&rotated, Some(&gone), &used(&[("new", 9_900)]), LIFE, now);
        assert_eq!(dead, Removal::InUse, "a successor that cannot be used is none");
        let check = |credential: &Credential, uses: &[(&str, u64)], expect: Removal| {
            let successor = credential.replaced_by.as_ref().map(|_| &new);
            assert_eq!(Removal::of(credential, successor, &used(uses), LIFE, now), expect);
        };
        check(&old, &[], Removal::InUse);
        check(&rotated, &[("old", 9_000)], Removal::SuccessorUnused);
        check(&rotated, &[("old", 9_500), ("new", 9_900)], Removal::UsedRecently);
        check(&rotated, &[("old", 9_400), ("new", 9_900)], Removal::Safe);
        check(&rotated, &[("new", 9_900)], Removal::Safe);
        check(&Credential { status: Status::Revoked, ..old.clone() }, &[], Removal::Ended);
        check(&Credential { expires_at: Some(now), ..old }, &[], Removal::Ended);
    }
}
