//! The look at a fresh token: is it what was asked for?
//!
//! Sections: RFC 6749 section 5.1 (`scope`), RFC 7519, RFC 7800, RFC 9449 section 6
//!
//! Compares: granted scope; `aud`, `cnf` and `exp` of a token that is a JWT.
//! Does not verify: the signature. Nothing here makes a token good; it only
//! says early what an API would say later.

use std::time::Duration;

use m2m_proto::jose::{Claims, Compact};
use m2m_proto::names::claim;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{ExpiresIn, TokenResponse};
use m2m_proto::uri::ResourceUri;

use crate::spec::TokenSpec;

/// A token whose own `exp` is this much earlier than the server's word is
/// worth mentioning.
const EXP_TOLERANCE: Duration = Duration::from_secs(60);

/// What was asked for.
pub(crate) struct Asked<'a> {
    pub(crate) spec: &'a TokenSpec,
    /// The thumbprint of our DPoP key.
    pub(crate) binding: Option<&'a str>,
}

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    findings: Vec<String>,
    pub(crate) clocks: Clocks,
    /// The life that the token states itself. It may only shorten.
    pub(crate) life: Option<Duration>,
}

/// What a fresh token tells about this machine's clock and the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clocks {
    /// Nothing.
    #[default]
    NothingSeen,
    /// A fresh token is over: they cannot both be right.
    Differ,
}

impl Seen {
    /// All findings as one line.
    pub(crate) fn finding(&self) -> Option<String> {
        (!self.findings.is_empty()).then(|| self.findings.join("; "))
    }
}

/// Looks at an answer, and not into its token.
pub(crate) fn look_outside(asked: &Asked<'_>, answer: &TokenResponse) -> Seen {
    let mut seen = Seen::default();
    if let (Some(wanted), Some(granted)) = (&asked.spec.scope, &answer.scope) {
        let missing = wanted.difference(granted);
        if !missing.is_empty() {
            seen.findings.push(format!("scope not granted: {missing}"));
        }
    }
    seen
}

/// Whether the token names what it is bound to; `None` where it cannot be read.
pub(crate) fn is_bound(answer: &TokenResponse) -> Option<bool> {
    let token = Compact::parse(answer.access_token.expose()).ok()?;
    let claims = Claims::parse(token.payload()).ok()?;
    let cnf = claims.get(claim::CNF);
    Some(cnf.is_some_and(|cnf| [claim::JKT, claim::X5T_S256].iter().any(|member| cnf.get(member).is_some())))
}

/// Looks at an answer. The texts hold what we asked for, never the peer's.
pub(crate) fn look(asked: &Asked<'_>, answer: &TokenResponse, now: UnixTime) -> Seen {
    let mut seen = look_outside(asked, answer);
    // Opaque tokens end here.
    let Ok(token) = Compact::parse(answer.access_token.expose()) else { return seen };
    let Ok(claims) = Claims::parse(token.payload()) else { return seen };
    audience(asked, &claims, &mut seen);
    binding(asked, &claims, &mut seen);
    life(answer.expires_in, &claims, now, &mut seen);
    seen
}

fn audience(asked: &Asked<'_>, claims: &Claims, seen: &mut Seen) {
    let resources = asked.spec.resources.iter().map(ResourceUri::as_str);
    for wanted in asked.spec.audience.iter().map(String::as_str).chain(resources) {
        if !claims.aud.as_ref().is_some_and(|aud| aud.contains(wanted)) {
            seen.findings.push(format!("aud does not name {wanted}"));
        }
    }
}

fn binding(asked: &Asked<'_>, claims: &Claims, seen: &mut Seen) {
    let jkt = claims.get(claim::CNF).and_then(|cnf| cnf.get(claim::JKT)).and_then(|jkt| jkt.as_str());
    match (asked.binding, jkt) {
        (None, None) => {}
        (Some(ours), Some(theirs)) if ours == theirs => {}
        (Some(_), None) => seen.findings.push("cnf does not bind the token to the DPoP key".to_owned()),
        (Some(_), Some(_)) => seen.findings.push("cnf binds the token to another DPoP key".to_owned()),
        (None, Some(_)) => {
            seen.findings.push("cnf binds the token to a DPoP key that is not ours".to_owned());
        }
    }
}

/// The shorter of: from now to `exp` by our clock, from `iat` to `exp` by the
/// server's. An `exp` in our past tells more about the clocks than about the
/// token, and shortens nothing.
fn life(expires_in: ExpiresIn, claims: &Claims, now: UnixTime, seen: &mut Seen) {
    let Some(exp) = claims.exp else { return };
    let by_server = claims.iat.map(|iat| exp.since(iat)).filter(|life| !life.is_zero());
    let by_us = exp.since(now);
    if by_us.is_zero() {
        seen.clocks = Clocks::Differ;
        seen.findings.push("exp is in the past by this machine's clock".to_owned());
    }
    seen.life = [by_server, Some(by_us).filter(|life| !life.is_zero())].into_iter().flatten().min();
    if let (ExpiresIn::In(stated), Some(own)) = (expires_in, seen.life)
        && stated > own.saturating_add(EXP_TOLERANCE)
    {
        seen.findings.push("exp is earlier than expires_in says".to_owned());
    }
}

#[cfg(test)]
mod tests;
