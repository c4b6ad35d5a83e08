//! Certificates made on the spot: an authority, servers and clients it vouches for, and self-signed ones.

use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use m2m_proto::secret::SecretBytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority(..)")
    }
}

/// A certificate and its private key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub chain_pem: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The key, PKCS#8 PEM.
    pub key_pem: SecretBytes,
}

/// How a certificate is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is in order.
    None,
    /// It ended in 2001.
    Expired,
    /// It ends at the start of this day, UTC: year, month, day.
    EndsOn((i32, u8, u8)),
}

impl Authority {
    /// A fresh authority of this name.
    ///
    /// # Panics
    ///
    /// If certificates cannot be made, here and in all that follows.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    /// Its certificate, PEM: for a `ca_file`.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate, DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A server that goes by these names and addresses.
    #[must_use]
    pub fn server(&self, names: &[&str], flaw: Flaw) -> Identity {
        let mut params = named("server", names);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match flaw {
            Flaw::None => {}
            Flaw::Expired => {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            Flaw::EndsOn((year, month, day)) => params.not_after = date_time_ymd(year, month, day),
        }
        self.issue(&params)
    }

    /// A client with this common name and these alternative names.
    #[must_use]
    pub fn client(&self, name: &str, alternative: &[&str]) -> Identity {
        let mut params = named(name, alternative);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity::of(&certificate, &key)
    }
}

impl Identity {
    /// A client that vouches for itself (RFC 8705 section 2.2).
    ///
    /// # Panics
    ///
    /// If certificates cannot be made.
    #[must_use]
    pub fn self_signed(name: &str) -> Self {
        let key = key();
        Self::of(&named(name, &[]).self_signed(&key).expect("a certificate"), &key)
    }

    /// As a listener hands it on.
    ///
    /// # Panics
    ///
    /// If the certificate is too long, which none made here is.
    #[must_use]
    pub fn peer(&self) -> PeerCertificate {
        PeerCertificate::new(self.der.clone(), Vec::new()).expect("a short certificate")
    }

    pub(crate) fn of(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            chain_pem: certificate.pem(),
            der: certificate.der().to_vec(),
            key_pem: SecretBytes::new(key.serialize_pem().into_bytes()),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn named(name: &str, alternative: &[&str]) -> CertificateParams {
    let alternative = alternative.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(alternative).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[cfg(test)]
mod tests {
    use m2m_proto::client_auth::mutual_tls::{
        CertificateError, ClientAuthorities, SubjectName, verify_chain,
    };

    use super::{Authority, Identity};
    use crate::ManualClock;

    fn check(authority: &Authority, identity: &Identity, name: &str) -> Result<(), CertificateError> {
        let authorities = ClientAuthorities::from_der([authority.der().as_slice()]).unwrap();
        let name = SubjectName::Dns(name.to_owned());
        verify_chain(&identity.peer(), &authorities, &name, ManualClock::START).map(drop)
    }

    #[test]
    fn an_authority_vouches_for_its_clients_only() {
        let (ours, other) = (Authority::new("ours"), Authority::new("other"));
        let client = ours.client("app", &["app.example"]);
        check(&ours, &client, "app.example").unwrap();
        check(&ours, &client, "other.example").unwrap_err();
        check(&other, &client, "app.example").unwrap_err();
        check(&ours, &Identity::self_signed("app"), "app.example").unwrap_err();
    }
}
