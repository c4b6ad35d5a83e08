//! What a client gets for a token: narrower in every way, or a refusal. Pure.
//!
//! Sections: RFC 8693 §2.1, §2.2, §4.1; RFC 9449 §6; RFC 8705 §3
//! Enforces, in this order:
//! - the client was registered for it
//! - what the subject token, and the actor token, are bound to is proven by this request
//! - an actor token is one that this client got for itself
//! - the subject is a client that is in use
//! - the target: one API, at which both the subject and this client have a grant; another one than the
//!   subject token's only for the subject itself or a resource server of the subject token's API; never
//!   the admin API
//! - the scopes lie within both grants and, at the same API, within the subject token
//! - a requested token type is one that the target has
//! - the life ends with the subject token; the binding stays
//!
//! The rule behind it: a token that was exchanged says nothing of its subject that the subject could
//! not have got, and gives its actor nothing that the actor could not have got.
//! Does not enforce: that the tokens are ours and stand (`own_token::standing`, by type).

use std::collections::BTreeSet;
use std::sync::Arc;

use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::grant::TokenTypeUri;
use m2m_proto::scope::Scope;
use m2m_proto::text::ShortText;
use m2m_proto::time::UnixTime;
use m2m_proto::token::access_token::{Delegation, DelegationError, VerifiedClaims};
use m2m_proto::token::request::TokenRequest;
use m2m_proto::uri::ResourceUri;

use super::{Denied, Grant, Held, constrain, lifetime};
use crate::authenticate::AuthenticatedClient;
use crate::own_token::StandingToken;
use crate::registry::{Api, ApiGrant, ApiIdentifier, Client, Registry, Status, TokenFormat};

/// Why a token is not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotExchanged {
    /// The client was not registered for it.
    #[error("this client may not exchange tokens")]
    Client,
    /// It is none of ours, expired, withdrawn, or of a subject that is gone.
    #[error("the subject_token is not an active access token of this server")]
    Subject,
    /// As above, or of somebody else.
    #[error("the actor_token is not an active access token that this client got for itself")]
    Actor,
    /// The token is not of the type that it is said to be, or of one that is not taken.
    #[error("the type of subject_token or actor_token is not one that is exchanged here, or not its own")]
    TokenType,
    /// The target has no tokens of the type that is asked for.
    #[error("the requested_token_type is not available for this API")]
    RequestedType,
    /// It is bound to a key or certificate, and this request does not prove that.
    #[error("the token to be exchanged is bound to a key or certificate that this request does not prove")]
    Bound,
    /// It is the result of too many exchanges.
    #[error("the subject_token was exchanged too often")]
    TooOften,
    /// The API is unknown, not granted to both, or out of reach for this client.
    #[error("the subject_token cannot be exchanged for a token for that API")]
    Target,
    /// A scope is asked for that not all of subject token, subject and client have, or nothing is left.
    #[error("the scope is beyond the subject_token, or what its subject and this client are granted")]
    Scope,
}

/// What is to be exchanged.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) subject: &'a StandingToken,
    pub(crate) actor: Option<&'a StandingToken>,
    pub(crate) requested: Option<&'a TokenTypeUri>,
    /// The API that no token is exchanged for.
    pub(crate) admin: &'a ApiIdentifier,
}

/// What is different about a token that was exchanged. Made by `decide` only.
#[derive(Debug, Clone)]
pub struct Exchanged {
    subject: ShortText,
    subject_jti: ShortText,
    delegation: Delegation,
    issued: TokenTypeUri,
    roles: Vec<String>,
    permissions: Vec<String>,
}

impl Exchanged {
    /// `sub`: that of the subject token.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `jti` of the subject token.
    #[must_use]
    pub fn subject_jti(&self) -> &str {
        &self.subject_jti
    }

    /// `act`, and the tokens that it was made from.
    #[must_use]
    pub fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// `issued_token_type`.
    #[must_use]
    pub fn issued(&self) -> &TokenTypeUri {
        &self.issued
    }

    pub(super) fn roles(&self) -> &[String] {
        &self.roles
    }

    pub(super) fn permissions(&self) -> &[String] {
        &self.permissions
    }
}

/// Whether the client was registered for it; asked before its tokens are looked at.
pub(crate) fn may_exchange(client: &Client) -> Result<(), NotExchanged> {
    if client.token_exchange { Ok(()) } else { Err(NotExchanged::Client) }
}

/// Decides about one exchange.
///
/// # Errors
/// [`Denied`], for the first rule that the request breaks.
// spec: 8693-AS1, 8693-AS2, 8693-AS3
pub(crate) fn decide(
    caller: &AuthenticatedClient,
    ask: &TokenRequest,
    exchange: &Exchange<'_>,
    held: &Held,
    registry: &Registry,
    now: UnixTime,
) -> Result<Grant, Denied> {
    let client = caller.client();
    may_exchange(client)?;
    let subject = exchange.subject.claims();
    held.proves(subject)?;
    if let Some(actor) = exchange.actor {
        held.proves(actor.claims())?;
        check_actor(client, actor.claims())?;
    }
    let owner = subject_of(subject, registry)?;
    let (api, same) = target(client, ask, exchange, registry)?;
    let both = Both::at(&api, client, owner)?;
    let scope = both.scope(ask.scope.as_ref(), same.then(|| subject.scope()))?;
    let constrained = constrain(client, &api, held)?;
    let exchanged = Exchanged {
        subject: owner.id.as_str().into(),
        subject_jti: subject.jti().ok_or(NotExchanged::Subject)?.into(),
        delegation: Delegation::exchanged(subject, &client.id).map_err(unfit)?,
        issued: issued(exchange.requested, &api)?,
        roles: both.names(|grant| &grant.roles, same.then_some((subject, m2m_proto::names::claim::ROLES))),
        permissions: both.names(
            |grant| &grant.permissions,
            same.then_some((subject, m2m_proto::names::claim::PERMISSIONS)),
        ),
    };
    // `exp` is whole seconds and in the future, so at least one is left.
    let second = UnixTime::from_seconds(now.seconds());
    let rests = exchange.actor.into_iter().chain([exchange.subject]);
    let rest = rests.map(|token| token.claims().expires_at().since(second)).min().unwrap_or_default();
    let least = owner.lifetime_cap.map_or(rest, |cap| rest.min(cap));
    Ok(Grant {
        lifetime: lifetime(caller, &api, now).min(least),
        scope: Arc::new(scope),
        client: Arc::clone(caller.registration()),
        jkt: held.jkt.clone(),
        certificate: held.kept(subject).or(constrained),
        api,
        exchanged: Some(Box::new(exchanged)),
    })
}

fn unfit(error: DelegationError) -> NotExchanged {
    match error {
        DelegationError::TooOften => NotExchanged::TooOften,
        _ => NotExchanged::Subject,
    }
}

impl Held {
    /// Whoever has a bound token and not what it is bound to did not get it honestly.
    // spec: 8693-AS3
    fn proves(&self, claims: &VerifiedClaims) -> Result<(), NotExchanged> {
        // A profile under which no token is unbound takes none that was made before it.
        let Some(bound) = claims.confirmation() else {
            return if self.must_bind { Err(NotExchanged::Bound) } else { Ok(()) };
        };
        let key = bound.jkt().is_none_or(|jkt| self.jkt.as_ref() == Some(jkt));
        let certificate = bound.x5t_s256().is_none_or(|thumbprint| self.certificate == Some(thumbprint));
        if key && certificate { Ok(()) } else { Err(NotExchanged::Bound) }
    }

    /// The certificate of a token that was bound to one: what is made of it is bound as well.
    fn kept(&self, claims: &VerifiedClaims) -> Option<CertificateThumbprint> {
        self.certificate.filter(|_| claims.confirmation().is_some_and(|bound| bound.x5t_s256().is_some()))
    }
}

fn check_actor(client: &Client, actor: &VerifiedClaims) -> Result<(), NotExchanged> {
    let own = [actor.subject(), actor.client_id()].iter().all(|name| *name == Some(client.id.as_str()));
    if own { Ok(()) } else { Err(NotExchanged::Actor) }
}

fn subject_of<'r>(subject: &VerifiedClaims, registry: &'r Registry) -> Result<&'r Client, NotExchanged> {
    let registration = subject.subject().and_then(|name| registry.registration_named(name));
    let client = registration.map(|registration| registration.client());
    client.filter(|client| client.status == Status::Active).ok_or(NotExchanged::Subject)
}

/// The API that the new token is for, and whether it is that of the subject token.
// spec: 8693-AS1
fn target(
    client: &Client,
    ask: &TokenRequest,
    exchange: &Exchange<'_>,
    registry: &Registry,
) -> Result<(Arc<Api>, bool), Denied> {
    let subject = exchange.subject.claims();
    let of_subject = subject.audience().next().unwrap_or_default();
    let audiences = ask.audience.iter().map(String::as_str);
    let named: BTreeSet<&str> = audiences.chain(ask.resources.iter().map(ResourceUri::as_str)).collect();
    if named.len() > 1 {
        return Err(Denied::ManyTargets);
    }
    let name = named.first().copied().unwrap_or(of_subject);
    let api = registry.api(name).filter(|api| api.identifier != *exchange.admin);
    let api = api.ok_or(NotExchanged::Target)?;
    let same = name == of_subject;
    // Back where it came from by a detour, it would be measured by grants and no longer by its scope.
    let before = Delegation::decode(subject.claims()).map_err(unfit)?;
    let origins = before.as_ref().map_or(&[][..], Delegation::origins);
    if !same && origins.iter().any(|origin| origin.audience == name) {
        return Err(NotExchanged::Target.into());
    }
    let itself = subject.subject() == Some(client.id.as_str());
    let serves = || registry.api(of_subject).is_some_and(|api| api.resource_servers.contains(&client.id));
    if same || itself || serves() { Ok((Arc::clone(api), same)) } else { Err(NotExchanged::Target.into()) }
}

/// What the client and the subject are granted at one API.
struct Both<'r> {
    client: &'r ApiGrant,
    subject: &'r ApiGrant,
}

impl<'r> Both<'r> {
    fn at(api: &Api, client: &'r Client, subject: &'r Client) -> Result<Self, NotExchanged> {
        let at = |who: &'r Client| who.grants.get(api.identifier.as_str()).ok_or(NotExchanged::Target);
        Ok(Self { client: at(client)?, subject: at(subject)? })
    }

    /// `within` is the scope of a subject token for the same API.
    fn scope(&self, asked: Option<&Scope>, within: Option<&Scope>) -> Result<Scope, NotExchanged> {
        let granted = self.client.scopes.intersection(&self.subject.scopes);
        let most = within.map_or_else(|| granted.clone(), |within| within.intersection(&granted));
        let Some(asked) = asked else {
            let unasked = within.unwrap_or(&self.client.defaults);
            let scope = unasked.intersection(&most);
            let nothing_left = scope.is_empty() && !unasked.is_empty();
            return if nothing_left { Err(NotExchanged::Scope) } else { Ok(scope) };
        };
        if asked.is_subset(&most) { Ok(asked.clone()) } else { Err(NotExchanged::Scope) }
    }

    /// Roles or permissions that both have, and a subject token for the same API has as well.
    fn names(
        &self,
        of: impl Fn(&ApiGrant) -> &Vec<String>,
        within: Option<(&VerifiedClaims, &str)>,
    ) -> Vec<String> {
        let told = |name: &String| {
            within.is_none_or(|(claims, member)| {
                let list = claims.get(member).and_then(|value| value.as_array());
                list.is_some_and(|list| list.iter().any(|own| own == name.as_str()))
            })
        };
        let subject = of(self.subject);
        of(self.client).iter().filter(|name| subject.contains(name) && told(name)).cloned().collect()
    }
}

/// What is issued, said as it was asked for.
fn issued(requested: Option<&TokenTypeUri>, api: &Api) -> Result<TokenTypeUri, NotExchanged> {
    match requested {
        None | Some(TokenTypeUri::AccessToken) => Ok(TokenTypeUri::AccessToken),
        Some(TokenTypeUri::Jwt) if api.format == TokenFormat::Jwt => Ok(TokenTypeUri::Jwt),
        Some(_) => Err(NotExchanged::RequestedType),
    }
}

#[cfg(test)]
mod tests;
