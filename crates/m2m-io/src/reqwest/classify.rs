//! reqwest's errors in our words. They keep what they wrap private, so the chain of sources is searched by type.

use std::error::Error;
use std::io;

use super::Via;
use super::resolve::Forbidden;
use crate::HttpError;

/// Names the cause.
pub(super) fn classify(error: &::reqwest::Error, via: Via) -> HttpError {
    if let Some(forbidden) = find::<Forbidden>(error) {
        return HttpError::EgressDenied { destination: forbidden.host.clone(), reason: forbidden.reason };
    }
    if error.is_timeout() {
        return HttpError::Timeout;
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return HttpError::Tls(tls.to_string());
    }
    let text = text(error);
    // With TLS 1.3 a server refuses our certificate only after the handshake; HTTP/2 then keeps no more than the words
    // of rustls.
    if let Some(alert) = text.find("received fatal alert: ") {
        return HttpError::Tls(text.split_at(alert).1.to_owned());
    }
    if via == Via::Proxy && (error.is_connect() || error.is_dns()) {
        return HttpError::Proxy(text);
    }
    if error.is_dns() {
        return HttpError::Dns(text);
    }
    if error.is_connect() || lost(error) {
        return HttpError::Connect(match error.url().and_then(server) {
            Some(server) => format!("{server}: {text}"),
            None => text,
        });
    }
    HttpError::Protocol(text)
}

/// Whom the request was for; not the rest of the URL, which may hold a secret.
fn server(url: &::reqwest::Url) -> Option<String> {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    url.host_str().map(|host| format!("{host}{port}"))
}

/// The connection broke while it was in use.
fn lost(error: &::reqwest::Error) -> bool {
    let broken = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof
        )
    };
    find::<hyper::Error>(error).is_some_and(|error| error.is_incomplete_message() || error.is_closed())
        || find::<io::Error>(error).is_some_and(broken)
}

/// Words of the HTTP client about itself.
const LAYERS: [&str; 4] =
    ["client error (Connect)", "tcp connect error: ", "tcp connect error", "error trying to connect: "];

/// What went wrong, from the outermost cause to the innermost, without reqwest's own first line: it names the URL,
/// query and all.
pub(super) fn text(error: &::reqwest::Error) -> String {
    let mut words = Vec::<String>::new();
    let mut source = error.source();
    while let Some(error) = source {
        let word = error.to_string();
        // The layers that a failure passes say nothing of it.
        let word = LAYERS.iter().fold(word.as_str(), |word, layer| word.strip_prefix(layer).unwrap_or(word));
        let word = word.to_owned();
        if word.is_empty() {
            source = error.source();
            continue;
        }
        if !error.is::<::reqwest::Error>() && words.last().is_none_or(|last| !last.ends_with(&word)) {
            words.push(word);
        }
        source = error.source();
    }
    if words.is_empty() { "no reason given".to_owned() } else { words.join(": ") }
}

/// The first error of this type in the chain. An `io::Error` hides what it carries from `source`, so it is opened.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
