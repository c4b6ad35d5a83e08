//! The confirmation claim `cnf`: which key or certificate a token is bound to,
//! and the check that the sender holds it.
//!
//! Sections: RFC 7800 section 3.1, RFC 8705 section 3.1, RFC 9449 sections 6
//! and 7.1
//!
//! Enforces, in this order:
//! 1. a token that must be bound is bound
//! 2. an unbound token is not presented as `DPoP`, a key-bound one not as `Bearer`
//! 3. key-bound: a proof is there, it was made for this very token (`ath`), and
//!    with the key named in `cnf` (`jkt`)
//! 4. certificate-bound: the peer's certificate is there and has the thumbprint
//!    named in `cnf` (`x5t#S256`)
//!
//! A `cnf` with a method that is not understood, or with none, is refused when
//! it is read: ignoring it would turn a bound token into a bearer token.
//!
//! Does not enforce: that the proof is used once (the caller's replay memory),
//! nor the certificate's chain (RFC 8705 section 3 does not ask for it).

use serde_json::{Map, Value};

use super::object::ObjectWriter;
use super::presentation::{Presentation, PresentationScheme};
use crate::client_auth::mutual_tls::{CertificateThumbprint, PeerCertificate};
use crate::dpop::VerifiedProof;
use crate::jose::JwkThumbprint;
use crate::names::claim;

/// Why possession was not shown, or why `cnf` cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmationError {
    /// `cnf` is not an object, or a member has no well-formed thumbprint.
    #[error("the cnf claim is malformed")]
    Malformed,
    /// `cnf` names no method, or one that is not understood here.
    #[error("the cnf claim has a confirmation method that is not understood")]
    UnknownMethod,
    /// The API demands bound tokens, and this one is not.
    #[error("the token is not sender-constrained")]
    NotBound,
    /// An unbound token was presented under the scheme `DPoP`.
    #[error("the token is not bound to a key, but was presented as DPoP")]
    UnboundAsDpop,
    /// A key-bound token was presented under the scheme `Bearer`.
    #[error("the token is bound to a key, but was presented as Bearer")]
    BoundAsBearer,
    /// No DPoP proof came with a key-bound token.
    #[error("the token is bound to a key, but no DPoP proof came with it")]
    ProofMissing,
    /// The proof was verified without this token (`ath`).
    #[error("the DPoP proof was not made for this token")]
    ProofForAnotherToken,
    /// The proof's key is not the token's.
    #[error("the DPoP proof was made with another key")]
    AnotherKey,
    /// No client certificate came with a certificate-bound token.
    #[error("the token is bound to a certificate, but the connection has none")]
    CertificateMissing,
    /// The connection's certificate is not the token's.
    #[error("the connection has another certificate")]
    AnotherCertificate,
}

/// The value of `cnf`: at least one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    jkt: Option<JwkThumbprint>,
    x5t_s256: Option<CertificateThumbprint>,
}

impl Confirmation {
    /// Bound to a DPoP key.
    #[must_use]
    pub fn key(jkt: JwkThumbprint) -> Self {
        Self { jkt: Some(jkt), x5t_s256: None }
    }

    /// Bound to a client certificate.
    #[must_use]
    pub fn certificate(thumbprint: CertificateThumbprint) -> Self {
        Self { jkt: None, x5t_s256: Some(thumbprint) }
    }

    /// Bound to a client certificate as well.
    #[must_use]
    pub fn and_certificate(mut self, thumbprint: CertificateThumbprint) -> Self {
        self.x5t_s256 = Some(thumbprint);
        self
    }

    /// The thumbprint of the DPoP key, if bound to one.
    #[must_use]
    pub fn jkt(&self) -> Option<&JwkThumbprint> {
        self.jkt.as_ref()
    }

    /// The thumbprint of the certificate, if bound to one.
    #[must_use]
    pub fn x5t_s256(&self) -> Option<CertificateThumbprint> {
        self.x5t_s256
    }

    /// Reads the claim, from a token or from an introspection response.
    ///
    /// # Errors
    /// `Malformed`; `UnknownMethod` for an empty object and for any member
    /// besides `jkt` and `x5t#S256`.
    pub fn from_json(value: &Value) -> Result<Self, ConfirmationError> {
        let members = value.as_object().ok_or(ConfirmationError::Malformed)?;
        let mut confirmation = Self { jkt: None, x5t_s256: None };
        for (name, value) in members {
            let text = || value.as_str().ok_or(ConfirmationError::Malformed);
            match name.as_str() {
                claim::JKT => {
                    let jkt = JwkThumbprint::parse(text()?).ok_or(ConfirmationError::Malformed)?;
                    confirmation.jkt = Some(jkt);
                }
                claim::X5T_S256 => {
                    let thumbprint = CertificateThumbprint::parse(text()?);
                    confirmation.x5t_s256 = Some(thumbprint.map_err(|_| ConfirmationError::Malformed)?);
                }
                _ => return Err(ConfirmationError::UnknownMethod),
            }
        }
        if confirmation.jkt.is_none() && confirmation.x5t_s256.is_none() {
            return Err(ConfirmationError::UnknownMethod);
        }
        Ok(confirmation)
    }

    /// The claim's value.
    // spec: 9449-AS1
    // spec: 8705-AS4
    #[must_use]
    pub fn to_json(&self) -> Value {
        let jkt = self.jkt.iter().map(|jkt| (claim::JKT, jkt.as_str().to_owned()));
        let x5t = self.x5t_s256.iter().map(|thumbprint| (claim::X5T_S256, thumbprint.to_text()));
        Value::Object(
            jkt.chain(x5t).map(|(name, text)| (name.to_owned(), Value::String(text))).collect::<Map<_, _>>(),
        )
    }
}

impl Confirmation {
    /// As [`Confirmation::to_json`], without a document in between.
    pub(super) fn write(&self, object: &mut ObjectWriter) {
        if let Some(jkt) = &self.jkt {
            object.text(claim::JKT, jkt.as_str());
        }
        if let Some(thumbprint) = self.x5t_s256 {
            object.text(claim::X5T_S256, &thumbprint.to_text());
        }
    }
}

/// Which tokens an API accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderConstraint {
    /// Bound tokens must be proven, unbound ones are accepted.
    #[default]
    WhenBound,
    /// Only bound tokens.
    Always,
}

/// What the request brought along to show possession.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The token and its scheme.
    pub presentation: &'a Presentation,
    /// The proof, already verified for this request and this token.
    pub proof: Option<&'a VerifiedProof>,
    /// The certificate of the TLS connection.
    pub certificate: Option<&'a PeerCertificate>,
}

/// Evidence that the sender may use the token. Only [`verify`] makes one, and
/// an unbound one is impossible for a token with `cnf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possession {
    bound: Option<Confirmation>,
}

impl Possession {
    /// Whether the token is a bearer token: bound to nothing.
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.bound.is_none()
    }

    /// What was proven to be held.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Confirmation> {
        self.bound.as_ref()
    }
}

/// Checks the binding of a token against what the request brought. The checks
/// and their order are in the module's description.
///
/// `confirmation` is the token's `cnf`: of [`super::VerifiedClaims`] or of an
/// introspection response.
///
/// # Errors
/// One variant per check; all are `invalid_token`.
// spec: 9449-RS1
// spec: 8705-RS1
pub fn verify(
    confirmation: Option<&Confirmation>,
    evidence: &Evidence<'_>,
    constraint: SenderConstraint,
) -> Result<Possession, ConfirmationError> {
    let scheme = evidence.presentation.scheme();
    let Some(confirmation) = confirmation else {
        return match (constraint, scheme) {
            (SenderConstraint::Always, _) => Err(ConfirmationError::NotBound),
            (_, PresentationScheme::Dpop) => Err(ConfirmationError::UnboundAsDpop),
            (_, PresentationScheme::Bearer) => Ok(Possession { bound: None }),
        };
    };
    match (&confirmation.jkt, scheme) {
        (Some(_), PresentationScheme::Bearer) => return Err(ConfirmationError::BoundAsBearer),
        (None, PresentationScheme::Dpop) => return Err(ConfirmationError::UnboundAsDpop),
        (Some(jkt), PresentationScheme::Dpop) => check_proof(jkt, evidence)?,
        (None, PresentationScheme::Bearer) => {}
    }
    if let Some(thumbprint) = confirmation.x5t_s256 {
        let certificate = evidence.certificate.ok_or(ConfirmationError::CertificateMissing)?;
        if certificate.thumbprint() != thumbprint {
            return Err(ConfirmationError::AnotherCertificate);
        }
    }
    Ok(Possession { bound: Some(confirmation.clone()) })
}

fn check_proof(jkt: &JwkThumbprint, evidence: &Evidence<'_>) -> Result<(), ConfirmationError> {
    let proof = evidence.proof.ok_or(ConfirmationError::ProofMissing)?;
    if !proof.is_for(evidence.presentation.token()) {
        return Err(ConfirmationError::ProofForAnotherToken);
    }
    if proof.jkt() == jkt { Ok(()) } else { Err(ConfirmationError::AnotherKey) }
}

#[cfg(test)]
mod tests;
