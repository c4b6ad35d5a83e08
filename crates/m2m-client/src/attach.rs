//! Calls to APIs: who may receive a token, how it is attached, and what to do
//! when the API does not accept it.
//!
//! Sections: RFC 6750 sections 2.1 and 3, RFC 9449 sections 7.1 and 9
//!
//! Enforces: a token goes to declared origins only, in the header only; a call
//! without token is never made; at most one repeat for a rejected token and one
//! for a nonce.
//! Does not enforce: redirects; the HTTP clients of this workspace follow none.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use m2m_io::{HttpClient, Limits};
use m2m_proto::error::{AuthScheme, Challenge, ErrorCode};
use m2m_proto::names::header;
use m2m_proto::token::TokenType;
use m2m_proto::uri::{Origin, PlainHttp};

use crate::cache::{Rejected, Renewal};
use crate::client::Client;
use crate::dpop::Role;
use crate::error::{Error, Fault};
use crate::exchange::http_error;
use crate::spec::TokenSpec;
use crate::token::Token;

/// The outcome of [`Client::execute`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Executed {
    /// The API's response, whatever its status.
    pub response: Response<Bytes>,
    /// The renewal that happened during this call, if one did.
    pub renewed: Option<Renewal>,
    /// The API rejected the token and no other could be had, for this reason;
    /// `response` is the API's 401.
    pub renewal_error: Option<Error>,
}

/// What [`Client::review`] makes of a response.
#[derive(Debug)]
#[non_exhaustive]
pub enum Review {
    /// It is the answer.
    Keep,
    /// Send the request again, with this token and a new [`Client::attach`].
    Replay(Arc<Token>),
    /// It is the answer, a rejection; the token could not be renewed.
    Failed(Error),
}

/// Which repeats one call has had. A call has one of each kind at most.
#[derive(Debug, Default)]
pub struct Repeats {
    nonce: bool,
    token: bool,
}

impl Client {
    /// Whether a token for `spec` may go to `uri`.
    ///
    /// # Errors
    /// `Misconfigured`: the origin is not among the destinations, or none is
    /// known; or it is plain HTTP beyond loopback, and that is not allowed.
    pub fn check_destination(&self, spec: &TokenSpec, uri: &Uri) -> Result<(), Error> {
        let origin =
            Origin::of(uri).map_err(|error| Error::misconfigured(format!("the request's URL: {error}")))?;
        let declared = self.destinations(spec);
        if declared.is_empty() {
            return Err(Error::of(Fault::NoDestination));
        }
        if !declared.contains(&origin) {
            return Err(Error::of(Fault::Destination { origin: origin.to_string() }));
        }
        // An audience is a name; that it begins with `http:` allows nothing.
        let plain = self.exchange().tuning.plain_http == PlainHttp::Allowed;
        if origin.is_https() || origin.is_loopback() || plain {
            return Ok(());
        }
        Err(Error::misconfigured(format!("a token does not travel to {origin} unencrypted")))
    }

    /// Puts the token into the headers of one request: `Authorization`, in
    /// place of any that is there, and for a DPoP token a fresh proof. Call it
    /// again for every attempt.
    ///
    /// # Errors
    /// `Misconfigured` if `uri` is not a destination; nothing is attached then.
    pub fn attach(
        &self,
        spec: &TokenSpec,
        token: &Token,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        self.check_destination(spec, uri)?;
        headers.remove(header::DPOP);
        if *token.token_type() == TokenType::Dpop && !self.exchange().presents_dpop_without_proof() {
            let dpop = self
                .dpop()
                .ok_or_else(|| Error::misconfigured("a DPoP token needs the client's DPoP key"))?;
            headers.insert(header::DPOP, dpop.proof(method, uri, Some(token.access_token()))?);
        }
        headers.insert(header::AUTHORIZATION, token.authorization().clone());
        Ok(())
    }

    /// Reads an API's response to a request that carried `token`: remembers a
    /// DPoP nonce, and on 401 decides whether another attempt makes sense,
    /// waiting for the renewal if one does.
    pub async fn review(
        &self,
        token: &Arc<Token>,
        uri: &Uri,
        response: (StatusCode, &HeaderMap),
        repeats: &mut Repeats,
    ) -> Review {
        let (status, headers) = response;
        if let Some(dpop) = self.dpop() {
            dpop.remember(uri, Role::ResourceServer, headers);
        }
        if status != StatusCode::UNAUTHORIZED {
            return Review::Keep;
        }
        match complaint(&Challenge::parse_all(headers)) {
            Complaint::Nonce if *token.token_type() == TokenType::Dpop => {
                if std::mem::replace(&mut repeats.nonce, true) {
                    return Review::Keep;
                }
                Review::Replay(Arc::clone(token))
            }
            Complaint::Token if !std::mem::replace(&mut repeats.token, true) => self.replace(token).await,
            _ => Review::Keep,
        }
    }

    async fn replace(&self, token: &Arc<Token>) -> Review {
        let Some(entry) = token.key().and_then(|key| self.known_entry(key)) else { return Review::Keep };
        match self.cache().reject(&entry, token) {
            Rejected::Superseded(newer) => Review::Replay(newer),
            Rejected::Ignored => Review::Keep,
            Rejected::Dropped | Rejected::Renewing => match self.usable(&entry).await {
                Ok(newer) if newer.digest() != token.digest() => Review::Replay(newer),
                Ok(_) => Review::Keep,
                Err(error) => Review::Failed(error),
            },
        }
    }

    /// Calls an API with a token attached. On 401 the token is rejected (see
    /// [`Client::reject`]) and the request sent once more with another one, if
    /// one can be had; on a demand for a DPoP nonce, once more with that.
    ///
    /// # Errors
    /// `Misconfigured` if the URL is not a destination, before any token is
    /// asked for; what [`Client::token`] says, and then the API is not called;
    /// `Unreachable` and its like if the API does not answer. Any status but a
    /// redirect is a response, not an error; redirects are not followed.
    pub async fn execute(&self, spec: &TokenSpec, request: Request<Bytes>) -> Result<Executed, Error> {
        self.check_destination(spec, request.uri())?;
        let entry = self.entry(spec);
        let before = self.cache().snapshot(&entry).renewals;
        let mut token = self.usable(&entry).await?;
        let http = self.exchange().transport.for_call().await?;
        let mut repeats = Repeats::default();
        let (response, renewal_error) = loop {
            let response = self.call(http.as_ref(), spec, &token, &request).await?;
            let seen = (response.status(), response.headers());
            match self.review(&token, request.uri(), seen, &mut repeats).await {
                Review::Replay(newer) => token = newer,
                Review::Keep => break (response, None),
                Review::Failed(error) => break (response, Some(error)),
            }
        };
        let after = self.cache().snapshot(&entry);
        let renewed = after.renewal.filter(|_| after.renewals != before);
        Ok(Executed { response, renewed, renewal_error })
    }

    async fn call(
        &self,
        http: &dyn HttpClient,
        spec: &TokenSpec,
        token: &Token,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let mut attempt = request.clone();
        let (method, uri) = (attempt.method().clone(), attempt.uri().clone());
        self.attach(spec, token, &method, &uri, attempt.headers_mut())?;
        let limits: &Limits = &self.exchange().tuning.api_limits;
        http.send(attempt, limits).await.map_err(|error| http_error(&error))
    }
}

/// What an API says with a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Complaint {
    /// About the token: say so, or say nothing at all.
    Token,
    /// About the missing nonce.
    Nonce,
    /// About something else: the proof, or it wants another scheme altogether.
    Other,
}

// spec: 9449-C4
fn complaint(challenges: &[Challenge]) -> Complaint {
    let ours = |challenge: &&Challenge| matches!(challenge.scheme, AuthScheme::Bearer | AuthScheme::Dpop);
    let mut mine = challenges.iter().filter(ours).peekable();
    if mine.peek().is_none() {
        return if challenges.is_empty() { Complaint::Token } else { Complaint::Other };
    }
    let errors: Vec<_> = mine.filter_map(|challenge| challenge.error.as_ref()).collect();
    if errors.contains(&&ErrorCode::UseDpopNonce) {
        return Complaint::Nonce;
    }
    if errors.contains(&&ErrorCode::InvalidDpopProof) {
        return Complaint::Other;
    }
    Complaint::Token
}
