//! What is configured: where from, whether it is enough, and where the token may go.

use m2m_proto::uri::Origin;

use super::super::catalogue::{ASSERTION_AUDIENCE, DESTINATION_PLAIN, SETTINGS};
use super::super::facts::Facts;
use super::super::finding::Finding;
use crate::exit::{Exit, Failure};

pub(super) fn source(facts: &Facts) -> Finding {
    match &facts.settings.unresolved {
        Some(failure) => broken(failure),
        None if facts.settings.sources.is_empty() => Finding::pass("nothing is set"),
        None => Finding::pass(facts.settings.sources.join(", ")),
    }
}

/// `None` while the settings contradict themselves.
pub(super) fn complete(facts: &Facts) -> Option<Finding> {
    if facts.settings.unresolved.is_some() {
        return None;
    }
    match &facts.settings.unusable {
        // It is complete, and the secret is another matter.
        Some(failure) if failure.exit() == Exit::SecretUnavailable => {}
        Some(_) if facts.keys.iter().any(|(_, key)| key.is_err()) => {}
        Some(failure) => return Some(broken(failure)),
        None => {}
    }
    let method = facts.settings.method.map_or("", |method| method.as_str());
    let evidence = match &facts.server {
        Some(server) => format!("{method} at {}", server.origin),
        None => "the client's own key makes its tokens".to_owned(),
    };
    let unsure = facts.makes_assertions()
        && facts.settings.issuer.is_none()
        && facts.settings.assertion_audience.is_none();
    Some(match unsure {
        true => Finding::warn(evidence, &ASSERTION_AUDIENCE, &[]),
        false => Finding::pass(evidence),
    })
}

fn broken(failure: &Failure) -> Finding {
    let blanks =
        [("problem", failure.message()), ("advice", failure.advice().unwrap_or("correct the settings"))];
    Finding::fail(failure.exit(), failure.message(), &SETTINGS, &blanks)
}

pub(super) fn destinations(facts: &Facts) -> Option<Finding> {
    let origins: Vec<Origin> =
        facts.settings.destinations.iter().filter_map(|text| Origin::parse(text).ok()).collect();
    if let Some(plain) = origins.iter().find(|origin| !origin.is_https() && !origin.is_loopback()) {
        let origin = plain.to_string();
        return Some(Finding::warn(&origin, &DESTINATION_PLAIN, &[("origin", &origin)]));
    }
    facts.settings.unresolved.is_none().then(|| match origins.as_slice() {
        [] => Finding::pass(
            "none is named; m2m request sends to the URL that is typed, the libraries need destinations",
        ),
        origins => Finding::pass(origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    })
}
