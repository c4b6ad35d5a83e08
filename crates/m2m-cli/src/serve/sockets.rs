//! The sockets of a server, bound before anything else: their ports may be part of names, and a taken port is said
//! before a database is touched.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::Surroundings;
use crate::exit::Failure;
use crate::listen::{Asks, Listener, RenewedCertificate, renewed_config};
use crate::serve::settings::Settings;

/// Bound, not yet served.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) main: Listener,
    /// Asks for client certificates.
    pub(crate) mutual_tls: Option<Listener>,
    pub(crate) metrics: Option<Listener>,
    /// What the TLS listeners show, to be looked at now and then.
    pub(crate) own: Option<Arc<RenewedCertificate>>,
}

impl Sockets {
    /// Reads the certificate and binds every address.
    ///
    /// # Errors
    /// Exit 3: a file that cannot be used, an address that is taken or not ours.
    pub(crate) async fn bind(settings: &Settings, around: &Surroundings) -> Result<Self, Failure> {
        let own = match &settings.tls {
            Some(files) => Some(RenewedCertificate::load(files.cert.clone(), files.key.clone())?),
            None => None,
        };
        let mtls_listen = settings.certificates.as_ref().and_then(|certificates| certificates.listen);
        Ok(Self {
            main: secured(bind(settings.listen, around).await?, own.as_ref(), Asks::ForNothing)?,
            mutual_tls: match mtls_listen {
                Some(address) => {
                    Some(secured(bind(address, around).await?, own.as_ref(), Asks::ForCertificates)?)
                }
                None => None,
            },
            metrics: match settings.metrics_listen {
                Some(address) => Some(bind(address, around).await?),
                None => None,
            },
            own,
        })
    }

    /// One listener on loopback, in the clear.
    pub(crate) async fn plain(address: SocketAddr, around: &Surroundings) -> Result<Self, Failure> {
        Ok(Self { main: bind(address, around).await?, mutual_tls: None, metrics: None, own: None })
    }

    /// The main listener's own address as a URL.
    pub(crate) fn default_issuer(&self) -> String {
        let scheme = if self.own.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.main.address())
    }

    /// The port that asks for client certificates.
    pub(crate) fn mutual_tls_port(&self) -> Option<u16> {
        self.mutual_tls.as_ref().map(|listener| listener.address().port())
    }
}

/// Speaks TLS with this certificate, if there is one.
///
/// # Errors
/// Only when the crypto library has no safe protocol version.
pub(crate) fn secured(
    listener: Listener,
    own: Option<&Arc<RenewedCertificate>>,
    asks: Asks,
) -> Result<Listener, Failure> {
    let Some(own) = own else { return Ok(listener) };
    let config =
        renewed_config(Arc::clone(own), asks).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(listener.tls(config))
}

/// A listener there.
///
/// # Errors
/// Exit 3: the address is taken or not ours.
pub(crate) async fn bind(address: SocketAddr, around: &Surroundings) -> Result<Listener, Failure> {
    Listener::bind(address, Arc::clone(&around.clock)).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= of a systemd unit), or a proxy"
            }
            _ => "another address, or port 0 for a free one; the main one is --listen",
        };
        Failure::configuration(format!("cannot listen on {address}: {error}")).hint(hint)
    })
}
