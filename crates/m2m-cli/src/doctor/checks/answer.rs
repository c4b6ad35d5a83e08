//! What the server answers: its clock, its format, its verdict, and what stands beside the token.

use std::time::Duration;

use http::StatusCode;
use m2m_proto::error::ErrorCode;
use m2m_proto::token::ExpiresIn;
use serde_json::Value;

use super::super::answer::{Answer, Body, Life};
use super::super::catalogue::{
    CLOCK_OFF, CLOCK_SAID, Check, EXPIRES_ABSENT, EXPIRES_LONG, EXPIRES_ODD, EXPIRES_SHORT, NOT_JSON,
    QUOTA_SPENT, REFUSED, SCOPE_NARROWED, TYPE_MISSING, TYPE_WRONG,
};
use super::super::facts::{Binding, Facts, Trouble};
use super::super::finding::Finding;
use super::super::record::Exchange;
use super::claims;
use crate::exit::Exit;

/// From here on the clocks differ so much that assertions are refused.
const TOO_FAR: Duration = Duration::from_secs(60);
const WORTH_A_WORD: Duration = Duration::from_secs(10);
/// As long as tokens are kept.
const LONG_LIFE: f64 = 30.0 * 86_400.0;
const SHORT_LIFE: f64 = 60.0;

/// How far this machine's clock is from the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    by: Duration,
    direction: &'static str,
}

impl Offset {
    pub(super) fn is_too_far(self) -> bool {
        self.by >= TOO_FAR
    }
}

/// By the `Date` of the token endpoint, else of any other answer. A date has whole seconds, and an answer takes time
/// to arrive: both are given away in the server's favour.
pub(super) fn offset(facts: &Facts) -> Option<Offset> {
    let dated = |exchange: &Exchange| Some((exchange.answer()?.date?, exchange.at, exchange.took));
    let all = || facts.exchanges.iter().chain(&facts.keys_fetch);
    let (date, at, took) = facts.token_request().and_then(dated).or_else(|| all().find_map(dated))?;
    let (ahead, behind) = (at.since(date), date.since(at));
    let slack = took.saturating_add(Duration::from_secs(1));
    Some(match ahead > behind {
        true => Offset { by: ahead.saturating_sub(slack), direction: "ahead of the server's" },
        false => Offset { by: behind, direction: "behind the server's" },
    })
}

pub(super) fn clock(facts: &Facts) -> Option<Finding> {
    // Who signs with a wrong clock is refused; who shows a secret gets a token that seems odd.
    let refused = facts.trouble().filter(|trouble| facts.makes_assertions() && trouble.code.is_some());
    let exit = refused.map_or(Exit::VerificationFailed, |trouble| trouble.exit);
    let Some(offset) = offset(facts) else {
        let trouble = refused?;
        let words =
            ["expired", "not yet valid", "in the future", "too far", "clock", "iat", "nbf", "'exp'", "exp "];
        return trouble
            .speaks_of(&words)
            .then(|| Finding::fail(exit, trouble.message.clone(), &CLOCK_SAID, &[]));
    };
    let by = format!("{} s", offset.by.as_secs());
    let evidence = match offset.by.as_secs() {
        0 => "this machine's clock agrees with the server's".to_owned(),
        _ => format!("this machine's clock is {by} {}", offset.direction),
    };
    let blanks = [("offset", by.as_str()), ("direction", offset.direction)];
    Some(match offset.by {
        by if by >= TOO_FAR => Finding::fail(exit, evidence, &CLOCK_OFF, &blanks),
        by if by >= WORTH_A_WORD => Finding::warn(evidence, &CLOCK_OFF, &blanks),
        _ => Finding::pass(evidence),
    })
}

/// Whether something else than an OAuth server gave this answer. 429 and 5xx speak for themselves; so do, where
/// metadata is asked for, refusals without a web page, and a 404: servers without metadata answer so.
pub(super) fn is_page(facts: &Facts, exchange: &Exchange, answer: &Answer) -> bool {
    let discovers = !exchange.is_token_request();
    let plain = answer.body != Body::Html || answer.status == StatusCode::NOT_FOUND;
    if discovers && (facts.metadata.is_some() || answer.status.is_client_error() && plain) {
        return false;
    }
    let busy = answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error();
    let proxied = facts.proxy.is_some() && answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    matches!(answer.body, Body::Html | Body::Other | Body::Empty) && !busy && !proxied
}

pub(super) fn not_json(facts: &Facts) -> Option<Finding> {
    let wrong = facts.exchanges.iter().find_map(|exchange| {
        let answer = exchange.answer().filter(|answer| is_page(facts, exchange, answer))?;
        Some((exchange, answer))
    });
    if let Some((exchange, answer)) = wrong {
        let what = match answer.body {
            Body::Html => "a web page",
            Body::Empty => "an empty body",
            _ => "text that is no JSON object",
        };
        let media = answer.content_type.as_deref().unwrap_or("no content type");
        let evidence = format!(
            "{} answers {} with {what} ({media}, {} bytes)",
            exchange.url,
            answer.status.as_u16(),
            answer.bytes
        );
        return Some(Finding::fail(Exit::Malformed, evidence, &NOT_JSON, &[("url", &exchange.url)]));
    }
    facts.token_answer()?;
    let media = facts.token_response()?.content_type.as_deref().unwrap_or("no content type");
    Some(Finding::pass(format!("the token endpoint answers in JSON ({media})")))
}

/// Whether the answer holds a token, and what is wrong with it is told by a later check.
fn is_told_later(facts: &Facts) -> bool {
    let Some(answer) = facts.token_answer().filter(|answer| answer.token.is_some()) else { return false };
    seconds_of(&answer.expires_in).is_err() || type_is_wrong(facts)
}

pub(super) fn request(facts: &Facts, blocked: Option<Check>) -> Option<Finding> {
    let outcome = facts.outcome.as_ref()?;
    let seen = facts.token_request().and_then(|exchange| Some((exchange, exchange.answer()?)));
    let served = seen.map(|(exchange, answer)| {
        let millis = exchange.took.as_millis();
        format!("{} answers {} in {millis} ms", exchange.url, answer.status.as_u16())
    });
    let trouble = match outcome {
        Ok(()) => return Some(Finding::pass(served.unwrap_or_else(|| "there is a token".to_owned()))),
        Err(trouble) => trouble,
    };
    if is_told_later(facts) {
        return served.map(Finding::pass);
    }
    if claims::refuses_audience(facts, trouble) {
        return Some(Finding::skip("the server refuses the audience: see token.audience"));
    }
    if blocked.is_some() && facts.token_answer().is_none() {
        return None;
    }
    Some(refused(facts, trouble))
}

// The library's hint is the service's own, where the catalogue knows the error.
fn refused(facts: &Facts, trouble: &Trouble) -> Finding {
    let cause = match &trouble.code {
        Some(ErrorCode::InvalidClient) => {
            "the server does not accept this client: unknown client_id, wrong secret or key, or another method is registered"
        }
        Some(ErrorCode::InvalidScope) => "a scope is unknown to the server or not granted to this client",
        Some(ErrorCode::UnauthorizedClient) => "the client may not use this grant",
        Some(_) => "the server refuses the request",
        None if trouble.exit == Exit::RateLimited => "the server wants fewer requests than it gets",
        None => "there is no usable answer to the token request",
    };
    let blanks = [("problem", cause), ("advice", trouble.hint.as_str())];
    let scopes = facts.settings.scopes.join(" ");
    let evidence = match &trouble.code {
        Some(ErrorCode::InvalidScope) if !scopes.is_empty() => {
            format!("asked for {scopes}; {}", trouble.message)
        }
        _ => trouble.message.clone(),
    };
    Finding::fail(trouble.exit, evidence, &REFUSED, &blanks)
}

/// `None` where no life is stated; `Err` where what is stated leaves the token no time, in its own words.
fn seconds_of(life: &Life) -> Result<Option<f64>, String> {
    match life.read {
        Ok(ExpiresIn::In(life)) => Ok(Some(life.as_secs_f64())),
        Ok(ExpiresIn::Absent | ExpiresIn::Until(_)) => Ok(None),
        Ok(ExpiresIn::Zero) | Err(_) => Err(match &life.sent {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "neither a number nor a text".to_owned(),
        }),
    }
}

pub(super) fn expires_in(facts: &Facts) -> Option<Finding> {
    let answer = facts.token_answer().filter(|answer| answer.token.is_some())?;
    let seconds = match seconds_of(&answer.expires_in) {
        Err(odd) => {
            return Some(Finding::fail(Exit::Malformed, format!("expires_in is {odd}"), &EXPIRES_ODD, &[]));
        }
        Ok(None) if answer.has_end => return Some(Finding::pass("the answer says when the token ends")),
        Ok(None) => {
            let known =
                facts.settings.service.as_ref().and_then(|service| Some((service, service.lifetime?)));
            if let Some((service, life)) = known {
                let evidence = format!("absent, as {} does it; its tokens live {life} s", service.name);
                return Some(Finding::pass(evidence));
            }
            if let Some(life) = facts.settings.fallback {
                return Some(Finding::pass(format!("absent; fallback_lifetime is {life} s")));
            }
            return Some(Finding::warn("expires_in is absent", &EXPIRES_ABSENT, &[]));
        }
        Ok(Some(seconds)) => seconds,
    };
    let as_text =
        if answer.expires_in.sent.as_ref().is_some_and(Value::is_string) { ", as text" } else { "" };
    let evidence = format!("{seconds} s{as_text}");
    Some(match seconds {
        seconds if seconds > LONG_LIFE => Finding::warn(evidence, &EXPIRES_LONG, &[]),
        seconds if seconds < SHORT_LIFE => Finding::warn(evidence, &EXPIRES_SHORT, &[]),
        _ => Finding::pass(evidence),
    })
}

fn type_is_wrong(facts: &Facts) -> bool {
    let wanted = match facts.settings.binding {
        Binding::None => "bearer",
        Binding::Dpop => "dpop",
    };
    let named = facts.token_answer().and_then(|answer| answer.token_type.as_deref());
    !named.filter(|named| !named.is_empty()).unwrap_or("bearer").eq_ignore_ascii_case(wanted)
}

pub(super) fn token_type(facts: &Facts) -> Option<Finding> {
    let answer = facts.token_answer().filter(|answer| answer.token.is_some())?;
    let named = answer.token_type.as_deref().filter(|named| !named.is_empty());
    let evidence = named.map_or_else(|| "token_type is absent".to_owned(), str::to_owned);
    // An odd word that the engine takes for Bearer is no failure.
    Some(if type_is_wrong(facts) && facts.trouble().is_some() {
        Finding::fail(Exit::Malformed, evidence, &TYPE_WRONG, &[])
    } else if named.is_none() {
        Finding::warn(evidence, &TYPE_MISSING, &[])
    } else {
        Finding::pass(evidence)
    })
}

pub(super) fn scope(facts: &Facts) -> Option<Finding> {
    let answer = facts.token_answer().filter(|answer| answer.token.is_some())?;
    let asked = &facts.settings.scopes;
    let Some(granted) = answer.scope.as_deref() else {
        // RFC 6749 section 5.1: an answer without scope grants what was asked.
        return Some(Finding::pass(if asked.is_empty() { "none was asked for" } else { "as asked" }));
    };
    let words: Vec<&str> = granted.split([' ', ',']).collect();
    let missing: Vec<&str> =
        asked.iter().map(String::as_str).filter(|scope| !words.contains(scope)).collect();
    if missing.is_empty() {
        return Some(Finding::pass(granted));
    }
    let missing = missing.join(" ");
    let evidence = format!("granted {granted}, not granted {missing}");
    Some(Finding::warn(evidence, &SCOPE_NARROWED, &[("missing", &missing)]))
}

pub(super) fn quota(facts: &Facts) -> Option<Finding> {
    let answers = || facts.exchanges.iter().filter_map(Exchange::answer);
    let said = answers().rev().find(|answer| !answer.quota.is_empty()).map(|answer| {
        let pairs: Vec<String> =
            answer.quota.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        pairs.join(", ")
    });
    if let Some(limited) = answers().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS) {
        let evidence = said.unwrap_or_else(|| format!("the server answers {}", limited.status.as_u16()));
        return Some(Finding::warn(evidence, &QUOTA_SPENT, &[]));
    }
    answers().next()?;
    Some(Finding::pass(said.unwrap_or_else(|| "the server says nothing about an allowance".to_owned())))
}
