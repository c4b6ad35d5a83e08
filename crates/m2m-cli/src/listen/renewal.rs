//! Our own certificate, in two files that somebody renews while we serve.
//!
//! Enforces: a certificate is served only with its own key. While one file is new and the other is not, or one cannot
//! be read, the pair before goes on; where that lasts, it is said once.
//! Does not enforce: who signed the certificate or for which names; clients do. One that has expired is said in the log.
//! Limits: 64 KiB a file; looked at every 2 s.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use m2m_io::file::{Version, WatchedFile, read_file};
use m2m_io::{Clock, task};
use m2m_proto::client_auth::mutual_tls::{self, ClientAuthorities};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::exit::Failure;

const INTERVAL: Duration = Duration::from_secs(2);
const MAX_AUTHORITIES_BYTES: u64 = 1024 * 1024;

/// A pair of files, and what stood in them when they last belonged together.
#[derive(Debug)]
pub struct RenewedCertificate {
    chain: WatchedFile,
    key: WatchedFile,
    served: RwLock<Served>,
}

#[derive(Debug)]
struct Served {
    pair: Arc<CertifiedKey>,
    versions: [Version; 2],
}

/// What a look at the files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing else than before.
    Same,
    /// Another certificate, which new connections get from now on.
    Renewed,
}

impl RenewedCertificate {
    /// Reads both files.
    ///
    /// # Errors
    /// Exit 3, naming the file: it cannot be read or parsed, or the key is another certificate's.
    pub fn load(chain: PathBuf, key: PathBuf) -> Result<Arc<Self>, Failure> {
        let (chain, key) = (WatchedFile::new(chain), WatchedFile::new(key));
        let (pair, versions) = read(&chain, &key).map_err(Failure::configuration)?;
        let served = RwLock::new(Served { pair: Arc::new(pair), versions });
        Ok(Arc::new(Self { chain, key, served }))
    }

    /// Looks at the files again. Blocks on the file system.
    ///
    /// # Errors
    /// Why what is there now cannot be served; what was served before goes on.
    pub fn look(&self) -> Result<Look, String> {
        let (pair, versions) = read(&self.chain, &self.key)?;
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        if served.versions == versions {
            return Ok(Look::Same);
        }
        *served = Served { pair: Arc::new(pair), versions };
        Ok(Look::Renewed)
    }

    /// Looks every 2 s, and says what changed. Never ends; spawn it as a task.
    pub async fn watch(self: Arc<Self>, clock: Arc<dyn Clock>) {
        let mut failures = 0_u32;
        self.tell_expiry(clock.as_ref());
        loop {
            clock.sleep(INTERVAL).await;
            let own = Arc::clone(&self);
            let looked = task::blocking("certificate files", move || own.look()).await;
            failures = if matches!(looked, Some(Err(_))) { failures.saturating_add(1) } else { 0 };
            match looked {
                Some(Ok(Look::Renewed)) => {
                    tracing::info!("the renewed certificate is served");
                    self.tell_expiry(clock.as_ref());
                }
                // One file is a moment older than the other in every renewal: said at the second look, and once.
                Some(Err(problem)) if failures == 2 => {
                    tracing::warn!(%problem, "the certificate files cannot be used; the ones before go on");
                }
                _ => {}
            }
        }
    }

    fn tell_expiry(&self, clock: &dyn Clock) {
        let pair = self.pair();
        let Some((_, until)) = pair.cert.first().and_then(|leaf| mutual_tls::validity(leaf)) else { return };
        let (until, expired) = (until.date(), until <= clock.wall());
        if expired {
            tracing::warn!(until, "the certificate of this server has expired");
        } else {
            tracing::info!(until, "certificate loaded");
        }
    }

    fn pair(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner).pair)
    }
}

impl ResolvesServerCert for RenewedCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair())
    }
}

fn read(chain: &WatchedFile, key: &WatchedFile) -> Result<(CertifiedKey, [Version; 2]), String> {
    let wrong = |file: &WatchedFile, problem: &str| format!("{}: {problem}", file.path().display());
    let unread = |file: &WatchedFile, error: io::Error| wrong(file, &error.to_string());
    let (chain_version, chain_file) = chain.read().map_err(|error| unread(chain, error))?;
    let (key_version, key_file) = key.read().map_err(|error| unread(key, error))?;
    let certificates = certificates(chain_file.secret.expose())
        .ok_or_else(|| wrong(chain, "expected certificates in PEM (BEGIN CERTIFICATE)"))?;
    let private = PrivateKeyDer::from_pem_slice(key_file.secret.expose())
        .map_err(|_| wrong(key, "expected a private key in PEM (BEGIN PRIVATE KEY)"))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(certificates, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            wrong(key, &format!("this is not the key of the certificate in {}", chain.path().display()))
        }
        error => wrong(key, &error.to_string()),
    })?;
    Ok((pair, [chain_version, key_version]))
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

/// The authorities of client certificates in a PEM file.
///
/// # Errors
/// Exit 3, naming the file.
pub fn authorities(path: &Path) -> Result<ClientAuthorities, Failure> {
    let wrong = |problem: String| Failure::configuration(format!("{}: {problem}", path.display()));
    let pem = read_file(path, MAX_AUTHORITIES_BYTES).map_err(|error| wrong(error.to_string()))?;
    let certificates = certificates(&pem)
        .ok_or_else(|| wrong("expected certificates in PEM (BEGIN CERTIFICATE)".to_owned()))?;
    ClientAuthorities::from_der(certificates.iter().map(AsRef::as_ref))
        .map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use m2m_io::SystemClock;

    use super::*;
    use crate::certificate::{Authority, Certified, Wish};

    fn issued() -> Certified {
        let wish = Wish {
            subject: "localhost".to_owned(),
            names: vec!["localhost".to_owned()],
            not_before: SystemClock.wall(),
            valid_for: Duration::from_secs(60),
        };
        Authority::generate(&wish).unwrap().issue(&wish).unwrap()
    }

    struct Files {
        _directory: tempfile::TempDir,
        chain: PathBuf,
        key: PathBuf,
    }

    impl Files {
        fn of(issued: &Certified) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (chain, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
            let files = Self { _directory: directory, chain, key };
            files.chain(issued);
            files.key(issued);
            files
        }

        fn chain(&self, issued: &Certified) {
            std::fs::write(&self.chain, &issued.certificate_pem).unwrap();
        }

        fn key(&self, issued: &Certified) {
            std::fs::write(&self.key, issued.key_pem.expose()).unwrap();
        }

        fn load(&self) -> Result<Arc<RenewedCertificate>, Failure> {
            RenewedCertificate::load(self.chain.clone(), self.key.clone())
        }
    }

    #[test]
    fn a_renewed_pair_is_served_and_half_of_one_is_not() {
        let (first, second) = (issued(), issued());
        let files = Files::of(&first);
        let own = files.load().unwrap();
        let served = || own.pair().cert[0].to_vec();
        assert_eq!(own.look(), Ok(Look::Same));
        files.chain(&second);
        assert!(own.look().unwrap_err().contains("this is not the key of the certificate"));
        assert_eq!(served(), first.certificate_der);
        files.key(&second);
        assert_eq!(own.look(), Ok(Look::Renewed));
        assert_eq!(served(), second.certificate_der);
        assert_eq!(own.look(), Ok(Look::Same));
        std::fs::remove_file(&files.key).unwrap();
        assert!(own.look().is_err());
        assert_eq!(served(), second.certificate_der);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let (first, second) = (issued(), issued());
        let check = |files: &Files, expect: &str| {
            let failure = files.load().unwrap_err();
            assert_eq!(failure.exit(), crate::exit::Exit::Configuration);
            assert!(failure.message().contains(expect), "{}", failure.message());
        };
        let files = Files::of(&first);
        files.key(&second);
        check(&files, "k.pem: this is not the key of the certificate in");
        std::fs::write(&files.key, "no key").unwrap();
        check(&files, "k.pem: expected a private key");
        std::fs::write(&files.chain, "no certificate").unwrap();
        check(&files, "c.pem: expected certificates");
        std::fs::remove_file(&files.chain).unwrap();
        check(&files, "c.pem: No such file");
        assert!(authorities(&files.key).unwrap_err().message().contains("k.pem: expected certificates"));
    }
}
