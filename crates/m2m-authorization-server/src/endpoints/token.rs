//! The token endpoint: one straight function, each line consumes what the line before proved.
//!
//! Sections: RFC 6749 §4.4, §5; RFC 8693 §2; RFC 9449 §5
//! The order is the argument: pure checks, then one commit, then creation. A refusal before the
//! commit leaves assertion and proof unused.

mod exchange;
pub(crate) mod jwt_bearer;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use bytes::Bytes;
use http::{Response, Uri};
use m2m_io::Now;
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::dpop::proof::{self, DEFAULT_ALGORITHMS};
use m2m_proto::dpop::{NonceRule, ProofError, ProofWindow, VerifiedProof};
use m2m_proto::error::Endpoint;
use m2m_proto::names::header;
use m2m_proto::text::ShortText;
use m2m_proto::time::UnixTime;
use m2m_proto::token::request::GrantKind;
use m2m_proto::token::{IssuedToken, TokenRequest};

use super::refusal::Refusal;
use super::{Incoming, Served};
use crate::admission::{self, Admitted};
use crate::audit::{Event, Record};
use crate::config::ServerNonce;
use crate::federation::ExternalToken;
use crate::frequency::Counted;
use crate::keys::Key;
use crate::mint::{Minted, Tools, mint};
use crate::observe::{self, Binding};
use crate::policy::exchange::Exchanged;
use crate::policy::{self, Grant, Held};
use crate::profile;
use crate::registry::TokenFormat;
use crate::server::State;

pub(crate) fn answer(
    Extracted(state): Served,
    request: Request,
) -> impl Future<Output = axum::response::Response> + Send {
    super::serve(state, Endpoint::Token, request, |state, incoming, now| {
        Box::pin(issue(state, incoming, now))
    })
}

// spec: 6749-AS11, 6749-AS10, 7523-AS3b, 9449-AS5, OIDF-AS2
async fn issue(state: &State, incoming: &Incoming, now: Now) -> Result<Response<Bytes>, Refusal> {
    let form = incoming.form()?;
    let ask = TokenRequest::decode(&form)?;
    let registry = state.store.registry()?;
    let client = match ask.grant {
        GrantKind::JwtBearer => jwt_bearer::authorize(state, incoming, &form, &registry, now).await?,
        _ => super::authenticate(state, incoming, &form, &registry, now).await?,
    };
    let proof = check_proof(state, incoming, now.wall)?.map(Box::new);
    let held = Held::new(proof.as_deref(), incoming.certificate.as_ref().map(PeerCertificate::thumbprint))
        .under(state.profile);
    let grant = match ask.grant {
        GrantKind::TokenExchange => {
            exchange::decide(state, &form, (&client, &ask), &held, &registry, now.wall)?
        }
        _ => policy::decide(&client, &ask, &held, &registry, now.wall)?,
    };
    profile::granted(state.profile, &grant)?;
    // Before anything is consumed: a key still being made must not burn an assertion.
    let key = signing_key(state, &grant, now.wall)?;
    let admitted =
        admission::admit(state.store.as_ref(), client, proof.as_deref(), grant, state.moment(now)).await?;
    let tools = Tools {
        issuer: &state.issuer,
        random: state.random.as_ref(),
        seal: &state.seal,
        endpoints: &state.endpoints,
        key: key.as_deref(),
    };
    let minted = match &key {
        Some(key) => key.signed(|| mint(&admitted, &tools, now.wall))?,
        None => mint(&admitted, &tools, now.wall)?,
    };
    count(state, &admitted);
    let scope = admitted.grant().scope().to_text();
    let response = respond(&admitted, &minted, &scope);
    let record = record(&admitted, minted, scope, incoming.address, now);
    state.trail.keep(state.store.as_ref(), record).await?;
    Ok(response)
}

/// The key for the API's algorithm; none for tokens that are sealed.
fn signing_key(state: &State, grant: &Grant, now: UnixTime) -> Result<Option<Arc<Key>>, Refusal> {
    match grant.api().format {
        TokenFormat::Opaque => Ok(None),
        TokenFormat::Jwt => {
            state.keys.active(grant.api().algorithm, now).map(Some).ok_or(Refusal::KeyNotReady)
        }
    }
}

/// A proof that came must be good; whether one must come is the policy's question.
// spec: 9449-AS1, OIDF-AS4, OIDF-AS5, OIDF-AS6
fn check_proof(
    state: &State,
    incoming: &Incoming,
    now: UnixTime,
) -> Result<Option<VerifiedProof>, ProofError> {
    if !incoming.headers.contains_key(header::DPOP) {
        return Ok(None);
    }
    let nonce = match state.nonce_rule {
        ServerNonce::Off => NonceRule::Unused,
        ServerNonce::Required => NonceRule::Required(&state.nonce_key),
    };
    let algorithms = state.profile.allowed(&DEFAULT_ALGORITHMS);
    let verify = |uri: &Uri| {
        let expect = proof::Expect {
            method: &incoming.method,
            uri,
            algorithms: &algorithms,
            now,
            window: ProofWindow::default(),
            nonce,
            access_token: None,
            jkt: None,
        };
        proof::verify(&incoming.headers, &expect)
    };
    // One server, two addresses: the ordinary one and the one that asks for certificates.
    match (verify(state.endpoints.token.uri()), &state.endpoints.token_alias) {
        (Err(ProofError::Uri), Some(alias)) => verify(alias.uri()).map(Some),
        (verified, _) => verified.map(Some),
    }
}

fn count(state: &State, admitted: &Admitted) {
    let (caller, grant) = (admitted.client(), admitted.grant());
    let binding = match (grant.jkt(), grant.certificate()) {
        (Some(_), _) => Binding::Dpop,
        (None, Some(_)) => Binding::Mtls,
        (None, None) => Binding::None,
    };
    let signed = (grant.api().format == TokenFormat::Jwt).then_some(grant.api().algorithm);
    state.issued.count(signed, binding);
    if admitted.counted() == Counted::Suspicious {
        observe::count(observe::UNCACHED_CLIENTS);
        tracing::warn!(
            client_id = caller.client().id.as_str(),
            "this client evidently does not cache its tokens"
        );
    }
}

fn record(
    admitted: &Admitted,
    minted: Minted,
    scope: ShortText,
    address: Option<IpAddr>,
    now: Now,
) -> Record {
    let (caller, grant) = (admitted.client(), admitted.grant());
    let exchanged = grant.exchanged().map(|exchanged| exchanged.subject_jti().to_owned());
    Record {
        jti: Some(minted.jti),
        client_id: Some(caller.client().id.clone()),
        credential: Some(caller.credential().id.clone()),
        api: Some(grant.api().identifier.clone()),
        scope: Some(scope),
        // From which token it was made.
        subject: exchanged.or_else(|| caller.external().map(ExternalToken::told)),
        expires_at: Some(minted.expires_at),
        address,
        ..Record::new(now.wall, Event::TokenIssued)
    }
}

// spec: 6749-AS5, 6749-AS6, 6749-AS7
fn respond(admitted: &Admitted, minted: &Minted, scope: &str) -> Response<Bytes> {
    let issued = IssuedToken {
        access_token: &minted.token,
        token_type: &minted.token_type,
        expires_in: Some(admitted.grant().lifetime()),
        scope,
        issued_token_type: admitted.grant().exchanged().map(Exchanged::issued),
    };
    issued.encode()
}
