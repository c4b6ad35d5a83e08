//! X.509 certificates that we make: self-signed ones for clients, and the little authority of the demo.

use std::time::Duration;

use m2m_proto::jose::SigningKey;
use m2m_proto::time::UnixTime;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::exit::Failure;

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Common name.
    pub subject: String,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// First second of validity.
    pub not_before: UnixTime,
    /// How long it is valid.
    pub valid_for: Duration,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate_pem: String,
    /// The certificate in DER.
    pub certificate_der: Vec<u8>,
    /// The private key, PKCS#8.
    pub key_pem: m2m_proto::secret::SecretString,
}

/// A certificate for this key, signed by the same key.
///
/// # Errors
/// When the name cannot stand in a certificate, or the key's algorithm cannot sign one.
pub fn self_signed(wish: &Wish, key: &SigningKey) -> Result<Certified, Failure> {
    let pem = key.to_pkcs8_pem().map_err(|error| Failure::internal(error.to_string()))?;
    let pair = KeyPair::from_pem(pem.expose()).map_err(wrong)?;
    let certificate = params(wish)?.self_signed(&pair).map_err(wrong)?;
    Ok(Certified {
        certificate_pem: certificate.pem(),
        certificate_der: certificate.der().to_vec(),
        key_pem: pem,
    })
}

/// The public half of this key as PEM (SubjectPublicKeyInfo).
///
/// # Errors
/// When the key cannot be exported.
pub fn public_pem(key: &SigningKey) -> Result<String, Failure> {
    let pem = key.to_pkcs8_pem().map_err(|error| Failure::internal(error.to_string()))?;
    Ok(KeyPair::from_pem(pem.expose()).map_err(wrong)?.public_key_pem())
}

/// An authority that lives as long as the process: its key is never written.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate_der: Vec<u8>,
}

impl Authority {
    /// A fresh authority of this name.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn generate(wish: &Wish) -> Result<Self, Failure> {
        let mut params = params(wish)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = Vec::new();
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = params.self_signed(&key).map_err(wrong)?;
        let (certificate_pem, certificate_der) = (certificate.pem(), certificate.der().to_vec());
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem, certificate_der })
    }

    /// A certificate for a fresh key.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue(&self, wish: &Wish) -> Result<Certified, Failure> {
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = params(wish)?.signed_by(&key, &self.issuer).map_err(wrong)?;
        Ok(Certified {
            certificate_pem: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            key_pem: m2m_proto::secret::SecretString::new(key.serialize_pem()),
        })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's own certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate_der
    }
}

fn params(wish: &Wish) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(wish.names.clone()).map_err(wrong)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, wish.subject.clone());
    params.not_before = date(wish.not_before)?;
    params.not_after = date(wish.not_before.saturating_add(wish.valid_for))?;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn date(time: UnixTime) -> Result<OffsetDateTime, Failure> {
    let seconds = i64::try_from(time.seconds()).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.ok_or_else(|| Failure::usage("the certificate's dates are out of range"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn wrong(error: rcgen::Error) -> Failure {
    Failure::usage(format!("cannot make the certificate: {error}"))
}
