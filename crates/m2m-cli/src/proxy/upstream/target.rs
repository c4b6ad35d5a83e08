//! Where the program is: `http://`, `https://`, `h2c://` (HTTP/2 without TLS, for gRPC) or `unix:PATH`.
//!
//! Enforces: a place and no more: no path, no query, no user information; over TLS the roots of this machine, or the
//! ones that are named.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use m2m_io::Clock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::super::hop::Next;
use super::connect::{Connector, Place};

const EXPECTED: &str = "expected http://HOST:PORT, https://HOST, h2c://HOST:PORT or unix:/PATH";
const MAX_ROOTS_BYTES: u64 = 1024 * 1024;

/// Where the program is.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    place: Arc<Place>,
    authority: Authority,
    security: Security,
    next: Next,
}

#[derive(Clone, Debug)]
enum Security {
    Plain,
    Tls(Arc<ClientConfig>, ServerName<'static>),
}

impl Target {
    /// Parses the place; `roots` is a PEM file of authorities that are believed besides none other.
    ///
    /// # Errors
    /// What is expected; a file that cannot be used.
    pub(crate) fn parse(text: &str, roots: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::local(Path::new(path));
        }
        let uri: Uri = text.parse().map_err(|_| EXPECTED.to_owned())?;
        let authority = uri.authority().ok_or(EXPECTED)?;
        let is_bare =
            matches!(uri.path_and_query().map(http::uri::PathAndQuery::as_str), None | Some("/" | ""));
        if !is_bare || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(format!("{EXPECTED}, and nothing behind it"));
        }
        let (port, next) = match uri.scheme_str() {
            Some("http") => (80, Next::Http1),
            Some("h2c") => (80, Next::Http2),
            Some("https") => (443, Next::Http1),
            _ => return Err(EXPECTED.to_owned()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let security = if uri.scheme_str() == Some("https") {
            let name = ServerName::try_from(host.clone()).map_err(|_| EXPECTED.to_owned())?;
            Security::Tls(Arc::new(config(roots)?), name)
        } else {
            Security::Plain
        };
        let place = Arc::new(Place::Tcp(host, authority.port_u16().unwrap_or(port)));
        Ok(Self { place, authority: authority.clone(), security, next })
    }

    #[cfg(unix)]
    fn local(path: &Path) -> Result<Self, String> {
        if !path.is_absolute() {
            return Err(format!("{EXPECTED}; the path of a socket begins with /"));
        }
        let place = Arc::new(Place::Unix(PathBuf::from(path)));
        let authority = Authority::from_static("localhost");
        Ok(Self { place, authority, security: Security::Plain, next: Next::Http1 })
    }

    #[cfg(not(unix))]
    fn local(_: &Path) -> Result<Self, String> {
        Err("local sockets are not there on this system".to_owned())
    }

    /// The authority in targets: it keys the pool, and is `Host` where the client says none.
    pub(super) fn stand_in(&self) -> Authority {
        self.authority.clone()
    }

    pub(super) fn scheme(&self) -> &'static str {
        if matches!(self.security, Security::Tls(..)) { "https" } else { "http" }
    }

    pub(super) fn next(&self) -> Next {
        self.next
    }

    pub(super) fn connector(self, clock: Arc<dyn Clock>, timeout: Duration) -> Connector {
        let tls = match self.security {
            Security::Plain => None,
            Security::Tls(config, name) => Some((config, name)),
        };
        Connector { place: self.place, tls, clock, timeout }
    }
}

/// HTTP/1.1 only: which protocol a request goes by is known before it is built.
fn config(roots: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match roots {
        None => builder.with_platform_verifier().map_err(|error| error.to_string())?.with_no_client_auth(),
        Some(path) => builder.with_root_certificates(named(path)?).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn named(path: &Path) -> Result<RootCertStore, String> {
    let wrong = |problem: &str| format!("{}: {problem}", path.display());
    let pem = m2m_io::file::read_file(path, MAX_ROOTS_BYTES).map_err(|error| wrong(&error.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| wrong("expected certificates in PEM"))?;
        store.add(certificate).map_err(|error| wrong(&error.to_string()))?;
    }
    if store.is_empty() {
        return Err(wrong("expected certificates in PEM (BEGIN CERTIFICATE)"));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_place_and_no_more() {
        for text in ["http://127.0.0.1:3000", "http://app.internal/", "h2c://app:50051", "unix:/run/app.sock"]
        {
            assert!(Target::parse(text, None).is_ok(), "{text}");
        }
        assert!(Target::parse("http://[::1]:3000", None).is_ok());
        for text in [
            "app:3000",
            "ftp://app",
            "http://",
            "http://app/base",
            "http://app/?a",
            "http://u@app",
            "unix:app",
        ] {
            let error = Target::parse(text, None).unwrap_err();
            assert!(error.starts_with("expected http://"), "{text}: {error}");
        }
    }
}
