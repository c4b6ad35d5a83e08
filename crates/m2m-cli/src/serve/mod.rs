//! `m2m serve`: an authorization server with its own sockets, or behind a proxy.
//!
//! [`settings`] (flags, file, rules) → sockets → [`open`] (the store and the server) → [`running`] (listeners and tasks,
//! until a signal). What the server decides is decided in `m2m-authorization-server`; here is what surrounds it: TLS,
//! who called ([`forwarded`]), metrics, the end.

mod check;
pub(crate) mod database;
pub(crate) mod dev;
pub(crate) mod exposition;
mod file;
pub(crate) mod forwarded;
pub(crate) mod founding;
pub(crate) mod key;
pub(crate) mod network;
pub(crate) mod open;
mod pkcs11;
mod running;
pub(crate) mod settings;
pub(crate) mod sockets;
pub(crate) mod sqlite;
pub(crate) mod stated;

use m2m_authorization_server::MutualTls;
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::Surroundings;
use crate::exit::{Exit, Failure};
use crate::listen::{Signals, authorities};
use exposition::Exposition;
use forwarded::{CertificateHeader, TrustedProxies};
use running::{Ending, Running};
use settings::{ClientCertificates, Settings};
use sockets::Sockets;

/// Serves until a signal.
///
/// # Errors
/// Exit 3: files, ports, a database; exit 4: a secret that cannot be read.
pub(crate) async fn run(
    settings: &Settings,
    mut signals: Signals,
    around: &Surroundings,
) -> Result<Exit, Failure> {
    let (running, issuer) = tokio::select! {
        started = start(settings, around) => started?,
        // A database that does not answer must not hold up Ctrl-C.
        () = signals.next() => return Ok(Exit::Interrupted),
    };
    around.output.result(&format!("issuer {}", issuer.as_str()))?;
    around.output.result(&format!("ready {}", issuer.as_str()))?;
    running.until_stopped(signals, Ending { delay: settings.shutdown_delay, log: settings.log }, around).await
}

async fn start(settings: &Settings, around: &Surroundings) -> Result<(Running, Issuer), Failure> {
    let sockets = Sockets::bind(settings, around).await?;
    let issuer = match &settings.issuer {
        Some(issuer) => issuer.clone(),
        None => Issuer::parse(&sockets.default_issuer()).map_err(internal)?,
    };
    let exposition = Exposition::install()?;
    let certificates = settings.certificates.as_ref();
    let mutual_tls = certificates
        .map(|certificates| mutual_tls(certificates, &issuer, sockets.mutual_tls_port()))
        .transpose()?;
    let opened = open::open(settings, issuer.clone(), mutual_tls, around).await?;
    opened.prepare(settings.log, around).await?;
    let header = certificates.map_or(CertificateHeader::Ignored, |certificates| certificates.header);
    let proxies = TrustedProxies::new(settings.trusted_proxies.clone(), header);
    Ok((Running::start(opened, sockets, proxies, exposition, around), issuer))
}

/// Who vouches for client certificates, and where the endpoints are that take them.
fn mutual_tls(
    certificates: &ClientCertificates,
    issuer: &Issuer,
    port: Option<u16>,
) -> Result<MutualTls, Failure> {
    let mut mutual_tls = MutualTls::default();
    if let Some(path) = &certificates.authorities {
        mutual_tls = mutual_tls.authorities(authorities(path)?);
    }
    let base = match (&certificates.base, port) {
        (Some(base), _) => Some(base.clone()),
        (None, Some(port)) => {
            let path = issuer.endpoint().path().trim_end_matches('/');
            let text = format!("https://{}:{port}{path}", issuer.origin().host());
            Some(EndpointUri::parse(&text).map_err(internal)?)
        }
        (None, None) => None,
    };
    Ok(match base {
        Some(base) => mutual_tls.alias_base(base),
        None => mutual_tls,
    })
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}

#[cfg(test)]
mod tests;
