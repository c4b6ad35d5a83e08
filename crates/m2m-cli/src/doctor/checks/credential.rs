//! The secret, the key and the certificate of this client.

use std::time::Duration;

use m2m_io::file::Exposure;

use super::super::catalogue::{
    CLIENT_CERTIFICATE_ENDS, CLIENT_CERTIFICATE_EXPIRED, CLIENT_CERTIFICATE_UNREADABLE, DOUBLE_ENCODED,
    FILE_MODE, HMAC_SHORT, KEY_UNUSABLE, NEWLINE_REFUSED, NEWLINE_REMOVED, SECRET_UNREADABLE,
    SECRET_WHITESPACE,
};
use super::super::facts::{Around, Facts};
use super::super::finding::Finding;
use super::answer::{Offset, offset};
use super::discovery::method_is_not_offered;
use crate::exit::Exit;
use crate::settings::field::Field;

/// A certificate that ends within this time is worth a warning.
pub(super) const SOON: Duration = Duration::from_secs(14 * 86_400);

pub(super) fn readable(facts: &Facts) -> Option<Finding> {
    if let Some(failure) = &facts.settings.unusable
        && failure.exit() == Exit::SecretUnavailable
    {
        let advice = failure.advice().unwrap_or("check the reference and the rights to read it");
        let blanks = [("problem", failure.message()), ("advice", advice)];
        return Some(Finding::fail(Exit::SecretUnavailable, failure.message(), &SECRET_UNREADABLE, &blanks));
    }
    (!facts.read.is_empty()).then(|| Finding::pass(facts.read.join(", ")))
}

pub(super) fn trailing_newline(facts: &Facts) -> Option<Finding> {
    let finding = |around: Around| facts.secrets.iter().find(|secret| secret.around == around);
    if let Some(secret) = finding(Around::Control) {
        let evidence = format!("{} ({}) holds a line end or control character", secret.field, secret.place);
        let blanks = [("where", "more than one line end, or one that is not at the end")];
        return Some(Finding::fail(Exit::SecretUnavailable, evidence, &SECRET_WHITESPACE, &blanks));
    }
    if let Some(secret) = finding(Around::Spaces) {
        let evidence = format!("{} ({}) begins or ends with a space", secret.field, secret.place);
        let blanks = [("where", "a space at the beginning or at the end")];
        return Some(match facts.client_is_refused() {
            true => Finding::fail(Exit::ClientRefused, evidence, &SECRET_WHITESPACE, &blanks),
            false => Finding::warn(evidence, &SECRET_WHITESPACE, &blanks),
        });
    }
    if let Some(secret) = finding(Around::LineEnd) {
        let evidence = format!("{} ({}) ends with a line end, which is not sent", secret.field, secret.place);
        // Not sent, and yet suspect: what is registered may have been copied with it, or be another line.
        return Some(match facts.trouble() {
            Some(trouble) if trouble.refuses_client() && !is_explained(facts) => {
                let evidence = format!("{evidence}, and {}", trouble.message);
                Finding::fail(Exit::ClientRefused, evidence, &NEWLINE_REFUSED, &[])
            }
            _ => Finding::warn(evidence, &NEWLINE_REMOVED, &[]),
        });
    }
    match facts.secrets.is_empty() {
        true => none_is_used(facts, "no secret is used"),
        false => Some(Finding::pass("nothing stands around the secret")),
    }
}

pub(super) fn file_mode(facts: &Facts) -> Option<Finding> {
    let open = facts.files.iter().find(|(_, exposure)| *exposure == Exposure::Everybody);
    if let Some((path, _)) = open {
        return Some(Finding::warn(format!("everybody may read {path}"), &FILE_MODE, &[("path", path)]));
    }
    if let Some((path, _)) = facts.files.iter().find(|(_, exposure)| *exposure == Exposure::Group) {
        return Some(Finding::warn(format!("its group may read {path}"), &FILE_MODE, &[("path", path)]));
    }
    match facts.files.is_empty() {
        true => none_is_used(facts, "no secret is in a file"),
        false => Some(Finding::pass("only their owner may read the files")),
    }
}

/// Whether something else than the secret explains why the client is refused.
fn is_explained(facts: &Facts) -> bool {
    method_is_not_offered(facts)
        || (facts.makes_assertions() && offset(facts).is_some_and(Offset::is_too_far))
}

/// Escapes alone prove nothing: it takes a refusal that nothing else explains.
pub(super) fn double_encoded(facts: &Facts) -> Option<Finding> {
    let Some(secret) = facts.secrets.iter().find(|secret| secret.escapes > 0) else {
        return match facts.secrets.is_empty() {
            true => none_is_used(facts, "no secret is used"),
            false => Some(Finding::pass("the secret holds no %XX escapes")),
        };
    };
    let count = if secret.escapes == 1 {
        "1 %XX escape".to_owned()
    } else {
        format!("{} %XX escapes", secret.escapes)
    };
    let evidence = format!("{} ({}) holds {count}", secret.field, secret.place);
    Some(match (facts.trouble(), facts.outcome.is_some()) {
        (Some(trouble), _) if trouble.refuses_client() && !is_explained(facts) => {
            let evidence = format!("{evidence}, and {}", trouble.message);
            Finding::fail(Exit::ClientRefused, evidence, &DOUBLE_ENCODED, &[])
        }
        (None, true) => Finding::pass(format!("{evidence}, and the server accepts it as it is")),
        _ => Finding::warn(evidence, &DOUBLE_ENCODED, &[]),
    })
}

pub(super) fn key_usable(facts: &Facts) -> Option<Finding> {
    for (field, key) in &facts.keys {
        if let Err(problem) = key {
            let cause = if *field == Field::ClientSecret { &HMAC_SHORT } else { &KEY_UNUSABLE };
            return Some(Finding::fail(Exit::Configuration, format!("{field}: {problem}"), cause, &[]));
        }
    }
    let usable: Vec<String> = facts
        .keys
        .iter()
        .filter_map(|(field, key)| Some(format!("{field}: {}", key.as_ref().ok()?)))
        .collect();
    match usable.is_empty() {
        true => none_is_used(facts, "no key is used"),
        false => Some(Finding::pass(usable.join(", "))),
    }
}

/// Once the credential is known.
fn none_is_used(facts: &Facts, words: &str) -> Option<Finding> {
    facts.outcome.is_some().then(|| Finding::skip(words))
}

pub(super) fn certificate_expiry(facts: &Facts) -> Option<Finding> {
    let Some(certificate) = &facts.certificate else { return none_is_used(facts, "no certificate is used") };
    let place = certificate.place.as_str();
    let Some((_, end)) = certificate.validity else {
        let evidence = format!("no certificate can be read from {place}");
        return Some(Finding::fail(Exit::Configuration, evidence, &CLIENT_CERTIFICATE_UNREADABLE, &[]));
    };
    let date = end.date();
    let blanks = [("path", place), ("date", date.as_str())];
    if end < facts.now {
        let evidence = format!("the certificate in {place} ended on {date}");
        return Some(Finding::fail(Exit::Tls, evidence, &CLIENT_CERTIFICATE_EXPIRED, &blanks));
    }
    let evidence = format!("the certificate in {place} ends on {date}");
    Some(match end < facts.now.saturating_add(SOON) {
        true => Finding::warn(evidence, &CLIENT_CERTIFICATE_ENDS, &blanks),
        false => Finding::pass(evidence),
    })
}
