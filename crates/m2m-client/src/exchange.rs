//! One authenticated request to the authorization server: find the endpoint,
//! show the credential, send, read the answer.
//!
//! Sections: RFC 6749 sections 2.3 and 3.2, RFC 8414, RFC 8705 section 5, RFC 9449 section 8
//!
//! Enforces: a fresh assertion and proof for every attempt; the whole request
//! is built anew when the server wants a nonce, once; the other secret is tried
//! on `invalid_client`, once; redirects are refused.
//! Does not enforce: deadlines over several attempts (the flight does).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use m2m_io::{HttpError, Limits, Reach, RemoteError, RemoteMetadata};
use m2m_proto::client_auth::{AssertionAudience, ClientAuthMethod};
use m2m_proto::client_id::ClientId;
use m2m_proto::error::{ErrorCode, ResponseError, RetryAfter};
use m2m_proto::metadata::server::ServerMetadata;
use m2m_proto::names::header;
use m2m_proto::secret::{Redaction, SecretBytes};
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, Parameters, RequestDialect};
use m2m_proto::uri::EndpointUri;

use crate::config::{AssertionAudienceRule, Endpoints, Tuning};
use crate::credentials::{Credentials, Outgoing, Proof, ProofInput, Transport, Which};
use crate::dialect::{DpopWithoutProof, Required};
use crate::dpop::{DpopSigner, Role};
use crate::error::{Advice, Asked, Error, Fault, Ground, Shows};
use crate::grant::{Grant, GrantProof};
use crate::observe;
use crate::provider::{Hint, Situation};
use crate::signed_answer::AnswerSigner;
use crate::spec::TokenSpec;

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token,
    Introspection,
    Revocation,
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token endpoint",
            Self::Introspection => "introspection endpoint",
            Self::Revocation => "revocation endpoint",
        }
    }
}

/// Where the endpoints come from.
#[derive(Debug)]
pub(crate) enum Directory {
    Discovered(RemoteMetadata),
    Configured(Box<Endpoints>),
}

/// An endpoint and what follows from where its URL came from.
struct Place {
    endpoint: EndpointUri,
    reach: Reach,
    audience: AssertionAudience,
}

/// Everything that requests to the authorization server have in common.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client_id: ClientId,
    pub(crate) credentials: Credentials,
    pub(crate) transport: Transport,
    pub(crate) directory: Directory,
    pub(crate) introspection: Option<EndpointUri>,
    pub(crate) revocation: Option<EndpointUri>,
    /// Who signs the answers of introspection, where they are to be signed.
    pub(crate) signer: Option<AnswerSigner>,
    pub(crate) dpop: Option<Arc<DpopSigner>>,
    pub(crate) grant: Grant,
    pub(crate) tuning: Tuning,
    pub(crate) clock: Arc<dyn m2m_io::Clock>,
    pub(crate) random: Arc<dyn m2m_io::Random>,
    pub(crate) label: String,
}

/// One message: what it asks, and how its answer is read.
pub(crate) struct Message<'a, T> {
    pub(crate) target: Target,
    /// A token that it shows, which the answer may quote.
    pub(crate) shows: Option<&'a AccessToken>,
    /// What is asked for, where a token is.
    pub(crate) spec: Option<&'a TokenSpec>,
    /// The media type that is asked for, where it is not JSON.
    pub(crate) accept: Option<&'static str>,
    pub(crate) write: &'a (dyn Fn(&mut Parameters) + Send + Sync),
    pub(crate) decode: &'a (dyn Fn(&Response<Bytes>) -> Result<T, ResponseError> + Send + Sync),
}

impl Exchange {
    /// Sends the message with the preferred credential, and with the other one
    /// if the server does not accept the first.
    pub(crate) async fn send<T>(&self, message: &Message<'_, T>) -> Result<T, Error> {
        let place = self.place(message.target).await?;
        let first = self.credentials.first();
        let proof = match self.credentials.read(first).await {
            Some(read) => read,
            None => Err(Error::internal("a client without credential")),
        };
        let other = || self.credentials.read(first.other());
        match proof {
            Ok(proof) => match self.attempt(message, &place, &proof).await {
                Err(refused) if refused.code() == Some(&ErrorCode::InvalidClient) => match other().await {
                    Some(Ok(next)) if !next.is_same(&proof) => {
                        self.second(message, &place, &next, first.other()).await.map_err(|second| {
                            // The second refusal says no more than the first.
                            if second.code() == refused.code() { refused } else { second }
                        })
                    }
                    _ => Err(refused),
                },
                result => result,
            },
            Err(unreadable) => match other().await {
                Some(Ok(next)) => self.second(message, &place, &next, first.other()).await,
                _ => Err(unreadable),
            },
        }
    }

    /// The attempt with the other secret; promoted if the server takes it.
    async fn second<T>(
        &self,
        message: &Message<'_, T>,
        place: &Place,
        proof: &Proof,
        which: Which,
    ) -> Result<T, Error> {
        let result = self.attempt(message, place, proof).await;
        // Whatever else is wrong with the request: the credential was accepted.
        let accepted = result.as_ref().err().is_none_or(|error| {
            error.code().is_some_and(|code| !matches!(code, ErrorCode::InvalidClient) && !code.is_transient())
        });
        if accepted {
            self.credentials.promote(which);
            observe::promoted(&self.label);
        }
        result
    }

    /// One credential, and at most two requests: the second if the server
    /// wants a nonce and gave one.
    // spec: 9449-C4, OIDF-C3
    async fn attempt<T>(&self, message: &Message<'_, T>, place: &Place, proof: &Proof) -> Result<T, Error> {
        match self.once(message, place, proof).await {
            Err(error) if error.code() == Some(&ErrorCode::UseDpopNonce) && self.dpop.is_some() => {
                self.once(message, place, proof).await
            }
            result => result,
        }
    }

    async fn once<T>(&self, message: &Message<'_, T>, place: &Place, proof: &Proof) -> Result<T, Error> {
        let grant = match message.target {
            Target::Token => self.grant.read().await?,
            Target::Introspection | Target::Revocation => GrantProof::Nothing,
        };
        let (request, shown) = self.build(message, place, proof, &grant)?;
        let uri = request.uri().clone();
        let limits = Limits { reach: place.reach.clone(), ..self.tuning.limits.clone() };
        let http = self.transport.current().await?;
        let response = http.send(request, &limits).await.map_err(|error| http_error(&error))?;
        if let Some(dpop) = &self.dpop {
            dpop.remember(&uri, Role::AuthorizationServer, response.headers());
        }
        (message.decode)(&response).map_err(|error| {
            let hints = &self.tuning.dialect.hints;
            let advice = advice(hints, &error).or_else(|| match &error {
                ResponseError::Refused { error, .. } => {
                    self.meant(&error.error, (message.target, message.spec))
                }
                _ => None,
            });
            response_error(error, self.clock.wall()).scrubbed(|text| shown.scrub(text)).advised(advice)
        })
    }

    /// What a code means for this client and this request, where no hint of the service knows the error.
    fn meant(&self, code: &ErrorCode, (target, spec): (Target, Option<&TokenSpec>)) -> Option<Advice> {
        let asked = spec.map(|spec| self.known_of(spec));
        let by_code = || Advice::by_code(&self.tuning.dialect.hints, code, asked?);
        let of_parameters =
            matches!(code, ErrorCode::InvalidRequest | ErrorCode::InvalidScope | ErrorCode::InvalidTarget);
        if of_parameters && asked.is_some_and(|asked| asked.lacks.is_some()) {
            return by_code();
        }
        self.ground(target).advice(code).or_else(by_code)
    }

    fn ground(&self, target: Target) -> Ground {
        let is_grant = target == Target::Token;
        match (is_grant && self.grant.is_exchange(), self.credentials.is_foreign()) {
            (true, true) => Ground::WorkloadExchange,
            (true, false) => Ground::Exchange,
            (false, true) => Ground::Workload,
            (false, false) if is_grant && self.grant.is_foreign() => Ground::Workload,
            (false, false) => Ground::Own,
        }
    }

    fn known_of(&self, spec: &TokenSpec) -> Asked {
        let lacks = |target: &&Required| match target {
            Required::Audience => spec.audience.is_empty(),
            Required::Scope => spec.scope.is_none(),
        };
        let lacks = self.tuning.dialect.required.iter().find(lacks).map(|target| match target {
            Required::Audience => Situation::MissingAudience,
            Required::Scope => Situation::MissingScope,
        });
        let shows = match self.credentials.method() {
            _ if self.grant.is_signed() => Shows::KeyAsGrant,
            Some(ClientAuthMethod::PrivateKeyJwt) => Shows::Key,
            _ => Shows::Secret,
        };
        Asked { lacks, shows }
    }

    // spec: 6749-C3
    fn build<T>(
        &self,
        message: &Message<'_, T>,
        place: &Place,
        proof: &Proof,
        grant: &GrantProof,
    ) -> Result<(Request<Bytes>, Redaction), Error> {
        let mut out = Outgoing::default();
        (message.write)(&mut out.parameters);
        if let Some(token) = message.shows {
            out.show(token.expose());
        }
        let input = self.proof_input(&place.audience, message.spec);
        out.grant(grant, &input)?;
        proof.apply(&input, &mut out)?;
        let (dialect, uri) = (&self.tuning.dialect, place.endpoint.uri());
        let standard = RequestDialect::default();
        let request = if message.target == Target::Token { &dialect.request } else { &standard };
        if message.target == Target::Token {
            if let Some(dpop) = &self.dpop {
                out.headers.insert(header::DPOP, dpop.proof(&request.method, uri, None)?);
            }
            out.headers.extend(dialect.headers.iter().cloned());
        }
        let (parameters, headers, shown) = out.take();
        let mut request = request
            .assemble(uri, parameters, headers)
            .map_err(|error| Error::misconfigured(format!("the request's URL: {error}")))?;
        if let Some(media_type) = message.accept {
            request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(media_type));
        }
        Ok((request, shown))
    }

    fn proof_input<'a>(
        &'a self,
        audience: &'a AssertionAudience,
        spec: Option<&'a TokenSpec>,
    ) -> ProofInput<'a> {
        ProofInput {
            client_id: &self.client_id,
            audience,
            dialect: &self.tuning.dialect,
            basic_encoding: self.tuning.basic_encoding,
            assertion_type: self.tuning.assertion_type,
            assertion_lifetime: self.tuning.assertion_lifetime,
            security_profile: self.tuning.security_profile,
            now: self.clock.wall(),
            jti: m2m_io::token(self.random.as_ref()).to_string(),
            spec,
        }
    }

    /// Whether this extra parameter goes into what we sign.
    pub(crate) fn signs(&self, param: &str) -> bool {
        self.grant.is_signed() && self.tuning.dialect.assertion.takes(param)
    }

    /// Whether tokens of type DPoP are taken and presented without a key of ours.
    pub(crate) fn presents_dpop_without_proof(&self) -> bool {
        self.credentials.uses_certificate()
            && self.tuning.dialect.dpop_without_proof == DpopWithoutProof::OfCertificates
    }

    /// The token of a grant without request.
    pub(crate) async fn self_signed(&self, spec: &TokenSpec) -> Result<AccessToken, Error> {
        let GrantProof::Key(key) = self.grant.read().await? else {
            return Err(Error::internal("a self-signed token without a key"));
        };
        let audience = match (&self.tuning.assertion_audience, spec.audience.first()) {
            (AssertionAudienceRule::Literal(text), _) | (_, Some(text)) => text.clone(),
            _ => return Err(Error::misconfigured("a self-signed token needs an audience")),
        };
        let audience = AssertionAudience::Literal(audience);
        let signed = self.proof_input(&audience, Some(spec)).grant_assertion(&key)?;
        AccessToken::parse(&signed).map_err(|_| Error::internal("a self-signed token that is none"))
    }

    /// What seals stored tokens: of the credential, else of the grant's key.
    /// `None` where a token of somebody else is shown: who it speaks for is not
    /// in the key under which tokens are kept.
    pub(crate) async fn sealing_material(&self) -> Option<SecretBytes> {
        if self.grant.is_foreign() {
            return None;
        }
        let proof = self.credentials.read(self.credentials.first()).await?.ok()?;
        if let Some(material) = proof.sealing_material() {
            // A token that is bound to a certificate besides is worth nothing with another one.
            let Some(binding) = self.credentials.binding_material().await else { return Some(material) };
            let binding = binding.ok()?;
            let both = [material.expose().as_slice(), binding.expose().as_slice()];
            return Some(SecretBytes::new(both.concat()));
        }
        match self.grant.read().await.ok()? {
            GrantProof::Key(key) => key.to_pkcs8_der().ok(),
            _ => None,
        }
    }

    async fn place(&self, target: Target) -> Result<Place, Error> {
        let explicit = match target {
            Target::Token => None,
            Target::Introspection => self.introspection.clone(),
            Target::Revocation => self.revocation.clone(),
        };
        let missing = || Error::of(Fault::NoEndpoint { what: target.name() });
        match &self.directory {
            Directory::Configured(endpoints) => {
                let configured = match target {
                    Target::Token => Some(endpoints.token.clone()),
                    Target::Introspection => endpoints.introspection.clone(),
                    Target::Revocation => endpoints.revocation.clone(),
                };
                let endpoint = explicit.or(configured).ok_or_else(missing)?;
                let audience = self.audience(AssertionAudience::Endpoint(endpoints.token.clone()), &endpoint);
                Ok(Place { endpoint, reach: Reach::Configured, audience })
            }
            Directory::Discovered(remote) => {
                let metadata = remote.get().await.map_err(|error| discovery_error(&error))?;
                self.check_binding(&metadata)?;
                let (endpoint, reach) = match explicit {
                    Some(endpoint) => (endpoint, Reach::Configured),
                    None => (self.discovered(&metadata, target).ok_or_else(missing)?, remote.reach()),
                };
                // spec: 7523-C4
                let audience = self.audience(AssertionAudience::Issuer(remote.issuer().clone()), &endpoint);
                Ok(Place { endpoint, reach, audience })
            }
        }
    }

    /// Under a profile that demands bound tokens, a server that does not say it binds them to certificates gets no
    /// request: an opaque token would not tell.
    fn check_binding(&self, metadata: &ServerMetadata) -> Result<(), Error> {
        let binds = self.dpop.is_some() || metadata.tls_client_certificate_bound_access_tokens;
        match self.tuning.security_profile.unbound() {
            Err(outside) if !binds => {
                Err(Error::misconfigured(format!("{outside}; the server's metadata offers neither")))
            }
            _ => Ok(()),
        }
    }

    /// With a client certificate the alias comes first (RFC 8705 section 5).
    // spec: 8705-C2, 9700-C1
    fn discovered(&self, metadata: &ServerMetadata, target: Target) -> Option<EndpointUri> {
        let aliases = self.credentials.uses_certificate().then_some(&metadata.mtls_endpoint_aliases);
        let alias = aliases.and_then(|aliases| match target {
            Target::Token => aliases.token_endpoint.clone(),
            Target::Introspection => aliases.introspection_endpoint.clone(),
            Target::Revocation => aliases.revocation_endpoint.clone(),
        });
        alias.or_else(|| match target {
            Target::Token => metadata.token_endpoint.clone(),
            Target::Introspection => metadata.introspection_endpoint.clone(),
            Target::Revocation => metadata.revocation_endpoint.clone(),
        })
    }

    fn audience(&self, default: AssertionAudience, called: &EndpointUri) -> AssertionAudience {
        match &self.tuning.assertion_audience {
            AssertionAudienceRule::Issuer => default,
            AssertionAudienceRule::Endpoint => AssertionAudience::Endpoint(called.clone()),
            AssertionAudienceRule::Literal(text) => AssertionAudience::Literal(text.clone()),
            AssertionAudienceRule::Host => AssertionAudience::Literal(called.origin().host().to_owned()),
        }
    }
}

/// What the catalogue knows about this error.
fn advice(hints: &[Hint], error: &ResponseError) -> Option<Advice> {
    match error {
        ResponseError::Refused { status, error } => Advice::of(hints, status.as_u16(), Some(error)),
        ResponseError::Unavailable { status, error, .. } => {
            Advice::of(hints, status.as_u16(), error.as_ref())
        }
        ResponseError::NotOauth { status, .. } | ResponseError::Redirected { status, .. } => {
            Advice::of(hints, status.as_u16(), None)
        }
        _ => None,
    }
}

/// Whose fault an answer is that is not what was asked for.
pub(crate) fn response_error(error: ResponseError, now: UnixTime) -> Error {
    let wait = |retry_after: Option<RetryAfter>| retry_after.map(|retry_after| retry_after.delay(now));
    match error {
        ResponseError::Refused { status, error } => Error::of(Fault::Refused {
            status: status.as_u16(),
            code: error.error,
            said: None,
            description: error.error_description,
            uri: error.error_uri,
        }),
        ResponseError::Unavailable { status, retry_after, .. } => {
            Error::after(Fault::Unavailable { status: status.as_u16() }, wait(retry_after))
        }
        ResponseError::Redirected { to, .. } => {
            Error::of(Fault::Redirected { to: to.map(|origin| origin.to_string()) })
        }
        ResponseError::NotOauth { status, retry_after, .. } => {
            Error::after(Fault::NotOauth { status: status.as_u16() }, wait(retry_after))
        }
        ResponseError::Malformed { status, what } => {
            Error::of(Fault::Malformed { status: status.as_u16(), what: what.to_string() })
        }
        _ => Error::internal("an answer that is not understood"),
    }
}

/// Why there is no response at all.
pub(crate) fn http_error(error: &HttpError) -> Error {
    let reason = || error.to_string();
    Error::of(match error {
        HttpError::Timeout => Fault::Timeout,
        HttpError::Connect(reason) => Fault::Connect { reason: reason.clone() },
        HttpError::Tls(reason) => Fault::Tls { reason: reason.clone() },
        HttpError::Dns(reason) => Fault::Dns { reason: reason.clone() },
        HttpError::TooLarge { limit } => Fault::TooLarge { limit: *limit },
        HttpError::Redirect { location_origin, .. } => {
            Fault::Redirected { to: location_origin.as_ref().map(ToString::to_string) }
        }
        HttpError::EgressDenied { .. } => Fault::Egress { reason: reason() },
        HttpError::Proxy(reason) => Fault::Proxy { reason: reason.clone() },
        _ => Fault::Http { reason: reason() },
    })
}

pub(crate) fn discovery_error(error: &RemoteError) -> Error {
    let reason = || error.to_string();
    match error {
        RemoteError::Http(error) => http_error(error),
        RemoteError::Status(status)
            if status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS =>
        {
            Error::of(Fault::Unavailable { status: status.as_u16() })
        }
        RemoteError::Lost => Error::of(Fault::Lost),
        _ => Error::of(Fault::Metadata { reason: reason() }),
    }
}
