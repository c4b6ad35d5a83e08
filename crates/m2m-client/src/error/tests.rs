use std::time::Duration;

use m2m_proto::error::ErrorCode;

use super::{Advice, Asked, Error, ErrorKind, Fault, Retry, Shows};
use crate::provider::{Hint, Situation};

fn refused(code: ErrorCode) -> Fault {
    Fault::Refused { status: 400, code, said: None, description: Some("why".into()), uri: None }
}

fn reason() -> String {
    "because".into()
}

/// Each fault with its kind and its retry rule.
fn table() -> Vec<(Fault, ErrorKind, Retry)> {
    use ErrorKind as K;
    use Retry::{OnDemand, Slow, Soon};
    vec![
        (refused(ErrorCode::InvalidClient), K::Refused, OnDemand),
        (refused(ErrorCode::InvalidGrant), K::Refused, OnDemand),
        (refused(ErrorCode::InvalidScope), K::Refused, OnDemand),
        (refused(ErrorCode::UnauthorizedClient), K::Refused, OnDemand),
        (refused(ErrorCode::UnsupportedGrantType), K::Refused, OnDemand),
        (refused(ErrorCode::InvalidTarget), K::Refused, OnDemand),
        (refused(ErrorCode::InvalidRequest), K::Refused, OnDemand),
        (refused(ErrorCode::AccessDenied), K::Refused, OnDemand),
        (refused(ErrorCode::InvalidDpopProof), K::Refused, OnDemand),
        (refused(ErrorCode::UseDpopNonce), K::Refused, OnDemand),
        (refused(ErrorCode::UnsupportedTokenType), K::Refused, OnDemand),
        (refused(ErrorCode::Other("own_code".into())), K::Refused, OnDemand),
        (refused(ErrorCode::TemporarilyUnavailable), K::Refused, Soon),
        (refused(ErrorCode::ServerError), K::Refused, Soon),
        (Fault::Unavailable { status: 503 }, K::Unreachable, Soon),
        (Fault::Unavailable { status: 429 }, K::Unreachable, Soon),
        (Fault::NotOauth { status: 403 }, K::PeerMisbehaved, Slow),
        (Fault::Malformed { status: 200, what: reason() }, K::PeerMisbehaved, Slow),
        (Fault::Redirected { to: Some("https://x.example".into()) }, K::PeerMisbehaved, Slow),
        (Fault::Redirected { to: None }, K::PeerMisbehaved, Slow),
        (Fault::TooLarge { limit: 9 }, K::PeerMisbehaved, Slow),
        (Fault::TokenType { asked: "DPoP", got: "Bearer" }, K::PeerMisbehaved, Slow),
        (Fault::TokenType { asked: "Bearer", got: "unknown" }, K::PeerMisbehaved, Slow),
        (Fault::Inspection { finding: reason() }, K::PeerMisbehaved, Slow),
        (Fault::Metadata { reason: reason() }, K::PeerMisbehaved, Slow),
        (Fault::Http { reason: reason() }, K::PeerMisbehaved, Slow),
        (Fault::DeadOnArrival, K::PeerMisbehaved, Soon),
        (Fault::Timeout, K::Unreachable, Soon),
        (Fault::Connect { reason: reason() }, K::Unreachable, Soon),
        (Fault::Dns { reason: reason() }, K::Unreachable, Soon),
        (Fault::Tls { reason: reason() }, K::Unreachable, Soon),
        (Fault::Proxy { reason: reason() }, K::Unreachable, Soon),
        (Fault::Deadline { after: Duration::from_secs(10) }, K::Unreachable, Soon),
        (Fault::Pending, K::Unreachable, Soon),
        (Fault::NoEndpoint { what: "token endpoint" }, K::Misconfigured, OnDemand),
        (Fault::Egress { reason: reason() }, K::Misconfigured, OnDemand),
        (Fault::Settings { reason: reason() }, K::Misconfigured, OnDemand),
        (Fault::Destination { origin: "https://x.example".into() }, K::Misconfigured, OnDemand),
        (Fault::NoDestination, K::Misconfigured, OnDemand),
        (Fault::Secret { reason: reason() }, K::SecretUnavailable, Soon),
        (Fault::Lost, K::Internal, Soon),
        (Fault::Internal { what: "x" }, K::Internal, OnDemand),
    ]
}

#[test]
fn each_fault_has_its_kind_and_its_retry_rule() {
    for (fault, kind, retry) in table() {
        let error = Error::of(fault.clone());
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{fault:?}");
        assert_eq!(error.is_transient(), retry != Retry::OnDemand, "{fault:?}");
    }
}

/// Lower case at the start (but for names), no full stop, and never empty.
#[test]
fn every_fault_says_what_happened_and_what_to_do() {
    for (fault, ..) in table() {
        let error = Error::of(fault.clone());
        for text in [error.to_string(), error.hint()] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{fault:?}: {text}");
            let first = text.chars().next().unwrap();
            assert!(!first.is_uppercase() || text.starts_with("TLS"), "{fault:?}: {text}");
            assert!(!text.contains("doctor"), "no such command: {text}");
        }
    }
}

#[test]
fn a_peers_own_codes_make_no_metric_labels() {
    assert_eq!(Error::of(refused(ErrorCode::Other("AADSTS700016".into()))).cause(), "oauth_error");
    assert_eq!(Error::of(refused(ErrorCode::InvalidClient)).cause(), "invalid_client");
    assert_eq!(Error::of(Fault::Unavailable { status: 429 }).cause(), "rate_limited");
}

#[test]
fn the_questions_of_the_command_line_have_answers() {
    let limited = Error::after(Fault::Unavailable { status: 429 }, Some(Duration::from_secs(7)));
    assert!(limited.is_rate_limited() && !limited.is_tls());
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(7)));
    assert!(Error::of(Fault::Tls { reason: reason() }).is_tls());
    let refused = Error::of(refused(ErrorCode::InvalidScope));
    assert_eq!(refused.code(), Some(&ErrorCode::InvalidScope));
    assert_eq!((refused.description(), refused.status()), (Some("why"), Some(400)));
}

#[test]
fn what_a_peer_wrote_can_be_scrubbed() {
    let scrub = |text: &str| text.replace("s3cret", "[redacted]");
    let fault = Fault::Refused {
        status: 400,
        said: None,
        code: ErrorCode::Other("s3cret".into()),
        description: Some("your s3cret is wrong".into()),
        uri: Some("https://x.example/?s3cret".into()),
    };
    for fault in [
        fault,
        Fault::Malformed { status: 200, what: "s3cret".into() },
        Fault::Redirected { to: Some("https://s3cret.example".into()) },
    ] {
        let scrubbed = Error::of(fault).scrubbed(scrub);
        assert!(
            !format!("{scrubbed} {scrubbed:?} {:?} {:?}", scrubbed.code(), scrubbed.uri()).contains("s3cret")
        );
    }
}

fn hint(situation: &str) -> Hint {
    let text = format!("for = {situation:?}\ncause = \"cause of {situation}\"\nfix = \"fix of {situation}\"");
    toml::from_str(&text).unwrap()
}

#[test]
fn without_a_hint_that_fits_the_code_leads_to_the_services_own_place() {
    let all = ["other", "wrong_secret", "wrong_key", "missing_audience", "missing_scope", "unauthorized_api"];
    let (hints, few) = (all.map(hint), ["wrong_secret", "clock"].map(hint));
    let complete = Asked { lacks: None, shows: Shows::Secret };
    let check = |hints: &[Hint], code: ErrorCode, asked: Asked, expect: Option<&str>| {
        let advice = Advice::by_code(hints, &code, asked);
        let text = advice.as_ref().map(|advice| advice.text.as_str());
        let said = text.map(|text| text.split_once("; here: ").map_or(text, |(_, fix)| fix));
        assert_eq!(said, expect, "{code:?} {asked:?}");
        assert!(advice.is_none_or(|advice| advice.means.is_none()));
    };
    use ErrorCode as C;
    check(&hints, C::InvalidClient, complete, Some("fix of wrong_secret"));
    for shows in [Shows::Key, Shows::KeyAsGrant] {
        check(&hints, C::InvalidClient, Asked { shows, ..complete }, Some("fix of wrong_key"));
        check(&few, C::InvalidClient, Asked { shows, ..complete }, Some("fix of wrong_secret"));
    }
    check(&hints, C::InvalidGrant, complete, None);
    check(&hints, C::InvalidGrant, Asked { shows: Shows::KeyAsGrant, ..complete }, Some("fix of wrong_key"));
    check(&hints, C::InvalidScope, complete, Some("fix of missing_scope"));
    check(&hints, C::InvalidTarget, complete, Some("fix of missing_audience"));
    check(&hints, C::AccessDenied, complete, Some("fix of unauthorized_api"));
    check(&hints, C::UnauthorizedClient, complete, Some("fix of unauthorized_api"));
    check(&few, C::UnauthorizedClient, complete, None);
    check(&hints, C::InvalidRequest, complete, None);
    check(&hints, C::Other("E1".into()), complete, None);
    check(&[], C::InvalidClient, complete, None);
    // What a request lacks is the likeliest cause, if the code can mean that.
    let lacking = Asked { lacks: Some(Situation::MissingAudience), ..complete };
    let known = Some("cause of missing_audience: fix of missing_audience");
    for code in [C::InvalidRequest, C::AccessDenied, C::InvalidTarget, C::InvalidScope] {
        check(&hints, code, lacking, known);
    }
    check(&hints, C::InvalidClient, lacking, Some("fix of wrong_secret"));
    check(&few, C::InvalidRequest, lacking, None);
}

#[test]
fn clocks_that_differ_have_the_services_own_advice() {
    let advice = Advice::about_clocks(&["wrong_secret", "clock"].map(hint)).unwrap();
    assert_eq!(advice.text, "this machine's clock and the service's differ: fix of clock");
    assert_eq!(Advice::about_clocks(&[hint("other")]), None);
}
