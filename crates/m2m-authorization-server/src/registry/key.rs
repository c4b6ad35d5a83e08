//! Signing keys as they are registered: dates, and the private half sealed.

use std::fmt;

use m2m_proto::jose::Algorithm;

use crate::keys::rotation::KeyDates;

/// A signing key of the server (RFC 7517), sealed under its sealing key.
#[derive(Clone)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The header parameter `kid` of what it signs.
    pub kid: String,
    /// The one algorithm that it signs with.
    pub algorithm: Algorithm,
    /// AES-GCM nonce, fresh per key.
    pub nonce: [u8; 12],
    /// PKCS #8, sealed; the `kid` is authenticated along.
    pub sealed: Vec<u8>,
    /// When it comes and goes.
    pub dates: KeyDates,
}

impl KeyRecord {
    /// A key sealed as `sealed` under `nonce`.
    #[must_use]
    pub fn new(kid: String, algorithm: Algorithm, nonce: [u8; 12], sealed: Vec<u8>, dates: KeyDates) -> Self {
        Self { kid, algorithm, nonce, sealed, dates }
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, algorithm, dates, .. } = self;
        f.debug_struct("KeyRecord")
            .field("kid", kid)
            .field("algorithm", algorithm)
            .field("dates", dates)
            .finish_non_exhaustive()
    }
}
