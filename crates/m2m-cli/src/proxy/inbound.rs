//! The gate: a request in, and either the proof that it may go on, or the answer to give instead.
//!
//! Enforces, in this order: fields that others believe are removed, before anything is decided, so that no way out of
//! here carries them ([`super::identity`]); the path can be read in one way; a rule lets the request in, or the token
//! that it demands does ([`m2m_resource_server`]); the token is taken out, unless it is to be passed; then the fields
//! that say whose it was are set. [`Admitted`] and [`Verdict`] have private fields and are made here alone, and nothing
//! else is forwarded: there is no error, no timeout and no setting after which a request goes on without one.
//! Does not enforce: where it goes to and how ([`super::upstream`]).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, TRAILER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use m2m_proto::names::header;
use m2m_proto::time::UnixTime;
use m2m_resource_server::{Rejection, RequestParts, Verifier};

use super::hop;
use super::identity::{self, Believed};
use super::path::Path;
use super::rules::{Decision, Rules};

/// Why a request goes on that needs no token.
const PUBLIC: &str = "public";
const USUAL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether the program sees the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// It does not: it cannot lose what it never had.
    Removed,
    /// It does.
    Passed,
}

/// Why a request goes on, or does not: the label of metrics and logs.
pub(crate) type Cause = &'static str;

/// The answer to a request that does not go on.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What to answer.
    pub(crate) answer: Box<Response<Bytes>>,
    /// Why.
    pub(crate) cause: Cause,
}

impl Refused {
    /// An answer of our own, with a sentence for the person who reads it.
    pub(crate) fn plain(status: StatusCode, cause: &'static str, text: &str) -> Self {
        let mut answer = Response::new(Bytes::from(format!("{text}\n")));
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { answer: Box::new(answer), cause }
    }

    /// Whether the fault is ours or our surroundings', and not the sender's.
    pub(crate) fn is_error(&self) -> bool {
        self.answer.status().is_server_error()
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self { answer: Box::new(rejection.to_response()), cause: rejection.reason().cause() }
    }
}

/// That a request may go on, and whose it is.
#[derive(Debug)]
pub(crate) struct Verdict {
    fields: Vec<(HeaderName, HeaderValue)>,
    nonce: Option<HeaderValue>,
    cause: &'static str,
    expires_at: Option<UnixTime>,
}

impl Verdict {
    /// What is told to the program.
    pub(crate) fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        &self.fields
    }

    /// The nonce that the next proof of the client must carry (RFC 9449 §8.2).
    pub(crate) fn nonce(&self) -> Option<&HeaderValue> {
        self.nonce.as_ref()
    }

    /// `public` or `token`.
    pub(crate) fn cause(&self) -> &'static str {
        self.cause
    }

    /// When the token ends, and what was begun with it; `None` where none was needed.
    pub(super) fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

/// A request that may go on as it is: cleaned, and dressed with who it is.
#[derive(Debug)]
pub(crate) struct Admitted<B> {
    request: Request<B>,
    verdict: Verdict,
    believed: Arc<Believed>,
}

impl<B> Admitted<B> {
    /// `public` or `token`.
    pub(crate) fn cause(&self) -> &'static str {
        self.verdict.cause
    }

    /// Takes it apart, for the one who sends it on; the names are for trailers, which come later.
    pub(super) fn open(self) -> (Request<B>, Verdict, Trailers) {
        (self.request, self.verdict, Trailers(self.believed))
    }
}

/// What trailers of a request may be.
#[derive(Clone, Debug)]
pub(super) struct Trailers(Arc<Believed>);

impl Trailers {
    /// Removes what a header section would not be allowed to say, and what decides about access (RFC 9110 §6.5.1).
    pub(super) fn clean(&self, trailers: &mut HeaderMap) {
        hop::strip(trailers);
        self.0.strip(trailers);
        for name in
            [AUTHORIZATION, http::header::HOST, http::header::COOKIE, http::header::CONTENT_LENGTH, TRAILER]
        {
            trailers.remove(name);
        }
        trailers.remove(header::DPOP);
    }
}

/// What every request goes through.
#[derive(Debug)]
pub(crate) struct Gate {
    verifier: Verifier,
    rules: Rules,
    believed: Arc<Believed>,
    token: Token,
}

impl Gate {
    /// A gate of these parts.
    pub(crate) fn new(verifier: Verifier, rules: Rules, believed: Believed, token: Token) -> Self {
        Self { verifier, rules, believed: Arc::new(believed), token }
    }

    /// The names that are removed.
    pub(crate) fn believed(&self) -> &Believed {
        &self.believed
    }

    /// Whether what may be a token is kept from the program. A program takes one that comes from here for one that was
    /// checked, and on a public route nobody looked at it.
    pub(super) fn hides_token(&self, verdict: &Verdict, headers: &HeaderMap) -> bool {
        self.token == Token::Removed || (verdict.cause == PUBLIC && carries_token(headers))
    }

    /// Whether this request may go on.
    ///
    /// # Errors
    /// What to answer instead: 400, 401, 403, 503.
    pub(crate) async fn judge(&self, asked: &RequestParts<'_>) -> Result<Verdict, Refused> {
        let ambiguous = |problem: super::path::Ambiguous| {
            Refused::plain(StatusCode::BAD_REQUEST, "ambiguous_path", problem.text())
        };
        judge_method(asked.method)?;
        let path = Path::of(asked.uri).map_err(ambiguous)?;
        let required = match self.rules.decide(asked.method, &path).map_err(ambiguous)? {
            Decision::Public => {
                return Ok(Verdict { fields: Vec::new(), nonce: None, cause: PUBLIC, expires_at: None });
            }
            Decision::NoRule => {
                return Err(Refused::plain(StatusCode::FORBIDDEN, "no_rule", "no rule lets this request in"));
            }
            Decision::Token(required) => required,
        };
        let token = self.verifier.verify(asked).await?;
        required.check(&token)?;
        let fields = identity::fields(&token).map_err(|identity::TooLong| {
            Refused::plain(StatusCode::FORBIDDEN, "identity_too_long", "a claim of the token is too long")
        })?;
        let nonce = self.verifier.next_nonce().and_then(|nonce| nonce.to_header().ok());
        Ok(Verdict { fields, nonce, cause: "token", expires_at: Some(token.expires_at()) })
    }

    /// Cleans the request and lets it go on, or not.
    ///
    /// # Errors
    /// As [`Gate::judge`].
    pub(crate) async fn admit<B>(&self, request: Request<B>) -> Result<Admitted<B>, Refused> {
        let (mut parts, body) = request.into_parts();
        self.believed.strip(&mut parts.headers);
        let asked = RequestParts {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            certificate: parts.extensions.get(),
        };
        let verdict = self.judge(&asked).await?;
        self.dress(&mut parts, &verdict);
        Ok(Admitted {
            request: Request::from_parts(parts, body),
            verdict,
            believed: Arc::clone(&self.believed),
        })
    }

    /// Last what `Connection` names, then ours: nobody can name ours.
    fn dress(&self, parts: &mut Parts, verdict: &Verdict) {
        if self.hides_token(verdict, &parts.headers) {
            parts.headers.remove(AUTHORIZATION);
            parts.headers.remove(header::DPOP);
        }
        hop::strip(&mut parts.headers);
        for (name, value) in &verdict.fields {
            parts.headers.insert(name, value.clone());
        }
    }
}

/// Methods that no rule is asked about. `CONNECT` asks for a tunnel and `TRACE` for an echo of what was added on the
/// way; and many programs take `get` for `GET` (RFC 9110 §9.1 tells them apart), so a rule for all methods would let
/// through what the rule for `GET` does not.
fn judge_method(method: &Method) -> Result<(), Refused> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        let text = "CONNECT and TRACE go no further";
        let mut refused = Refused::plain(StatusCode::METHOD_NOT_ALLOWED, "method", text);
        // RFC 9110 §15.5.6
        refused.answer.headers_mut().insert(ALLOW, HeaderValue::from_static(USUAL_METHODS));
        return Err(refused);
    }
    if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        let text = "the method is not written in upper case";
        return Err(Refused::plain(StatusCode::BAD_REQUEST, "ambiguous_method", text));
    }
    Ok(())
}

/// Whether there is something that a program may take for an access token; Basic is the program's own business.
fn carries_token(headers: &HeaderMap) -> bool {
    let is_basic = |value: &HeaderValue| {
        value.as_bytes().split_at_checked(6).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "))
    };
    headers.contains_key(header::DPOP) || !headers.get_all(AUTHORIZATION).iter().all(is_basic)
}
