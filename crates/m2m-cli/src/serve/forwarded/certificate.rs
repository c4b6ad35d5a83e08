//! Client certificates in `Client-Cert` and `Client-Cert-Chain` (RFC 9440 §2), as structured fields (RFC 8941).
//!
//! Enforces: `Client-Cert` is one byte sequence on one line, the chain a list of them; standard base64, padded or not,
//! with nothing behind it; no chain without a certificate; what is inside is an X.509 certificate.
//! Limits: 16 KiB a certificate, 8 in the chain.

use http::{HeaderMap, HeaderValue};
use m2m_proto::client_auth::mutual_tls::{self, MAX_CERTIFICATE_BYTES, MAX_INTERMEDIATES, PeerCertificate};
use m2m_proto::jose::base64url;

use super::{Malformed, name};

/// The certificate that the proxy hands over, if there is one.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<PeerCertificate>, Malformed> {
    let wrong = |problem| Err(Malformed::Certificate(problem));
    let mut lines = headers.get_all(name::CLIENT_CERT).iter();
    let Some(line) = lines.next() else {
        return match headers.contains_key(name::CLIENT_CERT_CHAIN) {
            false => Ok(None),
            true => wrong("a chain without a certificate"),
        };
    };
    if lines.next().is_some() {
        return wrong("there is more than one");
    }
    let own = byte_sequence(text(line)?)?;
    if mutual_tls::validity(&own).is_none() {
        return wrong("this is no X.509 certificate");
    }
    match PeerCertificate::new(own, chain(headers)?) {
        Ok(certificate) => Ok(Some(certificate)),
        Err(_) => wrong("a certificate is too long, or the chain is"),
    }
}

fn chain(headers: &HeaderMap) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut chain = Vec::new();
    for line in headers.get_all(name::CLIENT_CERT_CHAIN) {
        for item in text(line)?.split(',') {
            if chain.len() == MAX_INTERMEDIATES {
                return Err(Malformed::Certificate("the chain is longer than 8"));
            }
            chain.push(byte_sequence(item)?);
        }
    }
    Ok(chain)
}

fn text(line: &HeaderValue) -> Result<&str, Malformed> {
    line.to_str().map_err(|_| Malformed::Certificate("not ASCII text"))
}

/// `:base64:` (RFC 8941 §3.3.5), without parameters: RFC 9440 has none.
fn byte_sequence(text: &str) -> Result<Vec<u8>, Malformed> {
    let inside = text.trim_matches([' ', '\t']).strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    let inside = inside.ok_or(Malformed::Certificate("not a byte sequence between colons"))?;
    if inside.len() > MAX_CERTIFICATE_BYTES.div_ceil(3) * 4 {
        return Err(Malformed::Certificate("longer than 16 KiB"));
    }
    standard_base64(inside).ok_or(Malformed::Certificate("not base64"))
}

/// Standard base64 in the letters that JOSE uses: the one decoder of the workspace is strict about the rest.
fn standard_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    if text.contains(['-', '_']) || (padding > 0 && !text.len().is_multiple_of(4)) || padding > 2 {
        return None;
    }
    base64url::decode(bare.replace('+', "-").replace('/', "_")).ok()
}
