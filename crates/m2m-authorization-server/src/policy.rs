//! What a client gets: registration and request in, grant or refusal out. Pure.
//!
//! Sections: RFC 6749 §3.3, §4.4; RFC 8707 §2; RFC 8705 §3; RFC 9449 §5
//! Enforces, in this order:
//! - the grant type is `client_credentials`, or that of the JWT authorization grant for a client that came by one
//! - one token, one API: the one named by `resource` or `audience`, else the only granted one, else
//!   the only granted one that owns every asked scope
//! - asked scopes lie within the grant, or the request is refused: nothing is narrowed silently
//! - none asked: the defaults of the grant
//! - a key binding that API or client demands is there
//! - the life is the least of API, client cap and what is left of the credential
//!
//! Does not enforce: who the client is (`authenticate`), nor that its proof is fresh (`admission`).

pub mod exchange;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::dpop::VerifiedProof;
use m2m_proto::jose::JwkThumbprint;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::UnixTime;
use m2m_proto::token::request::{GrantKind, TokenRequest};
use m2m_proto::uri::ResourceUri;

use crate::authenticate::AuthenticatedClient;
use crate::federation::ExternalToken;
use crate::registry::{Api, ApiGrant, Client, Registration, Registry, SenderConstraint};
use exchange::{Exchanged, NotExchanged};

/// Why a request is refused although the client is who it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The grant type is none of ours.
    #[error("the grant type is not supported")]
    GrantType,
    /// The client has no grant at any API.
    #[error("the client has no grant")]
    NothingGranted,
    /// `resource` or `audience` names an API that is unknown or not granted.
    #[error("the requested resource is not granted to this client")]
    Target,
    /// `resource` and `audience` name more than one API.
    #[error("one token is for one API: name a single resource or audience")]
    ManyTargets,
    /// Several APIs are granted, and the request leaves open which one is meant.
    #[error("the request leaves open which API is meant: name it as resource or audience")]
    AmbiguousTarget,
    /// A scope is asked that is not granted.
    #[error("a requested scope is not granted to this client at this API")]
    Scope,
    /// The token must be bound to a key, and no DPoP proof came.
    #[error("a DPoP proof is required")]
    DpopRequired,
    /// The token must be bound to a certificate, and none came.
    #[error("a client certificate is required")]
    CertificateRequired,
    /// The security profile lets no token be bound to nothing, and neither proof nor certificate came.
    #[error("the token must be bound: send a DPoP proof, or show a client certificate")]
    Unbound,
    /// Tokens of the API are signed with an algorithm that the security profile does not allow.
    #[error("tokens for this API are signed with an algorithm that the security profile does not allow")]
    ApiAlgorithm,
    /// A token is not exchanged.
    #[error(transparent)]
    Exchange(#[from] NotExchanged),
}

/// What the caller proved to hold, ready to bind a token to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    jkt: Option<JwkThumbprint>,
    certificate: Option<CertificateThumbprint>,
    must_bind: bool,
}

impl Held {
    /// Takes a key from a verified proof only, a certificate from the TLS handshake only.
    pub(crate) fn new(proof: Option<&VerifiedProof>, certificate: Option<CertificateThumbprint>) -> Self {
        Self { jkt: proof.map(|proof| proof.jkt().clone()), certificate, must_bind: false }
    }

    /// Whether the token has to be bound to something, whatever API and client demand.
    pub(crate) fn under(self, profile: SecurityProfile) -> Self {
        Self { must_bind: profile.demands_binding(), ..self }
    }
}

/// What a token will say. Made by `decide`, here and in `exchange`, only.
#[derive(Debug, Clone)]
pub struct Grant {
    api: Arc<Api>,
    scope: Arc<Scope>,
    client: Arc<Registration>,
    lifetime: Duration,
    jkt: Option<JwkThumbprint>,
    certificate: Option<CertificateThumbprint>,
    exchanged: Option<Box<Exchanged>>,
}

impl Grant {
    /// The API that the token is for.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The scopes: as asked, or the defaults.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The claim `roles`.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        match &self.exchanged {
            Some(exchanged) => exchanged.roles(),
            None => self.granted().map_or(&[], |granted| &granted.roles),
        }
    }

    /// The claim `permissions`.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        match &self.exchanged {
            Some(exchanged) => exchanged.permissions(),
            None => self.granted().map_or(&[], |granted| &granted.permissions),
        }
    }

    /// What is different where the token is made from another one.
    #[must_use]
    pub fn exchanged(&self) -> Option<&Exchanged> {
        self.exchanged.as_deref()
    }

    fn granted(&self) -> Option<&ApiGrant> {
        self.client.client().grants.get(self.api.identifier.as_str())
    }

    /// How long the token lives: whole seconds, at least 1.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The key that the token is bound to (RFC 9449 §6).
    #[must_use]
    pub fn jkt(&self) -> Option<&JwkThumbprint> {
        self.jkt.as_ref()
    }

    /// The certificate that the token is bound to (RFC 8705 §3.1).
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateThumbprint> {
        self.certificate
    }
}

/// Decides about one token request.
///
/// # Errors
/// [`Denied`], for the first rule that the request breaks.
// spec: 6749-AS7a, 9700-AS1, 9700-AS3
pub(crate) fn decide(
    caller: &AuthenticatedClient,
    ask: &TokenRequest,
    held: &Held,
    registry: &Registry,
    now: UnixTime,
) -> Result<Grant, Denied> {
    match ask.grant {
        GrantKind::ClientCredentials => {}
        GrantKind::JwtBearer if caller.external().is_some_and(ExternalToken::is_grant) => {}
        _ => return Err(Denied::GrantType),
    }
    let client = caller.client();
    let (api, granted) = target(client, ask, registry)?;
    let scope = match &ask.scope {
        None => Arc::clone(&granted.defaults),
        Some(asked) if asked.is_subset(&granted.scopes) => Arc::new(asked.clone()),
        Some(_) => return Err(Denied::Scope),
    };
    let certificate = constrain(client, &api, held)?;
    Ok(Grant {
        lifetime: lifetime(caller, &api, now),
        scope,
        client: Arc::clone(caller.registration()),
        jkt: held.jkt.clone(),
        certificate,
        api,
        exchanged: None,
    })
}

/// One token, one API.
// spec: 8707-AS1, 9068-AS5, 9068-AS6
fn target<'a>(
    client: &'a Client,
    ask: &TokenRequest,
    registry: &Registry,
) -> Result<(Arc<Api>, &'a ApiGrant), Denied> {
    let audiences = ask.audience.iter().map(String::as_str);
    let named: BTreeSet<&str> = audiences.chain(ask.resources.iter().map(ResourceUri::as_str)).collect();
    let mut named = named.into_iter();
    if let Some(name) = named.next() {
        let granted = client.grants.get(name).zip(registry.api(name));
        // Checked after the first name, so that two good names are told apart from a bad one.
        return match (granted, named.next()) {
            (_, Some(_)) => Err(Denied::ManyTargets),
            (None, None) => Err(Denied::Target),
            (Some((grant, api)), None) => Ok((Arc::clone(api), grant)),
        };
    }
    let mut granted =
        client.grants.iter().filter_map(|(name, grant)| Some((registry.api(name.as_str())?, grant)));
    let (first, others) = (granted.next().ok_or(Denied::NothingGranted)?, granted.next().is_some());
    if others { owner(client, ask.scope.as_ref(), registry) } else { Ok((Arc::clone(first.0), first.1)) }
}

/// The only granted API that owns every asked scope.
fn owner<'a>(
    client: &'a Client,
    asked: Option<&Scope>,
    registry: &Registry,
) -> Result<(Arc<Api>, &'a ApiGrant), Denied> {
    let asked = asked.ok_or(Denied::AmbiguousTarget)?;
    let granted_anywhere = |token: &str| client.grants.iter().any(|(_, grant)| grant.scopes.contains(token));
    if !asked.iter().all(|token| granted_anywhere(token.as_str())) {
        return Err(Denied::Scope);
    }
    let mut owners = client.grants.iter().filter_map(|(name, grant)| {
        let api = registry.api(name.as_str()).filter(|api| api.owns(asked))?;
        Some((Arc::clone(api), grant))
    });
    match (owners.next(), owners.next()) {
        (Some(owner), None) => Ok(owner),
        _ => Err(Denied::AmbiguousTarget),
    }
}

/// The certificate to bind to, if one is demanded; a proof that came is honoured in any case.
// spec: 9449-AS2, FAPI-AS1, OIDF-AS8
fn constrain(client: &Client, api: &Api, held: &Held) -> Result<Option<CertificateThumbprint>, Denied> {
    let demanded = |constraint| [client.sender_constraint, api.sender_constraint].contains(&constraint);
    if demanded(SenderConstraint::Dpop) && held.jkt.is_none() {
        return Err(Denied::DpopRequired);
    }
    match held.certificate {
        certificate @ Some(_) if demanded(SenderConstraint::Mtls) => Ok(certificate),
        None if demanded(SenderConstraint::Mtls) => Err(Denied::CertificateRequired),
        // With a key, the certificate only authenticated: the token stays as it was asked for.
        _ if held.jkt.is_some() || !held.must_bind => Ok(None),
        certificate => certificate.map(Some).ok_or(Denied::Unbound),
    }
}

/// Least of API, client cap and the rest of the credential; whole seconds, because `exp` is.
fn lifetime(caller: &AuthenticatedClient, api: &Api, now: UnixTime) -> Duration {
    let rest = caller.credential().expires_at.map(|end| end.since(now));
    let least = [caller.client().lifetime_cap, rest].into_iter().flatten().fold(api.lifetime, Duration::min);
    Duration::from_secs(least.as_secs().max(1))
}

#[cfg(test)]
mod tests;
