//! What the clients of the peer own: keys, certificates, and the server's setup
//! made from their public halves.

use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_testkit::peers::{self, Peer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::{Map, Value, json};

use crate::peer::{Shell, public_jwk};

/// The algorithms of private_key_jwt that the peer takes.
pub(crate) const ALGORITHMS: &[Algorithm] =
    &[Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

const CLIENT_DNS: &str = "svc.orders.example";

/// A running peer and everything its clients hold.
pub(crate) struct Party {
    pub(crate) server: Peer,
    /// Where the binary runs.
    pub(crate) shell: Shell,
    /// PEM of the authority that signed the server's and one client's certificate.
    pub(crate) ca: String,
    pub(crate) signed: Certificate,
    pub(crate) self_signed: Certificate,
    keys: Vec<(Algorithm, SigningKey)>,
}

/// A certificate and its private key, PEM.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Party {
    /// `None`, said on stderr, where the peer is not there.
    pub(crate) fn start() -> Option<Self> {
        let keys: Vec<_> = ALGORITHMS.iter().map(|alg| (*alg, SigningKey::generate(*alg).unwrap())).collect();
        let ca = authority();
        let server_certificate = issue(&ca, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let signed = issue(&ca, CLIENT_DNS, ExtendedKeyUsagePurpose::ClientAuth);
        let (self_signed, self_signed_jwk) = self_signed();
        let jwks: Map<String, Value> =
            keys.iter().map(|(alg, key)| (alg.name().to_owned(), public_jwk(key))).collect();
        let server = Peer::start(
            peers::OIDC_PROVIDER,
            &json!({
                "keys": jwks,
                "tls": {
                    "certificate": server_certificate.chain,
                    "key": server_certificate.key,
                    "client_ca": ca.pem(),
                    "ca_client_dns": CLIENT_DNS,
                    "self_signed": self_signed_jwk,
                },
            }),
        )?;
        Some(Self { server, shell: Shell::new(), ca: ca.pem(), signed, self_signed, keys })
    }

    pub(crate) fn key(&self, algorithm: Algorithm) -> &SigningKey {
        &self.keys.iter().find(|(alg, _)| *alg == algorithm).unwrap().1
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "peer test authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(ca: &CertifiedIssuer<'_, KeyPair>, name: &str, usage: ExtendedKeyUsagePurpose) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let chain = params.signed_by(&key, ca).unwrap().pem();
    Certificate { chain, key: key.serialize_pem() }
}

/// A self-signed client certificate and the JWK, with `x5c`, that registers it.
fn self_signed() -> (Certificate, Value) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([CLIENT_DNS.to_owned()]).unwrap().self_signed(&key).unwrap();
    let signing = SigningKey::from_pkcs8_pem(key.serialize_pem().as_bytes(), None).unwrap();
    let mut jwk = public_jwk(&signing);
    let pem = certificate.pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    jwk["x5c"] = json!([base64]);
    (Certificate { chain: pem, key: key.serialize_pem() }, jwk)
}
