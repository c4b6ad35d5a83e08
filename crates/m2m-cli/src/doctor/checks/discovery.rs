//! The server's metadata: whether it is there, whose it is, and whether it offers what is configured.

use http::StatusCode;
use m2m_client::ErrorKind;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::names::{auth_method, metadata};

use super::super::catalogue::{
    ALGORITHM_NOT_OFFERED, DISCOVERY_DOWN, ISSUER_ABSENT, ISSUER_DIFFERS, METADATA_BROKEN,
    METHOD_NOT_OFFERED, METHOD_UNSTATED, NO_METADATA, PROBE_FOUND,
};
use super::super::facts::{Facts, Taken};
use super::super::finding::Finding;
use super::super::record::Exchange;
use super::answer::is_page;
use crate::connect::credentials::Method;
use crate::exit::Exit;
use crate::settings::method::FEDERATED;

pub(super) fn reachable(facts: &Facts) -> Option<Finding> {
    facts.server.as_ref()?;
    if facts.settings.issuer.is_none() {
        return Some(Finding::skip("token_url is configured, so nothing is discovered"));
    }
    if let Some(found) = &facts.metadata {
        let understood = facts.token_request().is_some() || issuer_differs(facts);
        return Some(match facts.trouble() {
            Some(trouble) if !understood && trouble.kind == ErrorKind::PeerMisbehaved => {
                let evidence = format!("{}: {}", found.url, trouble.message);
                Finding::fail(trouble.exit, evidence, &METADATA_BROKEN, &[])
            }
            _ => Finding::pass(found.url.clone()),
        });
    }
    let asked: Vec<&Exchange> =
        facts.exchanges.iter().filter(|exchange| !exchange.is_token_request()).collect();
    if asked.iter().any(|exchange| exchange.answer().is_some_and(|answer| is_page(facts, exchange, answer))) {
        return Some(Finding::skip("what answers is no server metadata: see token.not_json"));
    }
    let last = asked.last()?;
    let Some(answer) = last.answer() else {
        let trouble = facts.trouble()?;
        return Some(Finding::fail(
            trouble.exit,
            format!("{}: {}", last.url, trouble.message),
            &DISCOVERY_DOWN,
            &[],
        ));
    };
    let status = answer.status;
    let evidence = format!("{} answers {}", last.url, status.as_u16());
    Some(match status {
        StatusCode::TOO_MANY_REQUESTS => Finding::fail(Exit::RateLimited, evidence, &DISCOVERY_DOWN, &[]),
        status if status.is_server_error() => {
            Finding::fail(Exit::Unreachable, evidence, &DISCOVERY_DOWN, &[])
        }
        _ => Finding::fail(Exit::Malformed, evidence, &NO_METADATA, &[]),
    })
}

fn issuer_differs(facts: &Facts) -> bool {
    facts.metadata.is_some() && facts.stated(metadata::ISSUER) != facts.settings.issuer.as_deref()
}

pub(super) fn issuer(facts: &Facts) -> Option<Finding> {
    let configured = facts.settings.issuer.as_deref()?;
    let found = facts.metadata.as_ref()?;
    let Some(named) = facts.stated(metadata::ISSUER) else {
        let evidence = format!("{} names no issuer", found.url);
        return Some(Finding::fail(Exit::Malformed, evidence, &ISSUER_ABSENT, &[]));
    };
    if named == configured {
        return Some(Finding::pass(named));
    }
    let evidence = format!("configured is {configured}, the metadata says {named}");
    Some(Finding::fail(Exit::Malformed, evidence, &ISSUER_DIFFERS, &[("issuer", named)]))
}

/// Whether the server names its methods and ours is not among them.
pub(super) fn method_is_not_offered(facts: &Facts) -> bool {
    let Some(method) = facts.settings.method else { return false };
    offered(facts).is_some_and(|(_, offered)| !offered.contains(&method.as_str()))
}

/// The methods that are offered, and by whose word: the metadata's, else the catalogue's.
fn offered(facts: &Facts) -> Option<(String, Vec<&str>)> {
    if let Some(list) = facts.advertised(metadata::TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED) {
        return Some(("the server offers".to_owned(), list));
    }
    let service = facts.settings.service.as_ref().filter(|service| !service.methods.is_empty())?;
    Some((format!("{} takes", service.name), service.methods.iter().map(String::as_str).collect()))
}

/// A method that is not offered and works all the same is worth a warning.
pub(super) fn method(facts: &Facts) -> Option<Finding> {
    let method = facts.settings.method?;
    if facts.settings.unusable.is_some() || issuer_differs(facts) && facts.token_request().is_none() {
        return None;
    }
    // With an assertion as grant, nobody need prove anything else; a workload token is an assertion to the server.
    let method = match method {
        Method::None => return Some(Finding::pass("none: the grant says who the client is")),
        method => method.as_str(),
    };
    if let Some(said) = said(facts, method) {
        return Some(said);
    }
    match offered(facts) {
        Some((whose, offered)) => Some(compared(facts, method, &whose, &offered)),
        None if works(facts) => Some(Finding::pass(format!("{method} is accepted"))),
        None => unstated(facts, method),
    }
}

fn works(facts: &Facts) -> bool {
    facts.outcome.is_some() && facts.trouble().is_none()
}

/// The method against those that `whose` word names.
fn compared(facts: &Facts, method: &str, whose: &str, offered: &[&str]) -> Finding {
    let list = offered.join(", ");
    let federated = method == FEDERATED && offered.contains(&auth_method::PRIVATE_KEY_JWT);
    if offered.contains(&method) || federated {
        return algorithm(facts).unwrap_or_else(|| Finding::pass(format!("{method} is offered")));
    }
    let blanks = [("methods", list.as_str())];
    let evidence = format!("configured is {method}, {whose} {list}");
    match works(facts) {
        true => Finding::warn(format!("{evidence}, and accepts it"), &METHOD_NOT_OFFERED, &blanks),
        false => Finding::fail(Exit::ClientRefused, evidence, &METHOD_NOT_OFFERED, &blanks),
    }
}

/// What a refusal says of methods: a client may be registered for one alone, whatever the server offers.
fn said(facts: &Facts, method: &str) -> Option<Finding> {
    let trouble = facts.trouble().filter(|trouble| trouble.code.is_some())?;
    let named = |name: &&str| *name != method && trouble.speaks_of(&[name]);
    let others: Vec<&str> =
        ClientAuthMethod::ALL.map(ClientAuthMethod::as_str).into_iter().filter(named).collect();
    let phrases = ["auth method", "authentication method", "auth_method"];
    if others.is_empty() && !trouble.speaks_of(&phrases) {
        return None;
    }
    let list = match others.is_empty() {
        true => "the methods in the server's documentation".to_owned(),
        false => others.join(", "),
    };
    let evidence = format!("{method}: {}", trouble.message);
    Some(Finding::fail(Exit::ClientRefused, evidence, &METHOD_NOT_OFFERED, &[("methods", &list)]))
}

/// Where nobody names the methods that are offered.
fn unstated(facts: &Facts, method: &str) -> Option<Finding> {
    let trouble = facts.trouble()?;
    let by_default = method == auth_method::CLIENT_SECRET_BASIC;
    match (facts.metadata.is_some(), by_default) {
        (true, false) => {
            let evidence = format!("configured is {method}, the metadata says nothing");
            // RFC 8414 section 2: then it is client_secret_basic.
            Some(match trouble.refuses_client() {
                true => Finding::fail(Exit::ClientRefused, evidence, &METHOD_UNSTATED, &[]),
                false => Finding::warn(evidence, &METHOD_UNSTATED, &[]),
            })
        }
        (true, true) => Some(Finding::pass("client_secret_basic, the default of servers that say nothing")),
        (false, _) if facts.settings.issuer.is_none() => {
            Some(Finding::skip("without metadata the server's methods are not known"))
        }
        (false, _) => None,
    }
}

fn algorithm(facts: &Facts) -> Option<Finding> {
    let used = facts.settings.algorithm.as_deref().filter(|_| facts.makes_assertions())?;
    let offered = facts.advertised(metadata::TOKEN_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED)?;
    if offered.is_empty() || offered.contains(&used) {
        return None;
    }
    let list = offered.join(", ");
    let evidence = format!("assertions are signed with {used}, the server takes {list}");
    let blanks = [("algorithms", list.as_str())];
    Some(match facts.trouble() {
        Some(_) => Finding::fail(Exit::ClientRefused, evidence, &ALGORITHM_NOT_OFFERED, &blanks),
        None => Finding::warn(evidence, &ALGORITHM_NOT_OFFERED, &blanks),
    })
}

pub(super) fn probe(facts: &Facts) -> Option<Finding> {
    let Some(variants) = &facts.probes else {
        return Some(Finding::skip(
            "--probe tries other methods and spellings; each may count as a failed login",
        ));
    };
    let seen = |taken: &Taken| match taken {
        Taken::Accepted => "accepted".to_owned(),
        Taken::Refused(why) => why.clone(),
    };
    let list: Vec<String> =
        variants.iter().map(|variant| format!("{}: {}", variant.what, seen(&variant.taken))).collect();
    let evidence = list.join("; ");
    match variants.iter().find(|variant| variant.taken == Taken::Accepted) {
        Some(found) => {
            let blanks = [("setting", found.setting)];
            Some(Finding::fail(Exit::ClientRefused, evidence, &PROBE_FOUND, &blanks))
        }
        None if !facts.client_is_refused() => Some(Finding::skip("the client is not refused")),
        None if variants.is_empty() => Some(Finding::skip(
            "this credential has no other spelling, or the service is known to take only this",
        )),
        None => Some(Finding::pass(evidence)),
    }
}
