//! Making a token: what was admitted, signed by the active key of its API's algorithm, or sealed.
//!
//! Sections: RFC 9068 §2; RFC 6749 §5.1; RFC 8693 §4.1
//! Does not enforce: anything. What may be made was decided before; [`Admitted`] is the evidence.

use m2m_io::Random;
use m2m_proto::text::ShortText;
use m2m_proto::time::UnixTime;
use m2m_proto::token::access_token::{AccessTokenClaims, StatusReference};
use m2m_proto::token::confirmation::Confirmation;
use m2m_proto::token::sealed::TokenSeal;
use m2m_proto::token::{AccessToken, TokenType};
use m2m_proto::uri::Issuer;

use crate::admission::Admitted;
use crate::keys::Key;
use crate::lists;
use crate::policy::Grant;
use crate::policy::exchange::Exchanged;
use crate::server::Endpoints;

/// The token could not be signed: a bug, or memory gone bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token cannot be signed")]
pub(crate) struct SigningFailed;

/// A token, fresh from the key.
#[derive(Debug)]
pub(crate) struct Minted {
    pub(crate) token: AccessToken,
    pub(crate) token_type: TokenType,
    pub(crate) jti: ShortText,
    pub(crate) expires_at: UnixTime,
}

/// What a token is made with.
pub(crate) struct Tools<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) random: &'a dyn Random,
    pub(crate) seal: &'a TokenSeal,
    pub(crate) endpoints: &'a Endpoints,
    /// The key that signs; `None` for tokens that are sealed.
    pub(crate) key: Option<&'a Key>,
}

fn confirmation(grant: &Grant) -> Option<Confirmation> {
    match (grant.jkt(), grant.certificate()) {
        (Some(jkt), Some(certificate)) => Some(Confirmation::key(jkt.clone()).and_certificate(certificate)),
        (Some(jkt), None) => Some(Confirmation::key(jkt.clone())),
        (None, Some(certificate)) => Some(Confirmation::certificate(certificate)),
        (None, None) => None,
    }
}

/// Makes the token, under a fresh `jti`.
// spec: 9068-AS1, 9068-AS2, 9068-AS3, 9068-AS5, 9449-AS1, 8705-AS4, 9700-AS5
pub(crate) fn mint(admitted: &Admitted, tools: &Tools<'_>, now: UnixTime) -> Result<Minted, SigningFailed> {
    let jti = m2m_io::token(tools.random);
    let (caller, grant) = (admitted.client(), admitted.grant());
    let client_id = &caller.client().id;
    // `exp` and `iat` are whole seconds; counted from the same one, so that they differ by the life.
    let issued_at = UnixTime::from_seconds(now.seconds());
    let expires_at = issued_at.saturating_add(grant.lifetime());
    let confirmation = confirmation(grant);
    let (list, index) = lists::place(caller.credential().status_index);
    let uri = tools.endpoints.status_list(list);
    let claims = AccessTokenClaims {
        issuer: tools.issuer,
        // spec: 8693-AS2
        subject: grant.exchanged().map_or(client_id.as_str(), Exchanged::subject),
        client_id,
        audience: &[grant.api().identifier.as_str()],
        scope: grant.scope(),
        issued_at,
        expires_at,
        jti: &jti,
        roles: grant.roles(),
        permissions: grant.permissions(),
        credential: Some(caller.credential().id.as_str()),
        confirmation: confirmation.as_ref(),
        status: Some(StatusReference { uri: &uri, index }),
        delegation: grant.exchanged().map(Exchanged::delegation),
    };
    let token = match tools.key {
        Some(key) => claims.sign(&key.header, &key.signing),
        None => {
            let mut nonce = [0; 12];
            tools.random.fill(&mut nonce);
            tools.seal.seal(&claims, nonce, now)
        }
    };
    let token = token.map_err(|_| SigningFailed)?;
    let token_type = if grant.jkt().is_some() { TokenType::Dpop } else { TokenType::Bearer };
    Ok(Minted { token, token_type, jti, expires_at })
}
