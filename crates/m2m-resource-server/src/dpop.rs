//! How DPoP proofs are checked: what can be set, and the check.
//!
//! Sections: RFC 9449 §4.3, §7, §9, §11.1
//! Enforces: the proof is for this method, this path below the configured origin, and this token; a nonce of
//! ours, where one is demanded; each proof once ([`crate::replay`]).
//! Does not enforce: that the key is the token's (`confirmation`), which follows.
//! Nonces carry their own time under a keyed hash: nothing is kept for one, so nobody can fill anything by
//! asking for them.

use m2m_io::Random;
use m2m_proto::dpop::proof::{self, DEFAULT_ALGORITHMS, VerifiedProof};
use m2m_proto::dpop::{NonceKey, NonceRule, ProofError, ProofWindow};
use m2m_proto::jose::Algorithm;
use m2m_proto::secret::{Secret, SecretBytes};
use m2m_proto::security_profile::{OutsideProfile, SecurityProfile};
use m2m_proto::time::UnixTime;
use m2m_proto::token::AccessToken;
use m2m_proto::uri::Origin;

use crate::error::{Error, Reason, Unavailable};
use crate::replay::{Consumption, DEFAULT_CAPACITY, Replay};
use crate::verifier::RequestParts;

/// Whether a DPoP proof must carry a nonce of this server (RFC 9449 §9).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nonce {
    /// Proofs are accepted by their `iat`.
    #[default]
    Off,
    /// A proof without a recent nonce is answered with `use_dpop_nonce` and a nonce.
    Required,
}

/// How DPoP proofs are checked. Without this, requests with DPoP are refused.
#[derive(Debug, Clone)]
pub struct Dpop {
    origin: Origin,
    algorithms: Vec<Algorithm>,
    window: ProofWindow,
    nonce: Nonce,
    nonce_key: Option<SecretBytes>,
    replay_capacity: usize,
}

impl Dpop {
    /// Proofs are for this public origin: what clients write into `htu` before the path. It is
    /// configuration, because a stranger writes `Host`.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            window: ProofWindow::default(),
            nonce: Nonce::Off,
            nonce_key: None,
            replay_capacity: DEFAULT_CAPACITY,
        }
    }

    /// Sets the accepted algorithms of proofs. Default: ES256, ES384, EdDSA, Ed25519, PS256.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Sets how far `iat` may lie from the present. Default: 60 s back, 10 s ahead.
    #[must_use]
    pub fn window(mut self, window: ProofWindow) -> Self {
        self.window = window;
        self
    }

    /// Sets whether proofs must carry a nonce. Default: no.
    #[must_use]
    pub fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = nonce;
        self
    }

    /// Sets the secret that nonces are made from: at least 32 bytes, the same in all replicas.
    /// Default: 32 random bytes of this process.
    #[must_use]
    pub fn nonce_key(mut self, key: SecretBytes) -> Self {
        self.nonce_key = Some(key);
        self
    }

    /// Sets how many used proofs are remembered. Default 262,144.
    #[must_use]
    pub fn replay_capacity(mut self, proofs: usize) -> Self {
        self.replay_capacity = proofs;
        self
    }

    pub(crate) fn checks(self, random: &dyn Random) -> Result<DpopChecks, Error> {
        let secret = self.nonce_key.unwrap_or_else(|| {
            let mut bytes = vec![0; 32];
            random.fill(&mut bytes);
            Secret::new(bytes)
        });
        Ok(DpopChecks {
            origin: self.origin.to_string(),
            algorithms: self.algorithms,
            window: self.window,
            nonce: self.nonce,
            nonce_key: NonceKey::new(&secret, "resource server").map_err(|_| Error::NonceKey)?,
            replay: Replay::new(self.replay_capacity),
        })
    }

    /// Takes away what the profile does not allow.
    pub(crate) fn restrict(&mut self, profile: SecurityProfile) -> Result<(), OutsideProfile> {
        profile.window(self.window)?;
        self.algorithms = profile.allowed(&self.algorithms);
        if self.algorithms.is_empty() { Err(OutsideProfile::NoKey) } else { Ok(()) }
    }

    pub(crate) fn accepted(&self) -> &[Algorithm] {
        &self.algorithms
    }
}

/// How proofs are checked.
#[derive(Debug)]
pub(crate) struct DpopChecks {
    /// `https://host`, without a slash at its end.
    origin: String,
    algorithms: Vec<Algorithm>,
    window: ProofWindow,
    pub(crate) nonce: Nonce,
    pub(crate) nonce_key: NonceKey,
    replay: Replay,
}

impl DpopChecks {
    // spec: OIDF-AS14
    pub(crate) fn verify(
        &self,
        request: &RequestParts<'_>,
        token: &AccessToken,
        now: UnixTime,
    ) -> Result<VerifiedProof, ProofError> {
        let uri: http::Uri =
            format!("{}{}", self.origin, request.uri.path()).parse().map_err(|_| ProofError::RequestUri)?;
        let nonce = match self.nonce {
            Nonce::Off => NonceRule::Unused,
            Nonce::Required => NonceRule::Required(&self.nonce_key),
        };
        let expect = proof::Expect {
            method: request.method,
            uri: &uri,
            algorithms: &self.algorithms,
            now,
            window: self.window,
            nonce,
            access_token: Some(token),
            jkt: None,
        };
        proof::verify(request.headers, &expect)
    }

    /// Uses the proof up. To be called last, so that only a proof that would have been accepted takes room.
    pub(crate) fn consume(&self, proof: &VerifiedProof, now: UnixTime) -> Result<(), Reason> {
        match self.replay.consume(proof, now) {
            Consumption::Recorded => Ok(()),
            Consumption::Replayed => Err(Reason::ProofReplayed),
            Consumption::Full => {
                tracing::warn!("the replay memory is full");
                Err(Reason::Unavailable(Unavailable::soon("the replay memory is full")))
            }
        }
    }
}
