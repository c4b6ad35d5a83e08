//! What the engine did, for those who explain it: each exchange without its secrets, and each secret that was read.
//!
//! A [`Record`] is an [`Observer`], so what is explained is what production does. It keeps of an exchange: method, URL
//! without query, duration, and what [`Answer`] keeps.
//! Does not enforce: that its reader keeps [`SecretRead::secret`] to itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use m2m_io::HttpError;
use m2m_io::file::TrailingNewline;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::metadata::well_known::is_well_known;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use serde_json::Value;

use super::answer::{Answer, Dictionary};
use super::hidden::Hidden;
use crate::connect::observer::{Observer, Passed};
use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// One run of the engine.
#[derive(Debug)]
pub struct Record {
    expects: Expects,
    kept: Mutex<Kept>,
}

/// What kind of answers a record is about. A token endpoint that is asked by `GET` must not be taken for a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Expects {
    /// Public documents.
    Documents,
    /// Tokens, and documents at well-known locations only.
    Tokens(Dictionary),
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<Exchange>,
    reads: Vec<SecretRead>,
    hidden: Hidden,
}

/// One request and what came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The URL without query and user.
    pub url: String,
    /// By this machine's clock, when the answer was there.
    pub at: UnixTime,
    /// From the request to the last byte.
    pub took: Duration,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, HttpError>,
}

/// A secret that a setting refers to, as it was read.
#[derive(Clone, Debug)]
pub struct SecretRead {
    /// The setting.
    pub field: Field,
    /// Whether a final line end was removed.
    pub newline: TrailingNewline,
    /// The secret as the client uses it.
    pub secret: SecretString,
}

impl Record {
    /// Nothing yet.
    pub fn new(expects: Expects) -> Arc<Self> {
        Arc::new(Self { expects, kept: Mutex::default() })
    }

    /// What was exchanged, in order.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.kept().exchanges.clone()
    }

    /// What was read, in order.
    pub fn reads(&self) -> Vec<SecretRead> {
        self.kept().reads.clone()
    }

    /// What no finding may show.
    pub fn hidden(&self) -> Hidden {
        self.kept().hidden.clone()
    }

    /// How the token's members are called; `None` where a public document is expected.
    fn names_for(&self, url: &str) -> Option<&Dictionary> {
        match &self.expects {
            Expects::Tokens(names) if !is_well_known(url) => Some(names),
            _ => None,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Record {
    fn exchanged(&self, passed: &Passed<'_>) {
        let url = without_query(passed.request.uri());
        let outcome = match passed.outcome {
            Ok(response) => Ok(Answer::of(self.names_for(&url), response)),
            Err(error) => Err(error.clone()),
        };
        if let (Some(names), Ok(response)) = (self.names_for(&url), passed.outcome)
            && let Ok(members) = parse_object(response.body(), &JsonLimits::DOCUMENT)
            && let Some(token) = members.get(&names.token).and_then(Value::as_str)
        {
            self.kept().hidden.add(token);
        }
        let method = passed.request.method().clone();
        let exchange = Exchange { method, url, at: passed.at, took: passed.took, outcome };
        self.kept().exchanges.push(exchange);
    }

    fn read(&self, field: Field, read: &ReadSecret) {
        let (newline, secret) = (read.trailing_newline, read.secret.clone());
        self.kept().hidden.add(secret.expose());
        self.kept().reads.push(SecretRead { field, newline, secret });
    }
}

impl Exchange {
    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&Answer> {
        self.outcome.as_ref().ok()
    }

    /// Whether this asked for a token.
    pub fn is_token_request(&self) -> bool {
        self.method == Method::POST || !is_well_known(&self.url)
    }
}

fn without_query(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or_default(), uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_query() {
        let uri = "https://user@as.example:8443/token?client_secret=x".parse().unwrap();
        assert_eq!(without_query(&uri), "https://as.example:8443/token");
    }
}
