//! Client certificates: `tls_client_auth` by a trusted authority and one
//! registered name, `self_signed_tls_client_auth` by a registered certificate,
//! and the thumbprint to which tokens are bound.
//!
//! Sections: RFC 8705 sections 2.1, 2.2, 3.1; RFC 5280
//! Enforces, for an authority's certificate, in this order:
//! 1. the chain leads to one of the given authorities, valid at `now`, for the
//!    purpose of client authentication
//! 2. exactly the one registered subject value is in the certificate
//!
//! Enforces, for a registered certificate: its SHA-256 equals a registered one.
//!
//! Does not enforce: that the peer holds the private key (the TLS handshake
//! did), revocation lists, nor the dates of a registered certificate (RFC 8705
//! section 2.2 compares it and nothing else; credentials have their own expiry).
//!
//! Limits: 16 KiB a certificate, 8 intermediates.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use super::der::{self, Reader};
pub use super::distinguished_name::{DistinguishedName, DistinguishedNameError};
use crate::jose::{Jwk, base64url, crypto};
use crate::time::UnixTime;

/// The longest certificate.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// The most intermediate certificates that a peer may send.
pub const MAX_INTERMEDIATES: usize = 8;

/// Why a client certificate was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Empty, or longer than [`MAX_CERTIFICATE_BYTES`].
    #[error("a certificate has 1 to {MAX_CERTIFICATE_BYTES} bytes")]
    Size,
    /// More than [`MAX_INTERMEDIATES`].
    #[error("more than {MAX_INTERMEDIATES} intermediate certificates")]
    TooManyIntermediates,
    /// Not a certificate as RFC 5280 has it.
    #[error("not an X.509 version 3 certificate")]
    Malformed,
    /// The chain does not hold: unknown authority, dates, purpose, signature.
    #[error("the certificate chain does not hold: {reason}")]
    Chain {
        /// What failed, in the words of the path builder.
        reason: String,
    },
    /// The certificate does not carry the registered subject value.
    #[error("the certificate does not carry the registered {kind}")]
    Subject {
        /// Which kind of subject value was expected.
        kind: &'static str,
    },
    /// The certificate is not among the registered ones.
    #[error("the certificate is not a registered one")]
    NotRegistered,
    /// A thumbprint that is not the unpadded base64url of 32 bytes.
    #[error("not a SHA-256 certificate thumbprint")]
    Thumbprint,
    /// A registered IP address that is none.
    #[error("not an IP address")]
    Address,
    /// A registered distinguished name that is none.
    #[error("not a distinguished name: {0}")]
    DistinguishedName(DistinguishedNameError),
    /// A kind of subject name that RFC 8705 does not have.
    #[error("not a kind of subject name")]
    SubjectKind,
}

/// The SHA-256 of a certificate in DER: the value of `x5t#S256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateThumbprint([u8; 32]);

impl CertificateThumbprint {
    /// Of a certificate in DER.
    // spec: 8705-AS4
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(crypto::sha256(der))
    }

    /// Of the first certificate in PEM text.
    ///
    /// # Errors
    /// `Malformed` where there is none.
    pub fn of_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| CertificateError::Malformed)?;
        Ok(Self::of(&der))
    }

    /// Of the first certificate in the key's `x5c`; `None` where there is none.
    /// This is how a client registers a self-signed certificate (RFC 8705
    /// section 2.2.2).
    // spec: 8705-AS2
    #[must_use]
    pub fn of_jwk(jwk: &Jwk) -> Option<Self> {
        jwk.x5c_der().ok()?.first().map(|der| Self::of(der))
    }

    /// From unpadded base64url.
    ///
    /// # Errors
    /// `Thumbprint` for anything but 32 encoded bytes.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let bytes = base64url::decode(text).map_err(|_| CertificateError::Thumbprint)?;
        bytes.try_into().map(Self).map_err(|_| CertificateError::Thumbprint)
    }

    /// Unpadded base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(self.0)
    }
}

/// The certificate that a peer proved to hold in the TLS handshake, as the
/// listener or a trusted proxy reports it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    chain: Arc<[CertificateDer<'static>]>,
    thumbprint: CertificateThumbprint,
}

impl PeerCertificate {
    /// The peer's own certificate and the intermediates it sent, in DER.
    ///
    /// Only the sizes are checked here: binding a token needs no more, and RFC
    /// 8705 does not ask a resource server to validate the chain.
    ///
    /// # Errors
    /// `Size`, `TooManyIntermediates`.
    pub fn new(der: Vec<u8>, intermediates: Vec<Vec<u8>>) -> Result<Self, CertificateError> {
        if intermediates.len() > MAX_INTERMEDIATES {
            return Err(CertificateError::TooManyIntermediates);
        }
        let thumbprint = CertificateThumbprint::of(&der);
        let chain = std::iter::once(der)
            .chain(intermediates)
            .map(|der| match der.len() {
                1..=MAX_CERTIFICATE_BYTES => Ok(CertificateDer::from(der)),
                _ => Err(CertificateError::Size),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { chain, thumbprint })
    }

    /// The thumbprint, for `cnf` and for comparison.
    #[must_use]
    pub fn thumbprint(&self) -> CertificateThumbprint {
        self.thumbprint
    }

    /// The peer's own certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |own| own)
    }

    fn own_and_intermediates(&self) -> Option<(&CertificateDer<'static>, &[CertificateDer<'static>])> {
        self.chain.split_first()
    }
}

/// When a certificate (DER) is valid by its own word: the first and the last
/// second. To be shown to people; whether it may be trusted, `webpki` decides.
/// `None` where the shape is not that of a certificate.
#[must_use]
pub fn validity(der: &[u8]) -> Option<(UnixTime, UnixTime)> {
    der::validity(der)
}

/// The authorities whose client certificates are accepted. Keep them few: each
/// one can speak for every client (RFC 8705 section 7.3).
// spec: 8705-AS3
#[derive(Clone, Debug, Default)]
pub struct ClientAuthorities(Vec<TrustAnchor<'static>>);

impl ClientAuthorities {
    /// Reads certificates of authorities in DER.
    ///
    /// # Errors
    /// `Size` or `Malformed` for the first one that cannot be read.
    pub fn from_der<'a>(roots: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, CertificateError> {
        let read = |der: &[u8]| {
            if der.is_empty() || der.len() > MAX_CERTIFICATE_BYTES {
                return Err(CertificateError::Size);
            }
            let der = CertificateDer::from(der);
            let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| CertificateError::Malformed)?;
            Ok(anchor.to_owned())
        };
        roots.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none, so that no certificate can be accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The one subject value that is registered for a client (RFC 8705 section
/// 2.1.2). There is exactly one, so that a certificate cannot match by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectName {
    /// `tls_client_auth_subject_dn`.
    Distinguished(DistinguishedName),
    /// `tls_client_auth_san_dns`: equal without case; a wildcard is only itself.
    Dns(String),
    /// `tls_client_auth_san_uri`: equal by code point.
    Uri(String),
    /// `tls_client_auth_san_ip`: equal in binary.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`: equal, the domain without case.
    Email(String),
}

impl SubjectName {
    /// An IP address in text.
    ///
    /// # Errors
    /// `Address`.
    pub fn ip(text: &str) -> Result<Self, CertificateError> {
        text.parse().map(Self::Ip).map_err(|_| CertificateError::Address)
    }

    /// The client metadata name of this kind of value.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Distinguished(_) => "tls_client_auth_subject_dn",
            Self::Dns(_) => "tls_client_auth_san_dns",
            Self::Uri(_) => "tls_client_auth_san_uri",
            Self::Ip(_) => "tls_client_auth_san_ip",
            Self::Email(_) => "tls_client_auth_san_email",
        }
    }

    /// The value as text; [`SubjectName::parse`] reads it back.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Distinguished(name) => name.as_str().to_owned(),
            Self::Dns(text) | Self::Uri(text) | Self::Email(text) => text.clone(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// The name of that [`SubjectName::kind`] with that value.
    ///
    /// # Errors
    /// `SubjectKind`, `DistinguishedName` and `Address`.
    pub fn parse(kind: &str, value: &str) -> Result<Self, CertificateError> {
        match kind {
            "tls_client_auth_subject_dn" => DistinguishedName::parse(value)
                .map(Self::Distinguished)
                .map_err(CertificateError::DistinguishedName),
            "tls_client_auth_san_dns" => Ok(Self::Dns(value.to_owned())),
            "tls_client_auth_san_uri" => Ok(Self::Uri(value.to_owned())),
            "tls_client_auth_san_ip" => Self::ip(value),
            "tls_client_auth_san_email" => Ok(Self::Email(value.to_owned())),
            _ => Err(CertificateError::SubjectKind),
        }
    }

    fn matches(&self, names: &der::Names<'_>) -> bool {
        if let Self::Distinguished(name) = self {
            return name.matches(names.subject);
        }
        let mut alternatives = Reader::new(names.alternatives);
        std::iter::from_fn(|| alternatives.element()).any(|(tag, value)| self.is_alternative(tag, value))
    }

    /// Compares with one general name; the tags are those of RFC 5280 section
    /// 4.2.1.6.
    fn is_alternative(&self, tag: u8, value: &[u8]) -> bool {
        match (self, tag) {
            (Self::Email(expected), 0x81) => same_mailbox(expected.as_bytes(), value),
            (Self::Dns(expected), 0x82) => expected.as_bytes().eq_ignore_ascii_case(value),
            (Self::Uri(expected), 0x86) => expected.as_bytes() == value,
            (Self::Ip(IpAddr::V4(expected)), 0x87) => expected.octets() == value,
            (Self::Ip(IpAddr::V6(expected)), 0x87) => expected.octets() == value,
            _ => false,
        }
    }
}

/// RFC 5280 section 7.5: the local part exactly, the domain without case.
fn same_mailbox(a: &[u8], b: &[u8]) -> bool {
    let split = |mailbox: &[u8]| mailbox.iter().rposition(|byte| *byte == b'@');
    let Some(at) = split(a).filter(|at| split(b) == Some(*at)) else { return false };
    a.get(..at) == b.get(..at) && a.get(at..).zip(b.get(at..)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Evidence that a certificate was accepted for a client.
#[derive(Clone, Debug)]
pub struct VerifiedCertificate {
    thumbprint: CertificateThumbprint,
}

impl VerifiedCertificate {
    /// The accepted certificate.
    #[must_use]
    pub fn thumbprint(&self) -> CertificateThumbprint {
        self.thumbprint
    }
}

/// Accepts a certificate of a trusted authority that carries the registered
/// name (`tls_client_auth`).
///
/// # Errors
/// `Malformed`, `Chain`, `Subject`, in this order.
// spec: 8705-AS1
pub fn verify_chain(
    certificate: &PeerCertificate,
    authorities: &ClientAuthorities,
    subject: &SubjectName,
    now: UnixTime,
) -> Result<VerifiedCertificate, CertificateError> {
    let (own, intermediates) = certificate.own_and_intermediates().ok_or(CertificateError::Malformed)?;
    let parsed = webpki::EndEntityCert::try_from(own).map_err(|_| CertificateError::Malformed)?;
    parsed
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &authorities.0,
            intermediates,
            rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_millis(now.millis())),
            webpki::KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|error| CertificateError::Chain { reason: error.to_string() })?;
    let names = der::names(own).ok_or(CertificateError::Malformed)?;
    if !subject.matches(&names) {
        return Err(CertificateError::Subject { kind: subject.kind() });
    }
    Ok(VerifiedCertificate { thumbprint: certificate.thumbprint })
}

/// Accepts a certificate that was registered (`self_signed_tls_client_auth`).
///
/// # Errors
/// `NotRegistered`.
// spec: 8705-AS2
pub fn verify_registered(
    certificate: &PeerCertificate,
    registered: &[CertificateThumbprint],
) -> Result<VerifiedCertificate, CertificateError> {
    if registered.contains(&certificate.thumbprint) {
        Ok(VerifiedCertificate { thumbprint: certificate.thumbprint })
    } else {
        Err(CertificateError::NotRegistered)
    }
}

#[cfg(test)]
mod tests;
