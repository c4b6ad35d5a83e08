//! What the server is to do: flags over the file over defaults, put together and judged by [`check`].
//!
//! Nothing is opened here but the file of settings itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use m2m_io::Network;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer};

use super::database::Database;
use super::forwarded::CertificateHeader;
use super::pkcs11::HeldKey;
use super::stated::{Stated, Tuning};
use super::{check, file, stated};
use crate::Surroundings;
use crate::args::{LogFormat, Serve};
use crate::exit::Failure;
use crate::settings::search;
use crate::settings::secret::SecretReference;

/// Where to listen where nobody says.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8400);

/// Settings that passed every check that needs no file and no socket.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `None`: the address of the main listener.
    pub(crate) issuer: Option<Issuer>,
    pub(crate) listen: SocketAddr,
    pub(crate) database: Database,
    pub(crate) sealing_key: Option<SecretReference>,
    pub(crate) tls: Option<OwnTls>,
    /// `None`: certificates are not looked at.
    pub(crate) certificates: Option<ClientCertificates>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// `None`: `/metrics` is on the main listener.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log: LogFormat,
    /// Whether `/console/` is answered.
    pub(crate) console: bool,
    pub(crate) dpop_nonce: bool,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) shutdown_delay: Duration,
    /// Directories whose files trusted issuers may name.
    pub(crate) issuer_files: Vec<PathBuf>,
    pub(crate) egress: Vec<String>,
    /// Signing keys that a security module holds.
    pub(crate) pkcs11: Vec<HeldKey>,
    pub(crate) tuning: Tuning,
}

/// The files of our own certificate.
#[derive(Clone, Debug)]
pub(crate) struct OwnTls {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// How client certificates come, and who vouches for them.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificates {
    /// A listener that asks for them.
    pub(crate) listen: Option<SocketAddr>,
    /// Where clients reach the endpoints that take them.
    pub(crate) base: Option<EndpointUri>,
    /// Without it, self-signed certificates that are registered are the only ones.
    pub(crate) authorities: Option<PathBuf>,
    /// Whether trusted proxies hand them over in a header.
    pub(crate) header: CertificateHeader,
}

/// Reads the file that `--config` names, puts the flags over it and judges the whole.
///
/// # Errors
/// Exit 2 for a flag, exit 3 for the file and for what contradicts itself or is not safe.
pub(crate) fn read(typed: &Serve, around: &Surroundings) -> Result<Settings, Failure> {
    let file = match &around.global.config {
        None => Stated::default(),
        Some(path) => {
            let bytes = search::read(path)?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Failure::configuration(format!("{}: not UTF-8 text", path.display())))?;
            file::parse(path, text)?
        }
    };
    Settings::of(Stated::typed_over(typed, file)?)
}

/// How failures are written where settings could not be read: as typed, else as the file says, if so much of it can be
/// understood.
pub(crate) fn log(typed: &Serve, around: &Surroundings) -> LogFormat {
    let of_file = || {
        let text = search::read(around.global.config.as_ref()?).ok()?;
        let table: toml::Table = std::str::from_utf8(&text).ok()?.parse().ok()?;
        stated::log(table.get("log")?.as_str()?).ok()
    };
    typed.log.or_else(of_file).unwrap_or_default()
}

impl Settings {
    /// Judges what is stated, and fills in the defaults.
    ///
    /// # Errors
    /// Exit 3 for the first rule that is broken, with what to do.
    pub(crate) fn of(stated: Stated) -> Result<Self, Failure> {
        check::all(&stated)?;
        let certificates = ClientCertificates {
            listen: stated.mtls_listen,
            base: stated.mtls_base,
            authorities: stated.client_ca,
            header: if stated.client_cert_header {
                CertificateHeader::Read
            } else {
                CertificateHeader::Ignored
            },
        };
        let arrives = stated.client_cert_header || stated.mtls_listen.is_some();
        Ok(Self {
            issuer: stated.issuer,
            listen: stated.listen.unwrap_or(LISTEN),
            database: stated.database.unwrap_or_default(),
            sealing_key: stated.sealing_key,
            tls: stated.tls_cert.zip(stated.tls_key).map(|(cert, key)| OwnTls { cert, key }),
            certificates: arrives.then_some(certificates),
            trusted_proxies: stated.trusted_proxies,
            metrics_listen: stated.metrics_listen,
            log: stated.log.unwrap_or_default(),
            console: stated.console.unwrap_or(true),
            dpop_nonce: stated.dpop_nonce,
            security_profile: stated.security_profile,
            shutdown_delay: stated.shutdown_delay,
            issuer_files: stated.issuer_files,
            egress: stated.egress,
            pkcs11: stated.pkcs11,
            tuning: stated.tuning,
        })
    }
}
