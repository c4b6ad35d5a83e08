//! What trusted proxies say about a request: who sent it, and with which client certificate.
//!
//! Sections: RFC 7239 §4, §7.4 (and `X-Forwarded-For`, which says the same); RFC 9440 §2
//! Enforces: nobody but a peer in `trusted_proxies` is listened to; of the addresses in a header, the rightmost that
//! is not itself a trusted proxy counts, because whoever called may have written all to the left of it; where both
//! headers of addresses are there, they agree (a proxy that writes one lets strangers write the other); a
//! certificate is whole or the request is answered with 400, never taken for one without; a proxy's own certificate
//! speaks for nobody. Whoever the peer is, the router sees none of the four headers.
//! Does not enforce: that the proxy removes a stranger's `Client-Cert`; RFC 9440 §2.4 asks that of it.
//! Limits: 32 addresses are looked at; certificates as in [`PeerCertificate`].

mod address;
mod certificate;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Request, StatusCode};
use m2m_authorization_server::ClientAddress;
use m2m_io::Network;
use m2m_proto::client_auth::mutual_tls::PeerCertificate;

/// Headers that a proxy writes, in lower case as crate `http` wants them.
mod name {
    pub(super) const FORWARDED: &str = "forwarded";
    pub(super) const X_FORWARDED_FOR: &str = "x-forwarded-for";
    pub(super) const CLIENT_CERT: &str = "client-cert";
    pub(super) const CLIENT_CERT_CHAIN: &str = "client-cert-chain";
    pub(super) const ALL: [&str; 4] = [FORWARDED, X_FORWARDED_FOR, CLIENT_CERT, CLIENT_CERT_CHAIN];
}

/// Whose headers count, and which.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
    certificates: CertificateHeader,
    said: Arc<AtomicBool>,
}

/// Whether certificates come in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CertificateHeader {
    /// `Client-Cert` is not looked at.
    #[default]
    Ignored,
    /// `Client-Cert` of a trusted proxy is the client's certificate.
    Read,
}

/// Why a proxy's header was not understood. Says nothing of what stood in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Of the two headers of addresses.
    Address(&'static str),
    /// Of the two headers of certificates.
    Certificate(&'static str),
}

impl Malformed {
    fn text(self) -> String {
        let (header, problem) = match self {
            Self::Address(problem) => ("the proxy's Forwarded or X-Forwarded-For", problem),
            Self::Certificate(problem) => ("the proxy's Client-Cert or Client-Cert-Chain", problem),
        };
        format!("{header}: {problem}\n")
    }
}

impl TrustedProxies {
    /// These networks.
    pub(crate) fn new(networks: Vec<Network>, certificates: CertificateHeader) -> Self {
        Self { networks, certificates, said: Arc::default() }
    }

    /// Whom they are: peers that speak for many.
    pub(crate) fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Whether this peer's headers count.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The client behind `peer`.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Malformed> {
        let trusts = |address| self.trusts(address);
        let standard = address::standard(headers, peer, trusts)?;
        let usual = address::usual(headers, peer, trusts)?;
        match (standard, usual) {
            (Some(one), Some(other)) if one != other => {
                Err(Malformed::Address("the two disagree; the proxy should write one and remove the other"))
            }
            (one, other) => Ok(one.or(other).unwrap_or(peer)),
        }
    }

    /// Settles who calls before the router sees the request. The answer, where that cannot be understood.
    pub(crate) fn settle<B>(&self, request: &mut Request<B>) -> Option<Response> {
        let malformed = self.believe(request).err()?.text();
        let reason = malformed.trim_end();
        // A stranger can make a careless proxy pass such a header on as often as he likes: said once, loudly.
        if self.said.swap(true, Ordering::Relaxed) {
            tracing::debug!(reason, "a trusted proxy sent what cannot be understood");
        } else {
            tracing::warn!(reason, "a trusted proxy sent what cannot be understood; said once");
        }
        Some((StatusCode::BAD_REQUEST, malformed).into_response())
    }

    // spec: 8705-RS2
    fn believe<B>(&self, request: &mut Request<B>) -> Result<(), Malformed> {
        let peer = request.extensions().get::<ClientAddress>().map(|address| address.0.to_canonical());
        if let Some(peer) = peer {
            let mut client = peer;
            if self.trusts(peer) {
                client = self.client(peer, request.headers())?;
                request.extensions_mut().remove::<PeerCertificate>();
                if self.certificates == CertificateHeader::Read
                    && let Some(certificate) = certificate::of(request.headers())?
                {
                    request.extensions_mut().insert(certificate);
                }
            }
            request.extensions_mut().insert(ClientAddress(client));
        }
        for name in name::ALL {
            request.headers_mut().remove(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
