//! What a readable token says. Its signature is not checked here; a client need not, and an API does.

use std::time::Duration;

use m2m_proto::error::ErrorCode;
use m2m_proto::names::{claim, jose, metadata};
use serde_json::{Map, Value};

use super::super::answer::TokenShape;
use super::super::catalogue::{
    AUDIENCE_KNOWN, AUDIENCE_OTHER, AUDIENCE_REFUSED, LIFE_DIFFERS, TOKEN_ISSUER_OTHER,
};
use super::super::facts::{Facts, Trouble};
use super::super::finding::Finding;
use crate::exit::Exit;

/// Rounding and the way of an answer.
const TOLERANCE: f64 = 60.0;

type Object = Map<String, Value>;

fn jwt(facts: &Facts) -> Option<(&Object, &Object)> {
    match facts.token_answer()?.token.as_ref()? {
        TokenShape::Jwt { header, claims } => Some((header, claims)),
        TokenShape::Opaque => None,
    }
}

/// For checks that need claims: nothing to say of an opaque token, and nothing to look at without one.
fn opaque(facts: &Facts) -> Option<Finding> {
    let token = facts.token_answer()?.token.as_ref()?;
    (*token == TokenShape::Opaque).then(|| Finding::skip("the token is not readable"))
}

/// Whether this refusal is about the API that the token is for.
pub(super) fn refuses_audience(facts: &Facts, trouble: &Trouble) -> bool {
    // In an assertion's refusal "audience" means the assertion's own.
    let of_request = trouble.code.is_some() && !trouble.refuses_client();
    trouble.code == Some(ErrorCode::InvalidTarget)
        || of_request && trouble.speaks_of(&["audience", "resource server", "resource indicator"])
        || trouble.code == Some(ErrorCode::AccessDenied)
            && trouble.speaks_of(&["service not found"])
            && !facts.settings.audiences.is_empty()
}

pub(super) fn audience(facts: &Facts) -> Option<Finding> {
    let asked = facts.settings.audiences.join(", ");
    if let Some(trouble) = facts.trouble().filter(|trouble| refuses_audience(facts, trouble)) {
        let evidence = match asked.is_empty() {
            true => format!("no audience and no resource is named; {}", trouble.message),
            false => format!("asked for {asked}; {}", trouble.message),
        };
        // The catalogue knows where this service wants it put right.
        let (cause, advice) = match facts.settings.service {
            Some(_) => (&AUDIENCE_KNOWN, trouble.hint.as_str()),
            None => (&AUDIENCE_REFUSED, ""),
        };
        return Some(Finding::fail(Exit::RequestRefused, evidence, cause, &[("advice", advice)]));
    }
    let Some((_, claims)) = jwt(facts) else { return opaque(facts) };
    let named: Vec<&str> = match claims.get(claim::AUD) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let list = if named.is_empty() { "nobody".to_owned() } else { named.join(", ") };
    if facts.settings.audiences.is_empty() {
        return Some(Finding::pass(format!("for {list}; none was asked for")));
    }
    let other = facts.settings.audiences.iter().any(|asked| !named.contains(&asked.as_str()));
    Some(match other {
        false => Finding::pass(format!("for {list}")),
        true => {
            let evidence = format!("asked for {asked}, the token is for {list}");
            Finding::fail(Exit::VerificationFailed, evidence, &AUDIENCE_OTHER, &[("aud", &list)])
        }
    })
}

pub(super) fn issuer(facts: &Facts) -> Option<Finding> {
    let Some((_, claims)) = jwt(facts) else { return opaque(facts) };
    let named = claims.get(claim::ISS).and_then(Value::as_str).unwrap_or("nobody");
    let Some(expected) = facts.stated(metadata::ISSUER) else {
        return Some(Finding::pass(format!("by {named}; without metadata there is nothing to compare")));
    };
    Some(match named == expected {
        true => Finding::pass(format!("by {named}")),
        false => {
            let evidence = format!("the token is by {named}, the metadata by {expected}");
            Finding::warn(evidence, &TOKEN_ISSUER_OTHER, &[("iss", named)])
        }
    })
}

pub(super) fn typ(facts: &Facts) -> Option<Finding> {
    let Some((header, _)) = jwt(facts) else { return opaque(facts) };
    let text = |name| header.get(name).and_then(Value::as_str);
    Some(Finding::pass(match text(jose::TYP) {
        Some(typ) => format!("{typ}, signed with {}", text(jose::ALG).unwrap_or("nothing")),
        None => "no typ".to_owned(),
    }))
}

pub(super) fn lifetime(facts: &Facts) -> Option<Finding> {
    let Some((_, claims)) = jwt(facts) else { return opaque(facts) };
    let number = |name| claims.get(name).and_then(Value::as_f64).filter(|n| n.is_finite() && *n >= 0.0);
    let Some(exp) = number(claim::EXP) else { return Some(Finding::pass("the token names no end")) };
    // By the server's clock where it says so; ours may be off.
    let begin = number(claim::IAT).unwrap_or(Duration::from_millis(facts.now.millis()).as_secs_f64());
    let life = exp - begin;
    let stated = facts.token_answer()?.expires_in.read.as_ref().ok().and_then(|read| read.duration());
    let evidence = format!("{} s from iat to exp", life.round());
    Some(match stated {
        Some(stated) if stated.as_secs_f64() - life > TOLERANCE => {
            let evidence = format!("{evidence}, expires_in says {} s", stated.as_secs_f64());
            Finding::warn(evidence, &LIFE_DIFFERS, &[])
        }
        _ => Finding::pass(evidence),
    })
}
