//! Server certificates for whatever name a client asks for, made on the spot.
//!
//! Enforces: nothing; a certificate may be out of order on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::time::UnixTime;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::date;
use crate::certificates::{Authority, Flaw, Identity};

/// Which certificate a lab shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerCertificate {
    /// One for the name that is asked for.
    Valid,
    /// The same, but it ended in 2001.
    Expired,
    /// The same, but it ends at the start of the day that comes after this many days, UTC, by the system's clock.
    EndsInDays(u16),
    /// One for `wrong.invalid`.
    WrongName,
}

/// Makes certificates and keeps them.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Authority,
    kept: Mutex<BTreeMap<(String, ServerCertificate), Arc<CertifiedKey>>>,
}

impl Certificates {
    pub(super) fn new() -> Self {
        Self { authority: Authority::new("lab authority"), kept: Mutex::default() }
    }

    /// The authority's certificate, PEM.
    pub(super) fn pem(&self) -> String {
        self.authority.pem()
    }

    /// A certificate for a name; without one, for this machine.
    pub(super) fn of(&self, name: Option<&str>, kind: ServerCertificate, now: UnixTime) -> Arc<CertifiedKey> {
        let key = (name.unwrap_or_default().to_owned(), kind);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(key).or_insert_with(|| Arc::new(certified(&self.make(name, kind, now)))))
    }

    fn make(&self, name: Option<&str>, kind: ServerCertificate, now: UnixTime) -> Identity {
        let here = ["localhost", "127.0.0.1"];
        let names = name.as_ref().map_or(here.as_slice(), std::slice::from_ref);
        match kind {
            ServerCertificate::Valid => self.authority.server(names, Flaw::None),
            ServerCertificate::Expired => self.authority.server(names, Flaw::Expired),
            ServerCertificate::WrongName => self.authority.server(&["wrong.invalid"], Flaw::None),
            ServerCertificate::EndsInDays(days) => {
                let end = now.saturating_add(Duration::from_secs(86_400 * (u64::from(days) + 1)));
                self.authority.server(names, Flaw::EndsOn(date::civil(end)))
            }
        }
    }
}

fn certified(identity: &Identity) -> CertifiedKey {
    let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose()).expect("a key");
    CertifiedKey::from_der(chain.expect("a chain"), key, &aws_lc_rs::default_provider())
        .expect("a certificate with its key")
}

/// Chooses a certificate by the name in the handshake.
pub(super) trait ByName: std::fmt::Debug + Send + Sync {
    /// The certificate to show for this name.
    fn certificate(&self, name: Option<&str>) -> Arc<CertifiedKey>;
}

#[derive(Debug)]
struct Resolver<T>(Arc<T>);

impl<T: ByName> ResolvesServerCert for Resolver<T> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.certificate(hello.server_name()))
    }
}

/// TLS that shows what `chooser` says, on every handshake anew: no session is resumed.
pub(super) fn config(chooser: Arc<impl ByName + 'static>) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut config = builder.with_cert_resolver(Arc::new(Resolver(chooser)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

#[cfg(test)]
mod tests {
    use super::{Certificates, ServerCertificate};
    use crate::ManualClock;

    #[test]
    fn a_certificate_ends_when_it_should_and_is_made_once() {
        let certificates = Certificates::new();
        let make = |name, kind| certificates.of(name, kind, ManualClock::START);
        let holds = |kind, text: &str| {
            let made = make(Some("as.example"), kind);
            made.cert[0].windows(text.len()).any(|window| window == text.as_bytes())
        };
        // START is 22 November 2026, 10:40.
        assert!(holds(ServerCertificate::EndsInDays(0), "261123000000Z"));
        assert!(holds(ServerCertificate::EndsInDays(9), "261202000000Z"));
        assert!(holds(ServerCertificate::Expired, "010101000000Z"));
        assert!(
            holds(ServerCertificate::Valid, "as.example") && !holds(ServerCertificate::Valid, "01010100")
        );
        assert!(holds(ServerCertificate::WrongName, "wrong.invalid"));
        assert!(!holds(ServerCertificate::WrongName, "as.example"));
        let same = |name| {
            std::sync::Arc::ptr_eq(
                &make(name, ServerCertificate::Valid),
                &make(None, ServerCertificate::Valid),
            )
        };
        assert!(same(None) && !same(Some("as.example")));
    }
}
