//! The way to a server, step by step: proxy, name, connection, and the certificates that are shown.
//!
//! The engine's own HTTP client says only where it failed. Here each step is taken alone, by the same rules of proxies,
//! so that the first step that fails can be named. No credential of the client travels this way, and nothing that is
//! read is believed. Limits: 5 s a step, 8 KiB of a proxy's answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use m2m_io::Clock;
use m2m_io::reqwest::ProxyHop;
use m2m_proto::client_auth::mutual_tls::validity;
use m2m_proto::time::UnixTime;
use m2m_proto::uri::Origin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as TlsTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::facts::Reaction;
use crate::output::printable;

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_HEAD: usize = 8 * 1024;

/// Within the patience of a step, or the words for "too late".
async fn in_time<T>(clock: &dyn Clock, step: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::select! {
        done = step => done,
        () = clock.sleep(PATIENCE) => Err("no answer in time".to_owned()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn reason(error: std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// The addresses of a server's name.
pub(super) async fn addresses(clock: &dyn Clock, server: &Origin) -> Result<Vec<IpAddr>, String> {
    if let Some(address) = server.ip() {
        return Ok(vec![address]);
    }
    let found = in_time(clock, async {
        let found = tokio::net::lookup_host((server.host(), server.port())).await.map_err(reason)?;
        Ok(found.map(|address| address.ip()).collect::<Vec<_>>())
    });
    match found.await {
        Ok(none) if none.is_empty() => Err("the name has no address".to_owned()),
        found => found,
    }
}

/// A connection to the first of these addresses that takes one.
pub(super) async fn connect(
    clock: &dyn Clock,
    addresses: &[IpAddr],
    port: u16,
) -> Result<(TcpStream, SocketAddr), String> {
    let mut last = "there is no address".to_owned();
    for address in addresses.iter().take(4) {
        let address = SocketAddr::new(*address, port);
        match in_time(clock, async { TcpStream::connect(address).await.map_err(reason) }).await {
            Ok(stream) => return Ok((stream, address)),
            Err(reason) => last = format!("{address}: {reason}"),
        }
    }
    Err(last)
}

/// Asks a proxy to connect to the server: what it did, and the tunnel if there is one.
pub(super) async fn tunnel(
    clock: &dyn Clock,
    hop: &ProxyHop,
    server: &Origin,
) -> (Reaction, Option<TcpStream>) {
    let Ok(proxy) = Origin::of(&hop.uri) else { return (Reaction::NotAsked, None) };
    let found = match addresses(clock, &proxy).await {
        Ok(found) => found,
        Err(reason) => return (Reaction::Unreachable(reason), None),
    };
    let stream = match connect(clock, &found, proxy.port()).await {
        Ok((stream, _)) => stream,
        Err(reason) => return (Reaction::Unreachable(reason), None),
    };
    // In the clear a proxy takes requests instead; one that speaks TLS itself is left to the engine.
    if !server.is_https() || proxy.is_https() {
        return (Reaction::NotAsked, None);
    }
    match in_time(clock, ask(stream, hop, server)).await {
        Ok((Reaction::Connected, stream)) => (Reaction::Connected, Some(stream)),
        Ok((reaction, _)) => (reaction, None),
        Err(reason) => (Reaction::Unreachable(reason), None),
    }
}

async fn ask(
    mut stream: TcpStream,
    hop: &ProxyHop,
    server: &Origin,
) -> Result<(Reaction, TcpStream), String> {
    let target = format!("{}:{}", server.host(), server.port());
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = &hop.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(reason)?;
    let mut head = Vec::new();
    // One byte at a time: what follows the head belongs to the tunnel.
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    Ok((reaction(&String::from_utf8_lossy(&head)), stream))
}

/// Reads the head of an answer to CONNECT.
fn reaction(head: &str) -> Reaction {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| {
        let mut words = line.split(' ');
        let is_http = words.next()?.starts_with("HTTP/1.");
        words.next().filter(|_| is_http)?.parse::<StatusCode>().ok()
    });
    let Some(status) = status else { return Reaction::Garbage };
    if status.is_success() {
        return Reaction::Connected;
    }
    let content_type = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let media = value.split(';').next()?.trim();
        name.eq_ignore_ascii_case("content-type").then(|| printable(media).chars().take(64).collect())
    });
    Reaction::Refused { status, content_type }
}

/// The dates of the certificates that the server shows, its own first. Sends no certificate and no request.
pub(super) async fn certificates(
    clock: &dyn Clock,
    stream: TcpStream,
    server: &Origin,
) -> Vec<(UnixTime, UnixTime)> {
    let looking = Arc::new(Looking::new());
    let config = ClientConfig::builder_with_provider(Arc::clone(&looking.provider))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::<Looking>::clone(&looking)));
    let host = server.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if let (Ok(config), Ok(name)) = (config, ServerName::try_from(host)) {
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        // However it ends: what was shown is kept.
        let _ended =
            in_time(clock, async { connector.connect(name, stream).await.map(drop).map_err(reason) }).await;
    }
    looking.seen()
}

/// Looks at certificates instead of checking them. Only for connections that carry nothing.
#[derive(Debug)]
struct Looking {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Vec<(UnixTime, UnixTime)>>,
}

impl Looking {
    fn new() -> Self {
        Self { provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()), seen: Mutex::default() }
    }

    fn seen(&self) -> Vec<(UnixTime, UnixTime)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: TlsTime,
    ) -> Result<ServerCertVerified, Error> {
        let dates = std::iter::once(own).chain(intermediates).filter_map(|der| validity(der)).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = dates;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_connect() {
        let check = |head: &str, expect: Reaction| assert_eq!(reaction(head), expect, "{head}");
        let refused = |status: u16, media: Option<&str>| Reaction::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: media.map(str::to_owned),
        };
        check("HTTP/1.1 200 Connection established\r\n\r\n", Reaction::Connected);
        check("HTTP/1.0 200 OK\r\n\r\n", Reaction::Connected);
        check("HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n\r\n", refused(407, None));
        let page = "HTTP/1.1 403 No\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";
        check(page, refused(403, Some("text/html")));
        check("SSH-2.0-OpenSSH\r\n", Reaction::Garbage);
        check("", Reaction::Garbage);
    }
}
