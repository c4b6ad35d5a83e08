//! What flags and file say, before it is put together and judged: all optional, nothing checked against the rest.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum as _;
use m2m_io::Network;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer};

use super::database::Database;
use super::pkcs11::HeldKey;
use crate::args::{LogFormat, Serve};
use crate::exit::Failure;
use crate::settings::secret::SecretReference;

/// The keys of `m2m-server.toml`, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stated {
    pub(crate) issuer: Option<Issuer>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) database: Option<Database>,
    pub(crate) sealing_key: Option<SecretReference>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) mtls_listen: Option<SocketAddr>,
    pub(crate) mtls_base: Option<EndpointUri>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) behind_tls_proxy: bool,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) client_cert_header: bool,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log: Option<LogFormat>,
    pub(crate) console: Option<bool>,
    pub(crate) dpop_nonce: bool,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) shutdown_delay: Duration,
    pub(crate) issuer_files: Vec<PathBuf>,
    pub(crate) egress: Vec<String>,
    pub(crate) pkcs11: Vec<HeldKey>,
    pub(crate) tuning: Tuning,
}

/// What is handed to the server as it is; `None` is its own default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuning {
    pub(crate) audit: Option<Audit>,
    pub(crate) audit_retention: Option<Duration>,
    pub(crate) replay: Option<Replay>,
    pub(crate) max_staleness: Option<Duration>,
    pub(crate) snapshot_max_age: Option<Duration>,
    pub(crate) status_ttl: Option<Duration>,
}

/// Whether an answer waits for its audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    /// It does not; at most one batch can be lost.
    Batched,
    /// It does.
    Durable,
}

/// Where it is remembered which assertions and proofs were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// In this process.
    Node,
    /// In the database, for every node.
    Shared,
}

impl Stated {
    /// What was typed, over what the file says.
    ///
    /// # Errors
    /// Exit 2, naming the flag.
    pub(crate) fn typed_over(typed: &Serve, mut file: Self) -> Result<Self, Failure> {
        fn wins<T: Clone>(flag: Option<&T>, place: &mut Option<T>) {
            if let Some(value) = flag {
                *place = Some(value.clone());
            }
        }
        if let Some(text) = &typed.issuer {
            file.issuer = Some(issuer(text).map_err(|problem| wrong("--issuer", &problem))?);
        }
        if let Some(text) = &typed.database {
            let parsed = Database::parse(text, Path::new(""));
            file.database = Some(parsed.map_err(|problem| wrong("--database", &problem))?);
        }
        wins(typed.listen.as_ref(), &mut file.listen);
        wins(typed.tls_cert.as_ref(), &mut file.tls_cert);
        wins(typed.tls_key.as_ref(), &mut file.tls_key);
        wins(typed.mtls_listen.as_ref(), &mut file.mtls_listen);
        wins(typed.client_ca.as_ref(), &mut file.client_ca);
        wins(typed.metrics_listen.as_ref(), &mut file.metrics_listen);
        wins(typed.log.as_ref(), &mut file.log);
        file.behind_tls_proxy |= typed.behind_tls_proxy;
        Ok(file)
    }
}

fn wrong(flag: &str, problem: &str) -> Failure {
    Failure::usage(format!("{flag}: {problem}")).hint("`m2m serve --help` says what each setting is")
}

/// An issuer identifier.
pub(crate) fn issuer(text: &str) -> Result<Issuer, String> {
    Issuer::parse(text).map_err(|error| format!("expected a URL such as https://login.example.com: {error}"))
}

/// Where clients reach a listener.
pub(crate) fn https(text: &str) -> Result<EndpointUri, String> {
    let expected = "expected a URL such as https://mtls.login.example.com";
    match EndpointUri::parse(text) {
        Ok(uri) if uri.is_https() => Ok(uri),
        Ok(_) => Err(expected.to_owned()),
        Err(error) => Err(format!("{expected}: {error}")),
    }
}

/// Where to listen.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("expected an IP address and a port such as 127.0.0.1:8400 or [::]:443, found {text:?}")
    })
}

/// How the log is written.
pub(crate) fn log(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_str(text, false).map_err(|_| format!("expected \"text\" or \"json\", found {text:?}"))
}

/// What the deployment holds itself to.
pub(crate) fn profile(text: &str) -> Result<SecurityProfile, String> {
    SecurityProfile::parse(text).ok_or_else(|| {
        let names = SecurityProfile::ALL.map(|profile| format!("\"{profile}\"")).join(" or ");
        format!("expected {names}, found {text:?}")
    })
}

/// How the audit is written.
pub(crate) fn audit(text: &str) -> Result<Audit, String> {
    match text {
        "batched" => Ok(Audit::Batched),
        "durable" => Ok(Audit::Durable),
        _ => Err(format!("expected \"batched\" or \"durable\", found {text:?}")),
    }
}

/// Where the replay memory is.
pub(crate) fn replay(text: &str) -> Result<Replay, String> {
    match text {
        "node" => Ok(Replay::Node),
        "shared" => Ok(Replay::Shared),
        _ => Err(format!("expected \"node\" or \"shared\", found {text:?}")),
    }
}
