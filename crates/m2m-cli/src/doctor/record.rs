//! What the engine did, for those who explain it: each exchange without its secrets, and each secret that was read.
//!
//! A [`Record`] is an [`Observer`], so what is explained is what production does. It keeps of an exchange: method, URL
//! without query, status, time of the server, content type, quota headers, duration, length; the whole body only of
//! public documents (metadata, key sets). Of a token endpoint's answer it keeps harmless members, and of a JWT header
//! and claims, never its text.
//! Does not enforce: that its reader keeps [`SecretRead::secret`] to itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Response, StatusCode};
use m2m_io::HttpError;
use m2m_io::file::TrailingNewline;
use m2m_proto::error::{MalformedResponse, http_date};
use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::metadata::well_known::is_well_known;
use m2m_proto::names::param;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{ExpiresIn, LifetimeUnit};
use serde_json::{Map, Value};

use crate::connect::observer::{Observer, Passed};
use crate::output::printable;
use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// Texts of a peer are cut here.
const LONGEST_TEXT: usize = 200;

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

/// What a service calls the members of its token answer, and what else is its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// The token.
    pub token: String,
    /// Its life.
    pub expires_in: String,
    /// The unit of that.
    pub unit: LifetimeUnit,
    /// The member with its end as a point in time; empty if there is none.
    pub expires_at: String,
    /// Headers that speak of its quota.
    pub quota: Vec<String>,
    /// Whether tokens may be looked into.
    pub tokens: Readable,
}

/// Whether a token may be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// If it is a JWT.
    Jwt,
    /// Never: the service or the settings say so.
    Nothing,
}

impl Default for Dictionary {
    /// Those of RFC 6749 section 5.1.
    fn default() -> Self {
        Self {
            token: param::ACCESS_TOKEN.to_owned(),
            expires_in: param::EXPIRES_IN.to_owned(),
            unit: LifetimeUnit::Seconds,
            expires_at: String::new(),
            quota: Vec::new(),
            tokens: Readable::Jwt,
        }
    }
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
    /// The life.
    pub expires_in: Life,
    /// Whether its end is said as a point in time.
    pub has_end: bool,
    /// `scope`, as sent; an array joined by spaces.
    pub scope: Option<String>,
}

/// The life that a token endpoint states.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// As the engine reads it.
    pub read: Result<ExpiresIn, MalformedResponse>,
    /// As sent, where it is a number, a text or a truth value.
    pub sent: Option<Value>,
}

impl Default for Life {
    /// None is stated.
    fn default() -> Self {
        Self::of(None, LifetimeUnit::Seconds)
    }
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
        let method = passed.request.method().clone();
        let exchange = Exchange { method, url, at: passed.at, took: passed.took, outcome };
        self.kept().exchanges.push(exchange);
    }

    fn read(&self, field: Field, read: &ReadSecret) {
        let (newline, secret) = (read.trailing_newline, read.secret.clone());
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

impl Answer {
    fn of(names: Option<&Dictionary>, response: &Response<Bytes>) -> Self {
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
            quota: quota(headers, names.map_or(&[], |names| &names.quota)),
            bytes: response.body().len(),
            body: Body::of(names, response.body()),
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
    fn of(names: Option<&Dictionary>, body: &[u8]) -> Self {
        match (parse_object(body, &JsonLimits::DOCUMENT), names) {
            (Ok(document), None) => Self::Document(document),
            (Ok(members), Some(names)) => Self::Token(Box::new(TokenAnswer::of(&members, names))),
            (Err(_), _) if body.iter().all(u8::is_ascii_whitespace) => Self::Empty,
            (Err(_), _) if is_markup(body) => Self::Html,
            (Err(_), _) => Self::Other,
        }
    }
}

impl TokenAnswer {
    fn of(members: &Map<String, Value>, names: &Dictionary) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let scope = match members.get(param::SCOPE) {
            Some(Value::String(text)) => Some(short(text)),
            Some(Value::Array(items)) => {
                Some(short(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")))
            }
            _ => None,
        };
        Self {
            token: text(&names.token).map(|token| match names.tokens {
                Readable::Jwt => TokenShape::of(token),
                Readable::Nothing => TokenShape::Opaque,
            }),
            error: text(param::ERROR).filter(|code| !code.is_empty()).map(short),
            token_type: text(param::TOKEN_TYPE).map(short),
            expires_in: Life::of(members.get(&names.expires_in), names.unit),
            has_end: members.get(&names.expires_at).is_some_and(|end| !end.is_null()),
            scope,
        }
    }
}

impl Life {
    /// Reads the member.
    pub fn of(value: Option<&Value>, unit: LifetimeUnit) -> Self {
        let sent = match value {
            Some(Value::String(text)) => Some(Value::String(short(text))),
            Some(Value::Number(_) | Value::Bool(_)) => value.cloned(),
            _ => None,
        };
        Self { read: ExpiresIn::read(value, unit), sent }
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
fn quota(headers: &HeaderMap, own: &[String]) -> Vec<(String, String)> {
    let speaks = |name: &str| {
        ["retry-after", "ratelimit", "rate-limit", "quota"].iter().any(|word| name.contains(word))
            || own.iter().any(|own| own.eq_ignore_ascii_case(name))
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

    fn answer(names: Option<&Dictionary>, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        for (name, value) in headers {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            response.headers_mut().append(name, value.parse().unwrap());
        }
        Answer::of(names, &response)
    }

    #[test]
    fn bodies() {
        let names = Dictionary::default();
        let (token, document) = (Some(&names), None);
        let check = |names, body: &str, expect: Body| {
            assert_eq!(answer(names, &[], body).body, expect, "{body}");
        };
        check(token, " \r\n", Body::Empty);
        check(token, "\u{feff}<!doctype html>", Body::Html);
        check(token, "\n <html>", Body::Html);
        check(token, "down for maintenance", Body::Other);
        check(document, "[]", Body::Other);
        let members = json!({"issuer": "i"}).as_object().unwrap().clone();
        check(document, r#"{"issuer":"i"}"#, Body::Document(members));
        check(token, r#"{"issuer":"i"}"#, Body::Token(Box::default()));
    }

    #[test]
    fn of_a_token_answer_no_token_and_no_unknown_member_is_kept() {
        let header = base64url::encode(br#"{"alg":"ES256","typ":"at+jwt"}"#);
        let claims = base64url::encode(br#"{"aud":"https://api"}"#);
        let body = json!({
            "access_token": format!("{header}.{claims}.hunter2"), "token_type": "Bearer", "expires_in": "60",
            "scope": ["a", "b"], "refresh_token": "hunter2", "error": "",
        });
        let answer = answer(Some(&Dictionary::default()), &[], &body.to_string());
        let kept = answer.token().unwrap();
        let life = Life { read: Ok(ExpiresIn::In(Duration::from_secs(60))), sent: Some(json!("60")) };
        assert_eq!(kept.expires_in, life);
        assert_eq!((kept.scope.as_deref(), kept.error.as_deref()), (Some("a b"), None));
        let Some(TokenShape::Jwt { header, claims }) = &kept.token else { panic!("{kept:?}") };
        assert_eq!((&header["typ"], &claims["aud"]), (&json!("at+jwt"), &json!("https://api")));
        assert!(!format!("{answer:?}").contains("hunter2"));
        assert_eq!(TokenShape::of("a.b.c"), TokenShape::Opaque);
        assert_eq!(TokenShape::of("opaque"), TokenShape::Opaque);
    }

    #[test]
    fn members_may_have_other_names() {
        let names = Dictionary {
            token: "accessToken".to_owned(),
            expires_in: "expiresIn".to_owned(),
            unit: LifetimeUnit::Milliseconds,
            expires_at: "expireTime".to_owned(),
            quota: vec!["X-Left".to_owned()],
            tokens: Readable::Nothing,
        };
        let body = r#"{"accessToken":"e30.e30.x","expiresIn":"600000","expireTime":"2026-11-25T00:00:00Z"}"#;
        let answer = answer(Some(&names), &[("x-left", "7")], body);
        let kept = answer.token().unwrap();
        let life = Life { read: Ok(ExpiresIn::In(Duration::from_secs(600))), sent: Some(json!("600000")) };
        assert_eq!((&kept.token, &kept.expires_in), (&Some(TokenShape::Opaque), &life));
        assert!(kept.has_end);
        assert_eq!(answer.quota, [("x-left".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn headers_that_matter() {
        let answer = answer(
            None,
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
