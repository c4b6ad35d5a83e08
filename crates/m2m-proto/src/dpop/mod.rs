//! Demonstrating Proof of Possession (RFC 9449): a fresh signature over each
//! request shows that the sender holds the key to which its token is bound.

pub mod nonce;
pub mod proof;

pub use nonce::{DpopNonce, NonceError, NonceKey};
pub use proof::{DpopProof, NonceRule, ProofError, ProofWindow, VerifiedProof};
