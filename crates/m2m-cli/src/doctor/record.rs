//! What the engine did, for those who explain it: each exchange without its secrets, and each secret that was read.
//!
//! A [`Record`] sits between the client and its HTTP client, so what is explained is what production does. It keeps
//! of an exchange: method, URL without query, status, time of the server, content type, quota headers, duration,
//! length; the whole body only of a `GET` answered with a JSON object (metadata and key sets are public). Of the
//! answer to a `POST` it keeps names of members and harmless values, and of a token that is a JWT its header and
//! claims, never its text.
//! Does not enforce: that its reader keeps [`SecretRead::secret`] to itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use m2m_io::file::TrailingNewline;
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits};
use m2m_proto::error::http_date;
use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::param;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use serde_json::{Map, Value};

use crate::connect::observer::Observer;
use crate::output::printable;
use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// Texts of a peer are cut here.
const LONGEST_TEXT: usize = 200;

/// One run of the engine. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Record {
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<Exchange>,
    reads: Vec<SecretRead>,
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

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What the server's clock said, with the time that the answer lay in a cache (`Age`) added.
    pub date: Option<UnixTime>,
    /// The content type without parameters.
    pub content_type: Option<String>,
    /// Headers that speak of quotas and waiting.
    pub quota: Vec<(String, String)>,
    /// Length of the body.
    pub bytes: usize,
    /// What the body is.
    pub body: Body,
}

/// What a body is.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A web page, by its first characters.
    Html,
    /// Neither JSON nor a web page.
    Other,
    /// The JSON object that a `GET` brought.
    Document(Map<String, Value>),
    /// What may be known of the JSON object that a `POST` brought.
    Token(Box<TokenAnswer>),
}

/// The answer of a token endpoint without what must not be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenAnswer {
    /// Whether there is an `access_token`.
    pub token: Option<TokenShape>,
    /// `error`, as sent.
    pub error: Option<String>,
    /// `token_type`, as sent.
    pub token_type: Option<String>,
    /// `expires_in`, where it is a number or a text.
    pub expires_in: Option<Value>,
    /// `scope`, as sent; an array joined by spaces.
    pub scope: Option<String>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenShape {
    /// Not for clients to read.
    Opaque,
    /// A JWT; its signature is not checked.
    Jwt {
        /// The header's members.
        header: Map<String, Value>,
        /// The claims.
        claims: Map<String, Value>,
    },
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
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Arc::default() }
    }

    /// What was exchanged, in order.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.kept().exchanges.clone()
    }

    /// What was read, in order.
    pub fn reads(&self) -> Vec<SecretRead> {
        self.kept().reads.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Record {
    fn over(&self, inner: Arc<dyn HttpClient>) -> Arc<dyn HttpClient> {
        Arc::new(Watched { inner, record: self.clone() })
    }

    fn read(&self, field: Field, read: &ReadSecret) {
        let (newline, secret) = (read.trailing_newline, read.secret.clone());
        self.kept().reads.push(SecretRead { field, newline, secret });
    }
}

#[derive(Debug)]
struct Watched {
    inner: Arc<dyn HttpClient>,
    record: Record,
}

impl HttpClient for Watched {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let (method, url) = (request.method().clone(), without_query(request.uri()));
        let limits = limits.clone();
        Box::pin(async move {
            let started = self.record.clock.monotonic();
            let sent = self.inner.send(request, &limits).await;
            let took = self.record.clock.monotonic().saturating_sub(started);
            let outcome = match &sent {
                Ok(response) => Ok(Answer::of(&method, response)),
                Err(error) => Err(error.clone()),
            };
            self.record.kept().exchanges.push(Exchange {
                method,
                url,
                at: self.record.clock.wall(),
                took,
                outcome,
            });
            sent
        })
    }
}

impl Exchange {
    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&Answer> {
        self.outcome.as_ref().ok()
    }

    /// Whether this asked for a token.
    pub fn is_token_request(&self) -> bool {
        self.method == Method::POST
    }
}

impl Answer {
    fn of(method: &Method, response: &Response<Bytes>) -> Self {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let age = text(header::AGE)
            .and_then(|age| age.trim().parse().ok())
            .map_or(Duration::ZERO, Duration::from_secs);
        let media = text(header::CONTENT_TYPE).and_then(|media| media.split(';').next());
        Self {
            status: response.status(),
            date: text(header::DATE).and_then(http_date).map(|date| date.saturating_add(age)),
            content_type: media.map(|media| short(media.trim())),
            quota: quota(headers),
            bytes: response.body().len(),
            body: Body::of(method, response.body()),
        }
    }

    /// The public document that a `GET` brought.
    pub fn document(&self) -> Option<&Map<String, Value>> {
        match &self.body {
            Body::Document(document) => Some(document),
            _ => None,
        }
    }

    /// What the token endpoint said in JSON.
    pub fn token(&self) -> Option<&TokenAnswer> {
        match &self.body {
            Body::Token(answer) => Some(answer),
            _ => None,
        }
    }
}

impl Body {
    fn of(method: &Method, body: &[u8]) -> Self {
        match parse_object(body, &JsonLimits::DOCUMENT) {
            Ok(document) if method == Method::GET => Self::Document(document),
            Ok(members) => Self::Token(Box::new(TokenAnswer::of(&members))),
            Err(_) if body.iter().all(u8::is_ascii_whitespace) => Self::Empty,
            Err(_) if is_markup(body) => Self::Html,
            Err(_) => Self::Other,
        }
    }
}

impl TokenAnswer {
    fn of(members: &Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let scope = match members.get(param::SCOPE) {
            Some(Value::String(text)) => Some(short(text)),
            Some(Value::Array(items)) => {
                Some(short(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")))
            }
            _ => None,
        };
        let expires_in = match members.get(param::EXPIRES_IN) {
            Some(Value::String(text)) => Some(Value::String(short(text))),
            Some(Value::Number(number)) => Some(Value::Number(number.clone())),
            _ => None,
        };
        Self {
            token: text(param::ACCESS_TOKEN).map(TokenShape::of),
            error: text(param::ERROR).filter(|code| !code.is_empty()).map(short),
            token_type: text(param::TOKEN_TYPE).map(short),
            expires_in,
            scope,
        }
    }
}

impl TokenShape {
    /// A text of three parts, of which the first two are JSON objects in base64url, is a JWT.
    fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let object = |part: &str| parse_object(&base64url::decode(part).ok()?, &JsonLimits::CLAIMS).ok();
        match parts.as_slice() {
            [header, claims, _] => match (object(header), object(claims)) {
                (Some(header), Some(claims)) => Self::Jwt { header, claims },
                _ => Self::Opaque,
            },
            _ => Self::Opaque,
        }
    }
}

/// Headers of RFC 9110 section 10.2.3 and of what services send until there is a standard.
fn quota(headers: &HeaderMap) -> Vec<(String, String)> {
    let speaks = |name: &str| {
        ["retry-after", "ratelimit", "rate-limit", "quota"].iter().any(|word| name.contains(word))
    };
    let pairs = headers.iter().filter(|(name, _)| speaks(name.as_str()));
    pairs.map(|(name, value)| (name.to_string(), short(&String::from_utf8_lossy(value.as_bytes())))).collect()
}

fn is_markup(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    text.first() == Some(&b'<')
}

fn short(text: &str) -> String {
    printable(text).chars().take(LONGEST_TEXT).collect()
}

fn without_query(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or_default(), uri.path())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(method: &Method, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        for (name, value) in headers {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            response.headers_mut().append(name, value.parse().unwrap());
        }
        Answer::of(method, &response)
    }

    #[test]
    fn bodies() {
        let check = |method: Method, body: &str, expect: Body| {
            assert_eq!(answer(&method, &[], body).body, expect, "{body}");
        };
        check(Method::POST, " \r\n", Body::Empty);
        check(Method::POST, "\u{feff}<!doctype html>", Body::Html);
        check(Method::POST, "\n <html>", Body::Html);
        check(Method::POST, "down for maintenance", Body::Other);
        check(Method::GET, "[]", Body::Other);
        let document = json!({"issuer": "i"}).as_object().unwrap().clone();
        check(Method::GET, r#"{"issuer":"i"}"#, Body::Document(document));
        check(Method::POST, r#"{"issuer":"i"}"#, Body::Token(Box::default()));
    }

    #[test]
    fn of_a_token_answer_no_token_and_no_unknown_member_is_kept() {
        let header = base64url::encode(br#"{"alg":"ES256","typ":"at+jwt"}"#);
        let claims = base64url::encode(br#"{"aud":"https://api"}"#);
        let body = json!({
            "access_token": format!("{header}.{claims}.hunter2"), "token_type": "Bearer", "expires_in": "60",
            "scope": ["a", "b"], "refresh_token": "hunter2", "error": "",
        });
        let answer = answer(&Method::POST, &[], &body.to_string());
        let kept = answer.token().unwrap();
        assert_eq!(kept.expires_in, Some(json!("60")));
        assert_eq!((kept.scope.as_deref(), kept.error.as_deref()), (Some("a b"), None));
        let Some(TokenShape::Jwt { header, claims }) = &kept.token else { panic!("{kept:?}") };
        assert_eq!((&header["typ"], &claims["aud"]), (&json!("at+jwt"), &json!("https://api")));
        assert!(!format!("{answer:?}").contains("hunter2"));
        assert_eq!(TokenShape::of("a.b.c"), TokenShape::Opaque);
        assert_eq!(TokenShape::of("opaque"), TokenShape::Opaque);
    }

    #[test]
    fn headers_that_matter() {
        let answer = answer(
            &Method::GET,
            &[
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("age", "10"),
                ("content-type", "text/html; charset=utf-8"),
                ("retry-after", "7"),
                ("x-ratelimit-remaining", "0"),
                ("set-cookie", "hunter2"),
            ],
            "",
        );
        assert_eq!(answer.date, Some(UnixTime::from_seconds(784_111_787)), "older by its age");
        assert_eq!(answer.content_type.as_deref(), Some("text/html"));
        let quota = [
            ("retry-after".to_owned(), "7".to_owned()),
            ("x-ratelimit-remaining".to_owned(), "0".to_owned()),
        ];
        assert_eq!(answer.quota, quota);
    }

    #[test]
    fn urls_lose_their_query() {
        let uri = "https://user@as.example:8443/token?client_secret=x".parse().unwrap();
        assert_eq!(without_query(&uri), "https://as.example:8443/token");
    }
}
