//! `m2m verify`: whether a token is good for an API, by the same rules as crate `m2m-resource-server`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use m2m_io::reqwest::ReqwestHttp;
use m2m_io::{BoxFuture, HttpClient, HttpError, Limits};
use m2m_proto::error::ErrorCode;
use m2m_proto::jose::JwkSet;
use m2m_proto::scope::Scope;
use m2m_proto::token::access_token::VerifiedClaims;
use m2m_proto::uri::{EndpointUri, Issuer, PlainHttp};
use m2m_resource_server::{KeysFrom, Reason, Rejection, TrustedIssuer, Verifier};
use serde_json::{Value, json};

use super::typed_token;
use crate::Surroundings;
use crate::args::Verify;
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::gateway::stated::token_profile;
use crate::output::{Reader, printable};
use crate::settings::value::parse_time;

const MAX_KEYS_BYTES: u64 = 1024 * 1024;

pub(crate) async fn run(typed: &Verify, around: &Surroundings) -> Result<Exit, Failure> {
    let required = Scope::parse(&typed.require_scope.join(" "));
    let required = if typed.require_scope.is_empty() { Ok(Scope::empty()) } else { required };
    let required = required.map_err(|error| Failure::usage(format!("--require-scope: {error}")))?;
    let (verifier, http) = verifier(typed, around)?;
    let token = typed_token::read(&typed.token)?;
    let claims = match verifier.verify_token(token.expose()).await {
        Ok(claims) => claims,
        Err(rejection) => {
            let failure = refused(&rejection, &http, around);
            let is_jwt = token.expose().split('.').count() == 3;
            return Err(match is_jwt {
                true => failure,
                false => failure.hint("an opaque token can only be introspected: m2m introspect"),
            });
        }
    };
    if !required.is_subset(claims.scope()) {
        let missing = required.difference(claims.scope());
        let reason = format!("the token's scope lacks {missing}");
        return Err(invalid(&ErrorCode::InsufficientScope, &reason, around));
    }
    report(&claims, around)?;
    Ok(Exit::Ok)
}

fn verifier(typed: &Verify, around: &Surroundings) -> Result<(Verifier, Arc<Remembering>), Failure> {
    let issuer =
        Issuer::parse(&typed.issuer).map_err(|error| Failure::usage(format!("--issuer: {error}")))?;
    let keys = keys(typed, &issuer)?;
    let mut trusted = TrustedIssuer::new(issuer).audience(typed.audience.as_str());
    if let Some(name) = &typed.token_profile {
        let profile = token_profile(name);
        trusted = trusted
            .profile(profile.map_err(|problem| Failure::usage(format!("--token-profile: {problem}")))?);
    }
    let timeout = typed.timeout.as_deref().map(parse_time).transpose();
    let timeout = timeout.map_err(|problem| Failure::usage(format!("--timeout: {problem}")))?;
    let mut http = ReqwestHttp::builder();
    if let Some(path) = &typed.ca_file {
        http = http.ca_file(path).map_err(|error| Failure::usage(format!("--ca-file: {error}")))?;
    }
    let inner = http.build().map_err(|error| connect::http_failure(&error))?;
    let http = Arc::new(Remembering { inner, timeout, last: std::sync::Mutex::default() });
    let verifier = Verifier::builder()
        .trust_with(trusted.keys(keys))
        .http(Arc::clone(&http) as Arc<dyn HttpClient>)
        .clock(Arc::clone(&around.clock))
        .build()
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok((verifier, http))
}

/// Where the keys come from; never in the clear beyond this machine.
fn keys(typed: &Verify, issuer: &Issuer) -> Result<KeysFrom, Failure> {
    let unsafe_at = |flag: &str, error: &dyn std::fmt::Display| {
        Failure::usage(format!("{flag}: {error}")).hint("keys fetched in the clear could be anybody's")
    };
    if let Some(path) = &typed.jwks_file {
        let wrong = |problem: &dyn std::fmt::Display| {
            Failure::configuration(format!("{}: {problem}", path.display()))
                .hint("expected a JWK set such as {\"keys\":[…]}; m2m keygen writes one")
        };
        let bytes = m2m_io::file::read_file(path, MAX_KEYS_BYTES).map_err(|error| wrong(&error))?;
        return JwkSet::decode(&bytes).map(KeysFrom::Fixed).map_err(|error| wrong(&error));
    }
    if let Some(text) = &typed.jwks_uri {
        let url = EndpointUri::parse(text).map_err(|error| Failure::usage(format!("--jwks-uri: {error}")))?;
        url.check_transport(PlainHttp::LoopbackOnly).map_err(|error| unsafe_at("--jwks-uri", &error))?;
        return Ok(KeysFrom::Url(url));
    }
    issuer
        .endpoint()
        .check_transport(PlainHttp::LoopbackOnly)
        .map_err(|error| unsafe_at("--issuer", &error))?;
    Ok(KeysFrom::Discovery)
}

/// Remembers how the last exchange ended, so that "the keys cannot be had" ends with the exit code of the cause.
#[derive(Debug)]
struct Remembering {
    inner: ReqwestHttp,
    timeout: Option<Duration>,
    last: std::sync::Mutex<Option<Result<StatusCode, HttpError>>>,
}

impl HttpClient for Remembering {
    fn send(
        &self,
        request: http::Request<bytes::Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, HttpError>> {
        let mut limits = limits.clone();
        limits.timeout = self.timeout.unwrap_or(limits.timeout);
        Box::pin(async move {
            let sent = self.inner.send(request, &limits).await;
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *last = Some(sent.as_ref().map(http::Response::status).map_err(Clone::clone));
            sent
        })
    }
}

/// The keys cannot be had: the exit code of the cause. Everything else: the token is not good, 11.
fn refused(rejection: &Rejection, http: &Remembering, around: &Surroundings) -> Failure {
    let Reason::Unavailable(why) = rejection.reason() else {
        let code = rejection.code().unwrap_or(ErrorCode::InvalidToken);
        return invalid(&code, &rejection.reason().to_string(), around);
    };
    let last = http.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let message = format!("the issuer's keys cannot be had: {why}");
    match last {
        Some(Err(error)) => connect::http_failure(&error),
        Some(Ok(StatusCode::TOO_MANY_REQUESTS)) => Failure::of(Exit::RateLimited, "unreachable", message)
            .hint("the issuer counts too many requests; wait before the next"),
        Some(Ok(status)) if status.is_server_error() => {
            Failure::of(Exit::Unreachable, "unreachable", message)
                .hint("the issuer or a proxy before it is failing; try again later")
        }
        // There was an answer, and it was no key set and no metadata.
        _ => Failure::of(Exit::Malformed, "peer_misbehaved", message)
            .hint("the metadata at --issuer must name that very URL as issuer, and its jwks_uri a JWK set"),
    }
}

fn invalid(code: &ErrorCode, reason: &str, around: &Surroundings) -> Failure {
    if around.output.reader() == Reader::Program {
        // A full disk is told by the failure that follows.
        let _told_below =
            around.output.json(&json!({"valid": false, "error": code.as_str(), "reason": reason}));
    }
    Failure::of(Exit::VerificationFailed, "verification_failed", format!("the token is not valid: {reason}"))
        .code(code.as_str())
}

fn report(claims: &VerifiedClaims, around: &Surroundings) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        let parsed: Value = serde_json::from_slice(&claims.claims().encode()).unwrap_or_default();
        return around.output.json(&json!({"valid": true, "claims": parsed}));
    }
    let (now, end) = (around.clock.wall(), claims.expires_at());
    let left = end.since(now).as_secs();
    let life = match now.since(end).as_secs() {
        0 => format!("expires in {}m{:02}s", left / 60, left % 60),
        ago => format!("expired {ago}s ago, within the skew"),
    };
    let bound = match claims.confirmation() {
        None => "no",
        Some(confirmation) if confirmation.jkt().is_some() => "to a DPoP key, not checked here",
        Some(_) => "to a certificate, not checked here",
    };
    around.output.result(&format!(
        "ok  client {}   scope {}   {life}   bound: {bound}",
        printable(claims.client_id().unwrap_or("-")),
        claims.scope(),
    ))
}
