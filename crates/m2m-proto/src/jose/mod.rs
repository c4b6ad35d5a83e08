//! JSON Object Signing: the compact form, its keys and its claims.
//!
//! Sections: RFC 7515 (JWS), 7517 (JWK), 7518 (algorithms), 7519 (claims), 7638
//! (thumbprints), 8037 and 9864 (Ed25519), 8725 (best practice)
//!
//! There is no function here that verifies "a JWT". [`jws`] proves that a key
//! signed bytes; [`kind`] says what those bytes must claim for one purpose; the
//! modules of each message put the two together and return a typed result.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`alg`] | the algorithm table: one row per algorithm |
//! | [`kind`] | the kind table: one row per purpose of a JWT |
//! | [`jwk`], [`jwk_set`], [`thumbprint`] | keys as JSON |
//! | [`key`], [`signing_key`] | keys parsed once, ready to verify or to sign |
//! | [`external`] | private keys that are held elsewhere |
//! | [`jws`], [`header`] | compact JWS: parse, sign, verify |
//! | [`candidates`] | which of several keys to try |
//! | [`claims`], [`members`] | registered claims, NumericDate, `aud`; the others by name |
//! | [`extra_claims`] | claims that a peer wants besides |
//! | [`base64url`] | the strict alphabet |
//! | [`crypto`] | the only importer of the crypto library |

pub mod alg;
pub mod base64url;
pub mod candidates;
pub mod claims;
pub mod crypto;
pub mod external;
pub mod extra_claims;
pub mod header;
pub mod jwk;
pub mod jwk_set;
pub mod jws;
pub mod key;
pub mod kind;
pub mod members;
pub mod signing_key;
pub mod thumbprint;

mod der;
mod roca;
mod strict;
#[cfg(test)]
mod tests;

pub use alg::Algorithm;
pub use claims::{Audience, Claims, ClaimsError};
pub use external::{ExternalSigner, ExternalSignerError};
pub use extra_claims::{ExtraClaimError, check_extra_claim};
pub use header::{Header, HeaderFields, PreparedHeader};
pub use jwk::{Jwk, JwkError};
pub use jwk_set::{JwkSet, JwkSetError};
pub use jws::{Compact, JwsError, MAX_TOKEN_BYTES, VerifiedPayload};
pub use key::{KeyError, VerifyingKey};
pub use kind::{Kind, KindError};
pub use members::Members;
pub use signing_key::{RsaSize, SigningKey};
pub use thumbprint::JwkThumbprint;
