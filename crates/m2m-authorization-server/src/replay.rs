//! What is remembered against replay, and for how long.
//!
//! Sections: RFC 7523 §3 (jti), RFC 9449 §11.1
//! Limits: an assertion is remembered until it expires plus the clock skew that its check allowed, a
//! proof until its window ends; both for `MARGIN` (1 s) longer.
//! Does not enforce: the refusal itself; [`Store::consume`](crate::store::Store::consume) does.

use std::time::Duration;

use m2m_proto::dpop::VerifiedProof;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::time::{Skew, UnixTime};

/// Remembered for this much longer than anybody accepts it, so that rounding opens no gap.
const MARGIN: Duration = Duration::from_secs(1);

/// One thing that may be used once: a digest, so that memory does not depend on what clients send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayKey {
    digest: [u8; 32],
    expires_at: UnixTime,
}

/// Lengths before texts keep `("ab", "c")` and `("a", "bc")` apart.
fn digest(domain: &str, owner: &str, name: &str) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(24 + domain.len() + owner.len() + name.len());
    for part in [domain, owner, name] {
        bytes.extend_from_slice(&part.len().to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

impl ReplayKey {
    /// The assertion `jti` of `client_id`, remembered until nobody would accept it any more.
    #[must_use]
    pub fn assertion(client_id: &str, jti: &str, expires_at: UnixTime, skew: Skew) -> Self {
        let expires_at = expires_at.saturating_add(skew.get()).saturating_add(MARGIN);
        Self { digest: digest("client assertion", client_id, jti), expires_at }
    }

    /// The `jti` of a token of a trusted issuer, remembered until nobody would accept it any more.
    #[must_use]
    pub fn external(issuer: &str, jti: &str, expires_at: UnixTime, skew: Skew) -> Self {
        let expires_at = expires_at.saturating_add(skew.get()).saturating_add(MARGIN);
        Self { digest: digest("external token", issuer, jti), expires_at }
    }

    /// A proof, remembered until its window ends.
    #[must_use]
    pub fn proof(proof: &VerifiedProof) -> Self {
        Self { digest: proof.replay_key(), expires_at: proof.replay_until().saturating_add(MARGIN) }
    }

    /// A key that stands for nothing, for the tests of a store.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn for_test(name: &str, expires_at: UnixTime) -> Self {
        Self { digest: digest("test", name, ""), expires_at }
    }

    /// What is stored: SHA-256 over purpose, owner and `jti`.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// From then on it may be forgotten.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_owners_do_not_collide() {
        let at = UnixTime::from_seconds(100);
        let assertion = |client: &str, jti: &str| *ReplayKey::assertion(client, jti, at, Skew::NONE).digest();
        assert_eq!(assertion("app", "1"), assertion("app", "1"));
        assert_ne!(assertion("app", "1"), assertion("app", "2"));
        assert_ne!(assertion("app", "1"), assertion("other", "1"));
        assert_ne!(assertion("app", "1"), assertion("ap", "p1"));
    }

    #[test]
    fn an_assertion_is_remembered_for_as_long_as_skew_would_accept_it() {
        let key = ReplayKey::assertion("app", "1", UnixTime::from_seconds(100), Skew::DEFAULT);
        assert_eq!(key.expires_at(), UnixTime::from_seconds(131));
    }
}
