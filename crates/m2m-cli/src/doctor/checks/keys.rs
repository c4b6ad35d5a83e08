//! The keys that APIs check this server's tokens with.

use http::StatusCode;
use m2m_proto::jose::JwkSet;
use m2m_proto::names::{jose, metadata};
use serde_json::Value;

use super::super::answer::TokenShape;
use super::super::catalogue::{JWKS_DOWN, KEY_ID_UNKNOWN, KEYS_NONE, KEYS_SKIPPED};
use super::super::facts::Facts;
use super::super::finding::Finding;
use crate::exit::Exit;

pub(super) fn unreachable(facts: &Facts) -> Option<Finding> {
    let Some(fetch) = &facts.keys_fetch else {
        facts.metadata.as_ref()?;
        return facts
            .stated(metadata::JWKS_URI)
            .is_none()
            .then(|| Finding::skip("the metadata names no jwks_uri"));
    };
    let url = fetch.url.as_str();
    let failed =
        |exit, seen: String| Some(Finding::fail(exit, format!("{url}: {seen}"), &JWKS_DOWN, &[("url", url)]));
    match &fetch.outcome {
        Err(error) if error.is_tls() => failed(Exit::Tls, error.to_string()),
        Err(error) => failed(Exit::Unreachable, error.to_string()),
        Ok(answer) if answer.status == StatusCode::OK && answer.document().is_some() => {
            Some(Finding::pass(format!("{url} answers in {} ms", fetch.took.as_millis())))
        }
        Ok(answer) if answer.status == StatusCode::OK => {
            failed(Exit::Malformed, "the answer is no JSON object".to_owned())
        }
        Ok(answer) if answer.status.is_server_error() => {
            failed(Exit::Unreachable, format!("answers {}", answer.status.as_u16()))
        }
        Ok(answer) => failed(Exit::Malformed, format!("answers {}", answer.status.as_u16())),
    }
}

pub(super) fn keys(facts: &Facts) -> Option<Finding> {
    let answer = facts.keys_fetch.as_ref()?.answer().filter(|answer| answer.status == StatusCode::OK)?;
    let document = answer.document()?;
    let text = Value::Object(document.clone()).to_string();
    let none = |seen: String| Some(Finding::fail(Exit::Malformed, seen, &KEYS_NONE, &[]));
    let set = match JwkSet::decode(text.as_bytes()) {
        Ok(set) => set,
        Err(error) => return none(error.to_string()),
    };
    // Keys for encryption are nobody's business here.
    let encrypts = |index: usize| {
        document.get(jose::KEYS).and_then(|keys| keys.get(index)).and_then(|key| key.get(jose::USE))
            == Some(&Value::String("enc".to_owned()))
    };
    let skipped: Vec<String> = set
        .skipped()
        .iter()
        .filter(|(index, _)| !encrypts(*index))
        .map(|(index, why)| format!("key {index}: {why}"))
        .collect();
    if set.keys().is_empty() {
        return none(if skipped.is_empty() { "no key".to_owned() } else { skipped.join(", ") });
    }
    if let Some(TokenShape::Jwt { header, .. }) =
        facts.token_answer().and_then(|answer| answer.token.as_ref())
        && let Some(id) = header.get(jose::KID).and_then(Value::as_str)
        && !set.keys().iter().any(|key| key.key_id() == Some(id))
    {
        let evidence = format!("the token's key {id} is not among the {} published", set.keys().len());
        return Some(Finding::warn(evidence, &KEY_ID_UNKNOWN, &[]));
    }
    let count = set.keys().len();
    let evidence = if count == 1 { "1 usable key".to_owned() } else { format!("{count} usable keys") };
    Some(match skipped.is_empty() {
        true => Finding::pass(evidence),
        false => Finding::warn(format!("{evidence}; {}", skipped.join(", ")), &KEYS_SKIPPED, &[]),
    })
}
