//! Token exchange: the tokens of the request, read and looked up, before policy decides.
//!
//! Sections: RFC 8693 §2.1, §2.2.2
//! Enforces: the client may exchange at all, before its tokens are looked at; subject and actor token
//! with their types are there; both are ours and stand now, by a node that can vouch for that.
//! Does not enforce: what may be made of them (`policy::exchange`).

use m2m_proto::form::Form;
use m2m_proto::grant::{SecurityToken, TokenExchange, TokenTypeUri};
use m2m_proto::time::UnixTime;
use m2m_proto::token::request::TokenRequest;
use m2m_proto::token::sealed;

use super::super::refusal::Refusal;
use crate::admin::own_identifier;
use crate::authenticate::AuthenticatedClient;
use crate::own_token::{self, StandingToken};
use crate::policy::exchange::{self, Exchange, NotExchanged};
use crate::policy::{Denied, Grant, Held};
use crate::registry::Registry;
use crate::server::State;

/// Decides about a request of this grant.
///
/// # Errors
/// A [`Refusal`]: the first rule that it breaks.
// spec: 8693-AS1, 8693-AS3
pub(super) fn decide(
    state: &State,
    form: &Form<'_>,
    (caller, ask): (&AuthenticatedClient, &TokenRequest),
    held: &Held,
    registry: &Registry,
    now: UnixTime,
) -> Result<Grant, Refusal> {
    exchange::may_exchange(caller.client()).map_err(Denied::from)?;
    let asked = TokenExchange::decode(form)?;
    // What was withdrawn on another node must not be exchanged here.
    state.store.vouch()?;
    let standing = |token: &SecurityToken, fact: NotExchanged| -> Result<StandingToken, Refusal> {
        let text = token.text.expose();
        let fits = match token.token_type {
            TokenTypeUri::AccessToken => true,
            TokenTypeUri::Jwt => !sealed::is_sealed(text),
            _ => false,
        };
        if !fits {
            return Err(Denied::from(NotExchanged::TokenType).into());
        }
        let found = own_token::standing(state, text, registry, now)?;
        found.ok_or_else(|| Denied::from(fact).into())
    };
    let subject = standing(&asked.subject, NotExchanged::Subject)?;
    let actor = asked.actor.as_ref().map(|actor| standing(actor, NotExchanged::Actor)).transpose()?;
    let exchange = Exchange {
        subject: &subject,
        actor: actor.as_ref(),
        requested: asked.requested_token_type.as_ref(),
        admin: &own_identifier(state).map_err(|_| Denied::from(NotExchanged::Target))?,
    };
    Ok(exchange::decide(caller, ask, &exchange, held, registry, now)?)
}
