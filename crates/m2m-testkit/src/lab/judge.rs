//! What a behaviour makes of a token request. Pure but for fresh tokens: the time and what was used are passed in.
//!
//! Enforces, in this order: the allowance; method and shape; required headers; `grant_type`; the client; the grant's
//! own proof; required parameters; scopes; the API; what the service denies all the same. The first that fails
//! decides.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value};

use super::answer::Words;
use super::asked::{Asked, Place};
use super::assertion::{Fault, Moment, Used};
use super::behaviour::{Behaviour, GrantProof, ScopePlace};
use super::client_proof::ClientProof;
use super::errors::{Grants, Situation};
use crate::record::Recorded;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A token was given.
    Granted,
    /// A token was refused.
    Refused(Situation),
    /// The named answer was played.
    Played(String),
    /// A document was asked for.
    Document(String),
    /// There is nothing at this path.
    NotFound(String),
}

/// What a service remembers between requests.
#[derive(Debug, Default)]
pub(super) struct Memory {
    used: Used,
    asked: usize,
}

/// Answers a request at the token endpoint.
pub(super) fn token(
    behaviour: &Behaviour,
    request: &Recorded,
    at: &Moment,
    memory: &mut Memory,
) -> (Outcome, Response<Bytes>) {
    if let Some(name) = &behaviour.playing {
        let answer = behaviour.named.get(name).expect("an answer of this name");
        return (Outcome::Played(name.clone()), answer.response(&Words::default()));
    }
    let asked = Asked::of(request);
    let mut at = at.clone();
    if let Some(asked) = &asked {
        name(behaviour, asked, &mut at.words);
    }
    match decide(behaviour, request, asked.as_ref(), &mut at, memory) {
        Ok(()) => {
            let (answer, words) = behaviour.success.answer(&at.words, at.now);
            (Outcome::Granted, answer.response(&words))
        }
        Err(situation) => {
            if let Situation::MissingParameter(parameter) = &situation {
                at.words.set("parameter", parameter);
            }
            let grants = match behaviour.grant.proof {
                GrantProof::None => Grants::Plain,
                _ => Grants::Proven,
            };
            let response = behaviour.errors.answer(&situation, grants).response(&at.words);
            (Outcome::Refused(situation), response)
        }
    }
}

/// Fills in what the request says about itself.
fn name(behaviour: &Behaviour, asked: &Asked, words: &mut Words) {
    let issuer = match &behaviour.grant.proof {
        GrantProof::Assertion(rule) | GrantProof::SubjectJwt(rule, _) => Some(rule.issuer.as_str()),
        _ => None,
    };
    let place = behaviour.place;
    let client_id = behaviour.client.client_id().or(issuer).or(asked.get(place, "client_id"));
    words.set("client_id", client_id.unwrap_or_default());
    words.set("scope", asked.get(place, "scope").unwrap_or_default());
    let api = behaviour.api.as_ref().map_or("audience", |api| api.parameter.as_str());
    words.set("audience", asked.get(place, api).unwrap_or_default());
}

fn decide(
    behaviour: &Behaviour,
    request: &Recorded,
    asked: Option<&Asked>,
    at: &mut Moment,
    memory: &mut Memory,
) -> Result<(), Situation> {
    memory.asked += 1;
    if behaviour.allowance.is_some_and(|allowance| memory.asked > allowance) {
        return Err(Situation::RateLimited);
    }
    let asked = asked.filter(|_| request.method == behaviour.method).ok_or(Situation::Malformed)?;
    for (name, value) in &behaviour.headers {
        if request.header(name) != Some(value) {
            return Err(Situation::MissingParameter(name.clone()));
        }
    }
    check_grant_type(behaviour, asked)?;
    client(&behaviour.client, request, (asked, behaviour.place), at, memory)?;
    let claims = grant(behaviour, asked, at, memory)?;
    check_required(behaviour, asked, &at.words)?;
    check_scope(behaviour, asked, claims.as_ref(), at)?;
    check_api(behaviour, asked)?;
    behaviour.denies.clone().map_or(Ok(()), Err)
}

fn check_grant_type(behaviour: &Behaviour, asked: &Asked) -> Result<(), Situation> {
    let rule = &behaviour.grant;
    let place = rule.place.unwrap_or(behaviour.place);
    match asked.get(place, "grant_type") {
        None if rule.text.is_empty() => Ok(()),
        None => Err(Situation::MissingParameter("grant_type".to_owned())),
        Some(text) if text == rule.text => Ok(()),
        Some(_) => Err(Situation::UnsupportedGrant),
    }
}

fn client(
    proof: &ClientProof,
    request: &Recorded,
    asked: (&Asked, Place),
    at: &Moment,
    memory: &mut Memory,
) -> Result<(), Situation> {
    proof.check(request, asked, at, &mut memory.used)
}

/// The claims of the grant's assertion, if it has one.
fn grant(
    behaviour: &Behaviour,
    asked: &Asked,
    at: &Moment,
    memory: &mut Memory,
) -> Result<Option<Map<String, Value>>, Situation> {
    let get = |name: &str| {
        let missing = || Situation::MissingParameter(name.to_owned());
        asked.get(behaviour.place, name).ok_or_else(missing)
    };
    let refuse = |fault| match fault {
        Fault::Wrong => Situation::WrongGrant,
        Fault::Clock => Situation::Clock,
        Fault::Replayed => Situation::Replayed,
    };
    let typed = |expected: &str| match get("subject_token_type")? {
        found if found == expected => get("subject_token"),
        _ => Err(Situation::WrongGrant),
    };
    match &behaviour.grant.proof {
        GrantProof::None => Ok(None),
        GrantProof::Assertion(rule) => {
            rule.check(get("assertion")?, at, &mut memory.used).map(Some).map_err(refuse)
        }
        GrantProof::SubjectJwt(rule, kind) => {
            rule.check(typed(kind)?, at, &mut memory.used).map(Some).map_err(refuse)
        }
        GrantProof::SubjectToken(token, kind) => {
            if typed(kind)? == token {
                Ok(None)
            } else {
                Err(Situation::WrongGrant)
            }
        }
    }
}

fn check_required(behaviour: &Behaviour, asked: &Asked, words: &Words) -> Result<(), Situation> {
    for required in &behaviour.required {
        let found = asked.get(required.place.unwrap_or(behaviour.place), &required.name);
        let fits = found
            .is_some_and(|found| required.value.as_deref().is_none_or(|value| found == words.fill(value)));
        if !fits {
            return Err(Situation::MissingParameter(required.name.clone()));
        }
    }
    Ok(())
}

fn check_scope(
    behaviour: &Behaviour,
    asked: &Asked,
    claims: Option<&Map<String, Value>>,
    at: &mut Moment,
) -> Result<(), Situation> {
    let rule = &behaviour.scope;
    let parameter = asked.get(behaviour.place, "scope");
    let text = match rule.place {
        ScopePlace::Parameter => parameter,
        ScopePlace::Claim if parameter.is_some() => return Err(Situation::Malformed),
        ScopePlace::Claim => claims.and_then(|claims| claims.get("scope")).and_then(Value::as_str),
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        let missing = Situation::MissingParameter("scope".to_owned());
        return if rule.required { Err(missing) } else { Ok(()) };
    };
    at.words.set("scope", text);
    for scope in text.split(rule.separator.as_str()) {
        if rule.unauthorized.iter().any(|unauthorized| unauthorized == scope) {
            return Err(Situation::UnauthorizedApi);
        }
        if !rule.known.is_empty() && !rule.known.iter().any(|known| known == scope) {
            return Err(Situation::UnknownScope);
        }
    }
    Ok(())
}

fn check_api(behaviour: &Behaviour, asked: &Asked) -> Result<(), Situation> {
    let Some(rule) = &behaviour.api else { return Ok(()) };
    let authorized = |api: &str| rule.authorized.iter().any(|known| known == api);
    let mut named = asked.all(behaviour.place, &rule.parameter).filter(|api| !api.is_empty());
    if named.all(authorized) { Ok(()) } else { Err(Situation::UnauthorizedApi) }
}
