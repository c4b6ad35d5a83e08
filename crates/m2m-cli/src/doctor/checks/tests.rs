//! Facts in, findings out: one row for each thing that a check can say.

use http::{Method, StatusCode};
use m2m_client::ErrorKind;
use m2m_io::HttpError;
use m2m_io::file::Exposure;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;
use m2m_proto::token::LifetimeUnit;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::super::answer::{Answer, Body, Life, TokenAnswer, TokenShape};
use super::super::catalogue::Check;
use super::super::facts::*;
use super::super::finding::Status;
use super::super::record::Exchange;
use super::judge;
use crate::connect::credentials::Method as Shown;
use crate::exit::{Exit, Failure};
use crate::settings::field::Field;

const NOW: UnixTime = UnixTime::from_seconds(1_795_608_000); // 2026-11-25
const DAY: Duration = Duration::from_secs(86_400);
const ISSUER: &str = "https://as.example";
const API: &str = "https://api.example";

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

fn answer(status: u16, body: Body) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        date: Some(NOW),
        content_type: Some("application/json".to_owned()),
        quota: Vec::new(),
        bytes: 7,
        body,
    }
}

fn exchange(method: Method, path: &str, outcome: Result<Answer, HttpError>) -> Exchange {
    Exchange { method, url: format!("{ISSUER}{path}"), at: NOW, took: Duration::from_millis(3), outcome }
}

fn life(sent: &Value) -> Life {
    Life::of(Some(sent), LifetimeUnit::Seconds)
}

fn token() -> TokenAnswer {
    let header = object(json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1"}));
    let iat = NOW.seconds();
    let claims = object(json!({"iss": ISSUER, "aud": API, "iat": iat, "exp": iat + 600}));
    TokenAnswer {
        token: Some(TokenShape::Jwt { header, claims }),
        error: None,
        token_type: Some("Bearer".to_owned()),
        expires_in: life(&json!(600)),
        has_end: false,
        scope: Some("read".to_owned()),
    }
}

/// A public key of RFC 7517 appendix A.1.
fn key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

/// Everything in order.
fn healthy() -> Facts {
    let metadata = json!({
        "issuer": ISSUER, "token_endpoint": format!("{ISSUER}/token"), "jwks_uri": format!("{ISSUER}/jwks"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
    });
    let metadata = object(metadata);
    let url = format!("{ISSUER}/.well-known/oauth-authorization-server");
    Facts {
        now: NOW,
        settings: Asked {
            sources: vec!["issuer from --issuer".to_owned()],
            issuer: Some(ISSUER.to_owned()),
            method: Some(Shown::Registered(ClientAuthMethod::ClientSecretBasic)),
            scopes: vec!["read".to_owned()],
            audiences: vec![API.to_owned()],
            destinations: vec![API.to_owned()],
            ..Asked::default()
        },
        secrets: vec![SecretFacts {
            field: Field::ClientSecret,
            place: "file s".to_owned(),
            around: Around::Nothing,
            escapes: 0,
        }],
        read: vec!["client_secret from file s".to_owned()],
        files: vec![("/s".to_owned(), Exposure::Private)],
        server: Some(Server {
            origin: ISSUER.to_owned(),
            host: "as.example".to_owned(),
            scheme: Scheme::Https,
        }),
        addresses: Some(Ok(vec!["192.0.2.1".parse().unwrap()])),
        connection: Some(Ok("192.0.2.1:443".parse().unwrap())),
        handshakes: vec![Handshake {
            origin: ISSUER.to_owned(),
            validities: vec![(NOW.saturating_sub(DAY), NOW.saturating_add(90 * DAY))],
        }],
        exchanges: vec![
            exchange(
                Method::GET,
                "/.well-known/oauth-authorization-server",
                Ok(answer(200, Body::Document(metadata.clone()))),
            ),
            exchange(Method::POST, "/token", Ok(answer(200, Body::Token(Box::new(token()))))),
        ],
        metadata: Some(Metadata { url, members: metadata }),
        outcome: Some(Ok(())),
        keys_fetch: Some(exchange(
            Method::GET,
            "/jwks",
            Ok(answer(200, Body::Document(object(json!({"keys": [key()]}))))),
        )),
        ..Facts::default()
    }
}

fn trouble(exit: Exit, code: Option<ErrorCode>, description: &str) -> Trouble {
    let kind = match exit {
        Exit::Malformed => ErrorKind::PeerMisbehaved,
        Exit::Unreachable | Exit::Tls | Exit::RateLimited => ErrorKind::Unreachable,
        _ => ErrorKind::Refused,
    };
    Trouble {
        exit,
        kind,
        message: format!("the server refused: {description}"),
        description: Some(description.to_owned()),
        code,
        hint: "do this".to_owned(),
    }
}

/// The token endpoint answered this instead of a token.
fn refused(facts: &mut Facts, exit: Exit, code: ErrorCode, description: &str) {
    let error = TokenAnswer { error: Some(code.as_str().to_owned()), ..TokenAnswer::default() };
    facts.exchanges[1].outcome = Ok(answer(400, Body::Token(Box::new(error))));
    facts.outcome = Some(Err(trouble(exit, Some(code), description)));
    facts.keys_fetch = None;
}

fn client_refused(facts: &mut Facts) {
    refused(facts, Exit::ClientRefused, ErrorCode::InvalidClient, "who?");
}

/// No connection came about.
fn unanswered(facts: &mut Facts, error: &HttpError, exit: Exit) {
    facts.exchanges = vec![exchange(Method::GET, "/.well-known/x", Err(error.clone()))];
    facts.outcome = Some(Err(trouble(exit, None, &error.to_string())));
    (facts.metadata, facts.keys_fetch) = (None, None);
}

fn answered(facts: &mut Facts) -> &mut TokenAnswer {
    match &mut facts.exchanges[1].outcome {
        Ok(Answer { body: Body::Token(answer), .. }) => answer,
        other => panic!("{other:?}"),
    }
}

fn claims(facts: &mut Facts) -> &mut Map<String, Value> {
    match &mut answered(facts).token {
        Some(TokenShape::Jwt { claims, .. }) => claims,
        other => panic!("{other:?}"),
    }
}

fn signs(facts: &mut Facts) {
    facts.settings.method = Some(Shown::Registered(ClientAuthMethod::PrivateKeyJwt));
    facts.settings.algorithm = Some("ES256".to_owned());
    facts.secrets.clear();
    facts.keys = vec![(Field::PrivateKey, Ok("ES256".to_owned()))];
}

fn proxied(facts: &mut Facts, reaction: Reaction) {
    facts.proxy =
        Some(ProxyFacts { url: "http://proxy.example:3128".to_owned(), variable: "HTTPS_PROXY", reaction });
    (facts.addresses, facts.connection) = (None, None);
}

/// After `change`, this check is the first finding, with this status and exit code, and all texts are filled.
#[track_caller]
fn first(check: Check, status: Status, exit: Exit, change: impl FnOnce(&mut Facts)) {
    let mut facts = healthy();
    change(&mut facts);
    let report = judge(&facts);
    let (found, finding) = report.first().unwrap_or_else(|| panic!("nothing is found"));
    assert_eq!((found.id(), finding.status, report.exit()), (check.id(), status, exit), "{finding:?}");
    for text in [Some(&finding.evidence), finding.cause.as_ref(), finding.fix.as_ref()] {
        let text = text.expect("evidence, cause and fix");
        assert!(!text.is_empty() && !text.contains('<'), "{text}");
    }
}

#[track_caller]
fn fails(check: Check, exit: Exit, change: impl FnOnce(&mut Facts)) {
    first(check, Status::Fail, exit, change);
}

#[track_caller]
fn warns(check: Check, change: impl FnOnce(&mut Facts)) {
    first(check, Status::Warn, Exit::Ok, change);
}

/// After `change`, nothing is found.
#[track_caller]
fn fine(change: impl FnOnce(&mut Facts)) {
    let mut facts = healthy();
    change(&mut facts);
    let report = judge(&facts);
    assert_eq!(report.first(), None);
}

#[test]
fn in_order() {
    fine(|_| {});
    let report = judge(&healthy());
    let skipped: Vec<&str> = report
        .0
        .iter()
        .filter(|(_, finding)| finding.status == Status::Skip)
        .map(|(check, _)| check.id())
        .collect();
    assert_eq!(skipped, ["key.usable", "certificate.expiry", "auth.probe"]);
}

/// Tools that do use the proxy would fail, so a broken one is worth a word; one that works, or says no to a strange
/// request, is not.
#[test]
fn a_broken_proxy_that_is_not_used() {
    let bypassed = |facts: &mut Facts, reaction| {
        let url = "http://127.0.0.1:3128".to_owned();
        facts.bypassed = Some(ProxyFacts { url, variable: "HTTPS_PROXY", reaction });
    };
    let refused =
        |code: u16| Reaction::Refused { status: StatusCode::from_u16(code).unwrap(), content_type: None };
    warns(Check::Proxy, |facts| bypassed(facts, Reaction::Unreachable("connection refused".to_owned())));
    warns(Check::Proxy, |facts| bypassed(facts, refused(407)));
    for harmless in [Reaction::Connected, Reaction::NotAsked, refused(403)] {
        fine(|facts| bypassed(facts, harmless));
    }
}

#[test]
fn settings() {
    let failure = || Failure::configuration("no issuer").hint("give one");
    fails(Check::SettingsSource, Exit::Configuration, |facts| {
        *facts = Facts::default();
        facts.settings.unresolved = Some(failure());
    });
    fails(Check::SettingsComplete, Exit::Configuration, |facts| {
        *facts = Facts::default();
        facts.settings.unusable = Some(failure());
    });
    warns(Check::SettingsComplete, |facts| {
        signs(facts);
        facts.settings.issuer = None;
    });
    fine(|facts| {
        signs(facts);
        facts.settings.issuer = None;
        facts.settings.assertion_audience = Some(ISSUER.to_owned());
    });
    warns(Check::Destinations, |facts| facts.settings.destinations = vec!["http://api.example".to_owned()]);
    fine(|facts| facts.settings.destinations.clear());
}

#[test]
fn secrets() {
    fails(Check::SecretReadable, Exit::SecretUnavailable, |facts| {
        *facts = Facts::default();
        facts.settings.unusable = Some(Failure::secret("cannot read"));
    });
    warns(Check::SecretTrailingNewline, |facts| facts.secrets[0].around = Around::LineEnd);
    warns(Check::SecretTrailingNewline, |facts| facts.secrets[0].around = Around::Spaces);
    fails(Check::SecretTrailingNewline, Exit::SecretUnavailable, |facts| {
        facts.secrets[0].around = Around::Control;
    });
    fails(Check::SecretTrailingNewline, Exit::ClientRefused, |facts| {
        facts.secrets[0].around = Around::Spaces;
        client_refused(facts);
    });
    warns(Check::SecretFileMode, |facts| facts.files[0].1 = Exposure::Everybody);
    warns(Check::SecretFileMode, |facts| facts.files[0].1 = Exposure::Group);
    // What was removed here may have been registered with the secret, unless something explains the refusal better.
    fails(Check::SecretTrailingNewline, Exit::ClientRefused, |facts| {
        facts.secrets[0].around = Around::LineEnd;
        client_refused(facts);
    });
    let mut facts = healthy();
    facts.secrets[0].around = Around::LineEnd;
    client_refused(&mut facts);
    facts.settings.method = Some(Shown::Registered(ClientAuthMethod::ClientSecretPost));
    let report = judge(&facts);
    let newline = report.0.iter().find(|(check, _)| *check == Check::SecretTrailingNewline).unwrap();
    assert_eq!(newline.1.status, Status::Warn, "{report:?}");
}

#[test]
fn a_secret_with_escapes() {
    fine(|facts| facts.secrets[0].escapes = 2);
    fails(Check::SecretDoubleEncoded, Exit::ClientRefused, |facts| {
        facts.secrets[0].escapes = 2;
        client_refused(facts);
    });
    // What explains the refusal better goes first.
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        facts.secrets[0].escapes = 2;
        client_refused(facts);
        facts.settings.method = Some(Shown::Registered(ClientAuthMethod::ClientSecretPost));
    });
    fails(Check::ClockOffset, Exit::ClientRefused, |facts| {
        facts.secrets[0].escapes = 2;
        client_refused(facts);
        facts.settings.method = Some(Shown::Registered(ClientAuthMethod::ClientSecretJwt));
        (facts.metadata, facts.settings.issuer) = (None, None);
        facts.settings.assertion_audience = Some(ISSUER.to_owned());
        for exchange in &mut facts.exchanges {
            exchange.at = NOW.saturating_add(5 * Duration::from_secs(60));
        }
    });
    fails(Check::TokenRequest, Exit::RequestRefused, |facts| {
        facts.secrets[0].escapes = 2;
        refused(facts, Exit::RequestRefused, ErrorCode::InvalidScope, "scope");
    });
}

#[test]
fn keys_and_certificates_of_the_client() {
    fine(signs);
    fails(Check::KeyUsable, Exit::Configuration, |facts| {
        facts.keys = vec![(Field::PrivateKey, Err("no key".to_owned()))];
    });
    fails(Check::KeyUsable, Exit::Configuration, |facts| {
        facts.keys = vec![(Field::ClientSecret, Err("too short".to_owned()))];
    });
    let ends = |facts: &mut Facts, end: Option<UnixTime>| {
        let validity = end.map(|end| (UnixTime::default(), end));
        facts.certificate = Some(CertificateFacts { place: "file c".to_owned(), validity });
    };
    fine(|facts| ends(facts, Some(NOW.saturating_add(15 * DAY))));
    warns(Check::CertificateExpiry, |facts| ends(facts, Some(NOW.saturating_add(13 * DAY))));
    fails(Check::CertificateExpiry, Exit::Tls, |facts| ends(facts, Some(NOW.saturating_sub(DAY))));
    fails(Check::CertificateExpiry, Exit::Configuration, |facts| ends(facts, None));
}

#[test]
fn proxies() {
    fine(|facts| proxied(facts, Reaction::Connected));
    let stands = |reaction: Reaction| {
        fails(Check::Proxy, Exit::Unreachable, |facts| {
            unanswered(facts, &HttpError::Proxy("closed".to_owned()), Exit::Unreachable);
            proxied(facts, reaction);
        });
    };
    stands(Reaction::Unreachable("connection refused".to_owned()));
    stands(Reaction::Refused { status: StatusCode::PROXY_AUTHENTICATION_REQUIRED, content_type: None });
    stands(Reaction::Refused { status: StatusCode::FORBIDDEN, content_type: Some("text/html".to_owned()) });
    stands(Reaction::Garbage);
    stands(Reaction::Connected);
    let no_tls = HttpError::Tls("received corrupt message of type InvalidContentType".to_owned());
    fails(Check::Proxy, Exit::Unreachable, |facts| {
        unanswered(facts, &no_tls, Exit::Tls);
        proxied(facts, Reaction::Connected);
    });
    fails(Check::Proxy, Exit::Unreachable, |facts| {
        proxied(facts, Reaction::NotAsked);
        facts.exchanges[1].outcome = Ok(answer(200, Body::Html));
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "page")));
    });
    fails(Check::Proxy, Exit::Unreachable, |facts| {
        proxied(facts, Reaction::NotAsked);
        facts.exchanges[1].outcome = Ok(answer(407, Body::Other));
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "407")));
    });
}

#[test]
fn names_connections_and_tls() {
    let reason = || "no".to_owned();
    fails(Check::Dns, Exit::Unreachable, |facts| {
        unanswered(facts, &HttpError::Dns(reason()), Exit::Unreachable);
        (facts.addresses, facts.connection) = (Some(Err(reason())), None);
    });
    fails(Check::TcpConnect, Exit::Unreachable, |facts| {
        unanswered(facts, &HttpError::Connect(reason()), Exit::Unreachable);
        facts.connection = Some(Err(reason()));
    });
    // Whoever cannot be reached is not blamed for the metadata as well.
    let mut facts = healthy();
    unanswered(&mut facts, &HttpError::Connect(reason()), Exit::Unreachable);
    facts.connection = Some(Err(reason()));
    let failed = judge(&facts).0.iter().filter(|(_, finding)| finding.status == Status::Fail).count();
    assert_eq!(failed, 1, "{:?}", judge(&facts));
    for (reason, words) in [
        ("invalid peer certificate: UnknownIssuer", "not trusted"),
        ("invalid peer certificate: certificate not valid for name \"a\"", "other names"),
        ("received corrupt message of type InvalidContentType", "does not speak TLS"),
        ("received fatal alert: CertificateRequired", "our client certificate"),
        ("received fatal alert: ProtocolVersion", "handshake failed"),
    ] {
        let change = |facts: &mut Facts| unanswered(facts, &HttpError::Tls(reason.to_owned()), Exit::Tls);
        fails(Check::TlsChain, Exit::Tls, change);
        let mut facts = healthy();
        change(&mut facts);
        let report = judge(&facts);
        assert!(report.first().unwrap().1.cause.as_ref().unwrap().contains(words), "{reason}");
    }
    let ends = |facts: &mut Facts, end| facts.handshakes[0].validities.push((UnixTime::default(), end));
    fine(|facts| ends(facts, NOW.saturating_add(15 * DAY)));
    warns(Check::TlsExpired, |facts| ends(facts, NOW.saturating_add(13 * DAY)));
    fails(Check::TlsExpired, Exit::Tls, |facts| {
        unanswered(facts, &HttpError::Tls("UnknownIssuer".to_owned()), Exit::Tls);
        ends(facts, NOW.saturating_sub(DAY));
    });
}

#[test]
fn discovery() {
    let without = |facts: &mut Facts, status, exit| {
        facts.exchanges = vec![exchange(Method::GET, "/.well-known/x", Ok(answer(status, Body::Empty)))];
        facts.outcome = Some(Err(trouble(exit, None, "status")));
        (facts.metadata, facts.keys_fetch) = (None, None);
    };
    fails(Check::DiscoveryReachable, Exit::Malformed, |facts| without(facts, 404, Exit::Malformed));
    fails(Check::DiscoveryReachable, Exit::Malformed, |facts| {
        without(facts, 404, Exit::Malformed);
        facts.exchanges[0].outcome = Ok(answer(404, Body::Html));
    });
    fails(Check::TokenNotJson, Exit::Malformed, |facts| {
        without(facts, 403, Exit::Malformed);
        facts.exchanges[0].outcome = Ok(answer(403, Body::Html));
    });
    fails(Check::DiscoveryReachable, Exit::Unreachable, |facts| without(facts, 503, Exit::Unreachable));
    fails(Check::DiscoveryReachable, Exit::RateLimited, |facts| without(facts, 429, Exit::RateLimited));
    fails(Check::DiscoveryReachable, Exit::Malformed, |facts| {
        facts.exchanges.pop();
        facts.keys_fetch = None;
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "token_endpoint is no URL")));
    });
    fails(Check::DiscoveryIssuer, Exit::Malformed, |facts| {
        facts.metadata.as_mut().unwrap().members["issuer"] = json!("https://as.example/");
        facts.exchanges.pop();
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "issuer")));
        facts.keys_fetch = None;
    });
    fails(Check::DiscoveryIssuer, Exit::Malformed, |facts| {
        facts.metadata.as_mut().unwrap().members.remove("issuer");
        facts.exchanges.pop();
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "issuer")));
        facts.keys_fetch = None;
    });
    fine(|facts| facts.settings.issuer = None);
}

#[test]
fn methods() {
    let list = "token_endpoint_auth_methods_supported";
    let post = |facts: &mut Facts| {
        facts.settings.method = Some(Shown::Registered(ClientAuthMethod::ClientSecretPost));
    };
    let members = |facts: &mut Facts| std::mem::take(&mut facts.metadata.as_mut().unwrap().members);
    let unsaid = |facts: &mut Facts| {
        let mut members = members(facts);
        members.remove(list);
        facts.metadata.as_mut().unwrap().members = members;
    };
    warns(Check::AuthMethod, post);
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        post(facts);
        client_refused(facts);
    });
    fine(|facts| {
        post(facts);
        unsaid(facts);
    });
    // A server that says nothing takes Basic (RFC 8414 section 2).
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        post(facts);
        unsaid(facts);
        client_refused(facts);
    });
    // A client may be registered for one method alone, of those that the metadata names.
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        let words = "client must use private_key_jwt";
        refused(facts, Exit::ClientRefused, ErrorCode::InvalidClient, words);
    });
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        facts.metadata = None;
        facts.settings.issuer = None;
        let words = "client authentication method not supported";
        refused(facts, Exit::ClientRefused, ErrorCode::InvalidClient, words);
    });
    let rs = |facts: &mut Facts| {
        signs(facts);
        facts.settings.algorithm = Some("RS256".to_owned());
    };
    warns(Check::AuthMethod, rs);
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        rs(facts);
        client_refused(facts);
    });
    // Without metadata the catalogue's word counts.
    let service = |facts: &mut Facts, methods: &[&str]| {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        facts.settings.service = Some(Known { name: "Example".to_owned(), methods, lifetime: None });
        unsaid(facts);
    };
    fails(Check::AuthMethod, Exit::ClientRefused, |facts| {
        service(facts, &["client_secret_post"]);
        client_refused(facts);
    });
    fine(|facts| service(facts, &["client_secret_basic"]));
    fine(|facts| facts.settings.method = Some(Shown::None));
    fine(|facts| facts.settings.method = Some(Shown::Federated));
    let variant = |taken| vec![Variant { what: "raw Basic", setting: "set basic_encoding", taken }];
    fails(Check::AuthProbe, Exit::ClientRefused, |facts| {
        client_refused(facts);
        facts.probes = Some(variant(Taken::Accepted));
    });
    fails(Check::TokenRequest, Exit::ClientRefused, |facts| {
        client_refused(facts);
        facts.probes = Some(variant(Taken::Refused("401".to_owned())));
    });
}

#[test]
fn clocks() {
    let apart = |facts: &mut Facts, seconds: u64, ours_is_ahead| {
        let by = Duration::from_secs(seconds);
        let at = if ours_is_ahead { NOW.saturating_add(by) } else { NOW.saturating_sub(by) };
        for exchange in &mut facts.exchanges {
            exchange.at = at;
        }
    };
    fine(|facts| apart(facts, 9, false));
    fine(|facts| apart(facts, 10, true)); // the fraction of a second and the way
    warns(Check::ClockOffset, |facts| apart(facts, 10, false));
    warns(Check::ClockOffset, |facts| apart(facts, 59, false));
    for ours_is_ahead in [true, false] {
        fails(Check::ClockOffset, Exit::VerificationFailed, |facts| apart(facts, 300, ours_is_ahead));
        fails(Check::ClockOffset, Exit::ClientRefused, |facts| {
            signs(facts);
            client_refused(facts);
            apart(facts, 300, ours_is_ahead);
        });
    }
    let undated = |facts: &mut Facts, words| {
        signs(facts);
        refused(facts, Exit::ClientRefused, ErrorCode::InvalidClient, words);
        for exchange in &mut facts.exchanges {
            if let Ok(answer) = &mut exchange.outcome {
                answer.date = None;
            }
        }
    };
    fails(Check::ClockOffset, Exit::ClientRefused, |facts| undated(facts, "the assertion has expired"));
    fails(Check::TokenRequest, Exit::ClientRefused, |facts| undated(facts, "unknown key"));
}

#[test]
fn answers_that_are_none() {
    for (status, body) in [(200, Body::Html), (200, Body::Empty), (200, Body::Other), (403, Body::Html)] {
        fails(Check::TokenNotJson, Exit::Malformed, |facts| {
            facts.exchanges[1].outcome = Ok(answer(status, body.clone()));
            facts.outcome = Some(Err(trouble(Exit::Malformed, None, "page")));
            facts.keys_fetch = None;
        });
    }
    // The portal stands before the metadata already.
    fails(Check::TokenNotJson, Exit::Malformed, |facts| {
        facts.exchanges = vec![exchange(Method::GET, "/.well-known/x", Ok(answer(200, Body::Html)))];
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "page")));
        (facts.metadata, facts.keys_fetch) = (None, None);
    });
    // A page that says "not now" is no wrong address.
    fails(Check::TokenRequest, Exit::Unreachable, |facts| {
        facts.exchanges[1].outcome = Ok(answer(503, Body::Html));
        facts.outcome = Some(Err(trouble(Exit::Unreachable, None, "503")));
        facts.keys_fetch = None;
    });
}

#[test]
fn tokens() {
    warns(Check::TokenExpiresIn, |facts| answered(facts).expires_in = Life::default());
    warns(Check::TokenExpiresIn, |facts| answered(facts).expires_in = life(&json!(3_600_000)));
    warns(Check::TokenExpiresIn, |facts| answered(facts).expires_in = life(&json!(5)));
    fine(|facts| answered(facts).expires_in = life(&json!("600")));
    fine(|facts| {
        answered(facts).expires_in = Life::default();
        answered(facts).has_end = true;
    });
    fine(|facts| {
        answered(facts).expires_in = Life::default();
        facts.settings.fallback = Some(7200);
    });
    fine(|facts| {
        answered(facts).expires_in = Life::default();
        let (name, methods) = ("Example".to_owned(), Vec::new());
        facts.settings.service = Some(Known { name, methods, lifetime: Some(7200) });
    });
    for odd in [json!(0), json!(-1), json!("soon"), json!("inf"), json!("1e9"), json!(true), json!([60])] {
        fails(Check::TokenExpiresIn, Exit::Malformed, |facts| {
            answered(facts).expires_in = life(&odd);
            facts.outcome = Some(Err(trouble(Exit::Malformed, None, "expires_in")));
        });
    }
    warns(Check::TokenType, |facts| answered(facts).token_type = None);
    fails(Check::TokenType, Exit::Malformed, |facts| {
        answered(facts).token_type = Some("DPoP".to_owned());
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "type")));
    });
    fails(Check::TokenType, Exit::Malformed, |facts| {
        facts.settings.binding = Binding::Dpop;
        facts.outcome = Some(Err(trouble(Exit::Malformed, None, "type")));
    });
    warns(Check::TokenScope, |facts| facts.settings.scopes = vec!["read".to_owned(), "write".to_owned()]);
    fine(|facts| {
        facts.settings.scopes = vec!["read".to_owned(), "write".to_owned()];
        answered(facts).scope = Some("read,write".to_owned());
    });
    fine(|facts| answered(facts).scope = None);
    fine(|facts| answered(facts).token = Some(TokenShape::Opaque));
}

#[test]
fn audiences() {
    fails(Check::TokenAudience, Exit::VerificationFailed, |facts| {
        claims(facts).insert("aud".to_owned(), json!(["https://other.example"]));
    });
    fine(|facts| {
        claims(facts).insert("aud".to_owned(), json!(["https://other.example", API]));
    });
    fine(|facts| facts.settings.audiences.clear());
    for (code, words) in [
        (ErrorCode::InvalidTarget, "who?"),
        (ErrorCode::InvalidRequest, "unknown audience"),
        (ErrorCode::AccessDenied, "Service not found: https://api.example"),
    ] {
        fails(Check::TokenAudience, Exit::RequestRefused, |facts| {
            refused(facts, Exit::RequestRefused, code.clone(), words);
        });
    }
    // The catalogue knows how its service is told of an audience.
    let mut facts = healthy();
    facts.settings.service = Some(Known { name: "Example".to_owned(), methods: Vec::new(), lifetime: None });
    refused(&mut facts, Exit::RequestRefused, ErrorCode::InvalidTarget, "who?");
    let report = judge(&facts);
    assert!(report.first().unwrap().1.fix.as_ref().unwrap().contains("do this"), "{report:?}");
    // The audience of an assertion is another matter.
    fails(Check::TokenRequest, Exit::ClientRefused, |facts| {
        signs(facts);
        refused(facts, Exit::ClientRefused, ErrorCode::InvalidClient, "wrong audience");
    });
}

#[test]
fn claims_of_a_readable_token() {
    warns(Check::TokenIssuer, |facts| {
        claims(facts).insert("iss".to_owned(), json!("https://sts.example"));
    });
    warns(Check::TokenLifetime, |facts| {
        claims(facts).insert("exp".to_owned(), json!(NOW.seconds() + 60));
    });
    // A token that is shared has less left than it had.
    fine(|facts| {
        claims(facts).insert("iat".to_owned(), json!(NOW.seconds() - 3000));
    });
}

#[test]
fn published_keys() {
    let brings =
        |facts: &mut Facts, outcome| facts.keys_fetch = Some(exchange(Method::GET, "/jwks", outcome));
    let set = |facts: &mut Facts, keys: Value| {
        brings(facts, Ok(answer(200, Body::Document(object(json!({"keys": keys}))))));
    };
    let check = |outcome: Result<Answer, HttpError>, exit| {
        fails(Check::JwksUnreachable, exit, |facts| brings(facts, outcome));
    };
    check(Err(HttpError::Timeout), Exit::Unreachable);
    check(Err(HttpError::Tls("UnknownIssuer".to_owned())), Exit::Tls);
    check(Ok(answer(404, Body::Html)), Exit::Malformed);
    check(Ok(answer(503, Body::Html)), Exit::Unreachable);
    check(Ok(answer(200, Body::Html)), Exit::Malformed);
    fails(Check::JwksKeys, Exit::Malformed, |facts| set(facts, json!([])));
    fails(Check::JwksKeys, Exit::Malformed, |facts| set(facts, json!("keys")));
    warns(Check::JwksKeys, |facts| set(facts, json!([key(), {"kty": "new"}])));
    fine(|facts| set(facts, json!([key(), {"kty": "new", "use": "enc"}])));
    warns(Check::JwksKeys, |facts| {
        let mut other = key();
        other["kid"] = json!("k2");
        set(facts, json!([other]));
    });
    fine(|facts| {
        facts.metadata.as_mut().unwrap().members.remove("jwks_uri");
        facts.keys_fetch = None;
    });
}

#[test]
fn allowances() {
    let quota = |facts: &mut Facts| match &mut facts.exchanges[1].outcome {
        Ok(answer) => answer.quota = vec![("ratelimit-remaining".to_owned(), "7".to_owned())],
        other => panic!("{other:?}"),
    };
    fine(quota);
    let mut facts = healthy();
    facts.exchanges[1].outcome = Ok(answer(429, Body::Empty));
    facts.outcome = Some(Err(trouble(Exit::RateLimited, None, "429")));
    quota(&mut facts);
    let report = judge(&facts);
    let found = |check| report.0.iter().find(|(found, _)| *found == check).unwrap().1.clone();
    assert_eq!(report.first().unwrap().0, Check::TokenRequest);
    assert_eq!(report.exit(), Exit::RateLimited);
    assert_eq!(found(Check::Quota).status, Status::Warn);
    assert_eq!(found(Check::Quota).evidence, "ratelimit-remaining: 7");
}

/// Whatever else goes wrong with the request, something is said.
#[test]
fn no_failure_passes_in_silence() {
    fails(Check::TokenRequest, Exit::Configuration, |facts| {
        facts.exchanges.clear();
        facts.keys_fetch = None;
        facts.metadata = None;
        facts.settings.issuer = None;
        facts.outcome = Some(Err(trouble(Exit::Configuration, None, "not allowed to connect")));
    });
}
