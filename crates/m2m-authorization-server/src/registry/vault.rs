//! How secrets are kept: those of clients hashed under a key of the server, or sealed where they must
//! stay readable (`client_secret_jwt`); private signing keys sealed.
//!
//! Enforces: a check costs one keyed hash and one constant-time comparison, whether there is
//! something to compare with or not, so that time tells nothing about what is registered.

use m2m_io::Random;
use m2m_proto::jose::base64url;
use m2m_proto::seal::{KeyedHash, SealError, SealingKey};
use m2m_proto::secret::{SecretBytes, SecretString, constant_time_eq};

use super::credential::CredentialId;
use super::key::KeyRecord;

const HASH_LABEL: &str = "m2m client secret hash";
const SEAL_LABEL: &str = "m2m client secret seal";
const KEY_LABEL: &str = "m2m signing key seal";
const FINGERPRINT_LABEL: &str = "m2m sealing key fingerprint";

/// Hashes, checks, seals and opens secrets.
#[derive(Debug)]
pub(crate) struct Vault {
    hash: KeyedHash,
    seal: SealingKey,
    keys: SealingKey,
    fingerprint: String,
    #[cfg(test)]
    pub(crate) checks: std::sync::atomic::AtomicUsize,
}

impl Vault {
    /// Derives its keys.
    ///
    /// # Errors
    /// When `key` has less than 32 bytes.
    pub(crate) fn new(key: &SecretBytes) -> Result<Self, SealError> {
        Ok(Self {
            hash: KeyedHash::derive(key, HASH_LABEL)?,
            seal: SealingKey::derive(key, SEAL_LABEL)?,
            keys: SealingKey::derive(key, KEY_LABEL)?,
            fingerprint: base64url::encode(KeyedHash::derive(key, FINGERPRINT_LABEL)?.hash(b"")),
            #[cfg(test)]
            checks: std::sync::atomic::AtomicUsize::new(0),
        })
    }

    /// Tells one sealing key from another, and nothing about it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Seals a private signing key (PKCS #8), with its `kid` authenticated along.
    pub(crate) fn seal_key(
        &self,
        key: &SecretBytes,
        kid: &str,
        random: &dyn Random,
    ) -> Result<([u8; 12], Vec<u8>), SealError> {
        let mut nonce = [0; 12];
        random.fill(&mut nonce);
        Ok((nonce, self.keys.seal(nonce, kid.as_bytes(), key.expose())?))
    }

    /// Opens what [`Self::seal_key`] made.
    pub(crate) fn open_key(&self, record: &KeyRecord) -> Result<SecretBytes, SealError> {
        self.keys.open(record.nonce, record.kid.as_bytes(), &record.sealed)
    }

    pub(crate) fn hash(&self, secret: &SecretString) -> [u8; 32] {
        self.hash.hash(secret.expose().as_bytes())
    }

    /// Whether `secret` is the one that `kept` was made of. Without `kept` the same work is done
    /// against a hash that nothing matches.
    pub(crate) fn check(&self, secret: &str, kept: Option<&[u8; 32]>) -> bool {
        #[cfg(test)]
        self.checks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let nothing = [0; 32];
        let equal = self.hash.check(secret.as_bytes(), kept.unwrap_or(&nothing));
        equal && kept.is_some()
    }

    /// The first of `kept` that is the hash of `secret`: one keyed hash, however many are compared.
    pub(crate) fn find<'k, T>(
        &self,
        secret: &str,
        kept: impl Iterator<Item = (T, &'k [u8; 32])>,
    ) -> Option<T> {
        #[cfg(test)]
        self.checks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let made = self.hash.hash(secret.as_bytes());
        let mut found = None;
        for (what, hash) in kept {
            if constant_time_eq(&made, hash) && found.is_none() {
                found = Some(what);
            }
        }
        found
    }

    /// Seals a secret for the credential `id`, which is authenticated along: a sealed secret cannot
    /// be moved to another credential.
    pub(crate) fn seal(
        &self,
        secret: &SecretString,
        id: &CredentialId,
        random: &dyn Random,
    ) -> Result<([u8; 12], Vec<u8>), SealError> {
        let mut nonce = [0; 12];
        random.fill(&mut nonce);
        let sealed = self.seal.seal(nonce, id.as_str().as_bytes(), secret.expose().as_bytes())?;
        Ok((nonce, sealed))
    }

    /// Opens what [`Self::seal`] made.
    pub(crate) fn open(
        &self,
        nonce: [u8; 12],
        sealed: &[u8],
        id: &CredentialId,
    ) -> Result<SecretBytes, SealError> {
        self.seal.open(nonce, id.as_str().as_bytes(), sealed)
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::secret::Secret;

    use super::*;
    use crate::fixture::SeededRandom;

    fn vault(byte: u8) -> Vault {
        Vault::new(&Secret::new(vec![byte; 32])).unwrap()
    }

    fn id(name: &str) -> CredentialId {
        CredentialId::parse(name).unwrap()
    }

    #[test]
    fn only_the_same_secret_under_the_same_key_matches() {
        let kept = vault(1).hash(&Secret::new("right".to_owned()));
        assert!(vault(1).check("right", Some(&kept)));
        assert!(!vault(1).check("wrong", Some(&kept)));
        assert!(!vault(2).check("right", Some(&kept)), "the hash alone, moved elsewhere, is worth nothing");
        assert!(!vault(1).check("right", None));
    }

    #[test]
    fn a_sealed_secret_opens_for_its_own_credential_only() {
        let (vault, secret) = (vault(1), Secret::new("secret".to_owned()));
        let (nonce, sealed) = vault.seal(&secret, &id("one"), &SeededRandom::new(1)).unwrap();
        assert_eq!(vault.open(nonce, &sealed, &id("one")).unwrap().expose(), b"secret");
        assert!(vault.open(nonce, &sealed, &id("two")).is_err());
        assert!(self::vault(2).open(nonce, &sealed, &id("one")).is_err());
    }
}
